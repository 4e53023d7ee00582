/** The words the CRDT cases are written in: what a request asks of a value, the value a reply shows, the delta that changes it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { packPrimitive } from "@mecha/wire";
import { CrdtClock, type CrdtDeltaSchema, type CrdtReplySchema, CrdtWriteConsistency } from "@mecha/wire/gen/cloudstate/crdt";
import {
  LWWRegisterClockType,
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
  type StateSchema,
  type UpdateSchema,
} from "../gen/cloudstate/tck/model/crdt_pb.ts";
import { pack } from "../model/any.ts";

export const prefix = "cloudstate.tck.model.crdt.";
export const second = `${prefix}CrdtTwo`;

export type Update = MessageInitShape<typeof UpdateSchema>;
export type State = MessageInitShape<typeof StateSchema>;
export type Delta = MessageInitShape<typeof CrdtDeltaSchema>;
export type Action = MessageInitShape<typeof RequestActionSchema>;
/** A part of the answer to a command. */
export type Part = Omit<MessageInitShape<typeof CrdtReplySchema>, "$typeName" | "$unknown" | "commandId">;

/** A string as elements and keys are. */
const text = (value: string) => packPrimitive({ type: "string", value });
const texts = (values: readonly string[]) => values.map(text);

// ---- the eight types: `does` for requests, `is` for replies, `delta` for the protocol --------------------------------------------------

export const gcounter = {
  does: (increment: number): Update => ({ update: { case: "gcounter", value: { increment: BigInt(increment) } } }),
  is: (value: number): State => ({ value: { case: "gcounter", value: { value: BigInt(value) } } }),
  delta: (increment: number): Delta => ({ delta: { case: "gcounter", value: { increment: BigInt(increment) } } }),
};

export const pncounter = {
  does: (change: number): Update => ({ update: { case: "pncounter", value: { change: BigInt(change) } } }),
  is: (value: number): State => ({ value: { case: "pncounter", value: { value: BigInt(value) } } }),
  delta: (change: number): Delta => ({ delta: { case: "pncounter", value: { change: BigInt(change) } } }),
};

export const gset = {
  does: (add: string): Update => ({ update: { case: "gset", value: { add } } }),
  is: (...elements: string[]): State => ({ value: { case: "gset", value: { elements } } }),
  delta: (...added: string[]): Delta => ({ delta: { case: "gset", value: { added: texts(added) } } }),
};

interface SetDelta {
  readonly cleared?: boolean;
  readonly removed?: readonly string[];
  readonly added?: readonly string[];
}

export const orset = {
  adds: (value: string): Update => ({ update: { case: "orset", value: { action: { case: "add", value } } } }),
  removes: (value: string): Update => ({ update: { case: "orset", value: { action: { case: "remove", value } } } }),
  clears: { update: { case: "orset", value: { action: { case: "clear", value: true } } } } satisfies Update as Update,
  is: (...elements: string[]): State => ({ value: { case: "orset", value: { elements } } }),
  delta: ({ cleared = false, removed = [], added = [] }: SetDelta): Delta => ({
    delta: { case: "orset", value: { cleared, removed: texts(removed), added: texts(added) } },
  }),
};

export const register = {
  does: (value: string, clockType: LWWRegisterClockType = LWWRegisterClockType.DEFAULT, customClockValue = 0n): Update => ({
    update: {
      case: "lwwregister",
      value: { value, ...(clockType !== LWWRegisterClockType.DEFAULT && { clock: { clockType, customClockValue } }) },
    },
  }),
  is: (value: string): State => ({ value: { case: "lwwregister", value: { value } } }),
  delta: (value: string, clock: CrdtClock = CrdtClock.DEFAULT, customClockValue = 0n): Delta => ({
    delta: { case: "lwwregister", value: { value: text(value), clock, customClockValue } },
  }),
};

export const flag = {
  raises: { update: { case: "flag", value: {} } } satisfies Update as Update,
  is: (value: boolean): State => ({ value: { case: "flag", value: { value } } }),
  delta: (value: boolean): Delta => ({ delta: { case: "flag", value: { value } } }),
};

type Entries<T> = Readonly<Record<string, T>>;
interface MapDelta {
  readonly cleared?: boolean;
  readonly removed?: readonly string[];
  readonly updated?: Entries<Delta>;
  readonly added?: Entries<Delta>;
}
const entryDeltas = (entries: Entries<Delta> = {}) => Object.entries(entries).map(([key, delta]) => ({ key: text(key), delta }));

export const ormap = {
  adds: (value: string): Update => ({ update: { case: "ormap", value: { action: { case: "add", value } } } }),
  updates: (key: string, update: Update): Update => ({
    update: { case: "ormap", value: { action: { case: "update", value: { key, update } } } },
  }),
  removes: (value: string): Update => ({ update: { case: "ormap", value: { action: { case: "remove", value } } } }),
  clears: { update: { case: "ormap", value: { action: { case: "clear", value: true } } } } satisfies Update as Update,
  /** In the order of their keys. */
  is: (entries: Entries<State>): State => ({
    value: { case: "ormap", value: { entries: Object.entries(entries).map(([key, value]) => ({ key, value })) } },
  }),
  delta: ({ cleared = false, removed = [], updated, added }: MapDelta): Delta => ({
    delta: { case: "ormap", value: { cleared, removed: texts(removed), updated: entryDeltas(updated), added: entryDeltas(added) } },
  }),
};

export const vote = {
  does: (selfVote: boolean): Update => ({ update: { case: "vote", value: { selfVote } } }),
  is: (selfVote: boolean, votesFor: number, totalVoters: number): State => ({
    value: { case: "vote", value: { selfVote, votesFor, totalVoters } },
  }),
  delta: (selfVote: boolean, votesFor = 0, totalVoters = 0): Delta => ({
    delta: { case: "vote", value: { selfVote, votesFor, totalVoters } },
  }),
};

// ---- requests -------------------------------------------------------------------------------------------------------------------------

export const doing = (...updates: Update[]): Action[] => updates.map((value) => ({ action: { case: "update", value } }));
export const deleting: Action = { action: { case: "delete", value: {} } };
export const forwarding = (id: string): Action => ({ action: { case: "forward", value: { id } } });
export const affecting = (id: string, synchronous = false): Action => ({ action: { case: "effect", value: { id, synchronous } } });
export const failing = (message: string): Action => ({ action: { case: "fail", value: { message } } });

// ---- answers --------------------------------------------------------------------------------------------------------------------------

const toSecond = (id: string) => ({ serviceName: second, commandName: "Call", payload: pack(RequestSchema, { id }) });

export const replied = (state: State): Part => ({
  clientAction: { action: { case: "reply", value: { payload: pack(ResponseSchema, { state }) } } },
});
export const forwarded = (id: string): Part => ({ clientAction: { action: { case: "forward", value: toSecond(id) } } });
export const failed = (commandId: bigint, description: string): Part => ({
  clientAction: { action: { case: "failure", value: { commandId, description } } },
});
export const changed = (delta: Delta, writeConsistency: CrdtWriteConsistency = CrdtWriteConsistency.LOCAL): Part => ({
  stateAction: { action: { case: "update", value: delta }, writeConsistency },
});
export const deleted: Part = { stateAction: { action: { case: "delete", value: {} } } };
/** `["a", true]` is synchronous. */
export const effects = (...to: (string | readonly [id: string, synchronous: true])[]): Part => ({
  sideEffects: to.map((one) => (typeof one === "string" ? toSecond(one) : { ...toSecond(one[0]), synchronous: true })),
});
export const streamed: Part = { streamed: true };

export { CrdtClock, LWWRegisterClockType };
