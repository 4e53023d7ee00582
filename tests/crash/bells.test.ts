/** The judge of timers, on lists made by hand: what is right passes, each kind of wrong is named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkNotes } from "./bell-clients.ts";
import { type BellEvent, checkBells } from "./bells.ts";

const set = (timer: string, dueMs: number, everyMs?: number): BellEvent => ({ did: "set", timer, dueMs, everyMs });
const ring = (timer: string, dueMs: number, number = 1, atMs = dueMs): BellEvent => ({ did: "ring", timer, dueMs, number, atMs });
const cancel = (timer: string): BellEvent => ({ did: "cancel", timer });

const rulesOf = (events: readonly BellEvent[], nowMs = 1_000): string[] =>
  checkBells(new Map([["b", events]]), nowMs).map(({ rule }) => rule);

test("timers that fire when they are due, once, and intervals in their phase are right", () => {
  for (const events of [
    [set("a", 100), ring("a", 100)],
    [set("a", 100), ring("a", 100, 1, 900)],
    [set("a", 2_000)],
    [set("a", 100), cancel("a")],
    [set("a", 100), set("a", 300), ring("a", 300)],
    [set("a", 100), ring("a", 100), set("a", 200), ring("a", 200)],
    [set("i", 100, 400), ring("i", 100), ring("i", 500, 2), ring("i", 900, 3)],
    [set("i", 100, 400), ring("i", 100), ring("i", 900, 2)],
    [set("i", 100, 400), ring("i", 100), cancel("i")],
    [set("a", 100), ring("a", 100), set("a", 100), ring("a", 100)],
  ])
    assert.deepEqual(rulesOf(events), []);
});

for (const [rule, what, events] of [
  ["B1", "a timer is lost", [set("a", 100)]],
  ["B1", "an interval ends", [set("i", 100, 400), ring("i", 100)]],
  ["B2", "a firing comes twice", [set("a", 100), ring("a", 100), ring("a", 100)]],
  ["B2", "an interval's firing comes twice", [set("i", 800, 400), ring("i", 800), ring("i", 800, 2)]],
  ["B3", "it is early", [set("a", 100), ring("a", 100, 1, 99)]],
  ["B4", "it was cancelled", [set("a", 100), cancel("a"), ring("a", 100)]],
  ["B4", "it was set anew", [set("a", 100), set("a", 3_000), ring("a", 100)]],
  ["B5", "an interval drifts", [set("i", 700, 400), ring("i", 700), ring("i", 1_101, 2)]],
  ["B6", "a firing is not counted", [set("i", 700, 400), ring("i", 700), ring("i", 1_100, 1)]],
] as const)
  test(`${rule}: ${what}`, () => assert.ok(rulesOf(events).includes(rule), rulesOf(events).join()));

test("B7 and B8: what was acknowledged is noted, and once", () => {
  const notes = new Map([["b", ["b.1.", "b.2.", "b.2."].map((commandId) => ({ ...set("a", 100), commandId }))]]);
  const acknowledged = ["b.1.", "b.2.", "b.3."].map((id) => ({ entity: "b", id }));
  const rules = checkNotes(notes, [...acknowledged, { entity: "other", id: "other.1." }]).map(({ rule, what }) => `${rule} ${what}`);
  assert.deepEqual(rules, ["B7 b.3. was acknowledged and is not noted", "B8 b.2. is noted twice"]);
});
