import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { inFieldOrder } from "./field-order.ts";

/** A message of string fields, written in the order given. */
function message(fields: readonly (readonly [number: number, text: string])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, text] of fields) writer.tag(number, WireType.LengthDelimited).string(text);
  return writer.finish();
}
const field = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.string({ maxLength: 6 }));

test("fields come by number, and those of one number in their order", () => {
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const expected = message(fields.toSorted(([a], [b]) => a - b));
      assert.deepEqual(Array.from(inFieldOrder(message(fields))), Array.from(expected));
    }),
  );
});

test("a message that is in order is handed back as it is", () => {
  const sorted = message([
    [1, "a"],
    [2, "b"],
    [2, "c"],
  ]);
  assert.equal(inFieldOrder(sorted), sorted);
});
