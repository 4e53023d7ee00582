/**
 * JSON values straight to protobuf bytes: one closure for each field, compiled from the descriptors.
 *
 * Invariants
 * J1 for every input it takes, the bytes decode to the message that protobuf-es's `fromJson` makes (property test)
 * J2 what it refuses is a JsonProblem that knows the place in the document
 * J3 64-bit numbers keep every digit: a JSON number beyond ±(2^53 − 1) is refused, because JSON.parse has already rounded it
 * J4 fields are written by ascending number, whatever their order in the document: equal requests are equal bytes
 *
 * Stricter than protobuf-es on purpose: integers in strings are decimal (no hexadecimal, no blanks), map keys are canonical, durations end
 * after their "s".
 */
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Registry,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { explain } from "@mecha/kit";
import { nestingMax, wireType } from "../descriptors/reader.ts";
import { isImplicit, styleOf } from "./plain.ts";
import { durationOfText, timestampOfText } from "./time.ts";
import type { ProtoWriter } from "./writer.ts";

/** A value that does not fit its field. `path` is filled from the inside out: `items[2].quantity`. */
export class JsonProblem extends Error {
  path = "";
  /** Puts the name of what surrounds the place in front. */
  within(step: string): this {
    this.path = this.path === "" || this.path.startsWith("[") ? step + this.path : `${step}.${this.path}`;
    return this;
  }
}

/** Writes the content of a message (no tag, no length). */
export type WriteMessage = (json: unknown, writer: ProtoWriter, depth: number) => void;
/** Writes a whole field, tag included. Nothing for null. */
export type WriteField = (json: unknown, writer: ProtoWriter, depth: number) => void;
/** Writes one value without its tag. */
type WriteValue = (json: unknown, writer: ProtoWriter, depth: number) => void;

interface CompiledField {
  readonly field: DescField;
  readonly write: WriteField;
  /** Bit of its oneof, 0 = none. */
  readonly oneofBit: number;
}

