/** What must hold for every CRDT type, over histories of three replicas. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { decodeState, encodeState } from "./codec.ts";
import { crdtTypes } from "./delta.ts";
import { acts, both, canonical, changeOf, replicaIds, run, text } from "./testing.ts";
import { type CrdtState, join, joinAll, mutate, withoutVotes } from "./types/index.ts";
import { apply, difference, valueOf, wholeDelta } from "./value.ts";

const runs = { numRuns: 150 };
const viewer = { replica: "n1", live: replicaIds };

for (const type of crdtTypes) {
  describe(type, () => {
    const three = acts.map((history) => run(type, history).states);

    test("join is commutative, associative and idempotent", () => {
      fc.assert(
        fc.property(three, ([a, b, c]) => {
          assert.equal(canonical(both(a, b)), canonical(both(b, a)));
          assert.equal(canonical(both(both(a, b), c)), canonical(both(a, both(b, c))));
          assert.equal(canonical(a && join(a, decodeState(encodeState(a)))), canonical(a));
          assert.equal(canonical(both(both(a, b), b)), canonical(both(a, b)));
        }),
        runs,
      );
    });

    test("deltas in any order, some of them twice, come to what the full states come to", () => {
      fc.assert(
        fc.property(acts, fc.infiniteStream(fc.nat(1_000)), (history, dice) => {
          const { states, deltas } = run(type, history);
          const shuffled = [...deltas, ...deltas.filter(() => next(dice) % 3 === 0)]
            .map((delta) => ({ delta, at: next(dice) }))
            .toSorted((a, b) => a.at - b.at)
            .map(({ delta }) => delta);
          assert.equal(canonical(joinAll(shuffled)), canonical(joinAll(states)));
        }),
        runs,
      );
    });

    test("a state survives being written and read", () => {
      fc.assert(
        fc.property(three, (states) => {
          for (const state of states) if (state !== undefined) assert.deepEqual(decodeState(encodeState(state)), state);
        }),
        runs,
      );
    });

    test("a function that hears every difference has the value of the moment", () => {
      fc.assert(
        fc.property(acts, (history) => {
          let state: CrdtState | undefined;
          let held: ReturnType<typeof apply> | undefined;
          for (const delta of run(type, history).deltas) {
            state = both(state, delta);
            assert.ok(state);
            const now = valueOf(state, viewer);
            const said = held === undefined ? wholeDelta(now) : difference(held, now);
            assert.notEqual(said, "replaced");
            if (said !== undefined && said !== "replaced") held = apply(held, said, "asTold");
            assert.deepEqual(held, now);
            assert.equal(difference(now, now), undefined);
          }
        }),
        runs,
      );
    });

    test("alone, the engine's value after a change is the one the function made itself", () => {
      fc.assert(
        fc.property(acts, (history) => {
          let state: CrdtState | undefined;
          let held: ReturnType<typeof apply> | undefined;
          for (const [nowMs, act] of history.entries()) {
            if (act.do !== "change") continue;
            const change = changeOf(type, held, act.wish);
            if (ordersByClock(change)) return;
            state = both(state, mutate(state, change, { replica: "n1", nowMs }));
            assert.ok(state);
            held = apply(held, change, "asFunction");
            assert.deepEqual(held, valueOf(state, { replica: "n1", live: ["n1"] }));
          }
        }),
        runs,
      );
    });
  });
}

/** With the other clocks the engine may keep an older write: then the function is told so. */
function ordersByClock(change: unknown): boolean {
  return /"(reverse|custom)"/.test(JSON.stringify(change, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)));
}

function next(stream: IterableIterator<number>): number {
  return (stream.next() as { value: number }).value;
}

test("join is associative and commutative across types too", () => {
  const any = fc.tuple(fc.constantFrom(...crdtTypes), acts).map(([type, history]) => run(type, history).states[0]);
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      assert.equal(canonical(both(a, b)), canonical(both(b, a)));
      assert.equal(canonical(both(both(a, b), c)), canonical(both(a, both(b, c))));
    }),
    runs,
  );
});

test("no vote is stored, and joining a stored state with a live one brings the votes back", () => {
  const states = fc.tuple(fc.constantFrom("vote" as const, "ormap" as const), acts).map(([type, history]) => run(type, history).states[0]);
  fc.assert(
    fc.property(states, (state) => {
      if (state === undefined) return;
      const stored = decodeState(encodeState(withoutVotes(state)));
      assert.doesNotMatch(canonical(stored), /\["vote",\[\[/);
      assert.equal(canonical(join(stored, state)), canonical(state));
      assert.equal(canonical(join(state, stored)), canonical(state));
    }),
    runs,
  );
});

test("a map of one type that holds another is not read", () => {
  const entry = { key: text("a"), delta: { type: "flag" as const, value: true } };
  const map = mutate(undefined, { type: "ormap", cleared: false, removed: [], updated: [], added: [entry] }, { replica: "n1", nowMs: 0 });
  const bytes = encodeState(map).slice();
  const names = 2 + "n1".length + 1 + entry.key.typeUrl.length + 1;
  assert.equal(bytes[names], crdtTypes.indexOf("ormap"));
  bytes[names] = crdtTypes.indexOf("multimap");
  assert.throws(() => decodeState(bytes), /a flag in a map of orset/);
});

test("any bytes are a state or a Fault that says where they stop making sense", () => {
  const written = fc.tuple(fc.constantFrom(...crdtTypes), acts).map(([type, history]) => run(type, history).states[0]);
  const damaged = fc.tuple(written, fc.nat(), fc.nat(255), fc.nat()).map(([state, at, byte, cut]) => {
    const bytes = state === undefined ? new Uint8Array() : encodeState(state).slice();
    if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return cut % 3 === 0 ? bytes.subarray(0, cut % (bytes.length + 1)) : bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 80 }), damaged), (bytes) => {
      try {
        decodeState(bytes);
      } catch (error) {
        assert.ok(error instanceof Fault);
        assert.match(error.message, /^a stored CRDT is not readable: .* at byte \d+ of \d+$/);
      }
    }),
    { numRuns: 5_000 },
  );
});
