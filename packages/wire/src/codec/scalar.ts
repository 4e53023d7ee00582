/** The fifteen scalar types: what fits, how it is written and read. */
import { ScalarType } from "@bufbuild/protobuf";
import { type BinaryReader, type BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** How 64-bit integers look in JavaScript. */
export type LongAs = "bigint" | "number" | "string";

export interface ScalarCodec {
  readonly wireType: WireType;
  readonly zero: unknown;
  /** Type and range, in the words of an error message: "a whole number from 0 to 4294967295". */
  readonly wants: string;
  fits(value: unknown): boolean;
  isZero(value: unknown): boolean;
  read(reader: BinaryReader): unknown;
  /** Only values that fit. */
  write(writer: BinaryWriter, value: unknown): void;
  /** A map key from its property name. Gives something that does not fit when the text is no such value. */
  ofText(text: string): unknown;
}

const uint32Max = 0xffff_ffff;
const int32Max = 0x7fff_ffff;
const int32Min = -0x8000_0000;
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);
const uint64Max = 2n ** 64n - 1n;

const isInt32 = (value: unknown): boolean => typeof value === "number" && (value | 0) === value;
const isUint32 = (value: unknown): boolean => typeof value === "number" && value >>> 0 === value;
const isZeroNumber = (value: unknown): boolean => value === 0 && !Object.is(value, -0);

type Narrow = Pick<ScalarCodec, "wireType" | "read" | "write">;

const int32Like = (wire: Narrow): ScalarCodec => ({
  ...wire,
  zero: 0,
  wants: `a whole number from ${int32Min} to ${int32Max}`,
  fits: isInt32,
  isZero: (value) => value === 0,
  ofText: Number,
});

const uint32Like = (wire: Narrow): ScalarCodec => ({
  ...wire,
  zero: 0,
  wants: `a whole number from 0 to ${uint32Max}`,
  fits: isUint32,
  isZero: (value) => value === 0,
  ofText: Number,
});

interface Wide {
  readonly wireType: WireType;
  readonly signed: boolean;
  read(reader: BinaryReader): bigint | string;
  write(writer: BinaryWriter, value: bigint | number | string): void;
}

/** 64-bit integers: `bigint`, or `number` up to ±2^53 - 1, or decimal text. Any of the three is taken when it is exact. */
function wide(wire: Wide, as: LongAs): ScalarCodec {
  const [min, max] = wire.signed ? [int64Min, int64Max] : [0n, uint64Max];
  const zero = as === "bigint" ? 0n : as === "number" ? 0 : "0";
  const fits = (value: unknown): boolean => {
    if (typeof value === "bigint") return value >= min && value <= max;
    if (typeof value === "number") return Number.isSafeInteger(value) && (wire.signed || value >= 0);
    if (typeof value !== "string" || !/^-?\d{1,20}$/.test(value)) return false;
    return BigInt(value) >= min && BigInt(value) <= max;
  };
  return {
    wireType: wire.wireType,
    zero,
    wants:
      as === "number"
        ? `a whole number from ${wire.signed ? -Number.MAX_SAFE_INTEGER : 0} to ${Number.MAX_SAFE_INTEGER}`
        : `a ${as === "bigint" ? "bigint" : "decimal string"} from ${min} to ${max}`,
    fits,
    // eslint-disable-next-line eqeqeq -- 0n, 0 and "0" are all zero
    isZero: (value) => value == 0 && value !== "",
    read:
      as === "bigint"
        ? (reader) => BigInt(wire.read(reader))
        : as === "string"
          ? (reader) => String(wire.read(reader))
          : (reader) => safe(wire.read(reader)),
    write: (writer, value) => wire.write(writer, value as bigint),
    ofText: (text) => text,
  };
}

function safe(value: bigint | string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new Error(`${value} is beyond what a JavaScript number holds exactly; declare the field as bigint`);
  }
  return number;
}

