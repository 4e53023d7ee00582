import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "@mecha/kit";
import { headersOf } from "./tracing.ts";

for (const [text, expected] of [
  [undefined, {}],
  ["", {}],
  ["Authorization=Bearer%20x, x-a=1=2", { authorization: "Bearer x", "x-a": "1=2" }],
] as const) {
  test(`headers ${String(text)}`, () => assert.deepEqual(headersOf(text === undefined ? undefined : new Secret(text)), expected));
}

for (const text of ["token", "a b=c", "a=%", "a=%0a"]) {
  test(`headers ${text} are refused without being repeated`, () =>
    assert.throws(
      () => headersOf(new Secret(text)),
      (error: Error) => /OTEL_EXPORTER_OTLP_HEADERS: expected key=value/u.test(error.message) && !error.message.includes(`"${text}"`),
    ));
}
