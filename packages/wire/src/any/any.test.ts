import { create, createRegistry, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, EmptySchema, StringValueSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import {
  anyFromJson,
  anyToExactJson,
  anyToJson,
  messageTypeName,
  packJson,
  packMessage,
  packPrimitive,
  type Primitive,
  unpackJson,
  unpackMessage,
  unpackPrimitive,
} from "./index.ts";

const none = new Uint8Array(0);
const registry = createRegistry(TimestampSchema, EmptySchema, StringValueSchema);

test("primitives come back as they were", () => {
  const primitive = fc.oneof<fc.Arbitrary<Primitive>[]>(
    fc.string({ unit: "grapheme" }).map((value) => ({ type: "string", value })),
    fc.uint8Array().map((value) => ({ type: "bytes", value })),
    fc.boolean().map((value) => ({ type: "bool", value })),
    fc.integer().map((value) => ({ type: "int32", value })),
    fc.nat().map((value) => ({ type: "uint32", value })),
    fc.double().map((value) => ({ type: "double", value })),
    fc.float().map((value) => ({ type: "float", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ({ type: "int64", value })),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ({ type: "uint64", value })),
  );
  fc.assert(fc.property(primitive, (value) => assert.deepEqual(unpackPrimitive(packPrimitive(value)), value)));
});

test("a primitive is in field 1, and its default has no bytes", () => {
  assert.deepEqual(packPrimitive({ type: "string", value: "hi" }), {
    typeUrl: "p.cloudstate.io/string",
    value: Uint8Array.of(0x0a, 2, 0x68, 0x69),
  });
  assert.deepEqual(packPrimitive({ type: "int64", value: 0n }), { typeUrl: "p.cloudstate.io/int64", value: none });
  assert.deepEqual(unpackPrimitive({ typeUrl: "p.cloudstate.io/bool", value: none }), { type: "bool", value: false });
  assert.throws(() => unpackPrimitive({ typeUrl: "p.cloudstate.io/toString", value: none }), /is no primitive; known are string/);
  assert.equal(unpackPrimitive({ typeUrl: "type.googleapis.com/x", value: none }), undefined);
});

test("JSON is UTF-8 in field 1 with sorted keys", () => {
  const packed = packJson("created", { b: [{ d: 1, c: 2 }], a: "ä" });
  assert.equal(packed.typeUrl, "json.cloudstate.io/created");
  assert.equal(new TextDecoder().decode(packed.value.subarray(2)), '{"a":"ä","b":[{"c":2,"d":1}]}');
  assert.deepEqual(unpackJson(packed), { type: "created", value: { a: "ä", b: [{ c: 2, d: 1 }] } });
  assert.equal(unpackJson({ typeUrl: "type.googleapis.com/x", value: none }), undefined);
  assert.throws(
    () => unpackJson({ typeUrl: "json.cloudstate.io/x", value: Uint8Array.of(0x0a, 1, 0x7b) }),
    (fault) => fault instanceof Fault && fault.code === "invalid",
  );
  assert.throws(() => packJson("x", undefined), /has no JSON form/);
});

test("messages are packed under their name and unpacked only as themselves", () => {
  const time = create(TimestampSchema, { seconds: 5n });
  const packed = packMessage(TimestampSchema, time);
  assert.equal(packed.typeUrl, "type.googleapis.com/google.protobuf.Timestamp");
  assert.equal(unpackMessage(TimestampSchema, packed).seconds, 5n);
  assert.throws(() => unpackMessage(DurationSchema, packed), /expected type\.googleapis\.com\/google\.protobuf\.Duration, got/);
  assert.throws(() => unpackMessage(TimestampSchema, { ...packed, value: Uint8Array.of(8) }), /are malformed/);
  assert.equal(messageTypeName("example.com/a/b.C"), "b.C");
  for (const typeUrl of ["p.cloudstate.io/string", "json.cloudstate.io/x", "noslash", "slash/"])
    assert.equal(messageTypeName(typeUrl), undefined);
});

test("for people: JSON where the type is known, else base64 and the reason", () => {
  const time = packMessage(TimestampSchema, create(TimestampSchema, { seconds: 0n }));
  assert.deepEqual(anyToJson(time, registry), { type: time.typeUrl, json: "1970-01-01T00:00:00Z" });
  assert.deepEqual(anyToJson(packPrimitive({ type: "int64", value: 7n }), registry), { type: "p.cloudstate.io/int64", json: "7" });
  assert.deepEqual(anyToJson(packPrimitive({ type: "double", value: Number.NaN }), registry), {
    type: "p.cloudstate.io/double",
    json: "NaN",
  });
  assert.deepEqual(anyToJson(packPrimitive({ type: "bytes", value: Uint8Array.of(255) }), registry), {
    type: "p.cloudstate.io/bytes",
    json: "/w==",
  });
  assert.deepEqual(anyToJson(packJson("x", [1]), registry), { type: "json.cloudstate.io/x", json: [1] });
  const kalix = { typeUrl: "type.kalix.io/string", value: Uint8Array.of(0x0a, 2, 0x68, 0x69) };
  assert.deepEqual(anyToJson(kalix, registry), { type: kalix.typeUrl, json: "hi" });
  const object = { typeUrl: "json.kalix.io/object", value: Uint8Array.of(0x0a, 7, ...new TextEncoder().encode('{"a":1}')) };
  assert.deepEqual(anyToJson(object, registry), { type: object.typeUrl, json: { a: 1 } });
  for (const payload of [kalix, object]) {
    const exact = anyToExactJson(payload, registry) ?? null;
    assert.deepEqual(anyFromJson(payload.typeUrl, exact, registry), payload);
  }
  const foreign = { typeUrl: "type.googleapis.com/shop.Unknown", value: Uint8Array.of(1, 2) };
  assert.deepEqual(anyToJson(foreign, registry), {
    type: foreign.typeUrl,
    base64: "AQI=",
    problem: 'no descriptor of "type.googleapis.com/shop.Unknown"',
  });
  const damaged = anyToJson({ ...time, value: Uint8Array.of(8) }, registry);
  assert.ok("base64" in damaged && damaged.base64 === "CA==" && damaged.problem.length > 0);
  const text = toBinary(StringValueSchema, create(StringValueSchema, { value: "x" }));
  assert.deepEqual(anyToJson({ typeUrl: "type.googleapis.com/google.protobuf.StringValue", value: text }, registry), {
    type: "type.googleapis.com/google.protobuf.StringValue",
    json: "x",
  });
});

test("JSON goes back to the payload it came from, or is not offered as exact", () => {
  const payload = fc.oneof(
    fc.tuple(fc.string(), fc.jsonValue()).map(([type, value]) => packJson(type, value)),
    fc.double().map((value) => packPrimitive({ type: "double", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => packPrimitive({ type: "int64", value })),
    fc.uint8Array().map((value) => packPrimitive({ type: "bytes", value })),
    fc.record({
      typeUrl: fc.constantFrom("type.googleapis.com/google.protobuf.Timestamp", "type.googleapis.com/x.Y", "p.cloudstate.io/bool", "odd"),
      value: fc.uint8Array({ maxLength: 8 }),
    }),
  );
  fc.assert(
    fc.property(payload, (given) => {
      const json = anyToExactJson(given, registry);
      if (json !== undefined)
        assert.deepEqual(anyFromJson(given.typeUrl, JSON.parse(JSON.stringify(json)) as never, registry), { ...given });
    }),
  );
  assert.equal(anyToExactJson(packPrimitive({ type: "int64", value: 7n }), registry), "7");
  assert.equal(anyToExactJson(packPrimitive({ type: "double", value: -0 }), registry), undefined);
  // Field 1 twice: as JSON only the second is left.
  assert.equal(anyToExactJson({ typeUrl: "p.cloudstate.io/bool", value: Uint8Array.of(8, 0, 8, 1) }, registry), undefined);
  assert.throws(() => anyFromJson("type.googleapis.com/x.Y", {}, registry), /no descriptor of "type.googleapis.com\/x.Y"/);
  assert.throws(() => anyFromJson("p.cloudstate.io/int32", "x", registry), /the JSON is no "p.cloudstate.io\/int32"/);
});
