/**
 * Quantities: fixed-point numbers with a suffix (`500m`, `1.5Gi`, `1e3`), and the one form the server writes them in. Held as a whole number of
 * billionths, the smallest part the API has; more digits are rounded up.
 */
import { Fault } from "@mecha/kit";

/** Suffixes by the power of ten they stand for; a billionth is 0. */
const decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"] as const;
const binary = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] as const;

/** How a quantity was written; its canonical form is written in the same. */
export type QuantityFormat = "decimal" | "exponent" | "binary";

export interface Quantity {
  /** The value in billionths. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
  /** As the server writes it. */
  readonly text: string;
}

/** Longest text taken: a quantity has at most 18 digits, a point, a sign and a suffix; anything near this is an attack. */
const textMax = 128;
/** Largest power of ten in `1e3` notation: past the largest suffix (E = 18) nothing can be said. */
const exponentMax = 18;
const pattern = /^([+-]?)(?=\d|\.\d)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*|[eE][+-]?\d+)$/;
/** What may be a quantity with another suffix. */
const suffixPattern = /^[+-]?[\d.]+[eEinumkKMGTP]+[-+]?\d*$/;
const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const wrongSuffix = "unable to parse quantity's suffix";

/** @throws Fault("invalid") in the server's words when the text is no quantity. */
export function parseQuantity(text: string): Quantity {
  const match = text.length <= textMax ? pattern.exec(text) : null;
  if (!match) throw new Fault("invalid", suffixPattern.test(text) ? wrongSuffix : wrongFormat);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match;
  const { format, scale, factor } = unitOf(suffix);
  const digits = BigInt(whole + fraction || "0");
  const nanos = (sign === "-" ? -1n : 1n) * toNanos(digits * factor, scale - fraction.length);
  const kept = binaryBelowOne(format, nanos) ? "decimal" : format;
  return { nanos, format: kept, text: nanos === 0n ? "0" : keptAsWritten(match, format, scale) ? text : canonical(nanos, kept) };
}

interface Unit {
  readonly format: QuantityFormat;
  /** Power of ten. */
  readonly scale: number;
  /** Power of two, as a number. */
  readonly factor: bigint;
}

function unitOf(suffix: string): Unit {
  const power = decimal.indexOf(suffix as (typeof decimal)[number]);
  if (power >= 0) return { format: "decimal", scale: (power - 3) * 3, factor: 1n };
  const ki = binary.indexOf(suffix as (typeof binary)[number]);
  if (ki > 0) return { format: "binary", scale: 0, factor: 1024n ** BigInt(ki) };
  const exponent = /^[eE]([+-]?\d+)$/.exec(suffix);
  if (!exponent) throw new Fault("invalid", wrongSuffix);
  const scale = Number(exponent[1]);
  if (Math.abs(scale) > exponentMax) throw new Fault("invalid", wrongSuffix);
  return { format: "exponent", scale, factor: 1n };
}

/** digits × 10^scale in billionths; what is smaller is rounded up, so that asking for something never gives nothing. */
function toNanos(digits: bigint, scale: number): bigint {
  const shift = scale + 9;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return (digits + divisor - 1n) / divisor;
}

const one = 1_000_000_000n;
const binaryBelowOne = (format: QuantityFormat, nanos: bigint): boolean => format === "binary" && nanos > 0n && nanos < one;

/**
 * The real server keeps a text it takes for canonical already, by a test that is cheaper than canonical form: `1.500` stays, `1.5` becomes `1500m`.
 */
function keptAsWritten(match: RegExpExecArray, format: QuantityFormat, scale: number): boolean {
  const [, , whole = "", fraction = ""] = match;
  const shifted = whole.replace(/^0+/, "") + fraction;
  if (shifted === "" || shifted.length > 18) return false;
  if (format === "binary") return fraction === "" && shifted.length < 9 && (BigInt(shifted) & 7n) !== 0n;
  return (scale - fraction.length) % 3 === 0 && !shifted.endsWith("000") && !shifted.startsWith("0") && scale - fraction.length >= -9;
}

/** The form the server writes: no fraction, the largest suffix that leaves a whole number. */
function canonical(nanos: bigint, format: QuantityFormat): string {
  const small = nanos > -1024n * one && nanos < 1024n * one;
  if (format === "binary" && !small && nanos % one === 0n) return binaryText(nanos / one);
  const { mantissa, thousands } = thousandsOf(nanos);
  if (format !== "exponent") return `${mantissa}${decimal[thousands] ?? ""}`;
  const exponent = (thousands - 3) * 3;
  return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
}

function thousandsOf(nanos: bigint): { readonly mantissa: bigint; readonly thousands: number } {
  let mantissa = nanos;
  let thousands = 0;
  while (thousands < decimal.length - 1 && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    thousands++;
  }
  return { mantissa, thousands };
}

function binaryText(value: bigint): string {
  let mantissa = value;
  let power = 0;
  while (power < binary.length - 1 && mantissa % 1024n === 0n) {
    mantissa /= 1024n;
    power++;
  }
  return `${mantissa}${binary[power] ?? ""}`;
}

/** In whole thousandths, rounded away from zero: no list of resources has smaller parts. */
export function inThousandths(text: string): string {
  if (!/[nu.]|[eE]-/u.test(text)) return text; // as nearly all are
  const { nanos, format } = parseQuantity(text);
  const rest = nanos % thousandth;
  if (rest === 0n) return text;
  const whole = nanos - rest + (nanos > 0n ? thousandth : -thousandth);
  return canonical(whole, format);
}

const thousandth = one / 1_000n;

/** -1, 0, 1 as `a` is less than, equal to, more than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
}

/** `a` and `b` together, written as `a` is. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const nanos = a.nanos + b.nanos;
  return { nanos, format: a.format, text: nanos === 0n ? "0" : canonical(nanos, a.format) };
}
