/**
 * CRDTs in protocol 0.0 (facts: Cloudstate §1.16): a function is told, and creates, a whole state where 0.2 has a change from nothing. What the engine
 * says and hears is the same.
 *
 * Invariants
 * D1 any bytes from the function give a value or one Fault("invalid") that names the field
 * D2 a function that holds no value is sent a state, one that does changes: what it holds is known from what was sent and what it created
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import type { CrdtDelta, CrdtEntryDelta, CrdtStateChange, EntityAddress } from "@mecha/state";
import * as wire from "@mecha/wire/gen/cloudstate/crdt_v0";
import { actionOf, commandInit, type CrdtCodec, type CrdtOut, effectOf, failureOf, idOf, payloadOf, unsayable } from "@mecha/state/remote";
import { changeInit, consistencyOf, messageOf, registerOf, simpleDeltaOf } from "./crdt-codec.ts";

type StreamIn = NonNullable<MessageInitShape<typeof wire.CrdtStreamInSchema>["message"]>;
type StateInit = MessageInitShape<typeof wire.CrdtStateSchema>;
type DeltaInit = MessageInitShape<typeof wire.CrdtDeltaSchema>;

function streamIn(message: StreamIn): Uint8Array {
  return toBinary(wire.CrdtStreamInSchema, create(wire.CrdtStreamInSchema, { message }));
}

/** One stream's. */
export function codec00(): CrdtCodec {
  let holds = false; // keeps D2
  return {
    init: ({ service, entityId }: EntityAddress, delta) => {
      holds = delta !== undefined;
      return streamIn({ case: "init", value: { serviceName: service, entityId, ...(delta && { state: stateInit(delta) }) } });
    },
    delta: (delta) => {
      const whole = !holds;
      holds = true;
      return streamIn(whole ? { case: "state", value: stateInit(delta) } : { case: "changed", value: deltaInit(delta) });
    },
    deleted: () => streamIn({ case: "deleted", value: {} }),
    cancel: (entityId, commandId) => streamIn({ case: "streamCancelled", value: { entityId, id: BigInt(commandId) } }),
    command: (entityId, commandId, { name, payload }, streamed) =>
      streamIn({ case: "command", value: { ...commandInit(entityId, commandId, { name, payload }), streamed } }),
    decode: (bytes) => {
      const out = decodeOut(bytes);
      if (out.kind === "reply" && out.reply.state?.do === "update") holds = true;
      return out;
    },
  };
}

/** A whole value: what the engine says as a change from nothing. */
function stateInit(delta: CrdtDelta): StateInit {
  switch (delta.type) {
    case "gcounter":
      return { state: { case: "gcounter", value: { value: delta.increment } } };
    case "pncounter":
      return { state: { case: "pncounter", value: { value: delta.change } } };
    case "gset":
    case "orset":
      return { state: { case: delta.type, value: { items: [...delta.added] } } };
    case "lwwregister":
      return { state: { case: "lwwregister", value: { value: delta.value } } };
    case "flag":
      return { state: { case: "flag", value: { value: delta.value } } };
    case "ormap":
      return { state: { case: "ormap", value: { entries: delta.added.map(entryInit) } } };
    case "vote": {
      const { selfVote, votesFor, totalVoters } = delta;
      return { state: { case: "vote", value: { selfVote, votesFor, totalVoters } } };
    }
    case "countermap":
    case "registermap":
    case "multimap":
      throw unsayable(delta.type, "Cloudstate");
  }
}

function entryInit({ key, delta }: CrdtEntryDelta): MessageInitShape<typeof wire.ORMapEntrySchema> {
  return { key, value: stateInit(delta) };
}

function deltaInit(delta: CrdtDelta): DeltaInit {
  if (delta.type !== "ormap") return { delta: changeInit(delta) };
  const { cleared, removed, updated, added } = delta;
  const changes = updated.map((entry) => ({ key: entry.key, delta: deltaInit(entry.delta) }));
  return { delta: { case: "ormap", value: { cleared, removed: [...removed], updated: changes, added: added.map(entryInit) } } };
}

/** @throws Fault("invalid") (D1) */
function decodeOut(bytes: Uint8Array): CrdtOut {
  const { message } = parse(bytes);
  switch (message.case) {
    case "reply": {
      const { commandId, clientAction, sideEffects, stateAction, streamed } = message.value;
      const action = actionOf(clientAction);
      const reply = { commandId: idOf(commandId), action, effects: sideEffects.map(effectOf), streamed, ...changeOf(stateAction) };
      return { kind: "reply", reply };
    }
    case "streamedMessage":
      return { kind: "message", message: messageOf(message.value) };
    case "streamCancelledResponse": {
      const { commandId, sideEffects, stateAction } = message.value;
      return { kind: "cancelled", cancelled: { commandId: idOf(commandId), effects: sideEffects.map(effectOf), ...changeOf(stateAction) } };
    }
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

function changeOf(stateAction: wire.CrdtStateAction | undefined): CrdtStateChange {
  if (stateAction === undefined) return { consistency: "local" };
  const { action } = stateAction;
  const consistency = consistencyOf(stateAction);
  switch (action.case) {
    case "create":
      return { consistency, state: { do: "update", delta: createdBy(action.value, "state_action.create") } };
    case "update":
      return { consistency, state: { do: "update", delta: deltaOf(action.value, "state_action.update") } };
    case "delete":
      return { consistency, state: { do: "delete" } };
    case undefined:
      return { consistency };
  }
}

/** A created state as the change from nothing. Two that are created at the same time join as those changes do. */
function createdBy({ state }: wire.CrdtState, where: string): CrdtDelta {
  switch (state.case) {
    case "gcounter":
      return { type: "gcounter", increment: state.value.value };
    case "pncounter":
      return { type: "pncounter", change: state.value.value };
    case "gset":
      return { type: "gset", added: state.value.items.map(payloadOf) };
    case "orset":
      return { type: "orset", cleared: false, removed: [], added: state.value.items.map(payloadOf) };
    case "lwwregister":
      return registerOf(state.value, where);
    case "flag":
      return { type: "flag", value: state.value.value };
    case "ormap":
      return { type: "ormap", cleared: false, removed: [], updated: [], added: entriesOf(state.value.entries, `${where}.ormap.entries`) };
    case "vote":
      return { type: "vote", selfVote: state.value.selfVote, votesFor: 0, totalVoters: 0 };
    case undefined:
      throw new Fault("invalid", `${where}: says nothing; set the state of one type`);
  }
}

function entriesOf(entries: readonly wire.ORMapEntry[], where: string): CrdtEntryDelta[] {
  return entries.map(({ key, value }, at) => {
    if (value === undefined) throw new Fault("invalid", `${where}[${at}].value: absent; an entry has a value, if only an empty one`);
    return { key: payloadOf(key), delta: createdBy(value, `${where}[${at}].value`) };
  });
}

function deltaOf({ delta }: wire.CrdtDelta, where: string): CrdtDelta {
  if (delta.case === undefined) throw new Fault("invalid", `${where}: says nothing; set the change of one type`);
  if (delta.case !== "ormap") return simpleDeltaOf(delta, where);
  const { cleared, removed, updated, added } = delta.value;
  const changes = updated.map(({ key, delta: change }, at) => {
    const place = `${where}.ormap.updated[${at}].delta`;
    if (change === undefined) throw new Fault("invalid", `${place}: absent; an entry's value has a change, if only an empty one`);
    return { key: payloadOf(key), delta: deltaOf(change, place) };
  });
  return { type: "ormap", cleared, removed: removed.map(payloadOf), updated: changes, added: entriesOf(added, `${where}.ormap.added`) };
}
