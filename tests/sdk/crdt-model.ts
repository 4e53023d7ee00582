/** The CRDT model of the conformance kit (facts/cloudstate.md §3.2) written with the SDK: one service that is all eight types, by the entity's id. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Answer,
  commandRef,
  type Component,
  type CrdtState,
  Flag,
  flag,
  fromProto,
  GCounter,
  gcounter,
  GSet,
  gset,
  LWWRegister,
  lwwRegister,
  ORMap,
  ormap,
  ORSet,
  orset,
  PNCounter,
  pncounter,
  type RegisterClock,
  t,
  type Vote,
  vote,
  type WriteConsistency,
} from "mecha-sdk";
import {
  CrdtConfigured,
  CrdtTckModel,
  CrdtTwo,
  type LWWRegisterClock,
  LWWRegisterClockType,
  type Request,
  type RequestAction,
  type ResponseSchema,
  type State,
  type StateSchema,
  type Update,
  UpdateWriteConsistency,
} from "../../conformance/src/gen/cloudstate/tck/model/crdt_pb.ts";

type Value = GCounter | PNCounter | GSet<string> | ORSet<string> | LWWRegister<string> | Flag | Vote | Tree;
/** A map whose values are of the type their keys begin with, maps included. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- an alias of itself needs a name
interface Tree extends ORMap<string, Value> {}

const states: Record<string, () => CrdtState<Value>> = {
  GCounter: gcounter,
  PNCounter: pncounter,
  GSet: () => gset(t.string),
  ORSet: () => orset(t.string),
  LWWRegister: () => lwwRegister(t.string),
  Flag: flag,
  ORMap: () => ormap(t.string, stateOf),
  Vote: vote,
};

function stateOf(id: string): CrdtState<Value> {
  const make = states[id.slice(0, id.indexOf("-"))];
  if (make === undefined) throw new Error(`${id} names no CRDT`);
  return make();
}

const clocks: Record<LWWRegisterClockType, (at: bigint) => RegisterClock> = {
  [LWWRegisterClockType.DEFAULT]: () => ({}),
  [LWWRegisterClockType.REVERSE]: () => ({ clock: "reverse" }),
  [LWWRegisterClockType.CUSTOM]: (at) => ({ clock: "custom", at }),
  [LWWRegisterClockType.CUSTOM_AUTO_INCREMENT]: (at) => ({ clock: "customAutoIncrement", at }),
};
const clockOf = (clock: LWWRegisterClock | undefined): RegisterClock =>
  clocks[clock?.clockType ?? LWWRegisterClockType.DEFAULT]?.(clock?.customClockValue ?? 0n) ?? {};

/** What an update does to a value; nothing, where the two do not fit. */
function apply(value: Value, { update }: Update): void {
  if (update.case === "gcounter" && value instanceof GCounter) value.increment(update.value.increment);
  else if (update.case === "pncounter" && value instanceof PNCounter) value.increment(update.value.change);
  else if (update.case === "gset" && value instanceof GSet) value.add(update.value.add);
  else if (update.case === "lwwregister" && value instanceof LWWRegister) value.set(update.value.value, clockOf(update.value.clock));
  else if (update.case === "flag" && value instanceof Flag) value.enable();
  else if (update.case === "orset" && value instanceof ORSet) {
    const { action } = update.value;
    if (action.case === "add") value.add(action.value);
    else if (action.case === "remove") value.delete(action.value);
    else if (action.case === "clear") value.clear();
  } else if (update.case === "ormap" && value instanceof ORMap) {
    const { action } = update.value;
    const map = value;
    if (action.case === "add") map.getOrAdd(action.value);
    else if (action.case === "update") apply(map.getOrAdd(action.value.key), action.value.update as Update);
    else if (action.case === "remove") map.delete(action.value);
    else if (action.case === "clear") map.clear();
  } else if (update.case === "vote") (value as Vote).vote(update.value.selfVote);
}

type StateInit = MessageInitShape<typeof StateSchema>;

