import assert from "node:assert/strict";
import { test } from "node:test";
import { validateAddress, validateRange } from "../rules/addresses.ts";
import { addressWarnings, rangeWarnings } from "./addresses.ts";

const addresses: readonly (readonly [text: string, problem: string, warning: string])[] = [
  ["10.9.8.7", "", ""],
  ["2001:db8::1", "", ""],
  ["::", "", ""],
  ["010.9.8.7", "must not have leading 0s", 'a: non-standard IP address "010.9.8.7" is invalid: use "10.9.8.7"'],
  ["10.9.08.007", "must not have leading 0s", 'a: non-standard IP address "10.9.08.007" is invalid: use "10.9.8.7"'],
  ["::ffff:1.2.3.4", "IPv4-mapped", 'a: non-standard IP address "::ffff:1.2.3.4" is invalid: use "1.2.3.4"'],
  ["::0001", "", 'a: IPv6 address "::0001" should be in RFC 5952 canonical format ("::1")'],
  ["2001:DB8:0:0:1::", "", 'a: IPv6 address "2001:DB8:0:0:1::" should be in RFC 5952 canonical format ("2001:db8:0:0:1::")'],
  ["256.1.1.1", "must be a valid IP address", ""],
  ["x", "must be a valid IP address", ""],
  ["", "must be a valid IP address", ""],
];

for (const [text, problem, warning] of addresses)
  test(`the address ${JSON.stringify(text)}: ${problem || "fine"}, ${warning || "nothing to tell"}`, () => {
    assert.match(validateAddress(text, "a")[0]?.message ?? "", new RegExp(problem, "u"));
    assert.equal(validateAddress(text, "a").length, problem === "" ? 0 : 1);
    assert.deepEqual(addressWarnings(text, "a"), warning === "" ? [] : [warning]);
  });

const ranges: readonly (readonly [text: string, problem: string, ...warnings: string[]])[] = [
  ["10.9.8.0/24", ""],
  ["::/0", ""],
  ["10.9.8.7/24", "bits set", 'a: CIDR value "10.9.8.7/24" is ambiguous in this context (should be "10.9.8.0/24" or "10.9.8.7/32"?)'],
  ["10.9.8.0/024", "leading 0s", 'a: non-standard CIDR value "10.9.8.0/024" is invalid: use "10.9.8.0/24"'],
  ["010.9.8.0/24", "leading 0s", 'a: non-standard CIDR value "010.9.8.0/24" is invalid: use "10.9.8.0/24"'],
  ["::ffff:1.2.3.0/120", "IPv4-mapped", 'a: non-standard CIDR value "::ffff:1.2.3.0/120" is invalid: use "1.2.3.0/24"'],
  ["FD00::/8", "", 'a: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8")'],
  ["10.9.8.0", "must be a valid CIDR"],
  ["10.9.8.0/33", "must be a valid CIDR"],
  ["10.9.8.0/24/1", "must be a valid CIDR"],
];

for (const [text, problem, ...warnings] of ranges)
  test(`the range ${JSON.stringify(text)}: ${problem || "fine"}, ${warnings[0] ?? "nothing to tell"}`, () => {
    assert.match(validateRange(text, "a")[0]?.message ?? "", new RegExp(problem, "u"));
    assert.equal(validateRange(text, "a").length, problem === "" ? 0 : 1);
    if (!problem.startsWith("must")) assert.deepEqual(rangeWarnings(text, "a"), warnings);
  });
