import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { loadDescriptors } from "../descriptors/index.ts";
import { anyMessage, everythingProto } from "../testing/everything.ts";
import { compileProto } from "../testing/proto.ts";
import { JsonCodecs } from "./json-codec.ts";

const descriptors = loadDescriptors(compileProto({ "test/everything.proto": everythingProto }));
const { registry } = descriptors;
const everything = descriptors.message("test.Everything") as DescMessage;
const codec = new JsonCodecs(registry).of(everything);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const libraryJson = (bytes: Uint8Array): JsonValue =>
  toJson(everything, fromBinary(everything, bytes), { alwaysEmitImplicit: true, registry });
const fromText = (json: unknown): Uint8Array => codec.fromJson(utf8(JSON.stringify(json)));
/** One order of fields, nothing written that is a default. */
const normal = (bytes: Uint8Array): Buffer => Buffer.from(toBinary(everything, fromBinary(everything, bytes)));
const refused = (json: unknown, message: RegExp): void => {
  assert.throws(
    () => fromText(json),
    (fault) => fault instanceof Fault && fault.code === "invalid" && message.test(fault.message),
    String(message),
  );
};

test("bytes to JSON: the same as protobuf-es, without blanks", () => {
  fc.assert(
    fc.property(anyMessage(everything), (message) => {
      const bytes = toBinary(everything, message);
      const text = codec.toJson(bytes);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(libraryJson(bytes))));
      assert.equal(text.length, JSON.stringify(JSON.parse(text)).length);
    }),
    { numRuns: 600 },
  );
});

// By value, not by text: JSON.stringify turns -0 into 0.
test("JSON to bytes: decodes to the message protobuf-es makes", () => {
  fc.assert(
    fc.property(anyMessage(everything), (message) => {
      const json = toJson(everything, message, { registry });
      const expected = toBinary(everything, fromJson(everything, json, { registry }));
      const actual = toBinary(everything, fromBinary(everything, codec.fromJsonValue(json)));
      assert.deepEqual(Buffer.from(actual), Buffer.from(expected));
    }),
    { numRuns: 600 },
  );
});

test("JSON with defaults written out, and with proto names, means the same", () => {
  fc.assert(
    fc.property(anyMessage(everything, 1), (message) => {
      const expected = Buffer.from(toBinary(everything, message));
      for (const options of [{ alwaysEmitImplicit: true }, { useProtoFieldName: true }, { enumAsInteger: true }]) {
        const json = toJson(everything, message, { registry, ...options });
        assert.deepEqual(Buffer.from(toBinary(everything, fromBinary(everything, codec.fromJsonValue(json)))), expected);
      }
    }),
    { numRuns: 200 },
  );
});

test("parts of a message that come apart on the wire are merged", () => {
  fc.assert(
    fc.property(anyMessage(everything), anyMessage(everything), (one, other) => {
      // Two serialized messages one behind the other are the merged message (protobuf.dev, "Last One Wins").
      const bytes = Buffer.concat([toBinary(everything, one), toBinary(everything, other)]);
      let expected;
      try {
        expected = JSON.stringify(libraryJson(bytes));
      } catch {
        // A merged duration may mix signs, which JSON cannot say.
        assert.throws(() => codec.toJson(bytes), Fault);
        return;
      }
      assert.deepEqual(JSON.parse(codec.toJson(bytes)), JSON.parse(expected));
    }),
    { numRuns: 400 },
  );
});

test("packed and unpacked lists are read alike", () => {
  const unpacked = Uint8Array.of(0xd8, 0x02, 1, 0xd8, 0x02, 2); // field 43, declared packed
  const packed = Uint8Array.of(0xea, 0x03, 2, 1, 2); // field 61, declared unpacked
  assert.deepEqual((JSON.parse(codec.toJson(unpacked)) as Record<string, unknown>).manyInt32, [1, 2]);
  assert.deepEqual((JSON.parse(codec.toJson(packed)) as Record<string, unknown>).looseInt32, [1, 2]);
});

