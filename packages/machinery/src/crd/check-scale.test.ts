import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "@mecha/kinds";
import { checkReplicas } from "./check-scale.ts";

const told = (object: JsonObject): string[] =>
  [...checkReplicas(object, ".spec.replicas")].map(({ field, message }) => `${field}: ${message}`);
const mistyped = (value: string, type: string, wanted = "int64"): string[] => [
  `.spec.replicas: Invalid value: 0: .spec.replicas accessor error: ${value} is of the type ${type}, expected ${wanted}`,
];

const table: readonly (readonly [unknown, readonly string[]])[] = [
  [{}, []],
  [{ replicas: 0 }, []],
  [{ replicas: 2 ** 31 - 1 }, []],
  [{ replicas: -7 }, [".spec.replicas: Invalid value: -7: should be a non-negative integer"]],
  [{ replicas: 1e15 }, [".spec.replicas: Invalid value: 1000000000000000: should be less than or equal to 2147483647"]],
  [{ replicas: "x" }, mistyped("x", "string")],
  [{ replicas: ["x"] }, mistyped("[x]", "[]interface {}")],
  [{ replicas: {} }, mistyped("map[]", "map[string]interface {}")],
  [{ replicas: true }, mistyped("true", "bool")],
  [{ replicas: 1.5 }, mistyped("1.5", "float64")],
  [{ replicas: null }, mistyped("<nil>", "<nil>")],
  ["", mistyped("", "string", "map[string]interface{}")],
];
for (const [spec, problems] of table)
  test(`spec ${JSON.stringify(spec)}`, () => {
    assert.deepEqual(told({ spec }), problems);
  });

test("whatever stands there is answered", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (spec) => void told({ spec })),
    { numRuns: 50 },
  );
});
