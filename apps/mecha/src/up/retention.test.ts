import assert from "node:assert/strict";
import { test } from "node:test";
import { day, gib } from "@mecha/kit";
import { topicRetention } from "./retention.ts";

test("what topics keep is said by the environment, else by the project, else it is seven days and a GiB", () => {
  assert.deepEqual(topicRetention(), { maxAgeMs: 7 * day, maxBytes: gib });
  assert.deepEqual(topicRetention({ maxAgeMs: undefined }, { maxAgeMs: 5, maxBytes: 6 }), { maxAgeMs: 5, maxBytes: 6 });
  assert.deepEqual(topicRetention({ maxAgeMs: 1 }, { maxAgeMs: 5, maxBytes: 6 }), { maxAgeMs: 1, maxBytes: 6 });
});
