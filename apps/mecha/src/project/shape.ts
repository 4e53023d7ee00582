/**
 * Shapes of YAML values: one declaration gives the TypeScript type, the check with its messages, and the reference page.
 *
 * Y1 every mistake is found in one pass and says where (line, column, path), what was expected and how to mend it
 * Y2 work is bounded: a value is looked at once for each place that refers to it, and `nodesMax` ends the check (a billion laughs are refused, not counted)
 */
import { nearest } from "@mecha/kit";
import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node, type Pair } from "yaml";

/** A mistake and its place. */
export interface Problem {
  readonly line: number;
  readonly column: number;
  /** `spec.functions[0].name`; empty for the file as a whole. */
  readonly path: string;
  readonly text: string;
}

/** Values a check looks at before it gives up; a real project has a few hundred. */
export const nodesMax = 20_000;
/** Aliases followed; following one costs a walk through the document. */
export const aliasesMax = 1_000;
/** Mistakes reported; more are the consequence of the first ones. */
export const problemsMax = 50;

/** Where a check is, and where it writes mistakes down. */
export class Place {
  readonly node: Node | undefined;
  readonly path: string;
  readonly #check: Check;

  constructor(check: Check, node: Node | undefined, path: string) {
    this.#check = check;
    this.node = check.resolve(node);
    this.path = path;
  }

  report(text: string, at: Node | undefined = this.node): void {
    this.#check.report(at, this.path, text);
  }

