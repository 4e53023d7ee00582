/**
 * What each CRDT does between a function and a peer: the cases of the reference proxy's own per-type specs (facts/cloudstate.md §3.5), as tables.
 * A row is a list of acts: the function changes the value, a peer does, and what the function is then told.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Payload } from "../model.ts";
import { decodeState, encodeState } from "./codec.ts";
import type { CrdtClock, CrdtDelta, CrdtEntryDelta, UniformMapType } from "./delta.ts";
import { text } from "./testing.ts";
import { type CrdtState, join, mutate } from "./types/index.ts";
import { apply, type CrdtValue, difference, valueOf, wholeDelta } from "./value.ts";

/** A function on replica n1, and a peer n2 that hears of everything before it changes something. */
class Pair {
  nowMs = 1_000;
  #state: CrdtState | undefined;
  #held: CrdtValue | undefined;
  /** Changes of the peer's that have not arrived here. */
  #away: CrdtState[] = [];

  /** The function changes it, and holds the result. */
  own(delta: CrdtDelta): void {
    this.#join(mutate(this.#state, delta, { replica: "n1", nowMs: this.nowMs++ }));
    this.#held = apply(this.#held, delta, "asFunction");
  }

  /** The peer changes what is here now; it arrives with the next `arrive`. */
  away(delta: CrdtDelta): void {
    this.#away.push(mutate(this.#state, delta, { replica: "n2", nowMs: this.nowMs++ }));
  }

  arrive(): void {
    for (const delta of this.#away) this.#join(delta);
    this.#away = [];
  }

  /** The peer changes it, and the change is here. */
  peer(delta: CrdtDelta): void {
    this.away(delta);
    this.arrive();
  }

  #join(delta: CrdtState): void {
    const sent = decodeState(encodeState(delta));
    this.#state = this.#state === undefined ? sent : join(this.#state, sent);
  }

