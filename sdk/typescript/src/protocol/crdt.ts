/** cloudstate.crdt, seen from the function. Deltas go through protobuf-es: they nest, and hold 64-bit numbers. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { type CrdtDelta, CrdtDeltaSchema, CrdtWriteConsistency } from "@mecha/wire/gen/cloudstate/crdt";
import {
  type CommandIn,
  type EffectOut,
  lengthDelimited,
  type Outcome,
  readCommand,
  Reader,
  varintField,
  writeClientAction,
  writeEffects,
  writeFailure,
  Writer,
} from "./common.ts";

export const crdtPath = "/cloudstate.crdt.Crdt/handle";
export const crdtType = "cloudstate.crdt.Crdt";

export type CrdtIn =
  | { readonly is: "init"; readonly service: string; readonly entityId: string; readonly delta: CrdtDelta | undefined }
  | { readonly is: "delta"; readonly delta: CrdtDelta }
  | { readonly is: "delete" }
  | { readonly is: "command"; readonly command: CommandIn }
  | { readonly is: "cancelled"; readonly commandId: number }
  | { readonly is: "unknown" };

/** CrdtStreamIn {init = 1, delta = 2, delete = 3, command = 4, stream_cancelled = 5}. */
export function readCrdtIn(bytes: Uint8Array): CrdtIn {
  const reader = new Reader(bytes);
  let message: CrdtIn = { is: "unknown" };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(4)) message = { is: "command", command: readCommand(reader.message()) };
    else if (tag === lengthDelimited(2)) message = { is: "delta", delta: readDelta(reader) };
    else if (tag === lengthDelimited(5)) message = readCancelled(reader.message());
    else if (tag === lengthDelimited(1)) message = readInit(reader.message());
    else if (tag === lengthDelimited(3)) {
      reader.skip(tag);
      message = { is: "delete" };
    } else reader.skip(tag);
  }
  return message;
}

/** CrdtInit {service_name = 1, entity_id = 2, delta = 3}. */
function readInit(reader: Reader): CrdtIn {
  let service = "";
  let entityId = "";
  let delta: CrdtDelta | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) service = reader.text();
    else if (tag === lengthDelimited(2)) entityId = reader.text();
    else if (tag === lengthDelimited(3)) delta = readDelta(reader);
    else reader.skip(tag);
  }
  return { is: "init", service, entityId, delta };
}

function readDelta(reader: Reader): CrdtDelta {
  try {
    return fromBinary(CrdtDeltaSchema, reader.view());
  } catch (cause) {
    throw cause instanceof Fault ? cause : new Fault("invalid", "malformed protocol message: a CrdtDelta", { cause });
  }
}

/** StreamCancelled {entity_id = 1, id = 2}. */
function readCancelled(reader: Reader): CrdtIn {
  let commandId = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintField(2)) commandId = reader.varint();
    else reader.skip(tag);
  }
  return { is: "cancelled", commandId };
}

/** How many replicas must have a change before its command is answered. */
export type WriteConsistency = "local" | "majority" | "all";

const consistencies: Readonly<Record<WriteConsistency, CrdtWriteConsistency>> = {
  local: CrdtWriteConsistency.LOCAL,
  majority: CrdtWriteConsistency.MAJORITY,
  all: CrdtWriteConsistency.ALL,
};

/** What becomes of the value. `undefined`: it stays. */
export interface CrdtChange {
  readonly change: { readonly do: "update"; readonly delta: CrdtDelta } | { readonly do: "delete" } | undefined;
  readonly consistency: WriteConsistency;
}

/** What the function makes of the end of a streamed command by its caller. */
export interface CrdtCancelAnswer extends CrdtChange {
  readonly effects: readonly EffectOut[];
}

/** An answer to one command. */
export interface CrdtAnswer extends CrdtCancelAnswer {
  readonly outcome: Outcome;
  /** More follows. */
  readonly streamed: boolean;
}

/** A later answer to a streamed command. */
export interface CrdtStreamed {
  readonly outcome: Outcome;
  readonly effects: readonly EffectOut[];
  /** The last one. */
  readonly end: boolean;
}

const writer = new Writer();

/** CrdtStreamOut {reply = 1 {command_id = 1, client_action = 2, side_effects = 4, state_action = 5, streamed = 6}}. */
export function encodeCrdtReply(commandId: number, answer: CrdtAnswer): Uint8Array {
  writer.reset().begin(1).number(1, commandId);
  writeClientAction(writer, 2, answer.outcome, commandId);
  writeEffects(writer, 4, answer.effects);
  writeStateAction(5, answer);
  return writer
    .number(6, answer.streamed ? 1 : 0)
    .end()
    .finish();
}

/** CrdtStreamOut {streamed_message = 2 {command_id = 1, client_action = 2, side_effects = 3, end_stream = 4}}. */
export function encodeCrdtStreamed(commandId: number, { outcome, effects, end }: CrdtStreamed): Uint8Array {
  writer.reset().begin(2).number(1, commandId);
  writeClientAction(writer, 2, outcome, commandId);
  writeEffects(writer, 3, effects);
  return writer
    .number(4, end ? 1 : 0)
    .end()
    .finish();
}

/** CrdtStreamOut {stream_cancelled_response = 3 {command_id = 1, side_effects = 2, state_action = 3}}. */
export function encodeCrdtCancelled(commandId: number, answer: CrdtCancelAnswer): Uint8Array {
  writer.reset().begin(3).number(1, commandId);
  writeEffects(writer, 2, answer.effects);
  writeStateAction(3, answer);
  return writer.end().finish();
}

/** CrdtStreamOut {failure = 4}: ends a command; with id 0 the stream is over. */
export function encodeCrdtFailure(commandId: number, description: string): Uint8Array {
  writeFailure(writer.reset(), 4, commandId, { description, restart: false });
  return writer.finish();
}

/** CrdtStateAction {update = 1, delete = 2, write_consistency = 3}. */
function writeStateAction(field: number, { change, consistency }: CrdtChange): void {
  if (change === undefined) return;
  writer.begin(field);
  if (change.do === "update") writer.begin(1).raw(toBinary(CrdtDeltaSchema, change.delta)).end();
  else writer.begin(2).end();
  writer.number(3, consistencies[consistency]).end();
}
