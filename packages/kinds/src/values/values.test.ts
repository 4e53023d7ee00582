import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { formatDuration, humanDuration, parseDuration } from "./duration.ts";
import { compareQuantities, inThousandths, parseQuantity } from "./quantity.ts";

test("quantities are written in the one form the server has", () => {
  const forms: Record<string, string> = {
    "0": "0",
    "00": "0",
    "0.5": "500m",
    "1.5Gi": "1536Mi",
    "1024Mi": "1Gi",
    "1000m": "1",
    "1500": "1500",
    "1000000": "1M",
    "12k": "12k",
    "1e3": "1e3",
    "1E3": "1E3",
    "1.500": "1.500",
    "0.1n": "1n",
    "-2": "-2",
    "100m": "100m",
    "1Ki": "1Ki",
    "512": "512",
    "3Ei": "3Ei",
    "+5": "+5",
  };
  for (const [text, form] of Object.entries(forms)) assert.equal(parseQuantity(text).text, form, text);
});

test("amounts in lists of resources have no smaller parts than thousandths, rounded away from zero", () => {
  const amounts = {
    "999999999n": "1",
    "1500u": "2m",
    "1.500001": "1501m",
    "-1u": "-1m",
    "1.5": "1.5",
    "100m": "100m",
    "1Gi": "1Gi",
    "1e-6": "1e-3",
  };
  for (const [text, rounded] of Object.entries(amounts)) assert.equal(inThousandths(text), rounded, text);
});

test("what is no quantity is refused in the server's words", () => {
  for (const text of ["", "a", "1.2.3", "1 Gi", "--1", "1e99", ".", "0x1", "1KiB"]) assert.throws(() => parseQuantity(text), Fault, text);
  assert.throws(() => parseQuantity("1Kk"), new Fault("invalid", "unable to parse quantity's suffix"));
});

test("a quantity's form says the same amount, and stays", () => {
  const suffix = fc.constantFrom("", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "e3", "E-3");
  const amount = fc.tuple(fc.constantFrom("", "-"), fc.nat(), fc.option(fc.nat({ max: 999 }), { nil: undefined }), suffix);
  fc.assert(
    fc.property(amount, ([sign, whole, fraction, unit]) => {
      const quantity = parseQuantity(`${sign}${whole}${fraction === undefined ? "" : `.${fraction}`}${unit}`);
      const again = parseQuantity(quantity.text);
      assert.equal(compareQuantities(again, quantity), 0, quantity.text);
      assert.equal(again.text, quantity.text);
    }),
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      try {
        parseQuantity(text);
      } catch (error) {
        assert.ok(error instanceof Fault);
      }
    }),
  );
});

test("durations read and write as Go's do", () => {
  const forms: Record<string, string> = {
    "90m": "1h30m0s",
    "0": "0s",
    "1.5s": "1.5s",
    "2ms": "2ms",
    "1500us": "1.5ms",
    "-1m": "-1m0s",
    "1h": "1h0m0s",
    "3ns": "3ns",
  };
  for (const [text, form] of Object.entries(forms)) assert.equal(formatDuration(parseDuration(text)), form, text);
  for (const text of ["", "1", "1d", "h", "1h 2m"]) assert.throws(() => parseDuration(text), Fault, text);
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), (nanos) => assert.equal(parseDuration(formatDuration(nanos)), nanos)),
  );
});

test("ages are as kubectl get writes them", () => {
  const minute = 60_000;
  const ages: [number, string][] = [
    [0, "0s"],
    [119_999, "119s"],
    [2 * minute + 5_000, "2m5s"],
    [10 * minute, "10m"],
    [179 * minute, "179m"],
    [7 * 60 * minute + 5 * minute, "7h5m"],
    [47 * 60 * minute, "47h"],
    [3 * 24 * 60 * minute + 60 * minute, "3d1h"],
    [100 * 24 * 60 * minute, "100d"],
    [3 * 365 * 24 * 60 * minute, "3y"],
    [-5_000, "<invalid>"],
  ];
  for (const [ms, text] of ages) assert.equal(humanDuration(ms), text);
});
