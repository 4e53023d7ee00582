/**
 * The messages of kalix.component.replicatedentity.ReplicatedEntities in the engine's words and back (facts: Cloudstate §5). Nothing of it is
 * streamed, and how many replicas must confirm is a setting of the component.
 *
 * Invariants
 * D1 any bytes from the function give a value or one Fault("invalid") that names the field
 * D2 a failure asks for a restart: the library keeps what a handler changed before it failed, and does not tell
 */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { assert, explain, Fault } from "@mecha/kit";
import type { CrdtDelta, CrdtEntryDelta, CrdtReply, CrdtStateChange, WriteConsistency } from "@mecha/state";
import {
  actionOf,
  clocks,
  commandInit,
  type CrdtCodec,
  type CrdtOut,
  effectOf,
  failureOf,
  idOf,
  known,
  payloadOf,
  unsayable,
} from "@mecha/state/remote";
import * as wire from "@mecha/wire/gen/kalix/component/replicatedentity/replicated_entity";

type StreamIn = NonNullable<MessageInitShape<typeof wire.ReplicatedEntityStreamInSchema>["message"]>;
type DeltaInit = NonNullable<MessageInitShape<typeof wire.ReplicatedEntityDeltaSchema>["delta"]>;
type Delta<T extends CrdtDelta["type"]> = Extract<CrdtDelta, { type: T }>;

/** Messages of one stream; its changes want `consistency`. */
export function replicatedCodec(consistency: WriteConsistency): CrdtCodec {
  return {
    init: ({ service, entityId }, delta) =>
      streamIn({ case: "init", value: { serviceName: service, entityId, ...(delta && { delta: { delta: deltaInit(delta) } }) } }),
    delta: (delta) => streamIn({ case: "delta", value: { delta: deltaInit(delta) } }),
    deleted: () => streamIn({ case: "delete", value: {} }),
    command: (entityId, commandId, command) => streamIn({ case: "command", value: commandInit(entityId, commandId, command) }),
    decode: (bytes) => decodeOut(bytes, consistency),
  };
}

// ---- to the function ------------------------------------------------------------------------------------------------------------------

function streamIn(message: StreamIn): Uint8Array {
  return toBinary(wire.ReplicatedEntityStreamInSchema, create(wire.ReplicatedEntityStreamInSchema, { message }));
}

function deltaInit(delta: CrdtDelta): DeltaInit {
  switch (delta.type) {
    case "pncounter":
      return { case: "counter", value: counterInit(delta) };
    case "orset":
      return { case: "replicatedSet", value: setInit(delta) };
    case "lwwregister":
      return { case: "register", value: registerInit(delta) };
    case "ormap": {
      const entries = (list: readonly CrdtEntryDelta[]) =>
        list.map(({ key, delta: entry }) => ({ key, delta: { delta: deltaInit(entry) } }));
      return { case: "replicatedMap", value: { ...headOf(delta), updated: entries(delta.updated), added: entries(delta.added) } };
    }
    case "countermap":
      return { case: "replicatedCounterMap", value: { ...headOf(delta), updated: entriesInit(delta.updated, "pncounter", counterInit) } };
    case "registermap":
      return {
        case: "replicatedRegisterMap",
        value: { ...headOf(delta), updated: entriesInit(delta.updated, "lwwregister", registerInit) },
      };
    case "multimap":
      return { case: "replicatedMultiMap", value: { ...headOf(delta), updated: entriesInit(delta.updated, "orset", setInit) } };
    case "vote":
      return { case: "vote", value: { selfVote: delta.selfVote, votesFor: delta.votesFor, totalVoters: delta.totalVoters } };
    case "gcounter":
    case "gset":
    case "flag":
      throw unsayable(delta.type, "Kalix");
  }
}

const counterInit = ({ change }: Delta<"pncounter">) => ({ change });
const registerInit = ({ value }: Delta<"lwwregister">) => ({ value });
const setInit = (delta: Delta<"orset">) => ({ ...headOf(delta), added: [...delta.added] });

function headOf({ cleared, removed }: Pick<Delta<"orset">, "cleared" | "removed">) {
  return { cleared, removed: [...removed] };
}

function entriesInit<T extends CrdtDelta["type"], Init>(
  entries: readonly CrdtEntryDelta[],
  type: T,
  init: (delta: Delta<T>) => Init,
): { readonly key: CrdtEntryDelta["key"]; readonly delta: Init }[] {
  return entries.map(({ key, delta }) => {
    assert(delta.type === type, `a ${delta.type} in a map of ${type}`);
    return { key, delta: init(delta as Delta<T>) };
  });
}

// ---- from the function ----------------------------------------------------------------------------------------------------------------

