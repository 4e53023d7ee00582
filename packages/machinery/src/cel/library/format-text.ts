/** `"%s has %d".format([a, b])`. Each clause takes one argument: %s %d %f %e %b %x %X %o, %.2f with a precision, %% for itself. */
import { CostExceeded } from "../language/cost.ts";
import { type Kind, type Type } from "../language/types.ts";
import { CelError, Duration, MapValue, Timestamp, typeOf, TypeValue, Uint } from "../language/values.ts";
import { compareTexts } from "../language/compare.ts";
import { doubleText, typeValueText } from "./convert.ts";
import { durationText, timestampText } from "./time.ts";

const defaultPrecision = 6;
/** Digits behind the point; JavaScript's limit, far beyond what a double has. */
const maxPrecision = 100;
/** Characters of a result. */
const maxLength = 10_000_000;

interface Clause {
  readonly verb: string;
  readonly precision: number;
}

/** Texts between clauses, and the clauses. @throws CelError for one that is none. */
function clausesOf(text: string): (string | Clause)[] {
  const parts: (string | Clause)[] = [];
  let last = 0;
  for (const match of text.matchAll(/%(?:\.(\d*))?([\s\S]?)/gu)) {
    const [whole, digits, verb = ""] = match;
    parts.push(text.slice(last, match.index));
    last = match.index + whole.length;
    if (verb === "") throw new CelError("unexpected end of string");
    if (verb === "%" && digits === undefined) parts.push("%");
    else if (takes[verb] === undefined) throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
    else parts.push({ verb, precision: digits === undefined ? defaultPrecision : Math.min(Number(digits || "0"), maxPrecision) });
  }
  return [...parts, text.slice(last)];
}

function inNumber(clauses: number, args: number): void {
  if (args < clauses) throw new CelError(`index ${String(args)} out of range`);
  if (args > clauses) throw new CelError(`too many arguments supplied to string.format (expected ${String(clauses)}, got ${String(args)})`);
}

export function formatText(text: string, args: readonly unknown[]): string {
  let next = 0;
  let length = 0;
  const parts = clausesOf(text);
  const shown = parts.map((part) => {
    if (typeof part === "string") return part;
    if (next >= args.length) throw new CelError(`index ${String(next)} out of range`);
    const value = args[next++];
    const result = shownBy(part.verb, value, part.precision);
    if (result === undefined) throw new CelError(complaint(part.verb, typeOf(value)));
    if ((length += result.length) > maxLength) throw new CostExceeded();
    return result;
  });
  inNumber(next, args.length);
  return shown.join("");
}

const complaint = (verb: string, { name }: Type): string => `error during formatting: ${takes[verb] ?? ""}, was given ${name}`;

/** What is wrong with a call whose text and arguments stand in the source; `arg` is the argument at fault, `undefined` the list. */
export function wrongFormat(
  text: string,
  types: readonly Type[],
): { readonly message: string; readonly arg: number | undefined } | undefined {
  try {
    const clauses = clausesOf(text).filter((part) => typeof part !== "string");
    for (const [arg, { verb }] of clauses.entries()) {
      const type = types[arg];
      if (type && type.kind !== "dyn" && type.kind !== "param" && !accepts[verb]?.includes(type.kind))
        return { message: complaint(verb, type), arg };
    }
    inNumber(clauses.length, types.length);
    return undefined;
  } catch (error) {
    return { message: (error as Error).message, arg: undefined };
  }
}

const whole: readonly Kind[] = ["int", "uint"];
/** Kinds of values each clause takes. */
const accepts: Readonly<Record<string, readonly Kind[]>> = {
  s: [...whole, "string", "bool", "bytes", "double", "duration", "timestamp", "list", "map", "type", "null"],
  d: whole,
  f: ["double"],
  e: ["double"],
  b: [...whole, "bool"],
  x: [...whole, "string", "bytes"],
  X: [...whole, "string", "bytes"],
  o: whole,
};

/** What a clause takes, as its complaint says it. */
const takes: Readonly<Record<string, string>> = {
  s: "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  d: "decimal clause can only be used on integers",
  f: "fixed-point clause can only be used on doubles",
  e: "scientific clause can only be used on doubles",
  b: "only integers and bools can be formatted as binary",
  x: "only integers, byte buffers, and strings can be formatted as hex",
  X: "only integers, byte buffers, and strings can be formatted as hex",
  o: "octal clause can only be used on integers",
};

const nameOf = ({ name }: Type): string => name;

/** `undefined` for a value the clause does not take. */
function shownBy(verb: string, value: unknown, precision: number): string | undefined {
  const whole = value instanceof Uint ? value.value : typeof value === "bigint" ? value : undefined;
  switch (verb) {
    case "s":
      return plain(value);
    case "d":
      return whole === undefined ? undefined : String(whole);
    case "f":
    case "e":
      return typeof value === "number" ? double(verb, value, precision) : undefined;
    case "b":
      return typeof value === "boolean" ? String(Number(value)) : whole?.toString(2);
    case "o":
      return whole?.toString(8);
    default: {
      const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value instanceof Uint8Array ? value : undefined;
      const hex = bytes ? Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("") : whole?.toString(16);
      return verb === "X" ? hex?.toUpperCase() : hex;
    }
  }
}

function double(verb: string, value: number, precision: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
  if (verb === "f") return grouped(fixed(value, precision));
  const [digits = "", power = ""] = value.toExponential(precision).split("e");
  return `${digits}×10${superscript(String(Number(power)).replace(/^(-?)(\d)$/u, "$10$2"))}`;
}

/** Halves go to the even neighbour. */
function fixed(value: number, precision: number): string {
  const rounded = value.toFixed(precision);
  const rest = value.toFixed(Math.min(maxPrecision, precision + 30)).slice(-30);
  const isHalf = precision + 30 <= maxPrecision && /^50+$/u.test(rest);
  if (!isHalf || /[02468]$/u.test(rounded)) return rounded;
  return value.toFixed(precision + 30).slice(0, precision === 0 ? -31 : -30);
}

/** The locale of the server's formatter is American English. */
const grouped = (text: string): string => text.replace(/^(-?\d+)/u, (whole) => whole.replace(/\B(?=(\d{3})+$)/gu, ","));
const superscript = (text: string): string => text.replace(/./gu, (char) => (char === "-" ? "⁻" : ("⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(char)] ?? char)));

/** As %s shows it; `undefined` for values that have no text. */
function plain(value: unknown): string | undefined {
  if (Array.isArray(value)) return `[${value.map(inside).join(", ")}]`;
  if (value instanceof MapValue) return mapText(value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof TypeValue) return typeValueText(value);
  if (typeof value === "number") return doubleText(value);
  return value === null || typeof value !== "object" ? String(value) : undefined;
}

/** As a value in a list or map is shown: as an expression would have it. */
function inside(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `b${JSON.stringify(new TextDecoder().decode(value))}`;
  if (value instanceof Timestamp) return `timestamp("${timestampText(value)}")`;
  if (value instanceof Duration) return `duration("${durationText(value)}")`;
  if (typeof value === "number" && Number.isFinite(value)) return value.toFixed(defaultPrecision);
  const shown = plain(value);
  if (shown === undefined) throw new CelError(`no formatting function for ${nameOf(typeOf(value))}`);
  return shown;
}

function mapText(map: MapValue): string {
  const entries = map.keys().map((key) => [inside(key), inside(map.get(key))] as const);
  entries.sort(([a], [b]) => compareTexts(a, b));
  return `{${entries.map(([key, value]) => `${key}:${value}`).join(", ")}}`;
}