/** The value as the model answers it. */
function described(value: Value): StateInit {
  if (value instanceof GCounter) return { value: { case: "gcounter", value: { value: value.exact } } };
  if (value instanceof PNCounter) return { value: { case: "pncounter", value: { value: value.exact } } };
  if (value instanceof GSet) return { value: { case: "gset", value: { elements: [...value].sort() } } };
  if (value instanceof ORSet) return { value: { case: "orset", value: { elements: [...value].sort() } } };
  if (value instanceof LWWRegister) return { value: { case: "lwwregister", value: { value: value.value } } };
  if (value instanceof Flag) return { value: { case: "flag", value: { value: value.value } } };
  if (value instanceof ORMap) {
    const entries = [...value].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, held]) => ({ key, value: described(held) }));
    return { value: { case: "ormap", value: { entries } } };
  }
  const { selfVote, votesFor, totalVoters } = value;
  return { value: { case: "vote", value: { selfVote, votesFor, totalVoters } } };
}

const levels: Record<UpdateWriteConsistency, WriteConsistency> = {
  [UpdateWriteConsistency.LOCAL]: "local",
  [UpdateWriteConsistency.MAJORITY]: "majority",
  [UpdateWriteConsistency.ALL]: "all",
};

const two = commandRef(CrdtTwo, "call");
type Response = MessageInitShape<typeof ResponseSchema>;

interface Changer {
  readonly state: Value;
  writeConsistency(level: WriteConsistency): void;
}

function change(ctx: Changer, update: Update): void {
  apply(ctx.state, update);
  ctx.writeConsistency(levels[update.writeConsistency] as WriteConsistency);
}

interface Processor extends Changer {
  forward(to: typeof two, message: { id: string }): Answer<never>;
  effect(to: typeof two, message: { id: string }, options: { synchronous: boolean }): void;
  fail(message: string): never;
  delete(): void;
}

/** Runs the actions in order; the last forward, if any, is the answer. */
function process(actions: readonly RequestAction[], ctx: Processor): Answer<never> | undefined {
  let answer: Answer<never> | undefined;
  for (const { action } of actions) {
    if (action.case === "update") change(ctx, action.value);
    else if (action.case === "forward") answer = ctx.forward(two, { id: action.value.id });
    else if (action.case === "effect") ctx.effect(two, { id: action.value.id }, { synchronous: action.value.synchronous });
    else if (action.case === "fail") ctx.fail(action.value.message);
    else if (action.case === "delete") ctx.delete();
  }
  return answer;
}

const isSame = (a: StateInit, b: State): boolean => JSON.stringify(plain(a)) === JSON.stringify(plain(b));
/** Without type names, 64-bit numbers as text. */
const plain = (state: unknown): unknown =>
  JSON.parse(
    JSON.stringify(state, (name, value: unknown) => (name.startsWith("$") ? undefined : typeof value === "bigint" ? String(value) : value)),
  ) as unknown;

const model = fromProto.crdt(CrdtTckModel, {
  persistenceId: "crdt-tck-model",
  state: stateOf,
  handle: {
    process: ({ actions }, ctx) => process(actions, ctx) ?? ({ state: described(ctx.state) } satisfies Response),
    processStreamed({ initialUpdate, cancelUpdate, endState, effects, empty }, ctx) {
      if (initialUpdate !== undefined) change(ctx, initialUpdate);
      ctx.stream({
        onChange(stream) {
          if (empty) return undefined;
          const state = described(stream.state);
          if (endState !== undefined && isSame(state, endState)) stream.end();
          for (const { id, synchronous } of effects) stream.effect(two, { id }, { synchronous });
          return { state };
        },
        onCancel(cancel) {
          if (cancelUpdate !== undefined) change(cancel, cancelUpdate);
        },
      });
      return empty ? undefined : { state: described(ctx.state) };
    },
  },
});

/** Answers nothing, and is deleted when asked to be. */
const answerNothing = {
  state: gcounter(),
  handle: {
    call({ actions }: Request, ctx: { delete(): void }) {
      if (actions.some(({ action }) => action.case === "delete")) ctx.delete();
      return {};
    },
  },
};

export const crdtModel: readonly Component[] = [
  model,
  fromProto.crdt(CrdtTwo, { ...answerNothing, persistenceId: "crdt-tck-model-two" }),
  fromProto.crdt(CrdtConfigured, { ...answerNothing, persistenceId: "crdt-configured", passivationMs: 100 }),
];
