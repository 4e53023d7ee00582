/** Digests: what two processes compare must agree exactly when their states do. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crdtTypes } from "../crdt/delta.ts";
import { acts, both, canonical, run } from "../crdt/testing.ts";
import type { CrdtState } from "../crdt/types/index.ts";
import { digest } from "./digest.ts";

const outcome = fc.tuple(fc.constantFrom(...crdtTypes), acts).map(([type, history]) => run(type, history).states);

function digestOf(state: CrdtState | undefined): bigint {
  return state === undefined ? 0n : digest(state);
}

test("states are equal exactly when their digests are, whatever order they were joined in", () => {
  fc.assert(
    fc.property(outcome, ([a, b, c]) => {
      assert.equal(digestOf(both(both(a, b), c)), digestOf(both(c, both(b, a))));
      for (const [one, other] of [
        [a, b],
        [b, c],
      ] as const) {
        assert.equal(digestOf(one) === digestOf(other), canonical(one) === canonical(other));
      }
    }),
    { numRuns: 500 },
  );
});