/** @throws Fault("invalid") (D1) */
function decodeOut(bytes: Uint8Array, consistency: WriteConsistency): CrdtOut {
  const { message } = parse(bytes);
  switch (message.case) {
    case "reply":
      return { kind: "reply", reply: replyOf(message.value, consistency) };
    case "failure":
      return { kind: "failure", failure: failureOf(message.value) };
    case undefined:
      return { kind: "empty" };
  }
}

function parse(bytes: Uint8Array): wire.ReplicatedEntityStreamOut {
  try {
    return fromBinary(wire.ReplicatedEntityStreamOutSchema, bytes);
  } catch (cause) {
    throw new Fault("invalid", `ReplicatedEntityStreamOut: ${explain(cause)}`);
  }
}

function replyOf(reply: wire.ReplicatedEntityReply, consistency: WriteConsistency): CrdtReply {
  const { commandId, clientAction, sideEffects, stateAction } = reply;
  const action = actionOf(clientAction);
  const state = stateOf(stateAction);
  return {
    commandId: idOf(commandId),
    action: action.do === "fail" ? { ...action, restart: true } : action, // keeps D2
    effects: sideEffects.map(effectOf),
    streamed: false,
    consistency: state === undefined ? "local" : consistency,
    ...(state && { state }),
  };
}

function stateOf(stateAction: wire.ReplicatedEntityStateAction | undefined): CrdtStateChange["state"] {
  switch (stateAction?.action.case) {
    case "update":
      return { do: "update", delta: deltaOf(stateAction.action.value, "state_action.update") };
    case "delete":
      return { do: "delete" };
    case undefined:
      return undefined;
  }
}

function deltaOf({ delta }: wire.ReplicatedEntityDelta, where: string): CrdtDelta {
  const field = `${where}.${fieldNames[delta.case ?? "vote"]}`;
  switch (delta.case) {
    case "counter":
      return counterOf(delta.value);
    case "replicatedSet":
      return setOf(delta.value);
    case "register":
      return registerOf(delta.value, field);
    case "replicatedMap": {
      const { updated, added } = delta.value;
      const entries = (list: readonly wire.ReplicatedMapEntryDelta[], name: string) => entriesOf(list, `${field}.${name}`, deltaOf);
      return { type: "ormap", ...headFrom(delta.value), updated: entries(updated, "updated"), added: entries(added, "added") };
    }
    case "replicatedCounterMap":
      return { type: "countermap", ...headFrom(delta.value), updated: entriesOf(delta.value.updated, `${field}.updated`, counterOf) };
    case "replicatedRegisterMap":
      return { type: "registermap", ...headFrom(delta.value), updated: entriesOf(delta.value.updated, `${field}.updated`, registerOf) };
    case "replicatedMultiMap":
      return { type: "multimap", ...headFrom(delta.value), updated: entriesOf(delta.value.updated, `${field}.updated`, setOf) };
    case "vote":
      return { type: "vote", selfVote: delta.value.selfVote, votesFor: 0, totalVoters: 0 };
    case undefined:
      throw new Fault("invalid", `${where}: says nothing; set the change of one type`);
  }
}

/** Fields as the .proto file has them, for texts. */
const fieldNames = {
  counter: "counter",
  replicatedSet: "replicated_set",
  register: "register",
  replicatedMap: "replicated_map",
  replicatedCounterMap: "replicated_counter_map",
  replicatedRegisterMap: "replicated_register_map",
  replicatedMultiMap: "replicated_multi_map",
  vote: "vote",
} as const;

const counterOf = ({ change }: wire.ReplicatedCounterDelta): Delta<"pncounter"> => ({ type: "pncounter", change });

function setOf(delta: wire.ReplicatedSetDelta): Delta<"orset"> {
  return { type: "orset", ...headFrom(delta), added: delta.added.map(payloadOf) };
}

function registerOf({ value, clock, customClockValue }: wire.ReplicatedRegisterDelta, where: string): Delta<"lwwregister"> {
  return { type: "lwwregister", value: payloadOf(value), clock: known(clocks, clock, `${where}.clock`), customClockValue };
}

type AnyMessage = NonNullable<Parameters<typeof payloadOf>[0]>;

function headFrom({ cleared, removed }: { readonly cleared: boolean; readonly removed: readonly AnyMessage[] }) {
  return { cleared, removed: removed.map(payloadOf) };
}

function entriesOf<M>(
  list: readonly { readonly key?: AnyMessage | undefined; readonly delta?: M | undefined }[],
  where: string,
  read: (delta: M, where: string) => CrdtDelta,
): CrdtEntryDelta[] {
  return list.map(({ key, delta }, at) => {
    if (delta === undefined)
      throw new Fault("invalid", `${where}[${at}].delta: absent; an entry's value has a change, if only an empty one`);
    return { key: payloadOf(key), delta: read(delta, `${where}[${at}].delta`) };
  });
}
