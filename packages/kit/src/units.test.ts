/** Durations and sizes: tables, and round trips. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.ts";

const durations: Readonly<Record<string, number | undefined>> = {
  "15s": 15_000,
  "1h30m": 5_400_000,
  "250ms": 250,
  "1.5s": 1_500,
  "1.1s": 1_100,
  "1d": 86_400_000,
  "5m10ms": 300_010,
  "0": 0,
  "0s": 0,
  "15": undefined,
  "": undefined,
  soon: undefined,
  "-5s": undefined,
  "5 s": undefined,
  "30m1h": undefined,
  "1s1s": undefined,
  "1e3s": undefined,
  s: undefined,
};
for (const [text, ms] of Object.entries(durations)) test(`duration "${text}"`, () => assert.equal(parseDuration(text), ms));

const sizes: Readonly<Record<string, number | undefined>> = {
  "4MiB": 4_194_304,
  "64KiB": 65_536,
  "1.5KiB": 1_536,
  "10MB": 10_000_000,
  "512": 512,
  "512B": 512,
  "1 GiB": 1_073_741_824,
  "0": 0,
  "4Mb": undefined,
  "1.3": undefined,
  "-1": undefined,
  "99999999999999999999": undefined,
  "": undefined,
  constructor: undefined,
  "1none": undefined,
};
for (const [text, size] of Object.entries(sizes)) test(`size "${text}"`, () => assert.equal(parseBytes(text), size));

test("what is formatted is read back", () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (value) => parseDuration(formatDuration(value)) === value && parseBytes(formatBytes(value)) === value),
  );
});
