import assert from "node:assert/strict";
import { test } from "node:test";
import { create, createFileRegistry, type DescField, type DescMessage, fromBinary, ScalarType, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  FieldOptions_JSType,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";
import fc from "fast-check";
import { compileCodec } from "./index.ts";

const scalars = [
  Type.DOUBLE, Type.FLOAT, Type.INT64, Type.UINT64, Type.INT32, Type.FIXED64, Type.FIXED32, Type.BOOL, Type.STRING, Type.BYTES,
  Type.UINT32, Type.SFIXED32, Type.SFIXED64, Type.SINT32, Type.SINT64,
] as const; // prettier-ignore

/** A message with every scalar in every position, enums, messages, maps of all of them, wrappers, Struct and itself. */
const all = everyKind();

function everyKind(): DescMessage {
  const message: DescriptorProto = create(DescriptorProtoSchema, { name: "All", oneofDecl: [{ name: "choice" }] });
  let number = 0;
  const add = (name: string, init: Partial<FieldDescriptorProto>): FieldDescriptorProto => {
    const field = create(FieldDescriptorProtoSchema, { name, number: ++number, label: Label.OPTIONAL, ...(init as object) });
    message.field.push(field);
    return field;
  };
  const addMap = (name: string, key: Type, value: Partial<FieldDescriptorProto>): void => {
    const entry = `${name.charAt(0).toUpperCase()}${name.slice(1)}Entry`;
    message.nestedType.push(
      create(DescriptorProtoSchema, {
        name: entry,
        options: { mapEntry: true },
        field: [
          { name: "key", number: 1, label: Label.OPTIONAL, type: key },
          { name: "value", number: 2, label: Label.OPTIONAL, ...(value as object) },
        ],
      }),
    );
    add(name, { label: Label.REPEATED, type: Type.MESSAGE, typeName: `.t.All.${entry}` });
  };
  const optionals: FieldDescriptorProto[] = [];
  for (const type of scalars) {
    const name = Type[type].toLowerCase();
    add(`one${name}`, { type });
    optionals.push(add(`opt${name}`, { type, proto3Optional: true }));
    add(`list${name}`, { type, label: Label.REPEATED });
    if (type !== Type.STRING && type !== Type.BYTES) {
      add(`loose${name}`, { type, label: Label.REPEATED, options: create(FieldOptionsSchema, { packed: false }) });
    }
    add(`pick${name}`, { type, oneofIndex: 0 });
    addMap(`map${name}`, Type.STRING, { type });
    if (![Type.DOUBLE, Type.FLOAT, Type.BYTES].includes(type)) addMap(`key${name}`, type, { type: Type.INT32 });
  }
  const others: [string, Partial<FieldDescriptorProto>][] = [
    ["color", { type: Type.ENUM, typeName: ".t.Color" }],
    ["self", { type: Type.MESSAGE, typeName: ".t.All" }],
    ["time", { type: Type.MESSAGE, typeName: ".google.protobuf.Timestamp" }],
    ["struct", { type: Type.MESSAGE, typeName: ".google.protobuf.Struct" }],
    ["wrappedint", { type: Type.MESSAGE, typeName: ".google.protobuf.Int32Value" }],
    ["wrappedlong", { type: Type.MESSAGE, typeName: ".google.protobuf.UInt64Value" }],
    ["wrappedtext", { type: Type.MESSAGE, typeName: ".google.protobuf.StringValue" }],
    ["wrappedbytes", { type: Type.MESSAGE, typeName: ".google.protobuf.BytesValue" }],
  ];
  for (const [name, init] of others) {
    add(`one${name}`, init);
    add(`list${name}`, { ...init, label: Label.REPEATED });
    add(`pick${name}`, { ...init, oneofIndex: 0 });
    addMap(`map${name}`, Type.STRING, init);
  }
  add("textlong", { type: Type.INT64, options: create(FieldOptionsSchema, { jstype: FieldOptions_JSType.JS_STRING }) });
  for (const field of optionals) {
    message.oneofDecl.push({ $typeName: "google.protobuf.OneofDescriptorProto", name: `_${field.name}` });
    field.oneofIndex = message.oneofDecl.length - 1;
  }
  const numbers = create(DescriptorProtoSchema, {
    name: "Numbers",
    field: [
      { name: "long", number: 1, label: Label.OPTIONAL, type: Type.INT64, options: { jstype: FieldOptions_JSType.JS_NUMBER } },
      { name: "longs", number: 2, label: Label.REPEATED, type: Type.UINT64, options: { jstype: FieldOptions_JSType.JS_NUMBER } },
    ],
  });
  const color = create(EnumDescriptorProtoSchema, {
    name: "Color",
    value: [
      { name: "COLOR_NONE", number: 0 },
      { name: "COLOR_RED", number: 1 },
      { name: "COLOR_BACK", number: -1 },
    ],
  });
  const shape = create(DescriptorProtoSchema, {
    name: "Shape",
    field: [
      { name: "name", number: 1, label: Label.OPTIONAL, type: Type.STRING },
      { name: "color", number: 2, label: Label.OPTIONAL, type: Type.ENUM, typeName: ".t.Color" },
      { name: "inner", number: 3, label: Label.OPTIONAL, type: Type.MESSAGE, typeName: ".t.Numbers" },
      { name: "note", number: 4, label: Label.OPTIONAL, type: Type.STRING, proto3Optional: true, oneofIndex: 0 },
      { name: "inners", number: 5, label: Label.REPEATED, type: Type.MESSAGE, typeName: ".t.Shape" },
    ],
    oneofDecl: [{ name: "_note" }],
  });
  const imports = [file_google_protobuf_struct, file_google_protobuf_timestamp, file_google_protobuf_wrappers];
  const file = create(FileDescriptorProtoSchema, {
    name: "t.proto",
    package: "t",
    syntax: "proto3",
    dependency: imports.map(({ proto }) => proto.name),
    messageType: [message, numbers, shape],
    enumType: [color],
  });
  const registry = createFileRegistry(file, (name) => imports.find(({ proto }) => proto.name === name));
  return registry.getMessage("t.All") as DescMessage;
}

const messageOf = (name: string): DescMessage => {
  const file = all.file;
  return file.messages.find((one) => one.name === name) as DescMessage;
};

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = fc.string({ unit: "grapheme", maxLength: 40 });

function scalarArbitrary(scalar: ScalarType): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.DOUBLE:
      return fc.double();
    case ScalarType.FLOAT:
      return fc.float();
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return int32;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return int64;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return uint64;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
  }
}

