/** cloudstate.eventsourced, seen from the function: EventSourcedStreamIn is read, EventSourcedStreamOut written. */
import {
  type CommandIn,
  type EffectOut,
  lengthDelimited,
  type Outcome,
  type Payload,
  readAny,
  readCommand,
  Reader,
  varintField,
  writeAny,
  writeClientAction,
  writeEffects,
  Writer,
} from "./common.ts";
import { type TimerChange, writeTimers } from "./timers.ts";

export const eventSourcedPath = "/cloudstate.eventsourced.EventSourced/handle";
export const eventSourcedType = "cloudstate.eventsourced.EventSourced";

export type EventSourcedIn =
  | {
      readonly is: "init";
      readonly service: string;
      readonly entityId: string;
      readonly snapshot: { readonly sequence: number; readonly payload: Payload } | undefined;
    }
  | { readonly is: "event"; readonly sequence: number; readonly payload: Payload }
  | { readonly is: "command"; readonly command: CommandIn }
  /** A oneof case this version does not know, or none. */
  | { readonly is: "unknown" };

/** EventSourcedStreamIn {init = 1, event = 2, command = 3}. */
export function readEventSourcedIn(bytes: Uint8Array): EventSourcedIn {
  const reader = new Reader(bytes);
  let message: EventSourcedIn = { is: "unknown" };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(3)) message = { is: "command", command: readCommand(reader.message()) };
    else if (tag === lengthDelimited(2)) message = readEvent(reader.message());
    else if (tag === lengthDelimited(1)) message = readInit(reader.message());
    else reader.skip(tag);
  }
  return message;
}

/** EventSourcedEvent {sequence = 1, payload = 2}. */
function readEvent(reader: Reader): EventSourcedIn {
  let sequence = 0;
  let payload: Payload = { typeUrl: "", value: new Uint8Array(0) };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintField(1)) sequence = reader.varint();
    else if (tag === lengthDelimited(2)) payload = readAny(reader.message());
    else reader.skip(tag);
  }
  return { is: "event", sequence, payload };
}

/** EventSourcedInit {service_name = 1, entity_id = 2, snapshot = 3 {snapshot_sequence = 1, snapshot = 2}}. */
function readInit(reader: Reader): EventSourcedIn {
  let service = "";
  let entityId = "";
  let snapshot: { sequence: number; payload: Payload } | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) service = reader.text();
    else if (tag === lengthDelimited(2)) entityId = reader.text();
    else if (tag === lengthDelimited(3)) {
      const event = readEvent(reader.message()); // the snapshot has the same two fields
      if (event.is === "event") snapshot = { sequence: event.sequence, payload: event.payload };
    } else reader.skip(tag);
  }
  return { is: "init", service, entityId, snapshot };
}

/** An answer to one command. */
export interface EventSourcedAnswer {
  readonly outcome: Outcome;
  readonly effects: readonly EffectOut[];
  readonly events: readonly Payload[];
  readonly snapshot: Payload | undefined;
  readonly timers: readonly TimerChange[];
}

const writer = new Writer();

/** EventSourcedStreamOut {reply = 1 {command_id = 1, client_action = 2, side_effects = 3, events = 4, snapshot = 5}}, and timers. */
export function encodeEventSourcedReply(commandId: number, { outcome, effects, events, snapshot, timers }: EventSourcedAnswer): Uint8Array {
  writer.reset().begin(1).number(1, commandId);
  writeClientAction(writer, 2, outcome, commandId);
  writeEffects(writer, 3, effects);
  for (const event of events) writeAny(writer, 4, event);
  if (snapshot !== undefined) writeAny(writer, 5, snapshot);
  writeTimers(writer, timers);
  return writer.end().finish();
}