  /** The place of a value below this one. */
  child(node: Node | undefined, path: string): Place {
    this.#check.count();
    const place = new Place(this.#check, node, path);
    if (place.node) this.#check.remember(path, place.node);
    return place;
  }
}

/** Thrown inside a check to end it (Y2). */
export class CheckEnded extends Error {}

/** One run over one document. */
export class Check {
  readonly problems: Problem[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #positions = new Map<string, Node>();
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  /** Counts one value looked at (keeps Y2). */
  count(): void {
    this.#nodes += 1;
    if (this.#nodes > nodesMax)
      this.#end(`the file has more than ${nodesMax} values, aliases counted where they are used; make it smaller`);
  }

  /** The value an alias stands for; itself when it is no alias, or one to nothing. */
  resolve(node: Node | undefined): Node | undefined {
    if (!isAlias(node)) return node;
    this.#aliases += 1;
    if (this.#aliases > aliasesMax) this.#end(`the file follows more than ${aliasesMax} aliases; write the values out`);
    return node.resolve(this.#document) ?? node;
  }

  #end(text: string): never {
    this.report(undefined, "", text);
    throw new CheckEnded();
  }

  /** Writes a mistake down at `node`, or where the value of `path` was seen. */
  report(node: Node | undefined, path: string, text: string): void {
    const known = node ?? this.#positions.get(path);
    this.reportAt(known?.range?.[0] ?? 0, path, text);
  }

  reportAt(offset: number, path: string, text: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push({ line: Math.max(1, line), column: Math.max(1, col), path, text });
    if (this.problems.length >= problemsMax) throw new CheckEnded();
  }

  remember(path: string, node: Node): void {
    this.#positions.set(path, node);
  }
}

/** A kind of value. `read` returns `undefined` only after it reported why. */
export interface Shape<T> {
  /** What a value looks like, for people: `text`, `a port from 1 to 65535`. */
  readonly expected: string;
  read(place: Place): T | undefined;
  /** Rows of the reference page below a field of this shape. */
  readonly fields?: Fields;
}

/** One field of a map. */
export interface Field<T> {
  readonly shape: Shape<T>;
  readonly doc: string;
  /** Used when the field is missing. Absent: the field is required. */
  readonly fallback?: { readonly value: T; readonly text: string };
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type ValueOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A field that must be there. */
export function required<T>(shape: Shape<T>, doc: string): Field<T> {
  return { shape, doc };
}

/** A field with a default; `text` is how the reference shows it. */
export function optional<T, D>(shape: Shape<T>, doc: string, value: D, text = String(value)): Field<T | D> {
  return { shape, doc, fallback: { value, text } };
}

/** A map with known fields. */
export function map<F extends Fields>(fields: F): Shape<ValueOf<F>> {
  const names = Object.keys(fields);
  const expected = `a map with ${names.map((name) => `\`${name}\``).join(", ")}`;
  return {
    expected,
    fields,
    read(place) {
      const pairs = pairsOf(place, expected, names);
      if (!pairs) return undefined;
      const value: Record<string, unknown> = {};
      let whole = true;
      for (const name of names) {
        const read = readField(place, name, fields[name] as Field<unknown>, pairs.get(name));
        if (read === undefined && !(fields[name]?.fallback && !pairs.has(name))) whole = false;
        value[name] = read;
      }
      return whole ? (value as ValueOf<F>) : undefined;
    },
  };
}

function readField(place: Place, name: string, field: Field<unknown>, pair: Pair | undefined): unknown {
  const path = place.path === "" ? name : `${place.path}.${name}`;
  const node = (pair?.value ?? undefined) as Node | undefined;
  const empty = node === undefined || (isScalar(node) && node.value === null);
  if (!empty) return field.shape.read(place.child(node, path));
  if (!pair && field.fallback) return field.fallback.value;
  const what = `expected ${field.shape.expected}`;
  if (pair)
    place.child(undefined, path).report(`has no value: ${what}${field.fallback ? ", or leave the field out" : ""}`, pair.key as Node);
  else place.child(undefined, path).report(`is missing: ${what}`, place.node);
  return undefined;
}

/** The pairs of a map by name; unknown, doubled and non-text names are reported. */
function pairsOf(place: Place, expected: string, names: readonly string[]): Map<string, Pair> | undefined {
  if (!isMap(place.node)) {
    place.report(`expected ${expected}, got ${kindOf(place.node)}`);
    return undefined;
  }
  const pairs = new Map<string, Pair>();
  for (const pair of place.node.items) {
    const key = place.child(pair.key as Node, place.path).node;
    const name = isScalar(key) && typeof key.value === "string" ? key.value : undefined;
    if (name === undefined) place.report(`expected a field name, got ${kindOf(key)}; fields here: ${names.join(", ")}`, key);
    else if (!names.includes(name)) place.report(unknownField(name, names), key);
    else if (pairs.has(name)) place.report(`the field "${name}" is given twice; remove one`, key);
    else pairs.set(name, pair);
  }
  return pairs;
}

function unknownField(name: string, names: readonly string[]): string {
  const shown = JSON.stringify(name.slice(0, 64));
  const close = nearest(name.slice(0, 64), names);
  return `unknown field ${shown}; ${close === undefined ? `fields here: ${names.join(", ")}` : `did you mean "${close}"?`}`;
}

/** A list; `max` entries. */
export function list<T>(item: Shape<T>, options: { readonly min?: number; readonly max: number }): Shape<readonly T[]> {
  const expected = `a list; each entry ${item.expected}`;
  return {
    expected,
    ...(item.fields ? { fields: item.fields } : {}),
    read(place) {
      if (!isSeq(place.node)) {
        place.report(`expected ${expected}, got ${kindOf(place.node)}; begin each entry with "- "`);
        return undefined;
      }
      const { items } = place.node;
      if (items.length < (options.min ?? 0)) place.report(`expected at least ${options.min} ${options.min === 1 ? "entry" : "entries"}`);
      if (items.length > options.max) place.report(`has ${items.length} entries; at most ${options.max} are taken`);
      const values = items.slice(0, options.max).map((node, i) => item.read(place.child(node as Node, `${place.path}[${i}]`)));
      return values.includes(undefined) ? undefined : (values as T[]);
    },
  };
}

/** Text; a number or `true` without quotes is a mistake, because YAML has already changed it ("08" → 8). */
export function text(options: {
  readonly expected: string;
  readonly maxChars: number;
  readonly pattern?: RegExp;
  readonly allowEmpty?: boolean;
}): Shape<string> {
  const { expected, maxChars, pattern } = options;
  return {
    expected,
    read(place) {
      const value = isScalar(place.node) ? place.node.value : undefined;
      if (typeof value !== "string")
        return place.report(`expected ${expected}, got ${kindOf(place.node)}${quoteHint(place.node)}`) as undefined;
      if (value === "" && !options.allowEmpty) return place.report(`expected ${expected}, got empty text`) as undefined;
      if (value.length > maxChars) return place.report(`has ${value.length} characters; at most ${maxChars} are taken`) as undefined;
      if (value.includes("\0")) return place.report("holds a NUL character; remove it") as undefined;
      if (pattern && !pattern.test(value)) return place.report(`expected ${expected}, got ${shown(value)}`) as undefined;
      return value;
    },
  };
}

/** A whole number in a range. */
export function whole(options: { readonly expected: string; readonly min: number; readonly max: number }): Shape<number> {
  const { expected, min, max } = options;
  return {
    expected,
    read(place) {
      const value = isScalar(place.node) ? place.node.value : undefined;
      if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
      place.report(
        `expected ${expected}, got ${kindOf(place.node)}${typeof value === "string" && /^\d+$/u.test(value) ? "; remove the quotes" : ""}`,
      );
      return undefined;
    },
  };
}

/** `true` or `false`. */
export const flag: Shape<boolean> = {
  expected: "true or false",
  read(place) {
    const value = isScalar(place.node) ? place.node.value : undefined;
    if (typeof value === "boolean") return value;
    place.report(`expected true or false, got ${kindOf(place.node)}`);
    return undefined;
  },
};

/** One of a few words. */
export function choice<const W extends string>(words: readonly W[]): Shape<W> {
  const expected = words.length === 1 ? `"${words[0]}"` : `one of ${words.map((w) => `"${w}"`).join(", ")}`;
  return {
    expected,
    read(place) {
      const value = isScalar(place.node) ? place.node.value : undefined;
      const word = words.find((w) => w === value);
      if (word !== undefined) return word;
      const close = typeof value === "string" ? nearest(value.slice(0, 64), words) : undefined;
      place.report(
        `expected ${expected}, got ${kindOf(place.node)}${close !== undefined && words.length > 1 ? `; did you mean "${close}"?` : ""}`,
      );
      return undefined;
    },
  };
}

/** A list if the value is one, else the other shape. */
export function listOr<A, B>(items: Shape<A>, other: Shape<B>): Shape<A | B> {
  return {
    expected: `${other.expected}, or ${items.expected}`,
    read: (place) => (isSeq(place.node) ? items.read(place) : other.read(place)),
  };
}

/** What stands there, for a message. */
function kindOf(node: Node | undefined): string {
  if (isMap(node)) return "a map";
  if (isSeq(node)) return "a list";
  if (isAlias(node)) return `the alias *${node.source.slice(0, 64)}, which has no anchor before it`;
  if (!isScalar(node) || node.value === null) return "nothing";
  return typeof node.value === "string" ? shown(node.value) : `${typeof node.value} ${node.source ?? JSON.stringify(node.value)}`;
}

function shown(value: string): string {
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value);
}

function quoteHint(node: Node | undefined): string {
  if (!isScalar(node) || node.value === null || typeof node.value === "string") return "";
  return `; put it in quotes: "${node.source ?? JSON.stringify(node.value)}"`;
}
