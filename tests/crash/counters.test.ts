/** The judge of counters, on histories made by hand: what is right passes, each kind of wrong is named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Addition, checkCounters } from "./counters.ts";

/** `add(5, 1, 2, 5)`: 5 were added between 1 and 2, the answer was 5. Without an end there was no answer. */
const add = (amount: number, startedMs: number, endedMs?: number, counted?: number): Addition => ({
  counter: "c",
  amount,
  startedMs,
  endedMs,
  counted,
});

const rulesOf = (additions: readonly Addition[], end: number): string[] =>
  checkCounters(additions, new Map([["c", end]])).map(({ rule }) => rule);

test("acknowledged additions once, others once or not at all, and answers that overlap are right", () => {
  for (const [additions, end] of [
    [[], 0],
    [[add(5, 1, 2, 5), add(7, 3, 4, 12)], 12],
    [[add(5, 1, 9, 12), add(7, 2, 8, 7), add(0, 3, 4, 0)], 12],
    [[add(5, 1, 2, 5), add(7, 3), add(9, 4)], 5],
    [[add(5, 1, 2, 5), add(7, 3), add(9, 4), add(1, 5, 6, 15)], 15],
    [[add(5, 1, 2, 5), add(7, 3), add(9, 4)], 21],
    [Array.from({ length: 40 }, (_, at) => add(1, at)), 17],
  ] as const)
    assert.deepEqual(rulesOf(additions, end), []);
});

for (const [rule, what, additions, end] of [
  ["C1", "an acknowledged addition is lost", [add(5, 1, 2, 5), add(7, 3, 4, 12)], 7],
  ["C1", "one counts twice", [add(5, 1, 2, 5), add(7, 3, 4, 12)], 17],
  ["C1", "one without an answer counts twice", [add(5, 1, 2, 5), add(7, 3)], 19],
  ["C1", "one is lost, others without an answer hide it", [add(5, 1, 2, 5), add(7, 3), add(9, 4)], 7],
  ["C1", "too many have no answer to try all sums, and it is more than all of them", Array.from({ length: 40 }, (_, at) => add(1, at)), 41],
  ["C2", "an answer misses what was acknowledged before", [add(5, 1, 2, 5), add(7, 3, 4, 7)], 12],
  ["C2", "a reading goes back", [add(5, 1, 2, 5), add(0, 3, 4, 0)], 5],
  ["C2", "an answer counts what began after it", [add(5, 1, 2, 12), add(7, 3, 4, 12)], 12],
] as const)
  test(`${rule}: ${what}`, () => assert.ok(rulesOf(additions, end).includes(rule), rulesOf(additions, end).join()));
