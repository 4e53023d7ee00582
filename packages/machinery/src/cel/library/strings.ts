/** Functions of texts beside CEL's own: `text.split(",")`, `text.substring(1)`, `list.join(", ")`. Positions count characters. */
import {
  CostExceeded,
  exactly,
  factor,
  literalInt,
  perCharacter,
  plus,
  type Argument,
  type Cost,
  type Range,
  reading,
  sameSize,
  sizeAt,
  times,
  traversal,
  unbounded,
} from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { dynType, intType, listType, stringType } from "../language/types.ts";
import { CelError, sizeOf, textLength } from "../language/values.ts";
import { formatText } from "./format-text.ts";

/** Characters of one result; the cost limit stops rules far below. */
const maxLength = 10_000_000;

const outOfRange = (at: bigint): CelError => new CelError(`index out of range: ${String(at)}`);

function charAt(text: string, at: bigint): string {
  const characters = Array.from(text);
  if (at < 0n || at > BigInt(characters.length)) throw outOfRange(at);
  return characters[Number(at)] ?? "";
}

/** Characters up to a UTF-16 position. */
const characters = (text: string, unit: number): bigint => BigInt(textLength(text.slice(0, unit)));

/** The UTF-16 position of a character. */
function unitOf(text: string, character: number): number {
  let unit = 0;
  for (let count = 0; count < character && unit < text.length; count++) unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  return unit;
}

function indexOf(text: string, part: string, from = 0n): bigint {
  if (part === "") return from;
  if (from < 0n) throw outOfRange(from);
  const found = text.indexOf(part, unitOf(text, Number(from)));
  return found < 0 ? -1n : characters(text, found);
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  if (part === "") return from ?? BigInt(textLength(text));
  if (from !== undefined && from < 0n) throw outOfRange(from);
  if (from !== undefined && from >= BigInt(textLength(text))) return -1n;
  const found = text.lastIndexOf(part, from === undefined ? undefined : unitOf(text, Number(from)));
  return found < 0 ? -1n : characters(text, found);
}

function replace(text: string, from: string, to: string, limit = -1n): string {
  const parts = from === "" ? ["", ...Array.from(text), ""] : text.split(from);
  const count = limit < 0n ? parts.length - 1 : Math.min(parts.length - 1, Number(limit));
  if (text.length + count * to.length > maxLength) throw new CostExceeded();
  const rest = parts.slice(count).join(from);
  return [...parts.slice(0, count), rest].join(to);
}

function split(text: string, separator: string, limit = -1n): string[] {
  if (limit === 0n) return [];
  const parts = separator === "" ? Array.from(text) : text.split(separator);
  const count = Number(limit);
  return limit < 0n || parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)];
}

function substring(text: string, start: bigint, end?: bigint): string {
  const all = Array.from(text);
  if (end !== undefined && start > end) throw new CelError(`invalid substring range. start: ${String(start)}, end: ${String(end)}`);
  for (const at of [start, end ?? start]) if (at < 0n || at > BigInt(all.length)) throw outOfRange(at);
  return all.slice(Number(start), end === undefined ? undefined : Number(end)).join("");
}

function join(list: readonly unknown[], separator = ""): string {
  let length = separator.length * list.length;
  for (const item of list) {
    if (typeof item !== "string") throw new CelError(`join: invalid input: ${String(item)}`);
    if ((length += item.length) > maxLength) throw new CostExceeded();
  }
  return list.join(separator);
}

const quotes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};
const quoted = (text: string): string => `"${text.replace(/[\x07\b\f\n\r\t\v\\"]/gu, (char) => quotes[char] ?? char)}"`;