/** Compiles writers, each message type once. One for each registry: Any needs it. */
export class JsonWriters {
  readonly #registry: Registry;
  readonly #messages = new Map<DescMessage, WriteMessage>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  message(message: DescMessage): WriteMessage {
    let compiled = this.#messages.get(message);
    if (!compiled) {
      compiled = this.#compile(message);
      this.#messages.set(message, compiled);
    }
    return compiled;
  }

  field(field: DescField): WriteField {
    switch (field.fieldKind) {
      case "list":
        return this.#list(field);
      case "map":
        return this.#map(field);
      default:
        return this.#singular(field);
    }
  }

  #compile(message: DescMessage): WriteMessage {
    switch (styleOf(message)) {
      case "fields":
        return this.#fields(message);
      case "wrapper":
        return this.#wrapper(message);
      case "timestamp":
        return writeTime(timestampOfText);
      case "duration":
        return writeTime(durationOfText);
      case "library":
        return this.#library(message);
    }
  }

  #fields(message: DescMessage): WriteMessage {
    const byName = new Map<string, CompiledField>();
    const compiled = message.fields.map((field) => ({
      field,
      write: this.field(field),
      oneofBit: field.oneof ? 1 << message.oneofs.indexOf(field.oneof) : 0,
    }));
    for (const entry of compiled) byName.set(entry.field.name, entry);
    for (const entry of compiled) byName.set(entry.field.jsonName, entry);
    const keysOf = keysInFieldOrder(message, byName);
    return (json, writer, depth) => {
      if (typeof json !== "object" || json === null || Array.isArray(json)) throw new JsonProblem(`expected an object, got ${shown(json)}`);
      if (depth > nestingMax) throw new JsonProblem(`is nested deeper than ${nestingMax} messages`);
      const object = json as Record<string, unknown>;
      const keys = keysOf(object);
      let key = "";
      try {
        for (key of keys) (byName.get(key) as CompiledField).write(object[key], writer, depth);
      } catch (problem) {
        throw placed(problem, key);
      }
    };
  }

  #singular(field: DescField & { fieldKind: "scalar" | "enum" | "message" }): WriteField {
    const tag = tagOf(field, wireOf(field));
    const takesNull = nullIsAValue(field);
    const write = this.#value(field);
    if (field.fieldKind !== "message" && isImplicit(field)) {
      const isDefault = defaultTest(field);
      return (json, writer, depth) => {
        if ((json === null && !takesNull) || isDefault(json)) return;
        writer.uint32(tag);
        write(json, writer, depth);
      };
    }
    return (json, writer, depth) => {
      if (json === null && !takesNull) return;
      writer.uint32(tag);
      write(json, writer, depth);
    };
  }

  #list(field: DescField & { fieldKind: "list" }): WriteField {
    const write = this.#value(field);
    const takesNull = nullIsAValue(field);
    const tag = tagOf(field, field.packed ? wireType.bytes : wireOf(field));
    const writeItems = (items: readonly unknown[], writer: ProtoWriter, depth: number): void => {
      let index = 0;
      try {
        for (; index < items.length; index++) {
          if (items[index] === null && !takesNull) throw new JsonProblem("must not be null");
          if (!field.packed) writer.uint32(tag);
          write(items[index], writer, depth);
        }
      } catch (problem) {
        throw placed(problem, `[${index}]`);
      }
    };
    return (json, writer, depth) => {
      if (json === null) return;
      if (!Array.isArray(json)) throw new JsonProblem(`expected an array, got ${shown(json)}`);
      if (!field.packed) writeItems(json, writer, depth);
      else if (json.length > 0) {
        writer.uint32(tag);
        const mark = writer.begin();
        writeItems(json, writer, depth);
        writer.finish(mark);
      }
    };
  }

  #map(field: DescField & { fieldKind: "map" }): WriteField {
    const tag = tagOf(field, wireType.bytes);
    const writeKey = mapKeyWriter(field.mapKey);
    const keyTag = (1 << 3) | scalarWire(field.mapKey);
    const valueTag = (2 << 3) | wireOf(field);
    const write = this.#value(field);
    const takesNull = nullIsAValue(field);
    return (json, writer, depth) => {
      if (json === null) return;
      if (typeof json !== "object" || Array.isArray(json)) throw new JsonProblem(`expected an object, got ${shown(json)}`);
      const object = json as Record<string, unknown>;
      let key = "";
      try {
        for (key in object) {
          const value = object[key];
          if (value === null && !takesNull) throw new JsonProblem("must not be null");
          writer.uint32(tag);
          const mark = writer.begin();
          writer.uint32(keyTag);
          writeKey(key, writer);
          writer.uint32(valueTag);
          write(value, writer, depth);
          writer.finish(mark);
        }
      } catch (problem) {
        throw placed(problem, `[${JSON.stringify(key)}]`);
      }
    };
  }

  /** The value of a singular field, of a list's item or of a map's value. */
  #value(field: DescField): WriteValue {
    if (field.enum) return enumWriter(field.enum);
    if (field.scalar !== undefined) return scalarWriter(field.scalar);
    const message = field.message;
    // On first use: a set may hold thousands of types, recursive ones among them, of which few are met.
    let content: WriteMessage | undefined;
    return (json, writer, depth) => {
      content ??= this.message(message);
      const mark = writer.begin();
      content(json, writer, depth + 1);
      writer.finish(mark);
    };
  }

  #wrapper(message: DescMessage): WriteMessage {
    const write = this.#singular(message.fields[0] as DescField & { fieldKind: "scalar" });
    return (json, writer, depth) => {
      write(json, writer, depth);
    };
  }

  #library(message: DescMessage): WriteMessage {
    const options = { registry: this.#registry };
    return (json, writer) => {
      let bytes;
      try {
        bytes = toBinary(message, fromJson(message, json as JsonValue, options));
      } catch (problem) {
        throw new JsonProblem(explain(problem));
      }
      writer.raw(bytes);
    };
  }
}