test("a known field with another wire type is skipped, as protobuf asks", () => {
  const name = Uint8Array.of(0x70, 1, 0x72, 1, 0x61); // field 14, a string: once as a number, once as it should be
  assert.equal((JSON.parse(codec.toJson(name)) as Record<string, unknown>).oneString, "a");
});

test("random bytes: JSON or a Fault, never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        JSON.parse(codec.toJson(bytes));
      } catch (problem) {
        assert.ok(problem instanceof Fault, String(problem));
      }
    }),
    { numRuns: 3000 },
  );
});

test("damaged messages: JSON or a Fault, never anything else", () => {
  fc.assert(
    fc.property(anyMessage(everything, 1), fc.nat(), fc.nat(255), fc.nat(), (message, at, byte, cut) => {
      const bytes = toBinary(everything, message);
      if (bytes.length === 0) return;
      bytes[at % bytes.length] = byte;
      try {
        JSON.parse(codec.toJson(bytes.subarray(0, cut % (bytes.length + 1))));
      } catch (problem) {
        assert.ok(problem instanceof Fault, String(problem));
      }
    }),
    { numRuns: 1500 },
  );
});

test("random JSON: bytes protobuf-es can read, or a Fault", () => {
  const names = fc.constantFrom(
    ...everything.fields.flatMap((field) => [field.jsonName, field.name]),
    "nonsense",
    "__proto__",
    "constructor",
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom("1", "RED", "1970-01-01T00:00:00Z", "3s", "AAAA", null, 7, -1, 1e300, "\ud800"),
      tie("object"),
      fc.array(tie("any"), { maxLength: 3 }),
    ),
    object: fc.dictionary(names, tie("any"), { maxKeys: 4 }),
  }));
  fc.assert(
    fc.property(value.object, (json) => {
      let bytes;
      try {
        bytes = fromText(json);
      } catch (problem) {
        assert.ok(problem instanceof Fault, String(problem));
        assert.equal(problem.code, "invalid");
        return;
      }
      // What we take, the library takes, and it means the same there.
      const theirs = libraryBytes(JSON.parse(JSON.stringify(json)) as JsonValue);
      if (theirs) assert.deepEqual(normal(bytes), normal(theirs));
    }),
    { numRuns: 4000 },
  );
});

/** `undefined` for the one thing the library refuses and we take: a member of a oneof beside another one that is null, that is, absent. */
function libraryBytes(json: JsonValue): Uint8Array | undefined {
  try {
    return toBinary(everything, fromJson(everything, json, { registry }));
  } catch (problem) {
    if (/oneof set multiple times/.test(String(problem)) && JSON.stringify(json).includes("null")) return undefined;
    throw problem;
  }
}

test("a oneof member that is null leaves room for another", () => {
  assert.deepEqual(normal(fromText({ choiceLeaf: null, choiceSint64: "1" })), normal(fromText({ choiceSint64: "1" })));
});

test("the bytes do not depend on the order of keys", () => {
  fc.assert(
    fc.property(anyMessage(everything, 1), fc.infiniteStream(fc.nat()), (message, order) => {
      const json = toJson(everything, message, { registry }) as Record<string, JsonValue>;
      const shuffled = Object.entries(json).sort(() => (order.next().value % 2 === 0 ? 1 : -1));
      assert.deepEqual(codec.fromJsonValue(Object.fromEntries(shuffled)), codec.fromJsonValue(json));
    }),
    { numRuns: 200 },
  );
});

test("a number of sixteen digits keeps them all", () => {
  assert.match(codec.toJson(fromText({ oneInt64: "9197192739075717" })), /"oneInt64":"9197192739075717"/);
});

test("defaults are written, presence is kept", () => {
  const json = JSON.parse(codec.toJson(new Uint8Array(0))) as Record<string, unknown>;
  assert.equal(json.oneInt64, "0");
  assert.equal(json.oneString, "");
  assert.deepEqual(json.manyInt32, []);
  assert.deepEqual(json.byString, {});
  assert.equal(json.colour, "COLOUR_UNSPECIFIED");
  assert.ok(!("maybeInt32" in json) && !("leaf" in json) && !("choiceString" in json));
  assert.equal((JSON.parse(codec.toJson(fromText({ maybeInt32: 0 }))) as Record<string, unknown>).maybeInt32, 0);
});

