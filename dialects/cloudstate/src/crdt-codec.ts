/**
 * The messages of cloudstate.crdt.Crdt in the engine's words and back.
 *
 * Invariants
 * D1 any bytes from the function give a value or one Fault("invalid") that names the field
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import type {
  Command,
  CrdtCancelled,
  CrdtDelta,
  CrdtEntryDelta,
  CrdtMessage,
  CrdtReply,
  CrdtStateChange,
  EntityAddress,
} from "@mecha/state";
import {
  actionOf,
  clocks,
  commandInit,
  consistencies,
  type CrdtCodec,
  type CrdtOut,
  effectOf,
  failureOf,
  idOf,
  known,
  payloadOf,
  unsayable,
} from "@mecha/state/remote";
import * as wire from "@mecha/wire/gen/cloudstate/crdt";

type DeltaInit = MessageInitShape<typeof wire.CrdtDeltaSchema>;
type StreamIn = NonNullable<MessageInitShape<typeof wire.CrdtStreamInSchema>["message"]>;

// ---- to the function ------------------------------------------------------------------------------------------------------------------

function streamIn(message: StreamIn): Uint8Array {
  return toBinary(wire.CrdtStreamInSchema, create(wire.CrdtStreamInSchema, { message }));
}

/** `delta` absent: the entity does not exist yet. */
function encodeInit({ service, entityId }: EntityAddress, delta: CrdtDelta | undefined): Uint8Array {
  return streamIn({ case: "init", value: { serviceName: service, entityId, ...(delta && { delta: deltaInit(delta) }) } });
}

function encodeDelta(delta: CrdtDelta): Uint8Array {
  return streamIn({ case: "delta", value: deltaInit(delta) });
}

function encodeDelete(): Uint8Array {
  return streamIn({ case: "delete", value: {} });
}

function encodeCancel(entityId: string, commandId: number): Uint8Array {
  return streamIn({ case: "streamCancelled", value: { entityId, id: BigInt(commandId) } });
}

function encodeCommand(entityId: string, commandId: number, command: Command, streamed: boolean): Uint8Array {
  return streamIn({ case: "command", value: { ...commandInit(entityId, commandId, command), streamed } });
}

function deltaInit(delta: CrdtDelta): DeltaInit {
  if (delta.type !== "ormap") return { delta: changeInit(delta) };
  const { cleared, removed, updated, added } = delta;
  return {
    delta: { case: "ormap", value: { cleared, removed: [...removed], updated: updated.map(entryInit), added: added.map(entryInit) } },
  };
}

/** Changes that are the same in 0.0 and 0.2: all but those of maps. */
type SimpleDelta = Exclude<CrdtDelta, { type: "ormap" }>;
type SimpleWireDelta = Exclude<wire.CrdtDelta["delta"], { case: "ormap" } | { case: undefined }>;

export function changeInit(delta: SimpleDelta): Exclude<NonNullable<DeltaInit["delta"]>, { case: "ormap" } | { case: undefined }> {
  switch (delta.type) {
    case "gcounter":
      return { case: "gcounter", value: { increment: delta.increment } };
    case "pncounter":
      return { case: "pncounter", value: { change: delta.change } };
    case "gset":
      return { case: "gset", value: { added: [...delta.added] } };
    case "orset":
      return { case: "orset", value: { cleared: delta.cleared, removed: [...delta.removed], added: [...delta.added] } };
    case "lwwregister":
      return { case: "lwwregister", value: { value: delta.value } };
    case "flag":
      return { case: "flag", value: { value: delta.value } };
    case "vote":
      return { case: "vote", value: { selfVote: delta.selfVote, votesFor: delta.votesFor, totalVoters: delta.totalVoters } };
    case "countermap":
    case "registermap":
    case "multimap":
      throw unsayable(delta.type, "Cloudstate");
  }
}

function entryInit({ key, delta }: CrdtEntryDelta): MessageInitShape<typeof wire.ORMapEntryDeltaSchema> {
  return { key, delta: deltaInit(delta) };
}

// ---- from the function ----------------------------------------------------------------------------------------------------------------

export const codec02: CrdtCodec = {
  init: encodeInit,
  delta: encodeDelta,
  deleted: encodeDelete,
  cancel: encodeCancel,
  command: encodeCommand,
  decode: decodeOut,
};

