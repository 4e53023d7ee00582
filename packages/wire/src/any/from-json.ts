/** The other way round of `anyToJson`: what people wrote, or took out of an export, as a payload again. */
import { type DescMessage, fromJson, type JsonValue, type Registry, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { anyToJson } from "./json.ts";
import { jsonType, messageTypeName, packJson, primitiveSchema, type TypedPayload } from "./payload.ts";

/** @throws Fault("invalid") when no type of that name is known, or the JSON is not one of it. */
export function anyFromJson(typeUrl: string, json: JsonValue, registry: Registry): TypedPayload {
  const type = jsonType(typeUrl);
  if (type !== undefined) return { typeUrl, value: packJson(type, json).value };
  const schema = primitiveSchema(typeUrl) ?? messageSchema(typeUrl, registry);
  try {
    return { typeUrl, value: toBinary(schema, fromJson(schema, json, { registry })) };
  } catch (cause) {
    throw new Fault("invalid", `the JSON is no ${JSON.stringify(typeUrl)}`, { cause });
  }
}

function messageSchema(typeUrl: string, registry: Registry): DescMessage {
  const name = messageTypeName(typeUrl);
  const schema = name === undefined ? undefined : registry.getMessage(name);
  if (schema) return schema;
  throw new Fault("invalid", `no descriptor of ${JSON.stringify(typeUrl)}: no function that is served now knows the type`);
}

/** The payload as JSON if exactly its bytes come back from that JSON; else `undefined`. For copies that must be true ones. */
export function anyToExactJson(payload: TypedPayload, registry: Registry): JsonValue | undefined {
  const readable = anyToJson(payload, registry);
  if (!("json" in readable)) return undefined;
  try {
    const text = JSON.stringify(readable.json); // as it will be written: text has no -0
    const { value } = anyFromJson(payload.typeUrl, JSON.parse(text) as JsonValue, registry);
    return value.length === payload.value.length && value.every((byte, at) => byte === payload.value[at]) ? readable.json : undefined;
  } catch {
    return undefined; // JSON that people can read, but that is not enough to go back
  }
}
