import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalTime } from "./time.ts";

const good: readonly (readonly [text: string, digits: 0 | 6, canonical: string])[] = [
  ["2024-01-02T03:04:05Z", 0, "2024-01-02T03:04:05Z"],
  ["2024-01-02T03:04:05.987654321Z", 0, "2024-01-02T03:04:05Z"],
  ["2024-01-02T03:04:05+01:30", 0, "2024-01-02T01:34:05Z"],
  ["2024-02-29T03:04:05Z", 0, "2024-02-29T03:04:05Z"],
  ["2024-01-02T03:04:05+24:00", 0, "2024-01-01T03:04:05Z"],
  ["2024-01-02T03:04:05-01:60", 0, "2024-01-02T05:04:05Z"],
  ["0000-01-01T00:00:00.000000+01:00", 6, "-0001-12-31T23:00:00.000000Z"],
  ["9999-12-31T23:00:00.000000-01:00", 6, "10000-01-01T00:00:00.000000Z"],
  ["2024-01-02T03:04:05.500000+01:00", 6, "2024-01-02T02:04:05.500000Z"],
];

for (const [text, digits, canonical] of good) test(`${text} is ${canonical}`, () => assert.equal(canonicalTime(text, digits), canonical));

const seconds = "2006-01-02T15:04:05Z07:00";
const micros = "2006-01-02T15:04:05.000000Z07:00";
const bad: readonly (readonly [text: string, digits: 0 | 6, why: string])[] = [
  ["yesterday", 0, `parsing time "yesterday" as "${seconds}": cannot parse "yesterday" as "2006"`],
  ["yesterday", 6, `parsing time "yesterday" as "${micros}": cannot parse "yesterday" as "2006"`],
  ["", 0, `parsing time "" as "${seconds}": cannot parse "" as "2006"`],
  ["2024-01-02", 0, `parsing time "2024-01-02" as "${seconds}": cannot parse "" as "T"`],
  ["2024/01/02", 0, `parsing time "2024/01/02" as "${seconds}": cannot parse "/01/02" as "-"`],
  ["2024-01-02T03:04:05", 0, `parsing time "2024-01-02T03:04:05" as "${seconds}": cannot parse "" as "Z07:00"`],
  ["2024-01-02T03:04:05Z", 6, `parsing time "2024-01-02T03:04:05Z" as "${micros}": cannot parse "Z" as ".000000"`],
  ["2024-01-02T03:04:05.1234567Z", 6, `parsing time "2024-01-02T03:04:05.1234567Z" as "${micros}": cannot parse "7Z" as "Z07:00"`],
  ["2024-13-02T03:04:05Z", 0, 'parsing time "2024-13-02T03:04:05Z": month out of range'],
  ["2024-01-02T24:04:05Z", 0, 'parsing time "2024-01-02T24:04:05Z": hour out of range'],
  ["2023-02-29T03:04:05Z", 0, 'parsing time "2023-02-29T03:04:05Z": day out of range'],
  ["2024-01-02T03:04:05Zoo", 0, 'parsing time "2024-01-02T03:04:05Zoo": extra text: "oo"'],
  ["2024-01-02T03:04:05+25:00", 0, 'parsing time "2024-01-02T03:04:05+25:00": time zone offset hour out of range'],
  ["2024-01-02T03:04:05+99:61", 0, 'parsing time "2024-01-02T03:04:05+99:61": time zone offset minute out of range'],
  ["0000-01-01T00:00:00+01:00", 0, "Time.MarshalJSON: year outside of range [0,9999]"],
];

for (const [text, digits, why] of bad)
  test(`${JSON.stringify(text)} is no time${digits === 6 ? " with micros" : ""}`, () =>
    assert.throws(() => canonicalTime(text, digits), { message: why }));

test("whatever comes is a time or refused; a time stays itself", () => {
  const piece = fc.constantFrom("2024", "-", "02", "30", "T", ":", "59", "Z", "+", ".", "123456", "x", ",");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), fc.constantFrom(0 as const, 6 as const), (pieces, digits) => {
      try {
        const time = canonicalTime(pieces.join(""), digits);
        assert.equal(canonicalTime(time, digits), time);
      } catch (error) {
        assert.match(String(error), /Fault|parsing time|Time\.MarshalJSON/u);
      }
    }),
    { numRuns: 300 },
  );
});

test("what looks canonical and is no time is refused all the same", () => {
  for (const text of [
    "2023-02-29T03:04:05Z",
    "2024-01-02T24:00:00Z",
    "2024-04-31T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2024-01-01T00:60:00Z",
  ])
    assert.throws(() => canonicalTime(text, 0), /out of range/u);
});
