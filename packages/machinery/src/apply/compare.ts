/** Which fields of an object there are, and which differ between two objects, as sets of paths. */
import type { TypeRef, TypeTable } from "@mecha/kinds";
import { equal, isObject, own } from "../json.ts";
import { type FieldPath, type FieldSet, FieldSetBuilder, fieldStep } from "./field-set.ts";
import { fieldRef, listOf, mapOf, type Schema, type Shape, shapeOf, stepOf } from "./shape.ts";

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** What changed from `before` to `after`. */
export function compare({ types, type }: Schema, before: unknown, after: unknown): Comparison {
  const found = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };
  new Comparer(types, found).compare({ type }, before, after, []);
  return { added: found.added.build(), modified: found.modified.build(), removed: found.removed.build() };
}

/** Every leaf and every element the object names. */
export function fieldSetOf({ types, type }: Schema, object: unknown): FieldSet {
  const found = new FieldSetBuilder();
  collect(types, { type }, object, [], found);
  return found.build();
}

class Comparer {
  readonly #types: TypeTable;
  readonly #found: Record<keyof Comparison, FieldSetBuilder>;

  constructor(types: TypeTable, found: Record<keyof Comparison, FieldSetBuilder>) {
    this.#types = types;
    this.#found = found;
  }

  compare(ref: TypeRef | undefined, before: unknown, after: unknown, path: FieldPath): void {
    const shapes = [before, after].map((value) => (value === undefined ? undefined : shapeOf(this.#types, ref, value)));
    const [was, is] = shapes;
    // Only a value without a type can change its shape: what was goes, what is comes.
    if (was && is && was.kind !== is.kind) {
      this.#inside(was, before, mapOrNothing(was, after), path, before, after);
      this.#inside(is, mapOrNothing(is, before), after, path, before, after);
      return;
    }
    const shape = is ?? was;
    if (!shape) return;
    const wasLeaf = this.#inside(shape, before, after, path, before, after);
    if (wasLeaf) return;
    if (before === undefined) this.#found.added.add(path);
    else if (after === undefined) this.#found.removed.add(path);
  }

  /** True when the value counts as a leaf here; an empty map or list on both sides does, so that being empty and being absent stay apart. */
  #inside(shape: Shape, before: unknown, after: unknown, path: FieldPath, wholeBefore: unknown, wholeAfter: unknown): boolean {
    if (shape.kind === "map") {
      const [a, b] = [mapOf(before), mapOf(after)];
      if (a ?? b) {
        for (const name of new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]))
          this.compare(fieldRef(shape, name), a && own(a, name), b && own(b, name), [...path, fieldStep(name)]);
        return false;
      }
    } else if (shape.kind === "list") {
      const [a, b] = [listOf(before), listOf(after)];
      if (a ?? b) {
        this.#elements(shape, a ?? [], b ?? [], path);
        return false;
      }
    }
    this.#leaf(wholeBefore, wholeAfter, path);
    return true;
  }

  #leaf(before: unknown, after: unknown, path: FieldPath): void {
    if (before === undefined) this.#found.added.add(path);
    else if (after === undefined) this.#found.removed.add(path);
    else if (!equal(before, after)) this.#found.modified.add(path);
  }

  /** Elements with the same step are one, compared as a whole: the object was written before its list had keys. */
  #elements(shape: Shape & { kind: "list" }, before: readonly unknown[], after: readonly unknown[], path: FieldPath): void {
    const a = byStep(this.#types, shape, before);
    const b = byStep(this.#types, shape, after);
    for (const step of new Set([...a.keys(), ...b.keys()])) {
      const [was, is] = [a.get(step) ?? [], b.get(step) ?? []];
      const at = [...path, step];
      if (was.length <= 1 && is.length <= 1) this.compare(shape.element, was[0], is[0], at);
      else if (was.length > 1 && is.length > 1) {
        if (!equal(was, is)) this.#found.modified.add(at);
      } else if (was.length > 1) {
        if (is.length > 0) this.compare(shape.element, undefined, is[0], at);
        this.#found.removed.add(at);
      } else {
        if (was.length > 0) this.compare(shape.element, was[0], undefined, at);
        this.#found.added.add(at);
      }
    }
  }
}

/** Seen as `shape`, a value of another shape has nothing inside. */
function mapOrNothing(shape: Shape, value: unknown): unknown {
  return shape.kind === "map" && isObject(value) ? value : undefined;
}

/** Elements by step, several when steps repeat. Elements that cannot be found again are left out: validation refuses them. */
export function byStep(types: TypeTable, shape: Shape & { kind: "list" }, list: readonly unknown[]): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const item of list) {
    const step = stepOrNothing(types, shape, item);
    if (step === undefined) continue;
    const same = found.get(step);
    if (same) same.push(item);
    else found.set(step, [item]);
  }
  return found;
}

function stepOrNothing(types: TypeTable, shape: Shape & { kind: "list" }, item: unknown): string | undefined {
  try {
    return stepOf(types, shape, item);
  } catch {
    return undefined; // the reason is told where objects are checked
  }
}

function collect(types: TypeTable, ref: TypeRef | undefined, value: unknown, path: FieldPath, found: FieldSetBuilder): void {
  const shape = shapeOf(types, ref, value);
  switch (shape.kind) {
    case "leaf":
      found.add(path);
      return;
    case "map":
      for (const [name, inner] of Object.entries(mapOf(value) ?? {})) {
        const at = [...path, fieldStep(name)];
        collect(types, fieldRef(shape, name), inner, at, found);
        const empty = inner === null || (isObject(inner) && Object.keys(inner).length === 0);
        if (empty || !shape.fields.has(name)) found.add(at);
      }
      return;
    case "list":
      for (const [step, items] of byStep(types, shape, listOf(value) ?? [])) {
        const at = [...path, step];
        if (items.length === 1) collect(types, shape.element, items[0], at, found);
        found.add(at);
      }
  }
}
