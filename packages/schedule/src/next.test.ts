import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { catchUpAgeMs, catchUpMax, isLeftOut, nextDueMs, skipLateMs } from "./next.ts";
import { type CatchUp, catchUps, everyMinMs, type Recurrence } from "./schedule.ts";

const minute = 60_000;
const every = (everyMs: number, catchUp: CatchUp): Recurrence => ({ everyMs, catchUp });
const cron = (expression: string, catchUp: CatchUp): Recurrence => ({ cron: { expression, timeZone: "Europe/Berlin" }, catchUp });

const intervals: readonly [what: string, catchUp: CatchUp, lateMs: number, expectedMs: number][] = [
  ["in time", "once", 3, minute],
  ["late by less than an interval", "once", minute - 1, minute],
  ["late by exactly one", "once", minute, 2 * minute],
  ["late by ten and a half: one firing stands for all", "once", 10.5 * minute, 11 * minute],
  ["late by ten and a half, all wanted: one after the other", "all", 10.5 * minute, minute],
  ["late by 5,000, all wanted: the newest ones", "all", 5_000 * minute, (5_000 - catchUpMax + 1) * minute],
  ["late by ten and a half, left out", "skip", 10.5 * minute, 11 * minute],
];

for (const [what, catchUp, lateMs, expectedMs] of intervals)
  test(`interval, ${what}`, () => {
    assert.equal(nextDueMs(every(minute, catchUp), 1_000, 1_000 + lateMs), 1_000 + expectedMs);
  });

test("an interval that is caught up fires exactly catchUpMax times for what is past", () => {
  const nowMs = 5_000 * minute;
  let firings = 0;
  for (let at: number | undefined = 0; at !== undefined && at <= nowMs; firings++) at = nextDueMs(every(minute, "all"), at, nowMs);
  assert.equal(firings, catchUpMax + 1); // the one that was waiting, and the newest
});

test("cron after a night: once, all, and bounded", () => {
  const due = Date.parse("2026-01-01T08:00Z"); // nine o'clock in Berlin
  const now = due + 2.5 * 24 * 60 * minute;
  const iso = (catchUp: CatchUp, at = now): string => new Date(nextDueMs(cron("0 9 * * *", catchUp), due, at) ?? NaN).toISOString();
  assert.equal(iso("once"), "2026-01-04T08:00:00.000Z");
  assert.equal(iso("skip"), "2026-01-04T08:00:00.000Z");
  assert.equal(iso("all"), "2026-01-02T08:00:00.000Z");
  assert.equal(iso("all", due + 3 * catchUpAgeMs), "2026-01-16T08:00:00.000Z");
});

test("what fires once does not fire again", () => {
  for (const catchUp of catchUps) assert.equal(nextDueMs({ catchUp }, 0, 1e9), undefined);
});

test("only skip leaves a firing out, and only a late one", () => {
  assert.equal(isLeftOut({ catchUp: "skip" }, 0, skipLateMs), false);
  assert.equal(isLeftOut({ catchUp: "skip" }, 0, skipLateMs + 1), true);
  assert.equal(isLeftOut({ catchUp: "once" }, 0, 1e9), false);
  assert.equal(isLeftOut({ catchUp: "all" }, 0, 1e9), false);
});

const time = fc.integer({ min: 0, max: 4e12 });
const catchUp = fc.constantFrom(...catchUps);
const recurrence: fc.Arbitrary<Recurrence> = fc.oneof(
  fc.record({ everyMs: fc.integer({ min: everyMinMs, max: 1e9 }), catchUp }),
  fc.record({
    cron: fc.record({
      expression: fc.constantFrom("* * * * *", "*/7 * * * *", "30 2 * * *", "0 0 31 * *", "15 1,2 * * SUN", "0 12 L * *"),
      timeZone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"),
    }),
    catchUp,
  }),
);

test("the next time is after the one that fired; unless all are wanted, after now too", () => {
  fc.assert(
    fc.property(recurrence, time, fc.integer({ min: 0, max: 1e10 }), (rule, due, late) => {
      const next = nextDueMs(rule, due, due + late) ?? NaN;
      assert.ok(next > due);
      if (rule.catchUp !== "all") assert.ok(next > due + late);
      if (rule.everyMs !== undefined) assert.equal((next - due) % rule.everyMs, 0);
    }),
    { numRuns: 300 },
  );
});

test("firing later never makes the next time earlier", () => {
  fc.assert(
    fc.property(recurrence, time, fc.integer({ min: 0, max: 1e10 }), fc.integer({ min: 0, max: 1e9 }), (rule, due, late, more) => {
      assert.ok((nextDueMs(rule, due, due + late) ?? NaN) <= (nextDueMs(rule, due, due + late + more) ?? NaN));
    }),
    { numRuns: 300 },
  );
});
