import assert from "node:assert/strict";
import { test } from "node:test";
import { cronNextMs, cronProblem, timeZoneProblem } from "./cron.ts";

/** The next times after `from`, as ISO without seconds. */
function times(expression: string, zone: string, from: string, count: number): string[] {
  const found: string[] = [];
  for (let at = Date.parse(from); found.length < count;) {
    const next = cronNextMs(expression, zone, at);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().replace(":00.000Z", "Z"));
    at = next;
  }
  return found;
}

const table: readonly [what: string, expression: string, zone: string, from: string, expected: readonly string[]][] = [
  // Europe/Berlin: 2026-03-29 02:00 → 03:00 (+1 → +2), 2026-10-25 03:00 → 02:00
  ["Berlin, spring: 02:30 does not exist, it fires after the gap", "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00Z",
    ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]],
  ["Berlin, autumn: 02:30 exists twice, it fires once, the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z",
    ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
  ["Berlin, autumn: hourly goes on in real time", "0 * * * *", "Europe/Berlin", "2026-10-24T23:30Z",
    ["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z", "2026-10-25T03:00Z"]],
  ["Berlin, spring: every half hour goes on in real time", "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15Z",
    ["2026-03-29T00:30Z", "2026-03-29T01:00Z", "2026-03-29T01:30Z", "2026-03-29T02:00Z"]],
  ["Berlin, autumn: every half hour goes on in real time", "*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15Z",
    ["2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T02:00Z"]],
  ["Berlin: nine o'clock stays nine o'clock", "0 9 * * *", "Europe/Berlin", "2026-03-27T12:00Z",
    ["2026-03-28T08:00Z", "2026-03-29T07:00Z", "2026-03-30T07:00Z"]],
  // America/New_York: 2026-03-08 02:00 → 03:00 (-5 → -4), 2026-11-01 02:00 → 01:00
  ["New York, spring: 02:30 does not exist", "30 2 * * *", "America/New_York", "2026-03-07T12:00Z",
    ["2026-03-08T07:00Z", "2026-03-09T06:30Z"]],
  ["New York, autumn: 01:30 exists twice", "30 1 * * *", "America/New_York", "2026-10-31T12:00Z",
    ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]],
  ["New York, autumn: hourly goes on in real time", "0 * * * *", "America/New_York", "2026-11-01T04:30Z",
    ["2026-11-01T05:00Z", "2026-11-01T06:00Z", "2026-11-01T07:00Z"]],
  ["the 31st comes in months that have one", "0 0 31 * *", "UTC", "2026-01-31T12:00Z", ["2026-03-31T00:00Z", "2026-05-31T00:00Z"]],
  ["the last day of the month", "0 0 L * *", "UTC", "2026-01-31T12:00Z", ["2026-02-28T00:00Z", "2026-03-31T00:00Z", "2026-04-30T00:00Z"]],
  ["29 February comes in leap years", "0 0 29 2 *", "UTC", "2026-01-01T00:00Z", ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]],
  ["working days, by name", "0 0 * * MON-FRI", "UTC", "2026-01-01T12:00Z", ["2026-01-02T00:00Z", "2026-01-05T00:00Z"]],
  ["day of month or day of week: either", "0 0 13 * FRI", "UTC", "2026-02-07T00:00Z", ["2026-02-13T00:00Z", "2026-02-20T00:00Z"]],
  ["a nickname", "@daily", "UTC", "2026-01-01T00:00Z", ["2026-01-02T00:00Z"]],
  ["a zone with a quarter of an hour", "0 12 * * *", "Asia/Kathmandu", "2026-01-01T00:00Z", ["2026-01-01T06:15Z"]],
]; // prettier-ignore

for (const [what, expression, zone, from, expected] of table)
  test(what, () => {
    assert.deepEqual(times(expression, zone, from, expected.length), expected);
  });

test("the next time is after the given one, not at it", () => {
  const nine = Date.parse("2026-01-01T09:00Z");
  assert.equal(cronNextMs("0 9 * * *", "UTC", nine - 1), nine);
  assert.equal(cronNextMs("0 9 * * *", "UTC", nine), nine + 24 * 3_600_000);
});

const wrong: readonly [expression: string, problem: RegExp][] = [
  ["", /is no cron expression \(minute hour day month weekday, such as "0 9 \* \* MON-FRI"\)/],
  ["* * *", /is no cron expression/],
  ["* * * * * *", /is no cron expression/],
  ["61 * * * *", /Invalid value for minute: 61/],
  ["0 0 30 2 *", /never falls due/],
];

for (const [expression, problem] of wrong)
  test(`${JSON.stringify(expression)} is refused with the reason`, () => {
    assert.match(cronProblem(expression, "UTC") ?? "", problem);
  });

test("a time zone nobody has is named", () => {
  assert.equal(timeZoneProblem("Europe/Berlin"), undefined);
  assert.match(timeZoneProblem("Europe/Nowhere") ?? "", /"Europe\/Nowhere" is no time zone/);
});