/** Compiles the check of an object's keys. They come in the order of field numbers (keeps J4), which most senders have anyway. */
function keysInFieldOrder(
  { typeName }: DescMessage,
  byName: ReadonlyMap<string, CompiledField>,
): (object: Readonly<Record<string, unknown>>) => string[] {
  const numberOf = (key: string): number => (byName.get(key) as CompiledField).field.number;
  return (object) => {
    const keys: string[] = [];
    let oneofs = 0;
    let last = 0;
    let ordered = true;
    for (const key in object) {
      const entry = byName.get(key);
      if (entry === undefined) throw new JsonProblem(`is no field of ${typeName}`).within(key);
      const { field, oneofBit } = entry;
      if (key !== field.jsonName && Object.hasOwn(object, field.jsonName)) {
        throw new JsonProblem(`is given twice, also as ${field.jsonName}`).within(key);
      }
      if (oneofBit !== 0 && object[key] !== null) {
        if ((oneofs & oneofBit) !== 0) throw new JsonProblem(`only one field of ${field.oneof?.name} may be given`).within(key);
        oneofs |= oneofBit;
      }
      ordered &&= field.number > last;
      last = field.number;
      keys.push(key);
    }
    return ordered ? keys : keys.sort((a, b) => numberOf(a) - numberOf(b));
  };
}

/** `problem` with its place, when it is one of ours; a Fault of the writer (text without UTF-8) becomes one. */
function placed(problem: unknown, step: string): unknown {
  if (problem instanceof JsonProblem) return problem.within(step);
  return problem instanceof Error && problem.name === "Fault" ? new JsonProblem(problem.message).within(step) : problem;
}

function tagOf(field: DescField, wire: number): number {
  return ((field.number << 3) | wire) >>> 0;
}

function wireOf(field: DescField): number {
  if (field.enum) return wireType.varint;
  return field.scalar === undefined ? wireType.bytes : scalarWire(field.scalar);
}

export function scalarWire(scalar: ScalarType): number {
  switch (scalar) {
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return wireType.fixed64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return wireType.fixed32;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return wireType.bytes;
    default:
      return wireType.varint;
  }
}

/** JSON null is a value of its own for these two; for everything else it means "absent". */
function nullIsAValue(field: DescField): boolean {
  return field.enum?.typeName === "google.protobuf.NullValue" || field.message?.typeName === "google.protobuf.Value";
}

/** Whether a JSON value is the default of a field without presence, in the spellings that occur; others are written out, which is legal too. */
function defaultTest(field: DescField & { fieldKind: "scalar" | "enum" }): (json: unknown) => boolean {
  if (field.fieldKind === "enum") {
    const [zero] = field.enum.values;
    return (json) => json === zero?.name || json === zero?.number;
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return (json) => json === false;
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return (json) => json === "";
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return (json) => Object.is(json, 0);
    default:
      return (json) => json === 0 || json === "0";
  }
}

function writeTime(parse: (text: string) => { seconds: number; nanos: number } | string): WriteMessage {
  return (json, writer) => {
    if (typeof json !== "string") throw new JsonProblem(`expected a string, got ${shown(json)}`);
    const time = parse(json);
    if (typeof time === "string") throw new JsonProblem(time);
    if (time.seconds !== 0) {
      writer.uint32((1 << 3) | wireType.varint);
      writer.varint64(time.seconds >>> 0, Math.floor(time.seconds / high32));
    }
    if (time.nanos !== 0) {
      writer.uint32((2 << 3) | wireType.varint);
      writer.int32(time.nanos);
    }
  };
}

