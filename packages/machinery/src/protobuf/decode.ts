/**
 * Bodies of requests in Protobuf: `k8s\0`, then runtime.Unknown around the object (facts: platform §6.6). kubectl sends them from 1.32 on for `create …`,
 * and Go programs with typed clients for everything; neither falls back to JSON.
 *
 * P1 what comes out is the JSON the same program would have sent: read by the type tables, then put into canonical form by decodeByType
 * P2 whatever the bytes, the answer is an object or a StatusError; nesting is bounded, a length is checked before anything is read
 */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import {
  decodeByType,
  type FieldRow,
  type JsonObject,
  kubernetesTypes,
  type ScalarName,
  type TypeRef,
  type TypeRow,
  typeOf,
  type TypeTable,
} from "@mecha/kinds";
import { StatusError } from "../status.ts";

const prefix = [0x6b, 0x38, 0x73, 0x00];
/** Deepest nesting of messages; the deepest a client sends (a CronJob's probe handlers) is below 20. */
const depthMax = 64;
const nothing = new Uint8Array();
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The object in a Protobuf body.
 * @throws StatusError BadRequest when it is none, UnsupportedMediaType when its kind has no Protobuf form (kinds of CRDs).
 */
export function decodeProtobuf(body: Uint8Array): JsonObject {
  if (!prefix.every((byte, i) => body[i] === byte))
    throw refused("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  try {
    const { apiVersion, kind, raw, encoding } = readUnknown(body.subarray(prefix.length));
    if (encoding !== "") throw refused(`content encoding ${JSON.stringify(encoding)} of a Protobuf body is not known`);
    const types = kubernetesTypes();
    const type = typeNameOf(types, apiVersion, kind);
    if (type === undefined)
      throw new StatusError(
        "UnsupportedMediaType",
        `${kind} in version ${JSON.stringify(apiVersion)} has no Protobuf form: send application/json`,
      );
    const read = new MessageReader(types).message(typeOf(types, { type }), raw, 0);
    return decodeByType(types, type, { ...read, apiVersion, kind }).object; // keeps P1
  } catch (error) {
    if (error instanceof StatusError) throw error;
    throw refused(`the Protobuf body cannot be read: ${error instanceof Error ? error.message : String(error)}`); // keeps P2
  }
}

const refused = (message: string): StatusError => new StatusError("BadRequest", message);

const crdTypes = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.";
const schemaType = `${crdTypes}v1.JSONSchemaProps`;

/** `io.k8s.api.apps.v1.Deployment`; options and Status are meta/v1's in every group. */
function typeNameOf(types: TypeTable, apiVersion: string, kind: string): string | undefined {
  const [first = "", version = first] = apiVersion.split("/");
  const group = apiVersion.includes("/") ? first.split(".")[0] : "core";
  const names = [`io.k8s.api.${group}.${version}.${kind}`, `${crdTypes}${version}.${kind}`, `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`];
  return names.find((name) => types.has(name));
}

interface Unknown {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
  readonly encoding: string;
}

function readUnknown(bytes: Uint8Array): Unknown {
  const parts = fieldsOfMessage(bytes);
  const typeMeta = fieldsOfMessage(lastBytes(parts.get(1)));
  return {
    apiVersion: text(lastBytes(typeMeta.get(1))),
    kind: text(lastBytes(typeMeta.get(2))),
    raw: lastBytes(parts.get(2)),
    encoding: text(lastBytes(parts.get(3))),
  };
}

/** A field's value as it stands on the wire. */
type WireValue = Uint8Array | bigint | number;

/** Values of a message by field number, in order. */
function fieldsOfMessage(bytes: Uint8Array): Map<number, WireValue[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, WireValue[]>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const value = readValue(reader, wireType, number);
    if (value === undefined) continue;
    const values = fields.get(number);
    if (values) values.push(value);
    else fields.set(number, [value]);
  }
  return fields;
}

