import assert from "node:assert/strict";
import { test } from "node:test";
import { dueMaxMs, firstDueMs, readRecurrence, recurrenceOf, type Schedule, scheduleProblem, writeRecurrence } from "./schedule.ts";

const now = Date.parse("2026-01-01T08:30Z");

const right: readonly [schedule: Schedule, dueMs: number, stored: string][] = [
  [{ atMs: now - 5 }, now - 5, ""],
  [{ afterMs: 0 }, now, ""],
  [{ afterMs: 10.7 }, now + 10, ""],
  [{ afterMs: 10, catchUp: "skip" }, now + 10, '{"catchUp":"skip"}'],
  [{ everyMs: 60_000 }, now + 60_000, '{"every":60000}'],
  [{ everyMs: 60_000, afterMs: 5, catchUp: "all" }, now + 5, '{"every":60000,"catchUp":"all"}'],
  [{ everyMs: 60_000, atMs: 7 }, 7, '{"every":60000}'],
  [{ cron: "0 9 * * *" }, Date.parse("2026-01-01T09:00Z"), '{"cron":"0 9 * * *","zone":"UTC"}'],
  [{ cron: "0 9 * * *", timeZone: "Europe/Berlin" }, Date.parse("2026-01-02T08:00Z"), '{"cron":"0 9 * * *","zone":"Europe/Berlin"}'],
  [{ afterMs: dueMaxMs }, dueMaxMs, ""],
];

for (const [schedule, dueMs, stored] of right)
  test(`${JSON.stringify(schedule)} is due first at ${dueMs - now} ms from now, and its text is read back`, () => {
    assert.equal(scheduleProblem(schedule), undefined);
    assert.equal(firstDueMs(schedule, now), dueMs);
    const recurrence = recurrenceOf(schedule);
    assert.equal(writeRecurrence(recurrence), stored);
    assert.deepEqual(readRecurrence(stored), recurrence);
  });

const wrong: readonly [schedule: Schedule, problem: RegExp][] = [
  [{}, /it says no time; give at, after, every or cron/],
  [{ catchUp: "all" }, /it says no time/],
  [{ atMs: 1, afterMs: 1 }, /at and after are both given/],
  [{ atMs: NaN }, /^at: expected a time, got NaN/],
  [{ afterMs: -1 }, /^after: expected 0 ms or more, got -1/],
  [{ everyMs: 99 }, /^every: expected 100ms or more, got 99 ms/],
  [{ everyMs: 100, cron: "* * * * *" }, /every and cron are both given/],
  [{ everyMs: 100, timeZone: "UTC" }, /timeZone goes with cron only/],
  [{ cron: "* * * * *", atMs: 1 }, /leave out at and after/],
  [{ cron: "x" }, /^cron: "x" is no cron expression/],
  [{ cron: "* ".repeat(200) }, /^cron: 400 characters, the most is 256/],
  [{ cron: "* * * * *", timeZone: "Mars" }, /^timeZone: "Mars" is no time zone/],
  [{ afterMs: 1, catchUp: "some" as never }, /^catchUp: expected once, all, skip, got "some"/],
];

for (const [schedule, problem] of wrong)
  test(`${JSON.stringify(schedule).slice(0, 60)} is refused: ${problem.source.slice(0, 40)}`, () => {
    assert.match(scheduleProblem(schedule) ?? "", problem);
  });

test("a stored text of another version is told apart", () => {
  for (const text of ["x", "[]x", '{"every":"1"}', '{"cron":"* * * * *"}', '{"catchUp":"never"}'])
    assert.equal(readRecurrence(text), undefined, text);
});
