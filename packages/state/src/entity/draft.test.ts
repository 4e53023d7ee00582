import assert from "node:assert/strict";
import { test } from "node:test";
import { engineDefaults } from "../limits.ts";
import type { EntityHandle } from "../store.ts";
import { envelopes } from "../testing/envelope.ts";
import { payload, type ReplyParts, replyOf } from "../testing/function.ts";
import { asksRestart, draftStep, findExcess } from "./draft.ts";

const { make } = envelopes();
const base = {
  kind: "eventSourced" as const,
  handle: 7 as EntityHandle,
  sequence: 4,
  wallMs: 99,
  fenceReads: false,
  keyTtlMs: 1_000,
  plan: () => undefined,
  newKey: () => "~1",
};
const failing = (restart: boolean): ReplyParts => ({ action: { do: "fail", description: "no", restart } });

test("an event sourced step holds the events, the snapshot, the cause, the time and the caller's marks", () => {
  const envelope = make("a", 0, { trace: "00-1-2-01" });
  const { step, endSequence, bytes } = draftStep(base, envelope, replyOf(1, { events: ["x", "y"], snapshot: "xy" }), false);
  assert.deepEqual(step, {
    entity: 7,
    expectedSequence: 4,
    events: [payload("x"), payload("y")],
    snapshot: payload("xy"),
    cause: "Do",
    timeMs: 99,
    trace: "00-1-2-01",
  });
  assert.equal(endSequence, 6);
  assert.equal(bytes, 128 + 4);
});

for (const { name, kind, reply, discard, fence, end, stored } of [
  { name: "a read is no step for the store", kind: "eventSourced", reply: {}, discard: false, fence: false, end: 4, stored: false },
  {
    name: "a read is a fence check where stores are shared",
    kind: "eventSourced",
    reply: {},
    discard: false,
    fence: true,
    end: 4,
    stored: true,
  },
  {
    name: "a snapshot alone is ignored",
    kind: "eventSourced",
    reply: { snapshot: "s" },
    discard: false,
    fence: false,
    end: 4,
    stored: false,
  },
  {
    name: "a restart drops the events",
    kind: "eventSourced",
    reply: { events: ["x"] },
    discard: true,
    fence: false,
    end: 4,
    stored: false,
  },
  {
    name: "a failure without restart keeps them",
    kind: "eventSourced",
    reply: { ...failing(false), events: ["x"] },
    discard: false,
    fence: false,
    end: 5,
    stored: true,
  },
  { name: "a value's update raises the version", kind: "value", reply: { state: "v" }, discard: false, fence: false, end: 5, stored: true },
  {
    name: "a value's deletion raises the version",
    kind: "value",
    reply: { state: null },
    discard: false,
    fence: false,
    end: 5,
    stored: true,
  },
  {
    name: "a failing value command keeps its update",
    kind: "value",
    reply: { ...failing(true), state: "v" },
    discard: false,
    fence: false,
    end: 5,
    stored: true,
  },
  {
    name: "events of a value entity are ignored",
    kind: "value",
    reply: { events: ["x"] },
    discard: false,
    fence: false,
    end: 4,
    stored: false,
  },
  {
    name: "a state of an event sourced one is ignored",
    kind: "eventSourced",
    reply: { state: "v" },
    discard: false,
    fence: false,
    end: 4,
    stored: false,
  },
] as const) {
  test(name, () => {
    const step = draftStep({ ...base, kind, fenceReads: fence }, make("a"), replyOf(1, reply), discard);
    assert.equal(step.endSequence, end);
    assert.equal(step.step !== undefined, stored);
    assert.equal(step.state, stored ? "underWay" : "durable");
  });
}

test("a failure that says so asks for a restart", () => {
  assert.equal(asksRestart(replyOf(1, failing(true))), true);
  assert.equal(asksRestart(replyOf(1, failing(false))), false);
  assert.equal(asksRestart(replyOf(1, { state: "v" })), false);
});

const small = { ...engineDefaults, eventsPerReplyMax: 2, payloadMaxBytes: 8, uncommittedBytesMax: 10 };
for (const { name, kind, reply, excess } of [
  { name: "as many events as allowed", kind: "eventSourced", reply: { events: ["a", "b"] }, excess: undefined },
  { name: "one event too many", kind: "eventSourced", reply: { events: ["a", "b", "c"] }, excess: /events: 3 in one reply, at most 2/ },
  { name: "an event too large", kind: "eventSourced", reply: { events: ["123456789"] }, excess: /event: 9 bytes .* at most 8/ },
  {
    name: "events too large together",
    kind: "eventSourced",
    reply: { events: ["1234567", "1234567"] },
    excess: /events: 14 bytes in one reply, at most 10/,
  },
  { name: "a snapshot too large", kind: "eventSourced", reply: { events: ["a"], snapshot: "123456789" }, excess: /snapshot: 9 bytes/ },
  { name: "a state too large", kind: "value", reply: { state: "123456789" }, excess: /state: 9 bytes/ },
  { name: "a deletion", kind: "value", reply: { state: null }, excess: undefined },
] as const) {
  test(`bounds of a reply: ${name}`, () => {
    const found = findExcess(kind, replyOf(1, reply), small);
    if (excess === undefined) assert.equal(found, undefined);
    else assert.match(found ?? "", excess);
  });
}