function readValue(reader: BinaryReader, wireType: WireType, number: number): WireValue | undefined {
  switch (wireType) {
    case WireType.Varint:
      return BigInt(reader.int64());
    case WireType.LengthDelimited:
      return reader.bytes();
    case WireType.Bit64:
      return reader.double();
    default:
      reader.skip(wireType, number); // no type of the API has groups or 32-bit numbers
      return undefined;
  }
}

const last = (values: readonly WireValue[] | undefined): WireValue | undefined => values?.at(-1);
const asBytes = (value: WireValue | undefined): Uint8Array => {
  if (value === undefined) return nothing;
  if (!(value instanceof Uint8Array)) throw new Error("a number where a text or a message belongs");
  return value;
};
const lastBytes = (values: readonly WireValue[] | undefined): Uint8Array => asBytes(last(values));
const text = (bytes: Uint8Array): string => utf8.decode(bytes);
const integer = (value: WireValue | undefined): number => (typeof value === "bigint" ? Number(value) : 0);
const json = (bytes: Uint8Array): unknown => (bytes.length === 0 ? null : JSON.parse(text(bytes)));

class MessageReader {
  readonly #types: TypeTable;

  constructor(types: TypeTable) {
    this.#types = types;
  }

  message(row: TypeRow, bytes: Uint8Array, depth: number): JsonObject {
    if (depth > depthMax) throw new Error(`nested deeper than ${depthMax}`);
    const values = fieldsOfMessage(bytes);
    const object: JsonObject = {};
    for (const field of row.fields) {
      const found = field.number === undefined ? undefined : values.get(field.number);
      if (!found) continue;
      const schemaPart = row.name === schemaType ? schemaParts[field.name] : undefined;
      if (schemaPart) object[field.name] = schemaPart(found, (schema) => this.#schema(schema, depth));
      else if (field.inline) Object.assign(object, this.#inline(field, found, depth));
      else object[field.name] = this.#field(field.ref, found, depth);
    }
    return object;
  }

  /** A schema inside another, where JSON has several forms: the tables know it as any value. */
  #schema(bytes: Uint8Array, depth: number): JsonObject {
    const read = this.message(typeOf(this.#types, { type: schemaType }), bytes, depth + 1);
    return decodeByType(this.#types, schemaType, read).object;
  }

  /** Fields of a message embedded in place are its holder's. */
  #inline({ ref }: FieldRow, values: readonly WireValue[], depth: number): JsonObject {
    return this.message(typeOf(this.#types, ref), lastBytes(values), depth + 1);
  }

  #field(ref: TypeRef, values: readonly WireValue[], depth: number): unknown {
    if ("list" in ref) return this.#list(ref, values, depth);
    if ("map" in ref) return Object.fromEntries(values.map((value) => this.#entry(ref.map, asBytes(value), depth)));
    return this.#single(ref, last(values), depth);
  }

  #list(ref: Extract<TypeRef, { list: TypeRef }>, values: readonly WireValue[], depth: number): unknown[] {
    const elements = ref.message ? (fieldsOfMessage(lastBytes(values)).get(1) ?? []) : values;
    return elements
      .flatMap((value) => (isPacked(ref.list, value) ? unpacked(value) : [value]))
      .map((value) => this.#single(ref.list, value, depth));
  }

  #entry(ref: TypeRef, bytes: Uint8Array, depth: number): readonly [string, unknown] {
    const parts = fieldsOfMessage(bytes);
    const value = parts.get(2);
    return [text(lastBytes(parts.get(1))), value ? this.#field(ref, value, depth) : this.#absent(ref, depth)];
  }

  /** Value of a map's entry that says none. */
  #absent(ref: TypeRef, depth: number): unknown {
    return "list" in ref ? [] : this.#single(ref, "scalar" in ref && isNumber(ref.scalar) ? 0n : nothing, depth);
  }

  #single(ref: TypeRef, value: WireValue | undefined, depth: number): unknown {
    if ("scalar" in ref) return scalar(ref.scalar, value);
    if ("type" in ref) return this.message(typeOf(this.#types, ref), asBytes(value), depth + 1);
    return this.#field(ref, value === undefined ? [] : [value], depth);
  }
}

type ReadSchema = (bytes: Uint8Array) => JsonObject;

/** Fields of a schema that are messages of alternatives: a schema or several, a schema or a yes or no, a schema or names. */
const schemaParts: Readonly<Record<string, (values: readonly WireValue[], read: ReadSchema) => unknown>> = {
  items: schemaOrList,
  additionalProperties: schemaOrFlag,
  additionalItems: schemaOrFlag,
  dependencies: (values, read) => {
    const entries = values.map((value) => fieldsOfMessage(asBytes(value)));
    return Object.fromEntries(entries.map((entry) => [text(lastBytes(entry.get(1))), schemaOrNames(lastBytes(entry.get(2)), read)]));
  },
};

function schemaOrList(values: readonly WireValue[], read: ReadSchema): unknown {
  const parts = fieldsOfMessage(lastBytes(values));
  const many = parts.get(2);
  if (many) return many.map((value) => read(asBytes(value)));
  return parts.has(1) ? read(lastBytes(parts.get(1))) : null;
}

function schemaOrFlag(values: readonly WireValue[], read: ReadSchema): unknown {
  const parts = fieldsOfMessage(lastBytes(values));
  return parts.has(2) ? read(lastBytes(parts.get(2))) : integer(last(parts.get(1))) !== 0;
}

function schemaOrNames(bytes: Uint8Array, read: ReadSchema): unknown {
  const parts = fieldsOfMessage(bytes);
  const names = parts.get(2);
  if (names) return names.map((value) => text(asBytes(value)));
  return parts.has(1) ? read(lastBytes(parts.get(1))) : null;
}

const isNumber = (name: ScalarName): boolean => name === "int32" || name === "int64" || name === "bool";

/** Repeated numbers may come as one run of bytes. */
function isPacked(ref: TypeRef, value: WireValue): value is Uint8Array {
  return value instanceof Uint8Array && "scalar" in ref && isNumber(ref.scalar);
}

function unpacked(bytes: Uint8Array): bigint[] {
  const reader = new BinaryReader(bytes);
  const values: bigint[] = [];
  while (reader.pos < reader.len) values.push(BigInt(reader.int64()));
  return values;
}

function scalar(name: ScalarName, value: WireValue | undefined): unknown {
  switch (name) {
    case "string":
      return text(asBytes(value));
    case "bool":
      return integer(value) !== 0;
    case "int32":
      return Number(BigInt.asIntN(32, BigInt(integer(value))));
    case "int64":
      return integer(value);
    case "double":
      return typeof value === "number" ? value : 0;
    case "bytes":
      return base64(asBytes(value));
    default:
      return message(name, fieldsOfMessage(asBytes(value)));
  }
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Scalars of JSON that are messages in Protobuf. */
function message(
  name: Exclude<ScalarName, "string" | "bool" | "int32" | "int64" | "double" | "bytes">,
  parts: Map<number, WireValue[]>,
): unknown {
  switch (name) {
    case "time":
      return parts.size === 0 ? null : time(parts, 0); // an empty message is Go's zero time
    case "microTime":
      return parts.size === 0 ? null : time(parts, 6);
    case "duration":
      return `${integer(last(parts.get(1)))}ns`;
    case "intOrString":
      return integer(last(parts.get(1))) === 0 ? integer(last(parts.get(2))) : text(lastBytes(parts.get(3)));
    case "quantity":
      return text(lastBytes(parts.get(1))) || "0";
    case "any":
    case "fieldsV1":
      return json(lastBytes(parts.get(1)));
  }
}

function time(parts: Map<number, WireValue[]>, digits: 0 | 6): string {
  const seconds = integer(last(parts.get(1)));
  const at = new Date(seconds * 1_000).toISOString().slice(0, -5);
  if (digits === 0) return `${at}Z`;
  const micros = Math.trunc(integer(last(parts.get(2))) / 1_000);
  return `${at}.${String(micros).padStart(6, "0")}Z`;
}
