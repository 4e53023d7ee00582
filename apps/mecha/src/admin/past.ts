/** An entity as it was: a command that only reads, asked of a replay of its events up to a sequence. */
import { create, type DescMessage, fromJson, type JsonObject, type JsonValue, ScalarType, toBinary } from "@bufbuild/protobuf";
import { type Clock, Fault } from "@mecha/kit";
import { askShadow, type Command, type Component } from "@mecha/state";
import { anyToJson } from "@mecha/wire";
import type { EntitySource } from "./entities.ts";
import type { PastJson } from "./model.ts";

/** What to ask of the past. */
export interface PastQuery {
  readonly service: string;
  readonly id: string;
  readonly sequence: number;
  /** Bare method name. Without it the one method whose name begins with Get, Read or Show. */
  readonly command?: string;
  /** The message as proto3 JSON; its key field is filled in. */
  readonly input?: string;
}

/** Asks. @throws Fault saying which command may be asked, what is wrong with the input, or what the function said. */
export async function entityPast(source: EntitySource & { readonly clock: Clock }, query: PastQuery): Promise<PastJson> {
  const component = source.engine.component(query.service);
  const descriptors = source.descriptors(query.service);
  if (!component || !descriptors)
    throw new Fault("unavailable", `no function serves ${query.service} now, and only it can replay its events`);
  const name = commandName(component, query.command);
  const method = component.methods.get(name);
  const input = descriptors.message((method?.inputTypeUrl ?? "").replace(/^.*\//u, ""));
  if (!method || !input)
    throw new Fault("invalid", `${query.service} has no command ${name}; it has ${[...component.methods.keys()].join(", ")}`);
  const command: Command = {
    name,
    payload: {
      typeUrl: method.inputTypeUrl,
      value: message(input, { id: query.id, entityId: method.entityId, json: parsed(query.input) }),
    },
  };
  const address = { namespace: "default", service: query.service, persistenceId: component.persistenceId, entityId: query.id };
  const action = await askShadow({ component, address, sequence: query.sequence, command }, source);
  switch (action.do) {
    case "reply":
      return { sequence: query.sequence, command: name, answer: anyToJson(action.payload, descriptors.registry) };
    case "fail":
      throw new Fault("precondition", `${name} at ${query.sequence}: ${action.description}`);
    case "forward":
      throw new Fault("precondition", `${name} forwards to ${action.service}/${action.command}; ask a command that answers by itself`);
    case "nothing":
      throw new Fault("precondition", `${name} answers nothing; ask another command`);
  }
}

function commandName(component: Component, wanted: string | undefined): string {
  if (wanted !== undefined) return wanted;
  const reading = [...component.methods.keys()].filter((name) => /^(?:Get|Read|Show)/iu.test(name));
  const [only] = reading;
  if (only !== undefined && reading.length === 1) return only;
  const choice = (reading.length > 0 ? reading : [...component.methods.keys()]).join(", ");
  throw new Fault("invalid", `\`command\`: name the command to ask of the past; ${component.service} has ${choice}`);
}

function parsed(input: string | undefined): JsonObject {
  if (input === undefined) return {};
  try {
    const json = JSON.parse(input) as JsonValue;
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json;
  } catch {
    // falls through to the one message
  }
  throw new Fault("invalid", `\`input\`: expected a JSON object, got ${input.slice(0, 60)}`);
}

/** The message's bytes, with the entity's id in the key field: the string field whose value the component reads back as the id. */
function message(
  input: DescMessage,
  from: { readonly id: string; readonly entityId: ((bytes: Uint8Array) => string) | undefined; readonly json: JsonObject },
): Uint8Array {
  const strings = input.fields.filter((field) => field.fieldKind === "scalar" && field.scalar === ScalarType.STRING);
  const key = strings.find((field) => {
    try {
      return from.entityId?.(toBinary(input, create(input, { [field.localName]: from.id }))) === from.id;
    } catch {
      return false; // the id is missing: it is another field
    }
  });
  const json = key && !(key.jsonName in from.json) && !(key.name in from.json) ? { ...from.json, [key.jsonName]: from.id } : from.json;
  try {
    return toBinary(input, fromJson(input, json));
  } catch (cause) {
    throw new Fault("invalid", `\`input\` is no ${input.typeName}`, { cause });
  }
}
