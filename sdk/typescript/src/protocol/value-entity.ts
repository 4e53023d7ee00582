/** cloudstate.valueentity, seen from the function. */
import {
  type CommandIn,
  type EffectOut,
  lengthDelimited,
  type Outcome,
  type Payload,
  readAny,
  readCommand,
  Reader,
  writeAny,
  writeClientAction,
  writeEffects,
  Writer,
} from "./common.ts";
import { type TimerChange, writeTimers } from "./timers.ts";

export const valueEntityPath = "/cloudstate.valueentity.ValueEntity/handle";
export const valueEntityType = "cloudstate.valueentity.ValueEntity";

export type ValueEntityIn =
  | { readonly is: "init"; readonly service: string; readonly entityId: string; readonly value: Payload | undefined }
  | { readonly is: "command"; readonly command: CommandIn }
  | { readonly is: "unknown" };

/** ValueEntityStreamIn {init = 1, command = 2}. */
export function readValueEntityIn(bytes: Uint8Array): ValueEntityIn {
  const reader = new Reader(bytes);
  let message: ValueEntityIn = { is: "unknown" };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(2)) message = { is: "command", command: readCommand(reader.message()) };
    else if (tag === lengthDelimited(1)) message = readInit(reader.message());
    else reader.skip(tag);
  }
  return message;
}

/** ValueEntityInit {service_name = 1, entity_id = 2, state = 3 {value = 1}}. */
function readInit(reader: Reader): ValueEntityIn {
  let service = "";
  let entityId = "";
  let value: Payload | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) service = reader.text();
    else if (tag === lengthDelimited(2)) entityId = reader.text();
    else if (tag === lengthDelimited(3)) value = readState(reader.message());
    else reader.skip(tag);
  }
  return { is: "init", service, entityId, value };
}

function readState(reader: Reader): Payload | undefined {
  let value: Payload | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) value = readAny(reader.message());
    else reader.skip(tag);
  }
  return value;
}

/** What becomes of the stored state. `undefined`: it stays. */
export type StateChange = { readonly do: "update"; readonly value: Payload } | { readonly do: "delete" } | undefined;

/** An answer to one command. */
export interface ValueEntityAnswer {
  readonly outcome: Outcome;
  readonly effects: readonly EffectOut[];
  readonly change: StateChange;
  readonly timers: readonly TimerChange[];
}

const writer = new Writer();

/** ValueEntityStreamOut {reply = 1 {command_id = 1, client_action = 2, side_effects = 3, state_action = 4 {update = 1 {value = 1}, delete = 2}}}, and timers. */
export function encodeValueEntityReply(commandId: number, { outcome, effects, change, timers }: ValueEntityAnswer): Uint8Array {
  writer.reset().begin(1).number(1, commandId);
  writeClientAction(writer, 2, outcome, commandId);
  writeEffects(writer, 3, effects);
  if (change !== undefined) {
    writer.begin(4).begin(change.do === "update" ? 1 : 2);
    if (change.do === "update") writeAny(writer, 1, change.value);
    writer.end().end();
  }
  writeTimers(writer, timers);
  return writer.end().finish();
}