/** @throws Fault("invalid") (D1) */
export function decodeOut(bytes: Uint8Array): CrdtOut {
  const { message } = parse(bytes);
  switch (message.case) {
    case "reply":
      return { kind: "reply", reply: replyOf(message.value) };
    case "streamedMessage":
      return { kind: "message", message: messageOf(message.value) };
    case "streamCancelledResponse":
      return { kind: "cancelled", cancelled: cancelledOf(message.value) };
    case "failure":
      return { kind: "failure", failure: failureOf(message.value) };
    case undefined:
      return { kind: "empty" };
  }
}

function parse(bytes: Uint8Array): wire.CrdtStreamOut {
  try {
    return fromBinary(wire.CrdtStreamOutSchema, bytes);
  } catch (cause) {
    throw new Fault("invalid", `CrdtStreamOut: ${explain(cause)}`);
  }
}

function replyOf(reply: wire.CrdtReply): CrdtReply {
  const { commandId, clientAction, sideEffects, stateAction, streamed } = reply;
  const action = actionOf(clientAction);
  return { commandId: idOf(commandId), action, effects: sideEffects.map(effectOf), streamed, ...changeOf(stateAction) };
}

export function messageOf({ commandId, clientAction, sideEffects, endStream }: wire.CrdtStreamedMessage): CrdtMessage {
  return { commandId: idOf(commandId), action: actionOf(clientAction), effects: sideEffects.map(effectOf), end: endStream };
}

function cancelledOf({ commandId, sideEffects, stateAction }: wire.CrdtStreamCancelledResponse): CrdtCancelled {
  return { commandId: idOf(commandId), effects: sideEffects.map(effectOf), ...changeOf(stateAction) };
}

export function consistencyOf(stateAction: { readonly writeConsistency: number }): CrdtStateChange["consistency"] {
  return known(consistencies, stateAction.writeConsistency, "state_action.write_consistency");
}

function changeOf(stateAction: wire.CrdtStateAction | undefined): CrdtStateChange {
  if (stateAction === undefined) return { consistency: "local" };
  const { action } = stateAction;
  const consistency = consistencyOf(stateAction);
  if (action.case === "update") return { consistency, state: { do: "update", delta: deltaOf(action.value, "state_action.update") } };
  if (action.case === "delete") return { consistency, state: { do: "delete" } };
  return { consistency };
}

function deltaOf({ delta }: wire.CrdtDelta, where: string): CrdtDelta {
  if (delta.case === undefined) throw new Fault("invalid", `${where}: says nothing; set the change of one type`);
  if (delta.case !== "ormap") return simpleDeltaOf(delta, where);
  const { cleared, removed, updated, added } = delta.value;
  const entries = (list: readonly wire.ORMapEntryDelta[], field: string): CrdtEntryDelta[] =>
    list.map((entry, at) => entryOf(entry, `${where}.ormap.${field}[${at}]`));
  return {
    type: "ormap",
    cleared,
    removed: removed.map(payloadOf),
    updated: entries(updated, "updated"),
    added: entries(added, "added"),
  };
}

export function simpleDeltaOf(delta: SimpleWireDelta, where: string): SimpleDelta {
  switch (delta.case) {
    case "gcounter":
      return { type: "gcounter", increment: delta.value.increment };
    case "pncounter":
      return { type: "pncounter", change: delta.value.change };
    case "gset":
      return { type: "gset", added: delta.value.added.map(payloadOf) };
    case "orset": {
      const { cleared, removed, added } = delta.value;
      return { type: "orset", cleared, removed: removed.map(payloadOf), added: added.map(payloadOf) };
    }
    case "lwwregister":
      return registerOf(delta.value, where);
    case "flag":
      return { type: "flag", value: delta.value.value };
    case "vote":
      return { type: "vote", selfVote: delta.value.selfVote, votesFor: 0, totalVoters: 0 };
  }
}

export function registerOf(
  { value, clock, customClockValue }: wire.LWWRegisterDelta,
  where: string,
): Extract<CrdtDelta, { type: "lwwregister" }> {
  return { type: "lwwregister", value: payloadOf(value), clock: known(clocks, clock, `${where}.lwwregister.clock`), customClockValue };
}

function entryOf({ key, delta }: wire.ORMapEntryDelta, where: string): CrdtEntryDelta {
  if (delta === undefined) throw new Fault("invalid", `${where}.delta: absent; an entry's value has a change, if only an empty one`);
  return { key: payloadOf(key), delta: deltaOf(delta, `${where}.delta`) };
}
