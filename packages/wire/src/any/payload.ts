/**
 * What Cloudstate puts into a google.protobuf.Any (facts: "Any payload convention"): a protobuf message, a primitive, or JSON.
 *
 *   type.googleapis.com/shop.Cart     value: the serialized message
 *   p.cloudstate.io/int64             value: a message with the primitive in field 1; its default is empty bytes
 *   json.cloudstate.io/cart-created   value: UTF-8 JSON in field 1
 *
 * Kalix has the same two with other names, type.kalix.io/ and json.kalix.io/; they are read, and written by nobody here.
 */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  BoolValueSchema,
  BytesValueSchema,
  DoubleValueSchema,
  FloatValueSchema,
  Int32ValueSchema,
  Int64ValueSchema,
  StringValueSchema,
  UInt32ValueSchema,
  UInt64ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";

/** A value with its type, as google.protobuf.Any carries it. */
export interface TypedPayload {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export const messagePrefix = "type.googleapis.com/";
export const primitivePrefix = "p.cloudstate.io/";
export const jsonPrefix = "json.cloudstate.io/";

const primitivePrefixes = [primitivePrefix, "type.kalix.io/"];
const jsonPrefixes = [jsonPrefix, "json.kalix.io/"];

/** What follows the prefix; `undefined`: it has none of them. */
function afterPrefix(typeUrl: string, prefixes: readonly string[]): string | undefined {
  const prefix = prefixes.find((one) => typeUrl.startsWith(one));
  return prefix === undefined ? undefined : typeUrl.slice(prefix.length);
}

/** The user's name for the shape of a JSON payload; `undefined`: it is no JSON. */
export function jsonType(typeUrl: string): string | undefined {
  return afterPrefix(typeUrl, jsonPrefixes);
}

/** A primitive with its protobuf type. 64-bit numbers are bigints. */
export type Primitive =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "bytes"; readonly value: Uint8Array }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "int32" | "uint32" | "float" | "double"; readonly value: number }
  | { readonly type: "int64" | "uint64"; readonly value: bigint };

// The wrapper messages have exactly the layout the convention asks for: one field, number 1, absent when default.
const wrappers = {
  string: StringValueSchema,
  bytes: BytesValueSchema,
  bool: BoolValueSchema,
  int32: Int32ValueSchema,
  uint32: UInt32ValueSchema,
  float: FloatValueSchema,
  double: DoubleValueSchema,
  int64: Int64ValueSchema,
  uint64: UInt64ValueSchema,
} as const satisfies Record<Primitive["type"], DescMessage>;

/** `type.googleapis.com/<full name>`. */
export function messageTypeUrl(typeName: string): string {
  return messagePrefix + typeName;
}

/** The message's full name in a type URL: what follows its last slash; `undefined` for primitives, JSON and URLs without one. */
export function messageTypeName(typeUrl: string): string | undefined {
  if (afterPrefix(typeUrl, [...primitivePrefixes, ...jsonPrefixes]) !== undefined) return undefined;
  const slash = typeUrl.lastIndexOf("/");
  return slash < 0 || slash === typeUrl.length - 1 ? undefined : typeUrl.slice(slash + 1);
}

/** A message in an Any. */
export function packMessage<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): TypedPayload {
  return { typeUrl: messageTypeUrl(schema.typeName), value: toBinary(schema, message) };
}

/**
 * The message in an Any.
 * @throws Fault("invalid") when it holds another type or malformed bytes.
 */
export function unpackMessage<Desc extends DescMessage>(schema: Desc, payload: TypedPayload): MessageShape<Desc> {
  if (messageTypeName(payload.typeUrl) !== schema.typeName) {
    throw new Fault("invalid", `expected ${messageTypeUrl(schema.typeName)}, got ${JSON.stringify(payload.typeUrl)}`);
  }
  return decode(schema, payload);
}

/** A primitive in an Any. Defaults ("" 0 false) have empty bytes, so that equal values have equal bytes. */
export function packPrimitive(primitive: Primitive): TypedPayload {
  const schema: DescMessage = wrappers[primitive.type];
  return { typeUrl: primitivePrefix + primitive.type, value: toBinary(schema, create(schema, { value: primitive.value })) };
}

/**
 * The primitive in an Any; `undefined` when the payload is none.
 * @throws Fault("invalid") for a primitive of unknown type or malformed bytes.
 */
export function unpackPrimitive(payload: TypedPayload): Primitive | undefined {
  const type = primitiveType(payload.typeUrl);
  if (type === undefined) return undefined;
  const { value } = decode(wrappers[type] as DescMessage, payload) as unknown as Primitive;
  return { type, value } as Primitive;
}

/** The message whose only field is the primitive; `undefined` when the type URL is none. @throws Fault("invalid") for a primitive of unknown type. */
export function primitiveSchema(typeUrl: string): DescMessage | undefined {
  const type = primitiveType(typeUrl);
  return type && wrappers[type];
}

/** `undefined`: it is no primitive. @throws Fault("invalid") for one that is unknown. */
function primitiveType(typeUrl: string): Primitive["type"] | undefined {
  const type = afterPrefix(typeUrl, primitivePrefixes);
  if (type === undefined || isPrimitiveType(type)) return type;
  throw new Fault("invalid", `${JSON.stringify(typeUrl)} is no primitive; known are ${Object.keys(wrappers).join(", ")}`);
}

function isPrimitiveType(type: string): type is Primitive["type"] {
  return Object.hasOwn(wrappers, type);
}

/**
 * JSON in an Any. Keys are written in alphabetical order, so that equal values have equal bytes.
 * @param type A name of the user's for the shape, `cart-created`.
 */
export function packJson(type: string, value: unknown): TypedPayload {
  const text = JSON.stringify(value, sortKeys) as string | undefined;
  if (text === undefined) throw new Fault("invalid", `a ${typeof value} has no JSON form`);
  return { typeUrl: jsonPrefix + type, value: toBinary(StringValueSchema, create(StringValueSchema, { value: text })) };
}

function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The JSON value in an Any; `undefined` when the payload is not JSON.
 * @throws Fault("invalid") when the bytes are not a field 1 with UTF-8 JSON.
 */
export function unpackJson(payload: TypedPayload): { readonly type: string; readonly value: unknown } | undefined {
  const type = jsonType(payload.typeUrl);
  if (type === undefined) return undefined;
  const { value: text } = decode(StringValueSchema, payload);
  try {
    return { type, value: JSON.parse(text) as unknown };
  } catch (cause) {
    throw new Fault("invalid", `${JSON.stringify(payload.typeUrl)} does not hold JSON`, { cause });
  }
}

function decode<Desc extends DescMessage>(schema: Desc, payload: TypedPayload): MessageShape<Desc> {
  try {
    return fromBinary(schema, payload.value);
  } catch (cause) {
    throw new Fault("invalid", `the bytes of ${JSON.stringify(payload.typeUrl)} are malformed`, { cause });
  }
}
