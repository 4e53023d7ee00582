/** A schema with every kind of field, and random messages of it, for codec properties. */
import { create, type DescEnum, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import fc from "fast-check";

const scalars = [
  "double",
  "float",
  "int32",
  "int64",
  "uint32",
  "uint64",
  "sint32",
  "sint64",
  "fixed32",
  "fixed64",
  "sfixed32",
  "sfixed64",
  "bool",
  "string",
  "bytes",
];
const keys = scalars.filter((type) => !["double", "float", "bytes"].includes(type));
const wrappers = ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"];
const each = (types: readonly string[], from: number, line: (type: string) => string): string =>
  types.map((type, index) => `  ${line(type)} = ${from + index};`).join("\n");

export const everythingProto = `
syntax = "proto3";
package test;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; BLUE = -2; }

message Leaf { string name = 1; int32 count = 2; }

message Everything {
${each(scalars, 1, (type) => `${type} one_${type}`)}
${each(scalars, 21, (type) => `optional ${type} maybe_${type}`)}
${each(scalars, 41, (type) => `repeated ${type} many_${type}`)}
  repeated int32 loose_int32 = 61 [packed = false];
  repeated Colour loose_colour = 62 [packed = false];
${each(keys, 71, (type) => `map<${type}, string> by_${type}`)}
${each(scalars, 91, (type) => `map<string, ${type}> of_${type}`)}
  map<string, Colour> of_colour = 111;
  map<int32, Leaf> of_leaf = 112;
  map<string, Everything> of_everything = 113;
  Colour colour = 121;
  optional Colour maybe_colour = 122;
  repeated Colour colours = 123;
  Leaf leaf = 124;
  repeated Leaf leaves = 125;
  Everything child = 126;
  repeated Everything children = 127;
  oneof choice {
${each(scalars, 131, (type) => `${type} choice_${type}`)}
    Colour choice_colour = 151;
    Leaf choice_leaf = 152;
    google.protobuf.Timestamp choice_time = 153;
    google.protobuf.StringValue choice_wrapped = 154;
  }
  oneof other { Leaf other_leaf = 161; string other_text = 162; }
${each(wrappers, 171, (type) => `google.protobuf.${type}Value wrapped_${type.toLowerCase()}`)}
${each(wrappers, 181, (type) => `repeated google.protobuf.${type}Value wrapped_${type.toLowerCase()}s`)}
  google.protobuf.Timestamp time = 191;
  repeated google.protobuf.Timestamp times = 192;
  google.protobuf.Duration duration = 193;
  map<string, google.protobuf.Duration> durations = 194;
  google.protobuf.Empty empty = 195;
  google.protobuf.FieldMask mask = 301;
  google.protobuf.Struct struct = 302;
  google.protobuf.Value value = 303;
  google.protobuf.ListValue list = 304;
  google.protobuf.NullValue null_value = 305;
  google.protobuf.Any any = 306;
  string odd_Name_x2 = 536870911;
  string renamed = 307 [json_name = "@weird"];
}
`;

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("", "plain ascii", 'quote " and \\ and \n', "\u2028\u0000\u007f", "ä€😀", "x".repeat(200), "é".repeat(70), "\ufefftext"),
);
const int32 = fc.oneof(fc.integer(), fc.constantFrom(0, 1, -1, 127, 128, 2 ** 31 - 1, -(2 ** 31)));
const uint32 = fc.oneof(fc.nat(), fc.constantFrom(0, 1, 127, 128, 2 ** 32 - 1));
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, -1n, 2n ** 53n, -(2n ** 53n), 2n ** 53n - 1n, 2n ** 32n, -(2n ** 32n), 2n ** 63n - 1n, -(2n ** 63n)),
);
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.constantFrom(0n, 2n ** 53n, 2n ** 53n - 1n, 2n ** 64n - 1n));
const double = fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 1e21, 5e-324));

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.DOUBLE:
      return double;
    case ScalarType.FLOAT:
      return fc.oneof(fc.float(), fc.constantFrom(0, -0, Number.NaN, Infinity, 1.5));
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return int64;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return uint64;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return uint32;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 40 });
    default:
      return int32;
  }
}

function enumValue(desc: DescEnum): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(...desc.values.map((value) => value.number)),
    ...(desc.values.length > 1 ? [fc.constantFrom(77, -5)] : []),
  );
}

const timestamp = fc.record({ seconds: fc.bigInt({ min: -62135596800n, max: 253402300798n }), nanos: nanos() });
const duration = fc
  .record({ seconds: fc.bigInt({ min: 0n, max: 315576000000n }), nanos: nanos(), negative: fc.boolean() })
  .map(({ seconds, nanos, negative }) => (negative ? { seconds: -seconds, nanos: nanos === 0 ? 0 : -nanos } : { seconds, nanos }));

function nanos(): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(0, 1, 1_000, 5_000_000, 999_999_999), fc.integer({ min: 0, max: 999_999_999 }));
}

/** Random messages of any type of the schema, nested up to `depth`. */
export function anyMessage(desc: DescMessage, depth = 2): fc.Arbitrary<Message> {
  const special = specialMessage(desc);
  if (special) return special.map((init) => create(desc, init as never));
  const wanted = desc.fields.filter((field) => depth > 0 || !field.message || specialMessage(field.message) !== undefined);
  if (wanted.length === 0) return fc.constant(create(desc));
  return fc
    .uniqueArray(fc.constantFrom(...wanted), { maxLength: depth === 2 ? 25 : 4 })
    .chain((fields) => fc.tuple(...fields.map((field) => fieldValue(field, depth).map((set) => ({ field, set })))))
    .map((sets) => {
      const message = reflect(desc) as any;
      for (const { field, set } of sets) set(message, field);
      return message.message;
    });
}

function specialMessage(desc: DescMessage): fc.Arbitrary<unknown> | undefined {
  switch (desc.typeName) {
    case "google.protobuf.Timestamp":
      return timestamp;
    case "google.protobuf.Duration":
      return duration;
    case "google.protobuf.FieldMask":
      return fc.array(fc.constantFrom("a", "foo_bar", "a.b_c"), { maxLength: 3 }).map((paths) => ({ paths }));
    case "google.protobuf.Any":
      return fc.constant({});
    case "google.protobuf.Struct":
      return fc.constant({ fields: {} });
    case "google.protobuf.Value":
      return fc.constantFrom({ kind: { case: "nullValue", value: 0 } }, { kind: { case: "numberValue", value: 1.5 } });
    case "google.protobuf.ListValue":
      return fc.constant({ values: [] });
    default:
      return undefined;
  }
}

type Setter = (message: any, field: DescField) => void;

function fieldValue(field: DescField, depth: number): fc.Arbitrary<Setter> {
  const one = item(field, depth);
  if (field.fieldKind === "list") {
    return fc.array(one, { maxLength: 4 }).map((items): Setter => (message) => {
      for (const value of items) message.get(field).add(value);
    });
  }
  if (field.fieldKind === "map") {
    const key = scalar(field.mapKey);
    return fc.array(fc.tuple(key, one), { maxLength: 3 }).map((entries): Setter => (message) => {
      for (const [entryKey, value] of entries) message.get(field).set(entryKey, value);
    });
  }
  return one.map(
    (value): Setter =>
      (message) =>
        message.set(field, value),
  );
}

function item(field: DescField, depth: number): fc.Arbitrary<unknown> {
  if (field.enum) return enumValue(field.enum);
  if (field.scalar !== undefined) return scalar(field.scalar);
  const message = field.message;
  return anyMessage(message, depth - 1).map((value) => reflect(message, value as never));
}
