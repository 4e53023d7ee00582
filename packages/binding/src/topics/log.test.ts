import assert from "node:assert/strict";
import { test } from "node:test";
import { subscriberName } from "../subscriptions.ts";
import { isBehind, retentionUsed, type Standing, subscribedTopic } from "./log.ts";

test("the topic is read from a subscriber's name, whatever the group is called", () => {
  for (const name of ["orders", "a/b~c", "ä %"])
    for (const group of ["shop.Stock", "topic/x", "%2f"]) {
      assert.equal(subscribedTopic(subscriberName({ from: "topic", name, group })), name);
      assert.equal(subscribedTopic(subscriberName({ from: "eventLog", name, group })), undefined);
    }
  for (const name of ["", "a", "a/topic/", "/topic/b", "a/topic/b/c", "a/topic/%"]) assert.equal(subscribedTopic(name), undefined, name);
});

test("a message is behind a group below its position, and in a shard that is further on", () => {
  const cursor = { position: 10, ahead: [[3, 15]] } as const;
  for (const [position, shard, is] of [
    [10, 1, true],
    [11, 1, false],
    [14, 3, true],
    [15, 3, false],
    [9, 3, true],
  ] as const)
    // prettier-ignore
    assert.equal(isBehind(cursor, { position, shard }), is, `${position} in ${shard}`);
});

test("what is used of the retention is the larger of age and bytes, 0 to 1", () => {
  const retention = { maxAgeMs: 1_000, maxBytes: 500 };
  const used = (oldest: Standing["oldest"], nowMs = 10_000): number =>
    retentionUsed({ subscriber: "s", lost: 0, ...(oldest && { oldest }) }, retention, nowMs);
  assert.equal(used(undefined), 0);
  assert.equal(used({ timeMs: 9_500, bytesFrom: 100 }), 0.5);
  assert.equal(used({ timeMs: 9_500, bytesFrom: 400 }), 0.8);
  assert.equal(used({ timeMs: 0, bytesFrom: 0 }), 1);
  assert.equal(used({ timeMs: 20_000, bytesFrom: 0 }), 0); // a clock that was set back
});
