/** Decisions of the outbox, as tables. The whole is tested in engine-outbox.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { engineDefaults } from "../limits.ts";
import type { ClientAction, SideEffect } from "../model.ts";
import { payload, replies } from "../testing/function.ts";
import { chosenFault } from "./chosen.ts";
import { Lane, laneKey, laneQueueMax, type Waiting } from "./lane.ts";
import { planMessages } from "./messages.ts";
import { afterFailure, unknownAttemptsMax } from "./retry.ts";

for (const { name, fault, attempts, then } of [
  { name: "out of reach", fault: new Fault("unavailable", ""), attempts: 1, then: "retry 100" },
  { name: "out of reach again", fault: new Fault("unavailable", ""), attempts: 4, then: "retry 800" },
  { name: "out of reach for long", fault: new Fault("unavailable", ""), attempts: 900, then: "retry 30000" },
  { name: "out of reach for too long", fault: new Fault("unavailable", ""), attempts: 1_000, then: "bury" },
  { name: "no room", fault: new Fault("exhausted", ""), attempts: 1, then: "retry 100" },
  { name: "too late", fault: new Fault("deadline", ""), attempts: 1, then: "retry 100" },
  { name: "somebody else wrote first", fault: new Fault("aborted", ""), attempts: 1, then: "retry 100" },
  { name: "the function ended", fault: new Fault("unknown", ""), attempts: unknownAttemptsMax - 1, then: "retry 25600" },
  { name: "the function ends each time", fault: new Fault("unknown", ""), attempts: unknownAttemptsMax, then: "bury" },
  { name: "the entity id cannot be read", fault: new Fault("invalid", ""), attempts: 1, then: "bury" },
  { name: "stored as another kind", fault: new Fault("precondition", ""), attempts: 1, then: "bury" },
  { name: "the target says no", fault: chosenFault("unknown", "no"), attempts: 1, then: "drop" },
  { name: "the target says no, with a code that passes", fault: chosenFault("unavailable", "no"), attempts: 1, then: "drop" },
] as const) {
  test(`after a failed attempt: ${name}`, () => {
    const after = afterFailure(fault, attempts, engineDefaults);
    assert.equal(after.do === "retry" ? `retry ${after.pauseMs}` : after.do, then);
  });
}

const source = { service: "shop.Cart", entityId: "1", key: "k", commandName: "Add", context: { hops: 2, trace: "t" } };
const effect = (service: string, synchronous: boolean): SideEffect => ({ service, command: "Do", payload: payload("x"), synchronous });
const find = (service: string): { entityId?: string } | undefined =>
  service === "none" ? undefined : service === "action" ? {} : { entityId: "m" };
const forward: ClientAction = { do: "forward", service: "entity", command: "Do", payload: payload("x") };

for (const { name, effects, action, stored, keys } of [
  { name: "nothing asked", effects: [], action: replies("ok"), stored: true, keys: undefined },
  { name: "synchronous, step not stored", effects: [effect("entity", true)], action: forward, stored: false, keys: undefined },
  { name: "synchronous and forward, step stored", effects: [effect("entity", true)], action: forward, stored: true, keys: ["e/0", "f"] },
  {
    name: "one asynchronous effect has everything stored",
    effects: [effect("entity", true), effect("action", false)],
    action: forward,
    stored: false,
    keys: ["e/0", "e/1", "f"],
  },
  {
    name: "what nobody serves is left out",
    effects: [effect("none", false), effect("entity", false)],
    action: replies("ok"),
    stored: true,
    keys: ["e/1"],
  },
  { name: "asynchronous to nobody", effects: [effect("none", false)], action: replies("ok"), stored: false, keys: undefined },
] as const) {
  test(`messages of a step: ${name}`, () => {
    const plan = planMessages(source, { effects, action }, stored, find);
    assert.deepEqual(
      plan?.messages.map(({ key }) => key.replace("shop.Cart/1 k/", "")),
      keys,
    );
    for (const message of plan?.messages ?? []) assert.deepEqual([message.hops, message.trace], [3, "t"]);
    if (plan) assert.equal(plan.at.length, effects.length + 1);
  });
}

const waiting = (id: number): Waiting => ({
  id,
  message: { key: `${id}`, service: "s", command: "Do", payload: payload("x"), hops: 1, origin: "" },
  source: undefined,
  origin: undefined,
  attempts: 0,
  tried: undefined,
});
const idsOf = (lane: Lane): number[] => lane.queue.map(({ id }) => id);

test("a lane takes what memory has room for; what follows stays in the store until that was read", () => {
  const lane = new Lane("", { service: "s" }, false);
  for (let id = 1; id <= laneQueueMax; id++) assert.ok(lane.add(waiting(id), true));
  assert.equal(lane.add(waiting(100), true), false);
  lane.queue.length = 0;
  assert.equal(lane.need, "read");
  assert.equal(lane.add(waiting(101), true), false, "it would overtake");
  lane.beginRead();
  assert.equal(lane.need, "nothing");
  lane.endRead([waiting(100), waiting(101)], 101);
  assert.deepEqual([idsOf(lane), lane.need, lane.cursor], [[100, 101], "send", 101]);
  lane.queue.length = 0;
  lane.beginRead();
  lane.endRead([], undefined);
  assert.ok(lane.empty);
  assert.ok(lane.add(waiting(102), true));
});

test("a message left while the store is read is not forgotten", () => {
  const lane = new Lane("", { service: "s" }, true);
  lane.beginRead();
  lane.add(waiting(7), true);
  lane.endRead([], undefined);
  assert.deepEqual([lane.need, lane.cursor], ["read", 0]);
  lane.beginRead();
  lane.endRead([waiting(7)], 7);
  lane.leave(3); // begun later, asked for earlier
  assert.equal(lane.cursor, 2);
});

test("a lane that is held does nothing, and is not empty while something is under way", () => {
  const lane = new Lane("", { service: "s" }, false);
  lane.add(waiting(1), true);
  lane.held = true;
  assert.deepEqual([lane.need, lane.empty], ["nothing", false]);
  lane.held = false;
  lane.sending = true;
  assert.deepEqual([lane.need, lane.empty], ["nothing", false]);
});

test("lanes differ in source, service and entity", () => {
  const from = { namespace: "default", service: "a", persistenceId: "p", entityId: "1" };
  const lanes = [
    { service: "s" },
    { service: "s", entityId: "1" },
    { service: "s", entityId: "1", source: from },
    { service: "s", entityId: "1", source: { ...from, entityId: "2" } },
    { service: "s", source: from },
  ];
  assert.equal(new Set(lanes.map(laneKey)).size, lanes.length);
});
