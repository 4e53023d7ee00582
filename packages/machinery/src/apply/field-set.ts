/**
 * Sets of field paths, as managedFields hold them (FieldsV1). A step of a path is its text there: `f:spec` a field, `k:{"name":"a"}` an element found
 * by its keys, `v:"a"` an element of a set, `i:0` an element by its place. Texts are canonical (`elementByKeys`), so equal steps are equal texts.
 *
 * Invariants
 * F1 a set that was handed out is not changed any more; operations answer new sets, which may share parts
 * F2 no child of a set is empty
 */
import type { JsonObject } from "@mecha/kinds";
import { goJson, isObject, put } from "../json.ts";

/** Steps from the object to a field. */
export type FieldPath = readonly string[];

/** Members are the fields themselves; children hold sets of fields below. A field may be both. */
export class FieldSet {
  readonly members: ReadonlySet<string>;
  readonly children: ReadonlyMap<string, FieldSet>;
  static readonly empty = new FieldSet(new Set(), new Map());

  constructor(members: ReadonlySet<string>, children: ReadonlyMap<string, FieldSet>) {
    this.members = members;
    this.children = new Map([...children].filter(([, child]) => !child.isEmpty)); // keeps F2
  }

  static of(paths: Iterable<FieldPath>): FieldSet {
    const builder = new FieldSetBuilder();
    for (const path of paths) builder.add(path);
    return builder.build();
  }

  get isEmpty(): boolean {
    return this.members.size === 0 && this.children.size === 0;
  }

  has(path: FieldPath): boolean {
    const last = path.at(-1);
    if (last === undefined) return false;
    return this.below(path.slice(0, -1)).members.has(last);
  }

  /** What the set holds below `path`. */
  below(path: FieldPath): FieldSet {
    let at: FieldSet | undefined = this; // eslint-disable-line
    for (const step of path) at = at?.children.get(step);
    return at ?? FieldSet.empty;
  }

  union(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    if (this.isEmpty) return other;
    const children = new Map(this.children);
    for (const [step, child] of other.children) children.set(step, children.get(step)?.union(child) ?? child);
    return new FieldSet(both(this.members, other.members), children);
  }

  /** Without the members of `other`; what lies below them stays. */
  difference(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    return new FieldSet(
      minus(this.members, other.members),
      this.#map((step, child) => child.difference(other.below([step]))),
    );
  }

  /** Without the members of `other` and everything below them. */
  without(other: FieldSet): FieldSet {
    if (other.isEmpty) return this;
    const kept = this.#map((step, child) => (other.members.has(step) ? FieldSet.empty : child.without(other.below([step]))));
    return new FieldSet(minus(this.members, other.members), kept);
  }

  intersection(other: FieldSet): FieldSet {
    return new FieldSet(
      new Set([...this.members].filter((step) => other.members.has(step))),
      this.#map((step, child) => child.intersection(other.below([step]))),
    );
  }

  equals(other: FieldSet): boolean {
    if (this.members.size !== other.members.size || this.children.size !== other.children.size) return false;
    if (![...this.members].every((step) => other.members.has(step))) return false;
    return [...this.children].every(([step, child]) => child.equals(other.below([step])));
  }

  /** All paths: those of members first, then what lies below, each in order. */
  *paths(): Generator<FieldPath> {
    for (const step of [...this.members].sort(compareSteps)) yield [step];
    for (const step of [...this.children.keys()].sort(compareSteps)) {
      for (const rest of this.below([step]).paths()) yield [step, ...rest];
    }
  }

  #map(change: (step: string, child: FieldSet) => FieldSet): Map<string, FieldSet> {
    return new Map([...this.children].map(([step, child]) => [step, change(step, child)]));
  }
}

const both = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> => new Set([...a, ...b]);
const minus = (a: ReadonlySet<string>, b: ReadonlySet<string>): ReadonlySet<string> => new Set([...a].filter((step) => !b.has(step)));

/** Collects paths; `build` once at the end. */
export class FieldSetBuilder {
  readonly #members = new Set<string>();
  readonly #children = new Map<string, FieldSetBuilder>();

