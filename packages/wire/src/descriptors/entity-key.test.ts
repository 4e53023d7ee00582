import { type DescMessage, fromBinary, ScalarType, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { anyMessage } from "../testing/everything.ts";
import { compileProto } from "../testing/proto.ts";
import { compileEntityKey } from "./entity-key.ts";
import { loadDescriptors } from "./load.ts";

const types = ["string", "bool", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64"];
const key = "[(cloudstate.entity_key) = true]";
const set = loadDescriptors(
  compileProto({
    "k.proto": `syntax = "proto3"; package k; import "cloudstate/entity_key.proto";
      message Noise { string text = 1; repeated Noise more = 2; map<int32, string> map = 3; double d = 4; fixed32 f = 5; }
      ${types.map((type) => `message Of_${type} { Noise before = 1; ${type} id = 2 ${key}; ${type} other = 3; repeated ${type} many = 4; }`).join("\n")}
      message Legacy { string id = 7 [(cloudstate.legacy_entity_key) = true]; }
      message Several { int32 shop = 9 ${key}; Noise n = 2; string id = 1 ${key}; bool open = 3 ${key}; }
      message Choice { oneof which { string id = 1 ${key}; int32 number = 2 ${key}; string none = 3; Noise noise = 4; } }
      message Optional { optional string id = 1 ${key}; }
      message None { string id = 1; }
      message Off { string id = 1 [(cloudstate.entity_key) = false]; }
      enum E { ZERO = 0; }
      message BadEnum { E id = 1 ${key}; }
      message BadBytes { bytes id = 1 ${key}; }
      message BadFloat { float id = 1 ${key}; }
      message BadDouble { double id = 1 ${key}; }
      message BadList { repeated string id = 1 ${key}; }
      message BadMap { map<string, string> id = 1 ${key}; }
      message BadMessage { Noise id = 1 ${key}; }`,
    "k2.proto": `syntax = "proto2"; package k; import "cloudstate/entity_key.proto";
      message Default { optional string id = 1 [default = "main", (cloudstate.entity_key) = true]; optional group G = 2 { optional int32 a = 1; } }`,
  }),
);
const message = (name: string): DescMessage => set.message(`k.${name}`)!;
const keyOf = (name: string): ((bytes: Uint8Array) => string) => compileEntityKey(message(name))!;
const refused = (run: () => unknown, pattern: RegExp): void => {
  assert.throws(run, (fault) => fault instanceof Fault && fault.code === "invalid" && pattern.test(fault.message), String(pattern));
};
const text = (value: string): Uint8Array =>
  Uint8Array.from([0x0a, ...varint(new TextEncoder().encode(value).length), ...new TextEncoder().encode(value)]);
const varint = (n: number): number[] => (n < 0x80 ? [n] : [(n & 0x7f) | 0x80, ...varint(n >>> 7)]);

/** The id by full decoding: what K1 promises. */
function decodedId(desc: DescMessage, bytes: Uint8Array, fields: readonly string[]): string {
  const view = reflect(desc, fromBinary(desc, bytes)) as any;
  return fields
    .map((name) => {
      const field = desc.fields.find((other) => other.name === name)!;
      return String(
        view.isSet(field) ? view.get(field) : field.scalar === ScalarType.STRING ? "" : field.scalar === ScalarType.BOOL ? false : 0,
      );
    })
    .join("-");
}

test("a message marked with Kalix's option, which has the number of Cloudstate's", () => {
  const kalix = loadDescriptors(
    compileProto({
      "kalix/annotations.proto": `syntax = "proto3"; package kalix; import "google/protobuf/descriptor.proto";
        message Jwt { string claim = 1; }
        message FieldOptions { bool entity_key = 1; Jwt jwt = 2; bool workflow_key = 3; }
        extend google.protobuf.FieldOptions { FieldOptions field = 1080; }`,
      "k.proto": `syntax = "proto3"; package k; import "kalix/annotations.proto";
        message Key { int32 shop = 2 [(kalix.field).entity_key = true]; string id = 1 [(kalix.field) = {entity_key: true, jwt: {claim: "sub"}}]; }
        message None { string id = 1 [(kalix.field).jwt.claim = "sub"]; string no = 2 [(kalix.field).entity_key = false]; }`,
    }),
  );
  const keyed = kalix.message("k.Key");
  const none = kalix.message("k.None");
  assert.ok(keyed && none);
  assert.equal(compileEntityKey(keyed)?.(Uint8Array.of(0x10, 7, 0x0a, 1, 0x61)), "7-a");
  assert.equal(compileEntityKey(none), undefined);
});

for (const [name, fields] of [
  ...types.map((type) => [`Of_${type}`, ["id"]] as const),
  ["Several", ["shop", "id", "open"]] as const,
  ["Choice", ["id", "number"]] as const,
]) {
  test(`${name}: the id is the one of the decoded message`, () => {
    const desc = message(name);
    const read = keyOf(name);
    const serialized = anyMessage(desc).map((value) => toBinary(desc, value));
    fc.assert(
      // Two messages one behind the other: the last occurrence wins, oneofs are cleared.
      fc.property(serialized, serialized, (one, other) => {
        const bytes = Buffer.concat([one, other]);
        const expected = decodedId(desc, bytes, fields);
        if (expected === "" || expected.includes("\0") || Buffer.byteLength(expected) > 512) assert.throws(() => read(bytes), Fault);
        else assert.equal(read(bytes), expected);
      }),
      { numRuns: 300 },
    );
  });
}

test("number 50002 marks a key too; false marks none", () => {
  assert.equal(keyOf("Legacy")(Uint8Array.of(0x3a, 1, 0x61)), "a");
  assert.equal(compileEntityKey(message("None")), undefined);
  assert.equal(compileEntityKey(message("Off")), undefined);
});

test("an absent proto2 field has its default; groups are skipped", () => {
  assert.equal(keyOf("Default")(new Uint8Array(0)), "main");
  assert.equal(keyOf("Default")(Uint8Array.of(0x13, 0x08, 1, 0x14, 0x0a, 1, 0x61)), "a");
});

test("fields without a stable text are refused when compiled", () => {
  refused(
    () => compileEntityKey(message("BadEnum")),
    /field id of k\.BadEnum is marked as entity key but is an enum; use a string, an integer or a bool/,
  );
  for (const name of ["BadBytes", "BadFloat", "BadDouble"])
    refused(() => compileEntityKey(message(name)), /of type bytes, float or double/);
  for (const name of ["BadList", "BadMap"]) refused(() => compileEntityKey(message(name)), /is repeated/);
  refused(() => compileEntityKey(message("BadMessage")), /is a message/);
});

test("ids are 1 to 512 bytes of UTF-8 without NUL", () => {
  const read = keyOf("Optional");
  assert.equal(read(text("x".repeat(512))), "x".repeat(512));
  assert.equal(read(text("😀".repeat(128))), "😀".repeat(128));
  assert.equal(read(text("\ufeffa")), "\ufeffa");
  refused(() => read(new Uint8Array(0)), /^the entity id \(k\.Optional, field id\): is empty/);
  refused(() => read(text("")), /is empty/);
  refused(() => read(text("x".repeat(513))), /is 513 bytes; at most 512/);
  refused(() => read(text("€".repeat(171))), /is 513 bytes/);
  refused(() => read(text("a\0b")), /NUL/);
  refused(() => read(Uint8Array.of(0x0a, 1, 0xff)), /\(k\.Optional, field id\): .*not UTF-8/);
  refused(() => read(Uint8Array.of(0x0a, 5, 0x61)), /a length beyond the end at byte 1/);
});

test("any bytes are an id or a Fault", () => {
  for (const name of ["Several", "Choice", "Of_sint64", "Default"]) {
    const read = keyOf(name);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        try {
          assert.ok(read(bytes).length > 0);
        } catch (problem) {
          assert.ok(problem instanceof Fault && problem.code === "invalid", String(problem));
        }
      }),
      { numRuns: 2000 },
    );
  }
});
