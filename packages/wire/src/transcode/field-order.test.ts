import { type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDescriptors } from "../descriptors/index.ts";
import { anyMessage, everythingProto } from "../testing/everything.ts";
import { compileProto } from "../testing/proto.ts";
import { compileFieldOrder } from "./field-order.ts";

const set = loadDescriptors(compileProto({ "test/everything.proto": everythingProto }));
const everything = set.message("test.Everything") as DescMessage;
const inOrder = compileFieldOrder(everything);
const serialized = anyMessage(everything, 1).map((message) => toBinary(everything, message));
const again = (bytes: Uint8Array): Buffer => Buffer.from(toBinary(everything, fromBinary(everything, bytes)));

test("what a serializer wrote is handed back as it is", () => {
  fc.assert(
    fc.property(serialized, (bytes) => assert.equal(inOrder(bytes), bytes)),
    { numRuns: 300 },
  );
});

test("parts one behind the other: the same message, by ascending number", () => {
  fc.assert(
    fc.property(fc.array(serialized, { minLength: 2, maxLength: 4 }), (parts) => {
      const bytes = Buffer.concat(parts);
      const ordered = inOrder(bytes);
      assert.deepEqual(again(ordered), again(bytes));
      assert.ok(ordered.length <= bytes.length);
      assert.equal(inOrder(ordered), ordered);
    }),
    { numRuns: 500 },
  );
});

test("the last member of a oneof is left, and earlier parts of it are not", () => {
  const leaf = (name: string): number[] => [0xc2, 0x09, 3, 0x0a, 1, name.charCodeAt(0)]; // choice_leaf = 152
  const text = [0xf2, 0x08, 1, 0x78]; // choice_string = 142
  assert.deepEqual([...inOrder(Uint8Array.from([...leaf("a"), ...text, ...leaf("b")]))], leaf("b"));
  assert.deepEqual([...inOrder(Uint8Array.from([...text, ...leaf("a"), ...leaf("b")]))], [...leaf("a"), ...leaf("b")]);
});

test("a written default overrides, and is then left out", () => {
  assert.deepEqual([...inOrder(Uint8Array.of(0x18, 5, 0x18, 0))], []); // one_int32 = 3
});

test("fields that occur once are put in order, long ones too", () => {
  const number = [0x18, 5]; // one_int32 = 3
  const wide = [0x20, 0x80, 1]; // one_int64 = 4
  const text = [0x72, 40, ...Buffer.alloc(40, "a")]; // one_string = 14
  for (const parts of [
    [text, wide, number],
    [wide, text, number],
    [wide, number, text],
  ]) {
    const bytes = Uint8Array.from(parts.flat());
    assert.deepEqual([...inOrder(bytes)], [...number, ...wide, ...text]);
    assert.deepEqual(Buffer.from(inOrder(bytes)), again(bytes));
  }
});