function text(utf8Validation: boolean): ScalarCodec {
  return {
    wireType: WireType.LengthDelimited,
    zero: "",
    wants: "a string",
    fits: (value) => typeof value === "string" && value.isWellFormed(),
    isZero: (value) => value === "",
    read: (reader) => reader.string(utf8Validation),
    write: (writer, value) => void writer.string(value as string),
    ofText: (key) => key,
  };
}

const bytes: ScalarCodec = {
  wireType: WireType.LengthDelimited,
  zero: new Uint8Array(0),
  wants: "a Uint8Array",
  fits: (value) => value instanceof Uint8Array,
  isZero: (value) => value instanceof Uint8Array && value.length === 0,
  read: (reader) => new Uint8Array(reader.bytes()), // not slice: a Buffer's shares memory
  write: (writer, value) => void writer.bytes(value as Uint8Array),
  ofText: (key) => key,
};

const bool: ScalarCodec = {
  wireType: WireType.Varint,
  zero: false,
  wants: "true or false",
  fits: (value) => typeof value === "boolean",
  isZero: (value) => value === false,
  read: (reader) => reader.bool(),
  write: (writer, value) => void writer.bool(value as boolean),
  ofText: (key) => (key === "true" ? true : key === "false" ? false : key),
};

const floating = (wire: Narrow & { readonly max: number }): ScalarCodec => ({
  ...wire,
  zero: 0,
  wants: "a number",
  fits: (value) => typeof value === "number" && (!Number.isFinite(value) || Math.abs(value) <= wire.max),
  isZero: isZeroNumber,
  ofText: Number,
});

/** The codec of a scalar type. `longAs` matters for 64-bit integers only. */
export function scalarCodec(type: ScalarType, longAs: LongAs, utf8Validation: boolean): ScalarCodec {
  switch (type) {
    case ScalarType.STRING:
      return text(utf8Validation);
    case ScalarType.BYTES:
      return bytes;
    case ScalarType.BOOL:
      return bool;
    case ScalarType.DOUBLE:
      return floating({
        wireType: WireType.Bit64,
        read: (r) => r.double(),
        write: (w, v) => void w.double(v as number),
        max: Number.MAX_VALUE,
      });
    case ScalarType.FLOAT:
      return floating({
        wireType: WireType.Bit32,
        read: (r) => r.float(),
        write: (w, v) => void w.float(v as number),
        max: 3.4028234663852886e38,
      });
    case ScalarType.INT32:
      return int32Like({ wireType: WireType.Varint, read: (r) => r.int32(), write: (w, v) => void w.int32(v as number) });
    case ScalarType.SINT32:
      return int32Like({ wireType: WireType.Varint, read: (r) => r.sint32(), write: (w, v) => void w.sint32(v as number) });
    case ScalarType.SFIXED32:
      return int32Like({ wireType: WireType.Bit32, read: (r) => r.sfixed32(), write: (w, v) => void w.sfixed32(v as number) });
    case ScalarType.UINT32:
      return uint32Like({ wireType: WireType.Varint, read: (r) => r.uint32(), write: (w, v) => void w.uint32(v as number) });
    case ScalarType.FIXED32:
      return uint32Like({ wireType: WireType.Bit32, read: (r) => r.fixed32(), write: (w, v) => void w.fixed32(v as number) });
    case ScalarType.INT64:
      return wide({ wireType: WireType.Varint, signed: true, read: (r) => r.int64(), write: (w, v) => void w.int64(v) }, longAs);
    case ScalarType.SINT64:
      return wide({ wireType: WireType.Varint, signed: true, read: (r) => r.sint64(), write: (w, v) => void w.sint64(v) }, longAs);
    case ScalarType.SFIXED64:
      return wide({ wireType: WireType.Bit64, signed: true, read: (r) => r.sfixed64(), write: (w, v) => void w.sfixed64(v) }, longAs);
    case ScalarType.UINT64:
      return wide({ wireType: WireType.Varint, signed: false, read: (r) => r.uint64(), write: (w, v) => void w.uint64(v) }, longAs);
    case ScalarType.FIXED64:
      return wide({ wireType: WireType.Bit64, signed: false, read: (r) => r.fixed64(), write: (w, v) => void w.fixed64(v) }, longAs);
  }
}
