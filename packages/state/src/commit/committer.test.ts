import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import type { EntityHandle, Step } from "../store.ts";
import { ScriptedStore } from "../testing/store.ts";
import { type Committable, Committer, type CommitterLimits } from "./committer.ts";

class Item implements Committable {
  readonly step: Step;
  readonly bytes: number;
  outcome = "";
  constructor(step: Step, bytes: number) {
    this.step = step;
    this.bytes = bytes;
  }
  settle(outcome: Parameters<Committable["settle"]>[0]): void {
    this.outcome += outcome.is === "dropped" ? `dropped ${outcome.fault.code}` : outcome.is;
  }
}

const many: CommitterLimits = { groupStepsMax: 100, groupBytesMax: 1_000, groupsInFlightMax: 1 };

async function setUp(limits: CommitterLimits = many) {
  const store = new ScriptedStore();
  store.holding = true;
  const { handle } = await store.open({ namespace: "default", service: "s", persistenceId: "p", entityId: "1" }, "eventSourced");
  const fatal: Fault[] = [];
  const committer = new Committer(store, limits, { fatal: (fault) => fatal.push(fault) });
  const items: Item[] = [];
  const add = (bytes = 1, entity: EntityHandle = handle): Item => {
    const event = { typeUrl: "t", value: new Uint8Array(bytes) };
    const item = new Item({ entity, expectedSequence: items.length, events: [event], cause: "Do", timeMs: 0 }, bytes);
    items.push(item);
    committer.add(item);
    return item;
  };
  return { store, committer, fatal, add, items, outcomes: () => items.map(({ outcome }) => outcome) };
}

test("C1: what is added in one turn leaves together, in order; the rest waits for the answer", async () => {
  const { store, add, outcomes } = await setUp();
  add();
  add();
  await settle();
  add();
  await settle();
  assert.deepEqual(store.groups, [2]);
  store.held[0]?.answer();
  await settle();
  assert.deepEqual(store.groups, [2, 1]);
  assert.deepEqual(outcomes(), ["committed", "committed", ""]);
});

test("two groups may be under way where allowed, not three", async () => {
  const { store, add } = await setUp({ ...many, groupsInFlightMax: 2 });
  for (let at = 0; at < 3; at++) {
    add();
    await settle();
  }
  assert.deepEqual(store.groups, [1, 1]);
});

test("groups keep their bounds in steps and bytes; one large step is a group of its own", async () => {
  const { store, add } = await setUp({ groupStepsMax: 3, groupBytesMax: 10, groupsInFlightMax: 1 });
  for (const bytes of [1, 1, 1, 1, 6, 6, 50, 1]) add(bytes);
  for (let at = 0; at < 8; at++) {
    await settle();
    store.held[at]?.answer();
  }
  await settle();
  assert.deepEqual(store.groups, [3, 2, 1, 1, 1]);
});

test("each step gets its own verdict", async () => {
  const { store, add, outcomes } = await setUp();
  add();
  add();
  add();
  await settle();
  store.held[0]?.answer((step) => (step.expectedSequence === 1 ? { is: "unknown" } : undefined));
  await settle();
  assert.deepEqual(outcomes(), ["committed", "unknown", "conflict"]);
});

test("C3: a rejected group is fatal; it and everything behind it is dropped, and nothing is tried again", async () => {
  const { store, add, outcomes, fatal } = await setUp();
  add();
  await settle();
  add();
  store.held[0]?.reject(new Error("EIO"));
  await settle();
  add();
  await settle();
  assert.deepEqual(outcomes(), ["dropped dataLoss", "dropped dataLoss", "dropped dataLoss"]);
  assert.deepEqual(store.groups, [1]);
  assert.equal(fatal.length, 1);
});

test("C2: fewer verdicts than steps are fatal", async () => {
  const { store, add, outcomes, fatal } = await setUp();
  store.commit = () => Promise.resolve([{ is: "committed" }]);
  add();
  add();
  await settle();
  assert.deepEqual(outcomes(), ["dropped dataLoss", "dropped dataLoss"]);
  assert.equal(fatal[0]?.code, "dataLoss");
});

test("the end waits for what is under way and drops the rest", async () => {
  const { store, committer, add, outcomes, fatal } = await setUp();
  add();
  await settle();
  add();
  let ended = 0;
  const stop = new Fault("unavailable", "stopping");
  void committer.end(stop).then(() => ended++);
  void committer.end(stop).then(() => ended++);
  await settle();
  assert.equal(ended, 0);
  assert.deepEqual(outcomes(), ["", "dropped unavailable"]);
  store.held[0]?.answer();
  await settle();
  assert.equal(ended, 2);
  assert.deepEqual(outcomes(), ["committed", "dropped unavailable"]);
  await committer.end(stop);
  assert.deepEqual(fatal, []);
});
