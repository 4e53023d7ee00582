import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@mecha/kit/testing";
import { Reachability } from "./reachability.ts";

test("pauses double up to the longest, less at most a fifth", () => {
  const reachability = new Reachability(50, 2_000, new SeededRandom(1));
  let nowMs = 0;
  for (const fullMs of [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]) {
    reachability.failed("refused", nowMs);
    const pauseMs = reachability.retryAtMs - nowMs;
    assert.ok(pauseMs <= fullMs && pauseMs > fullMs * 0.8, `${pauseMs} of ${fullMs}`);
    nowMs = reachability.retryAtMs;
  }
  assert.equal(reachability.reason, "refused");
});

test("streams that fail together count once; a sign of life ends the pause", () => {
  const reachability = new Reachability(50, 2_000, new SeededRandom(1));
  reachability.failed("a", 0);
  const { retryAtMs } = reachability;
  for (let at = 0; at < 100; at++) reachability.failed("b", 1);
  assert.equal(reachability.retryAtMs, retryAtMs);
  reachability.alive();
  assert.equal(reachability.reason, "");
  assert.ok(reachability.retryAtMs < 0);
  reachability.failed("c", 100);
  assert.ok(reachability.retryAtMs <= 150);
});
