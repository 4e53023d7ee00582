import assert from "node:assert/strict";
import { test } from "node:test";
import { isOfType } from "../apply/check.ts";
import type { JsonSchema } from "./schema.ts";
import { typesOfSchema } from "./types.ts";

test("a text with a format may be any scalar to who records owners; one without is a text", () => {
  const string = (format?: string): JsonSchema => ({ type: "string", ...(format !== undefined && { format }) });
  const properties = { plain: string(), empty: string(""), bytes: string("byte"), time: string("date-time"), other: string("any-format") };
  const types = typesOfSchema("x", { type: "object", properties }, new Map());
  const fits = (object: Record<string, unknown>): boolean => isOfType({ types, type: "x" }, object);
  for (const name of Object.keys(properties)) {
    const formatted = name === "time" || name === "other";
    assert.deepEqual([fits({ [name]: "x" }), fits({ [name]: 5 }), fits({ [name]: {} })], [true, formatted, false], name);
  }
});