function enumWriter(desc: DescEnum): WriteValue {
  const numbers = new Map<unknown, number>();
  for (const value of desc.values) numbers.set(value.jsonName, value.number);
  for (const value of desc.values) numbers.set(value.name, value.number);
  if (desc.typeName === "google.protobuf.NullValue") numbers.set(null, 0);
  return (json, writer) => {
    const number = numbers.get(json) ?? json;
    if (typeof number !== "number" || !isInt32(number)) throw new JsonProblem(`${shown(json)} is no value of ${desc.typeName}`);
    writer.int32(number);
  };
}

function isInt32(n: number): boolean {
  return (n | 0) === n;
}

/** The value itself, without tag. */
export function scalarWriter(scalar: ScalarType): WriteValue {
  switch (scalar) {
    case ScalarType.STRING:
      return (json, writer) => {
        if (typeof json !== "string") throw new JsonProblem(`expected a string, got ${shown(json)}`);
        writer.text(json);
      };
    case ScalarType.BOOL:
      return (json, writer) => {
        if (typeof json !== "boolean") throw new JsonProblem(`expected true or false, got ${shown(json)}`);
        writer.uint32(json ? 1 : 0);
      };
    case ScalarType.BYTES:
      return (json, writer) => {
        writer.bytes(bytesOf(json));
      };
    case ScalarType.DOUBLE:
      return (json, writer) => {
        writer.double(floatOf(json));
      };
    case ScalarType.FLOAT:
      return (json, writer) => {
        const n = floatOf(json);
        if (Number.isFinite(n) && Math.abs(n) > floatMax) throw new JsonProblem(`${shown(json)} is beyond a 32-bit float`);
        writer.float(n);
      };
    case ScalarType.INT32:
      return (json, writer) => {
        writer.int32(intOf(json, -0x80000000, 0x7fffffff));
      };
    case ScalarType.SINT32:
      return (json, writer) => {
        const n = intOf(json, -0x80000000, 0x7fffffff);
        writer.uint32((n << 1) ^ (n >> 31));
      };
    case ScalarType.UINT32:
      return (json, writer) => {
        writer.uint32(intOf(json, 0, 0xffffffff));
      };
    case ScalarType.FIXED32:
      return (json, writer) => {
        writer.fixed32(intOf(json, 0, 0xffffffff));
      };
    case ScalarType.SFIXED32:
      return (json, writer) => {
        writer.fixed32(intOf(json, -0x80000000, 0x7fffffff));
      };
    default:
      return wideWriter(scalar);
  }
}

/** Largest finite 32-bit float; protobuf refuses what would become infinite. */
const floatMax = 3.4028234663852886e38;
/** 2^32. */
const high32 = 2 ** 32;

/** 64-bit integers: numbers while they are exact, bigints beyond. */
function wideWriter(scalar: ScalarType): WriteValue {
  const signed = scalar === ScalarType.INT64 || scalar === ScalarType.SINT64 || scalar === ScalarType.SFIXED64;
  const fixed = scalar === ScalarType.FIXED64 || scalar === ScalarType.SFIXED64;
  const zigzag = scalar === ScalarType.SINT64;
  return (json, writer) => {
    const n = wideOf(json, signed);
    let low: number;
    let high: number;
    if (typeof n === "number") {
      // `|` takes a number modulo 2^32, exactly; so does a division by a power of two.
      low = n | 0;
      high = Math.floor(n / high32) | 0;
    } else {
      low = Number(BigInt.asIntN(32, n));
      high = Number(BigInt.asIntN(32, n >> 32n));
    }
    if (zigzag) {
      const sign = high >> 31;
      const shiftedHigh = ((high << 1) | (low >>> 31)) ^ sign;
      low = (low << 1) ^ sign;
      high = shiftedHigh;
    }
    if (fixed) writer.fixed64(low, high);
    else writer.varint64(low, high);
  };
}

/** Longest decimal text that is certainly exact as a number: 15 digits (2^53 has 16). */
const exactTextMax = 15;
const wideText = /^-?\d{1,20}$/;

