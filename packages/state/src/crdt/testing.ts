/** Histories of replicas that change one CRDT and hear of each other now and then, for property tests. */
import fc from "fast-check";
import type { Payload } from "../model.ts";
import { type CrdtDelta, type CrdtType, elementKey, entryTypes } from "./delta.ts";
import type { Dots } from "./types/dots.ts";
import { type CrdtState, join, mutate } from "./types/index.ts";
import { type CrdtValue, valueOf } from "./value.ts";

const utf8 = new TextEncoder();

export function text(value: string): Payload {
  return { typeUrl: "p.cloudstate.io/string", value: utf8.encode(value) };
}

/** What to do to a value, before it is known what the value is. */
export interface Wish {
  readonly dice: readonly number[];
}

/** One act of a history. `merge`: hears everything `from` knows; `delta`: only its last change. */
export type Act =
  | { readonly do: "change"; readonly replica: number; readonly wish: Wish }
  | { readonly do: "merge" | "delta"; readonly replica: number; readonly from: number };

export const replicas = 3;
const replica = fc.nat(replicas - 1);
const wish: fc.Arbitrary<Wish> = fc.record({ dice: fc.array(fc.nat(1_000), { minLength: 8, maxLength: 24 }) });

export const acts: fc.Arbitrary<readonly Act[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant("change" as const), replica, wish }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("merge" as const, "delta" as const), replica, from: replica }) },
  ),
  { maxLength: 24 },
);

/** Dice that run out begin anew. */
class Dice {
  readonly #dice: readonly number[];
  #at = 0;
  constructor(wish: Wish) {
    this.#dice = wish.dice;
  }
  below(limit: number): number {
    return (this.#dice[this.#at++ % this.#dice.length] ?? 0) % limit;
  }
}

const letters = ["a", "b", "c", "d", "e"].map(text);
const flatTypes: readonly CrdtType[] = ["gcounter", "pncounter", "orset", "lwwregister", "flag", "gset", "vote"];
const nestedTypes: readonly CrdtType[] = [...flatTypes, "ormap", "countermap", "registermap", "multimap"];

/** A change of `value` that a function may ask for. */
export function changeOf(type: CrdtType, value: CrdtValue | undefined, wish: Wish): CrdtDelta {
  return change(type, value, new Dice(wish), 0);
}

function change(type: CrdtType, value: CrdtValue | undefined, dice: Dice, depth: number): CrdtDelta {
  const some = (): Payload[] => letters.filter(() => dice.below(3) === 0);
  switch (type) {
    case "gcounter":
      return { type, increment: BigInt(dice.below(9)) };
    case "pncounter":
      return { type, change: BigInt(dice.below(19) - 9) };
    case "gset":
      return { type, added: some() };
    case "orset":
      return { type, cleared: dice.below(8) === 0, removed: some(), added: some() };
    case "lwwregister": {
      const clock = (["default", "reverse", "custom", "customAutoIncrement"] as const)[dice.below(4)] ?? "default";
      return { type, value: letters[dice.below(5)] ?? text(""), clock, customClockValue: BigInt(dice.below(7) - 3) };
    }
    case "flag":
      return { type, value: (value?.type === "flag" && value.value) || dice.below(2) === 0 };
    case "vote":
      return { type, selfVote: dice.below(2) === 0, votesFor: 0, totalVoters: 0 };
    case "ormap": {
      const entries = value?.type === "ormap" ? [...value.entries.values()] : [];
      const updated = entries
        .filter(() => dice.below(2) === 0)
        .map(({ key, value: entry }) => ({ key, delta: change(entry.type, entry, dice, depth + 1) }));
      const kinds = depth < 2 ? nestedTypes : flatTypes;
      const added = some().map((key) => ({ key, delta: change(kinds[dice.below(kinds.length)] ?? "flag", undefined, dice, depth + 1) }));
      // A function adds what it does not have, or has just removed.
      const removed = [...some(), ...added.map(({ key }) => key)];
      return { type, cleared: dice.below(8) === 0, removed, updated: updated.filter(({ key }) => !removed.includes(key)), added };
    }
    case "countermap":
    case "registermap":
    case "multimap": {
      const cleared = dice.below(8) === 0;
      const removed = some();
      const has = new Map(value !== undefined && "entries" in value && !cleared ? value.entries : []);
      for (const key of removed) has.delete(elementKey(key));
      const updated = some().map((key) => ({ key, delta: change(entryTypes[type], has.get(elementKey(key))?.value, dice, depth + 1) }));
      return { type, cleared, removed, updated };
    }
  }
}

/** What a history came to. */
export interface Outcome {
  /** One for each replica. */
  readonly states: readonly (CrdtState | undefined)[];
  /** Every change as a delta, in the order of happening. */
  readonly deltas: readonly CrdtState[];
}

export const replicaIds = ["n1", "n2", "n3"];

/** Runs a history; states start from nothing. */
export function run(type: CrdtType, history: readonly Act[]): Outcome {
  const states: (CrdtState | undefined)[] = Array.from({ length: replicas });
  const last: (CrdtState | undefined)[] = Array.from({ length: replicas });
  const deltas: CrdtState[] = [];
  for (const [nowMs, act] of history.entries()) {
    const mine = states[act.replica];
    if (act.do !== "change") {
      const theirs = act.do === "merge" ? states[act.from] : last[act.from];
      states[act.replica] = both(mine, theirs);
      continue;
    }
    const id = replicaIds[act.replica] ?? "";
    const value = mine && valueOf(mine, { replica: id, live: replicaIds });
    const delta = mutate(mine, changeOf(type, value, act.wish), { replica: id, nowMs });
    deltas.push(delta);
    last[act.replica] = delta;
    states[act.replica] = both(mine, delta);
  }
  return { states, deltas };
}

export function both(a: CrdtState | undefined, b: CrdtState | undefined): CrdtState | undefined {
  return a && b ? join(a, b) : (a ?? b);
}

/** The same text for the same state, whatever order its parts came in. */
export function canonical(state: CrdtState | undefined): string {
  return JSON.stringify(plain(state));
}

function plain(state: CrdtState | undefined): unknown {
  switch (state?.type) {
    case undefined:
      return null;
    case "gcounter":
      return ["gcounter", sorted(state.up)];
    case "pncounter":
      return ["pncounter", sorted(state.up), sorted(state.down)];
    case "gset":
      return ["gset", [...state.elements.keys()].sort()];
    case "orset":
      return ["orset", plainDots(state.dots, () => 0)];
    case "lwwregister":
      return ["lwwregister", [...state.value.value], String(state.clock), state.replica];
    case "flag":
      return ["flag", state.on];
    case "ormap":
    case "countermap":
    case "registermap":
    case "multimap":
      return [state.type, plainDots(state.dots, ({ state: value, writers }) => [sorted(writers), plain(value)])];
    case "vote":
      return ["vote", sorted(state.voters)];
  }
}

function plainDots<T>({ context, entries }: Dots<T>, plainValue: (value: T) => unknown): unknown {
  const dotsOf = (key: string): unknown[] =>
    (entries.get(key)?.dots ?? [])
      .toSorted((a, b) => (a.replica + a.number < b.replica + b.number ? -1 : 1))
      .map(({ replica: by, number, value }) => [by, number, plainValue(value)]);
  return [sorted(context), [...entries.keys()].sort().map((key) => [key, dotsOf(key)])];
}

function sorted(map: ReadonlyMap<string, unknown>): unknown[] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, typeof value === "bigint" ? String(value) : value]);
}