  /** What the function is told now. */
  told(live: readonly string[] = ["n1", "n2"]): ReturnType<typeof difference> {
    assert.ok(this.#state);
    const now = valueOf(this.#state, { replica: "n1", live });
    const told = this.#held === undefined ? wholeDelta(now) : difference(this.#held, now);
    if (told !== undefined && told !== "replaced") this.#held = apply(this.#held, told, "asTold");
    if (told !== "replaced") assert.deepEqual(this.#held, now);
    return told;
  }
}

/** Runs in order. `expect`: what the function is then told; `refused`: the function's change is refused with this text. */
interface Row {
  readonly what: string;
  readonly acts: readonly (
    | { readonly own: CrdtDelta }
    | { readonly peer: CrdtDelta }
    | { readonly away: CrdtDelta }
    | { readonly expect: CrdtDelta | "replaced" | undefined; readonly live?: readonly string[] }
    | { readonly refused: CrdtDelta; readonly by: RegExp }
  )[];
}

function table(name: string, count: number, rows: readonly Row[]): void {
  describe(name, () => {
    test(`${count} cases`, () => assert.equal(rows.length, count));
    for (const { what, acts } of rows) {
      test(what, () => {
        const pair = new Pair();
        for (const act of acts) {
          if ("own" in act) pair.own(act.own);
          else if ("peer" in act) pair.peer(act.peer);
          else if ("away" in act) pair.away(act.away);
          else if ("refused" in act) assert.throws(() => pair.own(act.refused), act.by);
          else {
            pair.arrive();
            assert.deepEqual(pair.told(act.live), act.expect);
          }
        }
      });
    }
  });
}

const nothing = { expect: undefined } as const;
const [a, b, c, d] = ["a", "b", "c", "d"].map(text) as [Payload, Payload, Payload, Payload];

const inc = (increment: number): CrdtDelta => ({ type: "gcounter", increment: BigInt(increment) });
const wrongType = /a change of a \w+ for a \w+; an entity keeps its type for ever/;

table("GCounter", 8, [
  { what: "a new one is created by the function's first change", acts: [{ own: inc(5) }, nothing] },
  { what: "one that a peer created is told whole", acts: [{ peer: inc(5) }, { expect: inc(5) }] },
  { what: "an empty one is told too", acts: [{ peer: inc(0) }, { expect: inc(0) }] },
  { what: "the function's own increments are not echoed", acts: [{ own: inc(5) }, { own: inc(2) }, nothing] },
  {
    what: "a peer's increments are told as a sum",
    acts: [{ own: inc(5) }, { peer: inc(2) }, { peer: inc(3) }, { expect: inc(5) }, nothing],
  },
  { what: "increments of both sides at once are all kept", acts: [{ own: inc(5) }, { away: inc(2) }, { own: inc(1) }, { expect: inc(2) }] },
  {
    what: "a negative increment is refused",
    acts: [{ own: inc(5) }, { refused: inc(-1), by: /gcounter\.increment: -1; a GCounter only grows/ }],
  },
  { what: "another type's change is refused", acts: [{ own: inc(5) }, { refused: { type: "gset", added: [a] }, by: wrongType }] },
]);

const by = (change: number): CrdtDelta => ({ type: "pncounter", change: BigInt(change) });

table("PNCounter", 9, [
  { what: "a new one is created by the function's first change", acts: [{ own: by(-5) }, nothing] },
  { what: "one that a peer created is told whole", acts: [{ peer: by(-5) }, { expect: by(-5) }] },
  { what: "an empty one is told too", acts: [{ peer: by(0) }, { expect: by(0) }] },
  { what: "a peer's increment is told", acts: [{ own: by(5) }, { peer: by(2) }, { expect: by(2) }] },
  { what: "a peer's decrement is told", acts: [{ own: by(5) }, { peer: by(-7) }, { expect: by(-7) }] },
  { what: "the function's own changes are not echoed", acts: [{ own: by(5) }, { own: by(-3) }, nothing] },
  { what: "changes of both sides at once are all kept", acts: [{ own: by(5) }, { away: by(-2) }, { own: by(-10) }, { expect: by(-2) }] },
  { what: "what a peer does and undoes is not told", acts: [{ own: by(5) }, { peer: by(4) }, { peer: by(-4) }, nothing] },
  { what: "another type's change is refused", acts: [{ own: by(5) }, { refused: inc(1), by: wrongType }] },
]);

const add = (...added: Payload[]): CrdtDelta => ({ type: "gset", added });

table("GSet", 7, [
  { what: "a new one is created by the function's first change", acts: [{ own: add(a) }, nothing] },
  { what: "one that a peer created is told whole", acts: [{ peer: add(a, b) }, { expect: add(a, b) }] },
  { what: "an empty one is told too", acts: [{ peer: add() }, { expect: add() }] },
  { what: "a peer's additions are told", acts: [{ own: add(a) }, { peer: add(b) }, { peer: add(c) }, { expect: add(b, c) }] },
  { what: "what the function has already is not told", acts: [{ own: add(a) }, { peer: add(a, b) }, { expect: add(b) }] },
  {
    what: "elements of one value and two types are two",
    acts: [{ own: add(a) }, { peer: add({ ...a, typeUrl: "t" }) }, { expect: add({ ...a, typeUrl: "t" }) }],
  },
  { what: "another type's change is refused", acts: [{ own: add(a) }, { refused: inc(1), by: wrongType }] },
]);

type SetChange = Extract<CrdtDelta, { type: "orset" }>;
const set = (change: Partial<SetChange>): CrdtDelta => ({ type: "orset", cleared: false, removed: [], added: [], ...change });

table("ORSet", 16, [
  { what: "a new one is created by the function's first change", acts: [{ own: set({ added: [a] }) }, nothing] },
  { what: "one that a peer created is told whole", acts: [{ peer: set({ added: [a, b] }) }, { expect: set({ added: [a, b] }) }] },
  { what: "an empty one is told too", acts: [{ peer: set({}) }, { expect: set({}) }] },
  {
    what: "a peer's additions are told",
    acts: [{ own: set({ added: [a] }) }, { peer: set({ added: [b] }) }, { expect: set({ added: [b] }) }],
  },
  {
    what: "a peer's removals are told",
    acts: [{ own: set({ added: [a, b, c] }) }, { peer: set({ removed: [b] }) }, { expect: set({ removed: [b] }) }],
  },
  {
    what: "additions and removals are told in one delta",
    acts: [{ own: set({ added: [a, b, c] }) }, { peer: set({ removed: [a], added: [d] }) }, { expect: set({ removed: [a], added: [d] }) }],
  },
  { what: "the function's own removals are not echoed", acts: [{ own: set({ added: [a, b] }) }, { own: set({ removed: [a] }) }, nothing] },
  {
    what: "one that a peer emptied is told as cleared",
    acts: [{ own: set({ added: [a, b] }) }, { peer: set({ removed: [a, b] }) }, { expect: set({ cleared: true }) }],
  },
  {
    what: "one that a peer cleared is told as cleared",
    acts: [{ own: set({ added: [a, b] }) }, { peer: set({ cleared: true }) }, { expect: set({ cleared: true }) }],
  },
  {
    what: "more change than there is left is told as cleared and whole",
    acts: [
      { own: set({ added: [a, b, c] }) },
      { peer: set({ cleared: true, added: [c, d] }) },
      { expect: set({ cleared: true, added: [c, d] }) },
    ],
  },
  {
    what: "additions alone are never told as cleared, however many",
    acts: [{ own: set({ added: [a] }) }, { peer: set({ added: [b, c, d] }) }, { expect: set({ added: [b, c, d] }) }],
  },
  {
    what: "an addition nobody has seen survives a removal",
    acts: [{ own: set({ added: [a] }) }, { away: set({ removed: [a] }) }, { own: set({ added: [a] }) }, nothing],
  },
  {
    what: "an addition nobody has seen survives a clear",
    acts: [{ own: set({ added: [a] }) }, { away: set({ cleared: true }) }, { own: set({ added: [b] }) }, { expect: set({ removed: [a] }) }],
  },
  {
    what: "a removal does not touch what a peer added meanwhile",
    acts: [{ own: set({ added: [a] }) }, { away: set({ added: [a] }) }, { own: set({ removed: [a] }) }, { expect: set({ added: [a] }) }],
  },
  {
    what: "what a peer adds and removes is not told",
    acts: [{ own: set({ added: [a] }) }, { peer: set({ added: [b] }) }, { peer: set({ removed: [b] }) }, nothing],
  },
  { what: "another type's change is refused", acts: [{ own: set({ added: [a] }) }, { refused: add(b), by: wrongType }] },
]);

type MapChange = Extract<CrdtDelta, { type: "ormap" }>;
const map = (change: Partial<MapChange>): CrdtDelta => ({ type: "ormap", cleared: false, removed: [], updated: [], added: [], ...change });
const at = (key: Payload, delta: CrdtDelta): CrdtEntryDelta => ({ key, delta });

table("ORMap", 17, [
  { what: "a new one is created by the function's first change", acts: [{ own: map({ added: [at(a, inc(1))] }) }, nothing] },
  {
    what: "one that a peer created is told whole",
    acts: [{ peer: map({ added: [at(a, inc(1)), at(b, set({}))] }) }, { expect: map({ added: [at(a, inc(1)), at(b, set({}))] }) }],
  },
  { what: "an empty one is told too", acts: [{ peer: map({}) }, { expect: map({}) }] },
  {
    what: "a peer's new entry is told",
    acts: [
      { own: map({ added: [at(a, inc(1))] }) },
      { peer: map({ added: [at(b, inc(2))] }) },
      { expect: map({ added: [at(b, inc(2))] }) },
    ],
  },
  {
    what: "a peer's change of an entry is told as its difference",
    acts: [
      { own: map({ added: [at(a, inc(1))] }) },
      { peer: map({ updated: [at(a, inc(4))] }) },
      { expect: map({ updated: [at(a, inc(4))] }) },
    ],
  },
  {
    what: "a peer's removal is told",
    acts: [{ own: map({ added: [at(a, inc(1)), at(b, inc(1))] }) }, { peer: map({ removed: [a] }) }, { expect: map({ removed: [a] }) }],
  },
  {
    what: "removal, change and addition are told in one delta",
    acts: [
      { own: map({ added: [at(a, inc(1)), at(b, inc(1))] }) },
      { peer: map({ removed: [a], updated: [at(b, inc(2))], added: [at(c, inc(3))] }) },
      { expect: map({ removed: [a], updated: [at(b, inc(2))], added: [at(c, inc(3))] }) },
    ],
  },
  {
    what: "one that a peer emptied is told as cleared",
    acts: [{ own: map({ added: [at(a, inc(1))] }) }, { peer: map({ removed: [a] }) }, { expect: map({ cleared: true }) }],
  },
  {
    what: "one that a peer cleared is told as cleared",
    acts: [{ own: map({ added: [at(a, inc(1))] }) }, { peer: map({ cleared: true }) }, { expect: map({ cleared: true }) }],
  },
  {
    what: "the function's own changes are not echoed",
    acts: [{ own: map({ added: [at(a, inc(1)), at(b, inc(1))] }) }, { own: map({ removed: [a], updated: [at(b, inc(2))] }) }, nothing],
  },
  {
    what: "changes of one entry on both sides are all kept",
    acts: [
      { own: map({ added: [at(a, inc(1))] }) },
      { away: map({ updated: [at(a, inc(2))] }) },
      { own: map({ updated: [at(a, inc(4))] }) },
      { expect: map({ updated: [at(a, inc(2))] }) },
    ],
  },
  {
    what: "a change of an entry survives a removal that has not seen it, with everything it knew",
    acts: [{ own: map({ added: [at(a, inc(1))] }) }, { away: map({ removed: [a] }) }, { own: map({ updated: [at(a, inc(4))] }) }, nothing],
  },
  {
    what: "a key removed and added again begins anew",
    acts: [
      { peer: map({ added: [at(a, inc(9))] }) },
      { expect: map({ added: [at(a, inc(9))] }) },
      { own: map({ removed: [a], added: [at(a, inc(1))] }) },
      nothing,
      { peer: map({ updated: [at(a, inc(1))] }) },
      { expect: map({ updated: [at(a, inc(1))] }) },
    ],
  },
  {
    what: "an entry that a peer began anew with less is told as removed and added",
    acts: [
      { own: map({ added: [at(a, inc(9))] }) },
      { peer: map({ removed: [a], added: [at(a, inc(1))] }) },
      { expect: map({ removed: [a], added: [at(a, inc(1))] }) },
    ],
  },
  {
    what: "an entry that became another type is told as removed and added",
    acts: [
      { own: map({ added: [at(a, inc(1))] }) },
      { peer: map({ removed: [a], added: [at(a, set({ added: [b] }))] }) },
      { expect: map({ removed: [a], added: [at(a, set({ added: [b] }))] }) },
    ],
  },
  {
    what: "a change of an entry that is gone, or has another type, is passed over",
    acts: [
      { own: map({ added: [at(a, inc(1)), at(b, inc(1))] }) },
      { peer: map({ removed: [a] }) },
      { own: map({ updated: [at(a, inc(1)), at(b, by(1))] }) },
      { expect: map({ removed: [a] }) },
    ],
  },
  {
    what: "maps nest, and elements of theirs are told as their differences",
    acts: [
      { own: map({ added: [at(a, map({ added: [at(b, set({ added: [c] }))] }))] }) },
      { peer: map({ updated: [at(a, map({ updated: [at(b, set({ added: [d] }))] }))] }) },
      { expect: map({ updated: [at(a, map({ updated: [at(b, set({ added: [d] }))] }))] }) },
    ],
  },
]);

const write = (value: Payload, clock: CrdtClock = "default", customClockValue = 0n): CrdtDelta => ({
  type: "lwwregister",
  value,
  clock,
  customClockValue,
});

table("LWWRegister", 8, [
  { what: "a new one is created by the function's first change", acts: [{ own: write(a) }, nothing] },
  { what: "one that a peer created is told whole", acts: [{ peer: write(a) }, { expect: write(a) }] },
  { what: "a peer's later write is told", acts: [{ own: write(a) }, { peer: write(b) }, { expect: write(b) }] },
  { what: "a peer's write of the same value is not told", acts: [{ own: write(a) }, { peer: write(a) }, nothing] },
  {
    what: "with the reverse clock the first write stays, and a later writer is told so",
    acts: [{ own: write(a, "reverse") }, { own: write(b, "reverse") }, { expect: write(a) }],
  },
  {
    what: "with the custom clock the highest value stays",
    acts: [
      { own: write(a, "custom", 9n) },
      { peer: write(b, "custom", 5n) },
      nothing,
      { peer: write(c, "custom", 10n) },
      { expect: write(c) },
    ],
  },
  {
    what: "with the custom clock that increments itself every write stays",
    acts: [{ own: write(a, "customAutoIncrement", 9n) }, { peer: write(b, "customAutoIncrement", 5n) }, { expect: write(b) }],
  },
  { what: "another type's change is refused", acts: [{ own: write(a) }, { refused: inc(1), by: wrongType }] },
]);

// Not in the reference: Kalix's maps whose values are all of one type.
type UniformParts = Partial<Omit<Extract<CrdtDelta, { type: UniformMapType }>, "type">>;
const uniform =
  (type: UniformMapType) =>
  (parts: UniformParts): CrdtDelta => ({ type, cleared: false, removed: [], updated: [], ...parts });
const [counters, registers, multi] = [uniform("countermap"), uniform("registermap"), uniform("multimap")];

table("CounterMap, RegisterMap, MultiMap", 11, [
  { what: "an entry begins with its first change", acts: [{ own: counters({ updated: [at(a, by(-5))] }) }, nothing] },
  {
    what: "one that a peer created is told whole",
    acts: [{ peer: registers({ updated: [at(a, write(b))] }) }, { expect: registers({ updated: [at(a, write(b))] }) }],
  },
  { what: "an empty one is told too", acts: [{ peer: multi({}) }, { expect: multi({}) }] },
  {
    what: "changes of one entry on both sides are all kept",
    acts: [
      { own: counters({ updated: [at(a, by(1))] }) },
      { away: counters({ updated: [at(a, by(2))] }) },
      { own: counters({ updated: [at(a, by(4))] }) },
      { expect: counters({ updated: [at(a, by(2))] }) },
    ],
  },
  {
    what: "removal, change and addition are told in one delta",
    acts: [
      { own: counters({ updated: [at(a, by(1)), at(b, by(1))] }) },
      { peer: counters({ removed: [a], updated: [at(b, by(2)), at(c, by(3))] }) },
      { expect: counters({ removed: [a], updated: [at(b, by(2)), at(c, by(3))] }) },
    ],
  },
  {
    what: "one that a peer emptied is told as cleared",
    acts: [
      { own: multi({ updated: [at(a, set({ added: [b] }))] }) },
      { peer: multi({ removed: [a] }) },
      { expect: multi({ cleared: true }) },
    ],
  },
  {
    what: "a key removed and changed at once begins anew, here and at a peer, who is told the difference",
    acts: [
      { own: counters({ updated: [at(a, by(9))] }) },
      { peer: counters({ removed: [a], updated: [at(a, by(1))] }) },
      { expect: counters({ updated: [at(a, by(-8))] }) },
      { own: counters({ removed: [a], updated: [at(a, by(3))] }) },
      nothing,
    ],
  },
  {
    what: "a change of an entry survives a removal that has not seen it, with everything it knew",
    acts: [
      { own: multi({ updated: [at(a, set({ added: [b] }))] }) },
      { away: multi({ removed: [a] }) },
      { own: multi({ updated: [at(a, set({ added: [c] }))] }) },
      nothing,
    ],
  },
  {
    what: "elements of a key's set are told as their differences",
    acts: [
      { own: multi({ updated: [at(a, set({ added: [b, c] }))] }) },
      { peer: multi({ updated: [at(a, set({ added: [d], removed: [b] }))] }) },
      { expect: multi({ updated: [at(a, set({ added: [d], removed: [b] }))] }) },
    ],
  },
  {
    what: "a register's clock counts within its entry",
    acts: [
      { own: registers({ updated: [at(a, write(b, "custom", 9n))] }) },
      { own: registers({ updated: [at(a, write(c, "custom", 5n))] }) },
      { expect: registers({ updated: [at(a, write(b))] }) },
    ],
  },
  {
    what: "another type's change is refused, of the map as of an entry",
    acts: [
      { own: counters({ updated: [at(a, by(1))] }) },
      { refused: registers({}), by: wrongType },
      { refused: map({}), by: wrongType },
      { refused: counters({ updated: [at(b, by(1)), at(a, inc(1))] }), by: /^Fault: countermap\.updated\[1\]: a gcounter/ },
    ],
  },
]);

const flag = (value: boolean): CrdtDelta => ({ type: "flag", value });

table("Flag", 8, [
  { what: "a new one is created off", acts: [{ own: flag(false) }, nothing] },
  { what: "a new one is created on", acts: [{ own: flag(true) }, nothing] },
  { what: "one that a peer created off is told whole", acts: [{ peer: flag(false) }, { expect: flag(false) }] },
  { what: "one that a peer created on is told whole", acts: [{ peer: flag(true) }, { expect: flag(true) }] },
  { what: "a peer's turning it on is told", acts: [{ own: flag(false) }, { peer: flag(true) }, { expect: flag(true) }] },
  { what: "turning it on is not echoed, nor told when a peer does too", acts: [{ own: flag(true) }, { peer: flag(true) }, nothing] },
  {
    what: "turning it off is refused",
    acts: [{ own: flag(true) }, { refused: flag(false), by: /flag\.value: false; a Flag cannot be turned off/ }],
  },
  { what: "another type's change is refused", acts: [{ own: flag(true) }, { refused: inc(1), by: wrongType }] },
]);

const cast = (selfVote: boolean): CrdtDelta => ({ type: "vote", selfVote, votesFor: 0, totalVoters: 0 });
const count = (selfVote: boolean, votesFor: number, totalVoters: number): CrdtDelta => ({ type: "vote", selfVote, votesFor, totalVoters });

table("Vote", 7, [
  {
    what: "alone, the function counts by itself and is told nothing",
    acts: [{ own: cast(true) }, { expect: undefined, live: ["n1"] }, { own: cast(false) }, { expect: undefined, live: ["n1"] }],
  },
  { what: "a new one learns how many vote", acts: [{ own: cast(true) }, { expect: count(true, 1, 2) }] },
  {
    what: "a peer's vote is told",
    acts: [
      { own: cast(false) },
      { peer: cast(true) },
      { expect: count(false, 1, 2) },
      { peer: cast(false) },
      { expect: count(false, 0, 2) },
    ],
  },
  {
    what: "a member that is gone does not count",
    acts: [{ own: cast(true) }, { peer: cast(true) }, { expect: count(true, 2, 2) }, { expect: count(true, 1, 1), live: ["n1"] }],
  },
  {
    what: "casting the same vote again changes nothing",
    acts: [{ own: cast(true) }, { own: cast(true) }, { expect: undefined, live: ["n1"] }],
  },
  {
    what: "inside a map, a key that was added again is voted on anew",
    acts: [
      { own: map({ added: [at(a, cast(true))] }) },
      { expect: map({ updated: [at(a, count(true, 1, 2))] }) },
      { own: map({ removed: [a], added: [at(a, cast(false))] }) },
      { expect: map({ updated: [at(a, count(false, 0, 2))] }) },
    ],
  },
  { what: "another type's change is refused", acts: [{ own: cast(true) }, { refused: inc(1), by: wrongType }] },
]);
