/** Faults: codes, borders and the one line a person reads. */
import assert from "node:assert/strict";
import test from "node:test";
import { explain, Fault, type FaultCode, faultCodeOfGrpc, faultCodes } from "./fault.ts";

test("every gRPC code from 1 to 16 has exactly one fault code", () => {
  const numbers = Object.values(faultCodes).map((entry) => entry.grpc);
  assert.deepEqual(
    [...numbers].sort((a, b) => a - b),
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  for (const code of Object.keys(faultCodes) as FaultCode[]) assert.equal(faultCodeOfGrpc(faultCodes[code].grpc), code);
});

test("a gRPC status outside 1 to 16 is unknown", () => {
  for (const status of [0, 17, -1, NaN]) assert.equal(faultCodeOfGrpc(status), "unknown");
});

test("explain prints the chain once, outermost first", () => {
  const socket = new Error("connect 10.0.0.7:5432: ECONNREFUSED");
  const middle = new Fault("unavailable", "open store", { cause: socket });
  assert.equal(
    explain(new Fault("unavailable", "read state of cart/42", { cause: middle })),
    "read state of cart/42: open store: connect 10.0.0.7:5432: ECONNREFUSED",
  );
});

const odd: readonly (readonly [what: string, error: unknown, text: string])[] = [
  ["a string", "plain", "plain"],
  ["an object", { a: 1 }, '{"a":1}'],
  ["undefined", undefined, "undefined"],
  ["null", null, "null"],
  ["a BigInt", 1n, "bigint"],
  ["a function", () => 1, "function"],
  ["an error without a message", new TypeError(), "TypeError"],
  ["a string as cause", new Error("outer", { cause: "inner" }), "outer: inner"],
  ["several addresses refused", new AggregateError([new Error("a refused"), new Error("b refused")]), "a refused; b refused"],
];
for (const [what, error, text] of odd) test(`explain of ${what}`, () => assert.equal(explain(error), text));

test("explain ends on a chain that bites its tail", () => {
  const error = new Error("a");
  error.cause = new Error("b", { cause: error });
  assert.equal(explain(error), "a: b");
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  assert.equal(explain(cyclic), "object");
});

test("a Fault crosses a border unchanged; a foreign error gets a code and stays the cause", () => {
  const fault = new Fault("notFound", "no cart", { facts: { key: "cart/1" } });
  assert.equal(Fault.from(fault, "read"), fault);
  const foreign = new Error("disk full");
  const wrapped = Fault.from(foreign, "write", "exhausted");
  assert.deepEqual([wrapped.code, wrapped.cause, explain(wrapped)], ["exhausted", foreign, "write: disk full"]);
  assert.deepEqual(fault.facts, { key: "cart/1" });
});
