/** Equality and order of values. Equality is defined for all values; order for values of one type, and between numbers. */
import { Duration, Failure, MapValue, noSuchOverload, Opaque, Optional, ruleOf, Timestamp, TypeValue, Uint } from "./values.ts";

/** @throws CelError where the server has no answer: objects of rules that hold what has no type. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isNumber(a)) return isNumber(b) && compareNumbers(a, b) === 0;
  for (const value of [a, b]) if (value instanceof Failure) throw value.error;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a, b);
  if (a instanceof MapValue) return b instanceof MapValue && equalMaps(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && compareBytes(a, b) === 0;
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.type.name === b.type.name;
  if (a instanceof Optional) return b instanceof Optional && a.has === b.has && (!a.has || equal(a.value, b.value));
  return a instanceof Opaque && b instanceof Opaque && a.type.name === b.type.name && a.equals(b);
}

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  const rule = ruleOf(a);
  if (!rule) return a.every((item, index) => equal(item, b[index]));
  const known = new Map(a.map((item) => [rule.identity(item), item]));
  return b.every((item) => {
    const identity = rule.identity(item);
    return known.has(identity) && equal(known.get(identity), item);
  });
}

function equalMaps(a: MapValue, b: MapValue): boolean {
  return (
    a.size === b.size &&
    a.sameRest(b) &&
    a.keys().every((key) => {
      const [value, other] = [a.get(key), b.get(key)];
      return value === undefined || other === undefined ? value === other : equal(value, other);
    })
  );
}

type NumberValue = bigint | number | Uint;

const isNumber = (value: unknown): value is NumberValue => typeof value === "bigint" || typeof value === "number" || value instanceof Uint;

/** NaN when one of them is none. */
function compareNumbers(a: NumberValue, b: NumberValue): number {
  const [x, y] = [a instanceof Uint ? a.value : a, b instanceof Uint ? b.value : b];
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  return x < y ? -1 : x > y ? 1 : 0;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return (a[at] ?? 0) < (b[at] ?? 0) ? -1 : 1;
  return Math.sign(a.length - b.length);
}

/** Order of characters, not of UTF-16 units. */
export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return rank(x) < rank(y) ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}

/** Surrogates stand for characters above all others. */
const rank = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);

/** -1, 0 or 1; NaN when not ordered. @throws CelError for values that have no order. */
export function compare(a: unknown, b: unknown): number {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration))
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
  throw noSuchOverload();
}