const lower = (text: string): string => text.replace(/[A-Z]+/gu, (letters) => letters.toLowerCase());
const upper = (text: string): string => text.replace(/[a-z]+/gu, (letters) => letters.toUpperCase());
/** Unicode's white space, and no byte order mark. */
const trim = (text: string): string =>
  text
    .replace(/^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u, "")
    .replace(/[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+$/u, "");

/** Like the first argument: a list of texts costs its texts too. */
export const scanning: Cost = {
  actual: ([list]) => weight(list),
  estimate: (args) => {
    const [target] = args;
    const element = target?.element();
    const size = sizeAt(args, 0);
    if (!element) return { cost: factor(size, perCharacter) };
    const isText = element.type.kind === "string" || element.type.kind === "bytes";
    return { cost: times(size, isText ? plus(exactly(1), factor(element.size, perCharacter)) : exactly(1)) };
  },
};

function weight(value: unknown): number {
  if (typeof value === "string") return Math.floor(new TextEncoder().encode(value).length * perCharacter);
  if (value instanceof Uint8Array) return Math.floor(value.length * perCharacter);
  return Array.isArray(value) ? value.reduce<number>((sum, item) => sum + weight(item), 0) : 1;
}

const replacing: Cost = {
  actual: ([text]) => traversal(sizeOf(text), 2),
  estimate: (args) => {
    const [text, from, to] = [sizeAt(args, 0), sizeAt(args, 1), sizeAt(args, 2)];
    const most = from.min === 0 ? text.max + 1 : to.max <= from.min ? 0 : Math.ceil(text.max / from.min);
    const keptMost = from.min === 0 || to.max <= from.min ? text.max : 0;
    const least = from.max === 0 ? text.min + 1 : from.max <= to.min ? 0 : Math.ceil(text.min / from.max);
    const keptLeast = from.max === 0 || from.max <= to.min ? text.min : 0;
    const size = plus(times({ min: least, max: Math.min(most, unbounded) }, to), { min: keptLeast, max: keptMost });
    return { cost: factor(text, 2 * perCharacter), size };
  },
};

const splitting: Cost = {
  actual: ([text]) => traversal(sizeOf(text), 2),
  estimate: (args) => {
    const text = sizeAt(args, 0);
    return { cost: factor(text, 2 * perCharacter), size: { min: 0, max: literalInt(args[2], text.max) } };
  },
};

const joiningTexts: Cost = {
  byResult: true,
  actual: (_, result) => traversal(sizeOf(result), 2),
  estimate: (args) => {
    const size = joinedSize(args);
    return { cost: factor(size, perCharacter), size };
  },
};

function joinedSize(args: readonly Argument[]): Range {
  const list = sizeAt(args, 0);
  const texts = times(list, args[0]?.element()?.size ?? exactly(0));
  if (args.length < 2) return texts;
  return plus(texts, times(sizeAt(args, 1), { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) }));
}

const quoting: Cost = reading(0, 1, ({ min, max }) => ({ min: min + 2, max: Math.min(max * 2 + 2, unbounded) }));
const same = reading(0, 1, sameSize);

export function addStrings(library: Library): void {
  const [text, int] = [stringType, intType];
  const texts = listType(stringType);
  library.member("charAt", "string_char_at_int", [text, int], text, charAt);
  library.member("indexOf", "string_index_of_string", [text, text], int, (value: string, part: string) => indexOf(value, part), scanning);
  library.member("indexOf", "string_index_of_string_int", [text, text, int], int, indexOf, scanning);
  library.member(
    "lastIndexOf",
    "string_last_index_of_string",
    [text, text],
    int,
    (value: string, part: string) => lastIndexOf(value, part),
    scanning,
  );
  library.member("lastIndexOf", "string_last_index_of_string_int", [text, text, int], int, lastIndexOf, scanning);
  library.member("lowerAscii", "string_lower_ascii", [text], text, lower, same);
  library.member(
    "replace",
    "string_replace_string_string",
    [text, text, text],
    text,
    (value: string, from: string, to: string) => replace(value, from, to),
    replacing,
  );
  library.member("replace", "string_replace_string_string_int", [text, text, text, int], text, replace, replacing);
  library.member("split", "string_split_string", [text, text], texts, (value: string, by: string) => split(value, by), splitting);
  library.member("split", "string_split_string_int", [text, text, int], texts, split, splitting);
  library.member("substring", "string_substring_int", [text, int], text, (value: string, start: bigint) => substring(value, start), same);
  library.member("substring", "string_substring_int_int", [text, int, int], text, substring, same);
  library.member("trim", "string_trim", [text], text, trim, same);
  library.member("upperAscii", "string_upper_ascii", [text], text, upper, same);
  library.member("format", "string_format", [text, listType(dynType)], text, formatText, reading(0));
  library.global("strings.quote", "strings_quote", [text], text, quoted, quoting);
  library.member("join", "list_join", [texts], text, (list: readonly unknown[]) => join(list), joiningTexts);
  library.member("join", "list_join_string", [texts, text], text, join, joiningTexts);
}
