/** Single JSON values straight to protobuf bytes: numbers, texts, bytes, enums, keys of maps. Keeps J1 to J3 of from-json.ts. */
import { type DescEnum, ScalarType } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { wireType } from "../descriptors/reader.ts";
import { JsonProblem, shown } from "./json-problem.ts";
import type { ProtoWriter } from "./writer.ts";

/** Writes one value without its tag. */
export type WriteValue = (json: unknown, writer: ProtoWriter, depth: number) => void;

/** How the scalar lies on the wire. */
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
export const high32 = 2 ** 32;

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

export function mapKeyWriter(scalar: ScalarType): (key: string, writer: ProtoWriter) => void {
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

export function enumWriter(desc: DescEnum): WriteValue {
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