function wideOf(json: unknown, signed: boolean): number | bigint {
  if (typeof json === "number") {
    if (!Number.isInteger(json)) throw new JsonProblem(`expected a whole number, got ${shown(json)}`);
    // keeps J3
    if (!Number.isSafeInteger(json)) throw new JsonProblem(`${json} is too large for a JSON number to be exact; write it as a string`);
    if (json < 0 && !signed) throw outOfRange(json, signed);
    return json;
  }
  if (typeof json !== "string") throw new JsonProblem(`expected a whole number or a string with one, got ${shown(json)}`);
  if (!wideText.test(json)) return intOf(json, signed ? Number.MIN_SAFE_INTEGER : 0, Number.MAX_SAFE_INTEGER);
  if (json.length <= exactTextMax) {
    const n = Number(json);
    if (n < 0 && !signed) throw outOfRange(json, signed);
    return n;
  }
  const n = BigInt(json);
  if (signed ? BigInt.asIntN(64, n) !== n : BigInt.asUintN(64, n) !== n) throw outOfRange(json, signed);
  return n;
}

function outOfRange(json: unknown, signed: boolean): JsonProblem {
  return new JsonProblem(`${shown(json)} is outside the range of ${signed ? "a signed" : "an unsigned"} 64-bit number`);
}

/** A decimal number, with or without fraction and exponent. */
const numberText = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

function intOf(json: unknown, min: number, max: number): number {
  const n = typeof json === "number" ? json : typeof json === "string" && numberText.test(json) ? Number(json) : undefined;
  if (n === undefined) throw new JsonProblem(`expected a whole number, got ${shown(json)}`);
  if (!Number.isInteger(n)) throw new JsonProblem(`expected a whole number, got ${shown(json)}`);
  if (n < min || n > max) throw new JsonProblem(`${shown(json)} is outside ${min} to ${max}`);
  return n;
}

function floatOf(json: unknown): number {
  if (typeof json === "number") {
    if (Number.isFinite(json)) return json;
    throw new JsonProblem("is too large for a number"); // 1e999 in the document
  }
  if (json === "NaN") return Number.NaN;
  if (json === "Infinity") return Number.POSITIVE_INFINITY;
  if (json === "-Infinity") return Number.NEGATIVE_INFINITY;
  if (typeof json === "string" && numberText.test(json) && Number.isFinite(Number(json))) return Number(json);
  throw new JsonProblem(`expected a number, got ${shown(json)}`);
}

function bytesOf(json: unknown): Uint8Array {
  if (typeof json !== "string") throw new JsonProblem(`expected bytes in base64, got ${shown(json)}`);
  try {
    return base64Decode(json);
  } catch {
    // The library's text adds nothing to ours.
    throw new JsonProblem(`expected bytes in base64, got ${shown(json)}`);
  }
}

/** Keys are strings in JSON; numbers must be canonical so that two spellings are never one key. */
const canonicalInteger = /^(0|-?[1-9]\d*)$/;

function mapKeyWriter(scalar: ScalarType): (key: string, writer: ProtoWriter) => void {
  const write = scalarWriter(scalar);
  switch (scalar) {
    case ScalarType.STRING:
      return (key, writer) => {
        writer.text(key);
      };
    case ScalarType.BOOL:
      return (key, writer) => {
        if (key !== "true" && key !== "false") throw new JsonProblem("the key must be true or false");
        writer.uint32(key === "true" ? 1 : 0);
      };
    default:
      return (key, writer) => {
        if (!canonicalInteger.test(key)) throw new JsonProblem("the key must be a whole number");
        write(key, writer, 0);
      };
  }
}

/** A value in a message: short. */
function shown(json: unknown): string {
  if (Array.isArray(json)) return "an array";
  if (typeof json === "object" && json !== null) return "an object";
  const text = JSON.stringify(json);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