function valueArbitrary(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.enum !== undefined) return fc.constantFrom(0, 1, -1, 7);
  if (field.message === undefined) {
    return field.fieldKind === "scalar" && field.longAsString ? int64.map(String) : scalarArbitrary(field.scalar);
  }
  const { typeName } = field.message;
  const isBare = field.fieldKind === "message" && field.oneof === undefined;
  if (typeName.endsWith("Value")) {
    const inner = scalarArbitrary((field.message.fields[0] as DescField).scalar as ScalarType);
    return isBare ? inner : inner.map((value) => ({ value }));
  }
  if (typeName === "google.protobuf.Struct")
    return fc
      .dictionary(text, fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)))
      .map((o) => JSON.parse(JSON.stringify(o)) as object);
  return messageArbitrary(field.message, depth + 1);
}

/** Plain objects of a message, with a few of its fields each. */
function messageArbitrary(desc: DescMessage, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  if (depth > 2) return fc.constant({});
  const field = fc.constantFrom(...desc.fields).chain((one): fc.Arbitrary<[string, unknown]> => {
    const value = valueArbitrary(one, depth);
    if (one.fieldKind === "list") return fc.array(value, { maxLength: 4 }).map((list) => [one.localName, list]);
    if (one.fieldKind === "map") {
      const key = scalarArbitrary(one.mapKey).map(String);
      return fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true }).map((map) => [one.localName, map]);
    }
    if (one.oneof !== undefined) return value.map((inner) => [one.oneof?.localName as string, { case: one.localName, value: inner }]);
    return value.map((inner) => [one.localName, inner]);
  });
  return fc.array(field, { maxLength: depth === 0 ? 12 : 3 }).map((entries) => Object.fromEntries(entries));
}

const anything = messageArbitrary(all);

test("what is encoded is what protobuf-es writes, byte for byte", () => {
  const codec = compileCodec(all);
  fc.assert(
    fc.property(anything, (value) => {
      assert.deepEqual(codec.encode(value), toBinary(all, create(all, value as never)));
    }),
    { numRuns: 500 },
  );
});

test("what is decoded is what protobuf-es reads, defaults included", () => {
  const codec = compileCodec(all, { typeName: true });
  fc.assert(
    fc.property(anything, (value) => {
      const bytes = toBinary(all, create(all, value as never));
      assert.deepEqual(codec.decode(bytes), { ...fromBinary(all, bytes) });
    }),
    { numRuns: 500 },
  );
});

// Not compared with protobuf-es: that reads a field of another wire type as if it were the declared one; we skip it, as the specification says.
test("damaged bytes are refused as invalid, or read as some message that survives a round trip", () => {
  const codec = compileCodec(all);
  fc.assert(
    fc.property(anything, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(), (value, damage, cut) => {
      const bytes = codec.encode(value);
      for (const [at, byte] of damage) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      let read: unknown;
      try {
        read = codec.decode(bytes.subarray(0, bytes.length - (cut % 3)));
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "invalid");
        return;
      }
      assert.deepEqual(codec.decode(codec.encode(read)), read);
    }),
    { numRuns: 1_000 },
  );
});

test("decoded bytes are a copy", () => {
  const codec = compileCodec<{ onebytes: Uint8Array }>(all);
  const bytes = Buffer.from(codec.encode({ onebytes: Uint8Array.of(1, 2, 3) }));
  const { onebytes } = codec.decode(bytes);
  bytes.fill(9);
  assert.deepEqual(onebytes, Uint8Array.of(1, 2, 3));
});