  add(path: FieldPath): void {
    let at: FieldSetBuilder = this; // eslint-disable-line
    for (const step of path.slice(0, -1)) at = at.#child(step);
    const last = path.at(-1);
    if (last !== undefined) at.#members.add(last);
  }

  build(): FieldSet {
    return new FieldSet(this.#members, new Map([...this.#children].map(([step, child]) => [step, child.build()])));
  }

  #child(step: string): FieldSetBuilder {
    const known = this.#children.get(step);
    if (known) return known;
    const child = new FieldSetBuilder();
    this.#children.set(step, child);
    return child;
  }
}

/** Order of the server: fields, elements by keys, elements of sets, elements by place; each by text. */
function compareSteps(a: string, b: string): number {
  const [kindA, kindB] = ["fkvi".indexOf(a.charAt(0)), "fkvi".indexOf(b.charAt(0))];
  if (kindA !== kindB) return kindA - kindB;
  return a < b ? -1 : a > b ? 1 : 0;
}

export const fieldStep = (name: string): string => `f:${name}`;
export const valueStep = (value: unknown): string => `v:${goJson(value)}`;

/** An element of a list that is a map, by the values of its keys. */
export function keyStep(keys: JsonObject): string {
  const sorted = Object.keys(keys).sort();
  return `k:${goJson(Object.fromEntries(sorted.map((name) => [name, keys[name]])))}`;
}

/** The path as messages show it: `.spec.containers[name="a"].image`. */
export function pathText(path: FieldPath): string {
  return path.map(stepText).join("");
}

function stepText(step: string): string {
  const rest = step.slice(2);
  switch (step.charAt(0)) {
    case "k":
      return `[${Object.entries(JSON.parse(rest) as JsonObject)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(",")}]`;
    case "v":
      return `[=${rest}]`;
    case "i":
      return `[${rest}]`;
    default:
      return `.${rest}`;
  }
}

/** FieldsV1 JSON of the set. */
export function toFieldsV1(set: FieldSet): JsonObject {
  const result: JsonObject = {};
  for (const step of [...new Set([...set.members, ...set.children.keys()])].sort(compareSteps)) {
    const child = set.children.get(step);
    const itself = child && set.members.has(step) ? { ".": {} } : {};
    put(result, step, child ? { ...itself, ...toFieldsV1(child) } : {});
  }
  return result;
}

/**
 * Reads FieldsV1. Steps of a kind nobody knows yet are left out, as in the server.
 * @throws SyntaxError for a step that is not well-formed.
 */
export function fromFieldsV1(fields: unknown): FieldSet {
  if (!isObject(fields)) throw new SyntaxError("fieldsV1 is not an object");
  const members = new Set<string>();
  const children = new Map<string, FieldSet>();
  for (const [text, below] of Object.entries(fields)) {
    if (text === ".") continue;
    const step = canonical(text);
    if (step === undefined) continue;
    if (!isObject(below)) throw new SyntaxError(`fieldsV1: ${text} is not an object`);
    const names = Object.keys(below);
    if (names.length === 0 || Object.hasOwn(below, ".")) members.add(step);
    if (names.some((name) => name !== ".")) children.set(step, fromFieldsV1(below));
  }
  return new FieldSet(members, children);
}

function canonical(text: string): string | undefined {
  if (text.charAt(1) !== ":") throw new SyntaxError(`fieldsV1: missing colon: ${text}`);
  const rest = text.slice(2);
  switch (text.charAt(0)) {
    case "f":
      return text;
    case "v":
      return valueStep(JSON.parse(rest));
    case "k": {
      const keys: unknown = JSON.parse(rest);
      if (!isObject(keys)) throw new SyntaxError(`fieldsV1: keys are not an object: ${text}`);
      return keyStep(keys);
    }
    case "i":
      if (!/^\d+$/.test(rest)) throw new SyntaxError(`fieldsV1: not an index: ${text}`);
      return text;
    default:
      return undefined;
  }
}
