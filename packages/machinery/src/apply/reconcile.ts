/** Field sets written when a type was granular that is atomic now (a CRD whose list type changed, a newer table). The other way round owners keep what they had. */
import type { TypeRef, TypeTable } from "@mecha/kinds";
import { FieldSet } from "./field-set.ts";
import { fieldRef, type Schema, shapeOf } from "./shape.ts";

/** The set as today's types have it: whoever owns something in an atomic value owns the value. */
export function reconciled({ types, type }: Schema, set: FieldSet): FieldSet {
  return walk(types, { type }, set);
}

function walk(types: TypeTable, ref: TypeRef, set: FieldSet): FieldSet {
  const shape = shapeOf(types, ref, undefined);
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    const below = shape.kind === "list" ? shape.element : shape.kind === "map" ? fieldRef(shape, step.slice(2)) : undefined;
    if (below === undefined)
      children.set(step, child); // a field without a type, which cannot have changed
    else if (shapeOf(types, below, undefined).kind === "leaf") members.add(step);
    else children.set(step, walk(types, below, child));
  }
  return new FieldSet(members, children);
}
