/** Chance that can be repeated, and ids made from it. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { uuid } from "./random.ts";
import { SeededRandom } from "./testing.ts";

test("a uuid is version 4, variant 10, for every seed", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      assert.match(uuid(new SeededRandom(seed)), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }),
  );
});

test("the bits that are not fixed come from the source", () => {
  assert.equal(uuid({ below: () => 0, bytes: (length) => new Uint8Array(length) }), "00000000-0000-4000-8000-000000000000");
  assert.equal(uuid({ below: () => 0, bytes: (length) => new Uint8Array(length).fill(255) }), "ffffffff-ffff-4fff-bfff-ffffffffffff");
});

test("a seed repeats its run, and another seed gives another", () => {
  const run = (seed: number): number[] => Array.from(new SeededRandom(seed).bytes(32));
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
});

test("below stays below, and reaches every value", () => {
  const random = new SeededRandom(1);
  const seen = new Set<number>();
  for (let draw = 0; draw < 1_000; draw++) seen.add(random.below(10));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
