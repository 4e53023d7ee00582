/** Conversions between types: `int(x)`, `string(x)` and the like. */
import { type Library, type Overload } from "../language/environment.ts";
import { reading } from "../language/cost.ts";
import { isInt, isUint } from "../language/literal.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  param,
  stringType,
  timestampType,
  type Type,
  typeText,
  typeType,
  uintType,
} from "../language/types.ts";
import { CelError, type Duration, type Timestamp, typeOf, TypeValue, Uint } from "../language/values.ts";
import { durationText, parseDuration, parseTimestamp, timestampOf, timestampText } from "./time.ts";

export function toInt(value: bigint): bigint {
  if (!isInt(value)) throw new CelError("integer overflow");
  return value;
}

export function toUint(value: bigint): Uint {
  if (!isUint(value)) throw new CelError("unsigned integer overflow");
  return new Uint(value);
}

const failed = (from: string, to: string): CelError => new CelError(`type conversion error from '${from}' to '${to}'`);

/** The value a text stands for. @throws CelError when it stands for none. */
function fromText<T>(to: string, read: (text: string) => T | undefined): (text: string) => T {
  return (text) => {
    const value = read(text);
    if (value === undefined) throw failed("string", to);
    return value;
  };
}

const wholeNumber = (text: string): bigint | undefined => (/^[+-]?\d+$/u.test(text) ? BigInt(text.replace(/^\+/u, "")) : undefined);

function truncated(value: number, make: (value: bigint) => unknown, overflow: string): unknown {
  if (!Number.isFinite(value)) throw new CelError(overflow);
  return make(BigInt(Math.trunc(value)));
}

const truths: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true])),
  ...Object.fromEntries(["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false])),
};

function bytesText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CelError("invalid UTF-8 in bytes, cannot convert to string");
  }
}

/** As few digits as tell it from others, with an exponent from a million up and below a ten-thousandth. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [digits = "", power = ""] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return value.toFixed(Math.min(100, Math.max(0, digits.replace(/^-?\d\.?/u, "").length - exponent)));
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function parseDouble(text: string): number | undefined {
  const special = /^([+-]?)(inf|infinity|nan)$/iu.exec(text);
  if (special) return /nan/iu.test(text) ? NaN : special[1] === "-" ? -Infinity : Infinity;
  const value = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/u.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : undefined;
}

const texts: readonly (readonly [id: string, type: Type, text: (value: never) => string])[] = [
  ["string_to_string", stringType, (value: string) => value],
  ["bool_to_string", boolType, String],
  ["bytes_to_string", bytesType, bytesText],
  ["double_to_string", doubleType, doubleText],
  ["duration_to_string", durationType, durationText],
  ["int64_to_string", intType, String],
  ["timestamp_to_string", timestampType, timestampText],
  ["uint64_to_string", uintType, ({ value }: Uint) => String(value)],
];

export function addConversions(library: Library): void {
  const one = (name: string, id: string, from: Type, to: Type, run: Overload["run"]): unknown =>
    library.global(
      name,
      id,
      [from],
      to,
      run,
      id === "bytes_to_string" || id === "string_to_bytes" ? reading(0, 1, id === "bytes_to_string" ? shorter : longer) : undefined,
    );
  const same = (value: unknown): unknown => value;
  for (const [id, type, text] of texts) one("string", id, type, stringType, text);
  one("bool", "bool_to_bool", boolType, boolType, same);
  one(
    "bool",
    "string_to_bool",
    stringType,
    boolType,
    fromText("bool", (text) => truths[text]),
  );
  one("bytes", "bytes_to_bytes", bytesType, bytesType, same);
  one("bytes", "string_to_bytes", stringType, bytesType, (text: string) => new TextEncoder().encode(text));
  one("double", "double_to_double", doubleType, doubleType, same);
  one("double", "int64_to_double", intType, doubleType, Number);
  one("double", "string_to_double", stringType, doubleType, fromText("double", parseDouble));
  one("double", "uint64_to_double", uintType, doubleType, ({ value }: Uint) => Number(value));
  one("duration", "duration_to_duration", durationType, durationType, same);
  one("duration", "int64_to_duration", intType, durationType, () => {
    throw failed("int", durationType.name); // declared by the server, and not there when it is called
  });
  one("duration", "string_to_duration", stringType, durationType, fromText(durationType.name, parseDuration));
  library.global("dyn", "to_dyn", [param("A")], dynType, same);
  one("int", "int64_to_int64", intType, intType, same);
  one("int", "double_to_int64", doubleType, intType, (value: number) => truncated(value, toInt, "integer overflow"));
  one("int", "duration_to_int64", durationType, intType, ({ nanos }: Duration) => nanos);
  one(
    "int",
    "string_to_int64",
    stringType,
    intType,
    fromText("int", (text) => within(wholeNumber(text), isInt)),
  );
  one(
    "int",
    "timestamp_to_int64",
    timestampType,
    intType,
    ({ nanos }: Timestamp) => (nanos - (((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n,
  );
  one("int", "uint64_to_int64", uintType, intType, ({ value }: Uint) => toInt(value));
  one("timestamp", "timestamp_to_timestamp", timestampType, timestampType, same);
  one("timestamp", "int64_to_timestamp", intType, timestampType, (value: bigint) => timestampOf(value * 1_000_000_000n));
  one("timestamp", "string_to_timestamp", stringType, timestampType, fromText(timestampType.name, parseTimestamp));
  one("uint", "uint64_to_uint64", uintType, uintType, same);
  one("uint", "double_to_uint64", doubleType, uintType, (value: number) => truncated(value, toUint, "unsigned integer overflow"));
  one("uint", "int64_to_uint64", intType, uintType, toUint);
  one(
    "uint",
    "string_to_uint64",
    stringType,
    uintType,
    fromText("uint", (text) => uintOf(within(text.startsWith("+") ? undefined : wholeNumber(text), isUint))),
  );
  library.global("type", "type", [param("A")], typeType(param("A")), (value: unknown) => new TypeValue(nameOnly(typeOf(value))));
}

const within = (value: bigint | undefined, fits: (value: bigint) => boolean): bigint | undefined =>
  value !== undefined && fits(value) ? value : undefined;
const uintOf = (value: bigint | undefined): Uint | undefined => (value === undefined ? undefined : new Uint(value));
const nameOnly = (type: Type): Type => ({ ...type, params: [] });
const longer = ({ min, max }: { readonly min: number; readonly max: number }): { min: number; max: number } => ({ min, max: max * 4 });
const shorter = ({ min, max }: { readonly min: number; readonly max: number }): { min: number; max: number } => ({
  min: Math.floor(min / 4),
  max,
});

/** A type as text: its name. */
export const typeValueText = ({ type }: TypeValue): string => (type.params.length === 0 ? type.name : typeText(type));