test("mistakes name the place", () => {
  refused({ nonsense: 1 }, /^field nonsense: is no field of test\.Everything$/);
  refused({ leaves: [{ name: "a" }, { name: "b", quantty: 2 }] }, /^field leaves\[1\]\.quantty: is no field of test\.Leaf$/);
  refused({ child: { ofLeaf: { 3: { count: "x" } } } }, /^field child\.ofLeaf\["3"\]\.count: expected a whole number, got "x"$/);
  refused({ oneInt32: 2 ** 31 }, /^field oneInt32: 2147483648 is outside -2147483648 to 2147483647$/);
  refused({ oneUint64: "-1" }, /^field oneUint64: .*unsigned/);
  refused({ oneInt64: 2 ** 53 }, /write it as a string/);
  refused({ oneInt64: "9223372036854775808" }, /outside the range/);
  refused({ oneInt32: 1.5 }, /whole number/);
  refused({ oneFloat: 1e39 }, /32-bit float/);
  refused({ oneBool: "true" }, /true or false/);
  refused({ oneBytes: "%%%" }, /base64/);
  refused({ oneString: "\ud800" }, /^field oneString: .*surrogate/);
  refused({ colour: "PINK" }, /"PINK" is no value of test\.Colour/);
  refused({ time: "yesterday" }, /expected a time like/);
  refused({ time: "2026-02-30T00:00:00Z" }, /expected a time like/);
  refused({ duration: "1.5" }, /expected a duration like/);
  refused({ manyInt32: [1, null] }, /^field manyInt32\[1\]: must not be null$/);
  refused({ manyInt32: 1 }, /expected an array/);
  refused({ ofColour: [] }, /expected an object/);
  refused({ byInt32: { "01": "x" } }, /key must be a whole number/);
  refused({ choiceString: "a", choiceInt32: 1 }, /only one field of choice/);
  refused({ one_int32: 1, oneInt32: 2 }, /given twice, also as oneInt32/);
  refused([], /^test\.Everything: expected an object, got an array$/);
  refused(null, /expected an object/);
});

test("a document that is no JSON is refused with line and column", () => {
  for (const [document, place] of [
    ["", /ends too early/],
    ['{"a": 1', /ends too early/],
    ['{"a": 1,\n  b: 2}', /unexpected "b" at line 2, column 3/],
    ["{'a': 1}", /unexpected "'" at line 1, column 2/],
    ['{"a": 01}', /unexpected "1" at line 1, column 8/],
    ['{"a": [1,]}', /unexpected "\]" at line 1, column 10/],
    ["{} x", /unexpected "x" at line 1, column 4/],
    ['{"a": "tab\there"}', /unexpected "\\t" at line 1/],
    ["[".repeat(100_000), /ends too early/],
  ] as const) {
    assert.throws(
      () => codec.fromJson(utf8(document)),
      (fault) => fault instanceof Fault && place.test(fault.message),
      document.slice(0, 40),
    );
  }
  assert.throws(() => codec.fromJson(Uint8Array.of(0x22, 0xff, 0x22)), /not UTF-8/);
});

test("nesting has an end", () => {
  const deep = (levels: number): unknown => JSON.parse('{"child":'.repeat(levels) + "{}" + "}".repeat(levels));
  assert.ok(fromText(deep(90)).length > 0);
  refused(deep(200), /nested deeper than 100/);
  refused({ struct: deep(5000) }, /./);
  let bytes = new Uint8Array(0);
  for (let level = 0; level < 200; level++) bytes = Uint8Array.from([0xf2, 0x07, ...varint(bytes.length), ...bytes]);
  assert.throws(
    () => codec.toJson(bytes),
    (fault) => fault instanceof Fault && /nested deeper/.test(fault.message),
  );
});

function varint(n: number): number[] {
  return n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...varint(n >>> 7)];
}