test("two decoded messages share no default", () => {
  const codec = compileCodec<{ listint32: number[]; mapint32: Record<string, number> }>(all);
  const [a, b] = [codec.decode(new Uint8Array(0)), codec.decode(new Uint8Array(0))];
  a.listint32.push(1);
  a.mapint32["x"] = 1;
  assert.deepEqual([b.listint32, b.mapint32], [[], {}]);
});

test("a map key named __proto__ is a key", () => {
  const codec = compileCodec<{ mapint32: Record<string, number> }>(all);
  const map = JSON.parse('{"__proto__": 5}') as Record<string, number>;
  const { mapint32 } = codec.decode(codec.encode({ mapint32: map }));
  assert.deepEqual(Object.entries(mapint32), [["__proto__", 5]]);
});

test("nesting deeper than 100 is refused, not followed", () => {
  const codec = compileCodec<{ oneself?: unknown }>(all);
  let value: { oneself?: unknown } = {};
  for (let i = 0; i < 150; i++) value = { oneself: value };
  assert.throws(() => codec.decode(codec.encode(value)), /bytes are not a t\.All/);
});

const mismatches: [value: unknown, text: string][] = [
  [5, "t.Shape: expected an object with name, color, inner, note, inners, got 5 (a number)"],
  [undefined, "t.Shape: expected an object with name, color, inner, note, inners, got undefined"],
  [{}, "t.Shape.name: missing; expected a string"],
  [{ name: 7 }, "t.Shape.name: expected a string, got 7 (a number)"],
  [{ name: Promise.resolve("x") }, "t.Shape.name: expected a string, got a Promise (is an await missing?)"],
  [{ name: "x", color: "BLUE" }, 't.Shape.color: expected one of "NONE", "RED", "BACK", got "BLUE" (a string)'],
  [{ name: "x", color: "RED" }, "t.Shape.inner: missing; expected an object with long, longs"],
  [{ name: "x", color: "RED", inner: { long: 1.5, longs: [] } }, "t.Shape.inner.long: expected a whole number from -9007199254740991 to 9007199254740991, got 1.5 (a number)"],
  [{ name: "x", color: "RED", inner: { long: 1, longs: [0, -1] } }, "t.Shape.inner.longs[1]: expected a whole number from 0 to 9007199254740991, got -1 (a number)"],
  [{ name: "x", color: "RED", inner: { long: 1 }, nam: 1 }, "t.Shape.nam: no such field; did you mean name?; t.Shape has name, color, inner, note, inners"],
  [{ name: "x", color: "RED", inner: { long: 1 }, inners: {} }, "t.Shape.inners: expected an array, got an object"],
]; // prettier-ignore

for (const [value, wanted] of mismatches) {
  test(`a wrong value is explained: ${wanted}`, () => {
    const codec = compileCodec(messageOf("Shape"), { enums: "name", required: true, exact: true });
    assert.throws(
      () => codec.encode(value),
      (error) => error instanceof Fault && error.code === "invalid" && error.message === wanted,
    );
  });
}

test("after a failed encoding the next one is whole", () => {
  const codec = compileCodec(messageOf("Shape"));
  assert.throws(() => codec.encode({ name: "left over", color: "wrong" }));
  assert.deepEqual(codec.encode({}), new Uint8Array(0));
});

test("required, named enums: absent fields are read as defaults, messages as empty ones", () => {
  const codec = compileCodec(messageOf("Shape"), { enums: "name", required: true, exact: true });
  const empty = { name: "", color: "NONE", inner: { long: 0, longs: [] }, inners: [] };
  assert.deepEqual(codec.decode(new Uint8Array(0)), empty);
  const full = { name: "a", color: "BACK", inner: { long: Number.MAX_SAFE_INTEGER, longs: [1, 2] }, note: "", inners: [empty] };
  assert.deepEqual(codec.decode(codec.encode(full)), full);
});

test("an int64 that no number holds is refused when it is declared as a number", () => {
  const numbers = messageOf("Numbers");
  const bytes = compileCodec(numbers).encode({ long: 2n ** 60n });
  assert.throws(
    () => compileCodec(numbers).decode(bytes),
    (error) => error instanceof Fault && /declare the field as bigint/.test((error.cause as Error).message),
  );
});

test("messages of proto2 go through protobuf-es", () => {
  const file = create(FileDescriptorProtoSchema, {
    name: "old.proto",
    package: "old",
    syntax: "proto2",
    messageType: [{ name: "M", field: [{ name: "n", number: 1, label: Label.OPTIONAL, type: Type.INT32, defaultValue: "42" }] }],
  });
  const desc = createFileRegistry(file, () => undefined).getMessage("old.M") as DescMessage;
  const codec = compileCodec<{ n?: number }>(desc);
  assert.deepEqual(codec.encode({ n: 0 }), Uint8Array.of(8, 0));
  assert.equal(codec.decode(new Uint8Array(0)).n, 42);
});
