/** Puts an applied configuration into an object, and takes fields out of one. */
import type { JsonObject, TypeRef, TypeTable } from "@mecha/kinds";
import { isObject, own, put } from "../json.ts";
import { byStep } from "./compare.ts";
import { FieldSet, fieldStep } from "./field-set.ts";
import { fieldRef, listOf, mapOf, type Schema, type Shape, shapeOf, stepOf } from "./shape.ts";

/** `live` with what `applied` names. Nothing is removed; lists keep the order of `applied`, and what only `live` has stays near its neighbours. */
export function mergeInto({ types, type }: Schema, live: JsonObject, applied: JsonObject): JsonObject {
  return merged(types, { type }, live, applied) as JsonObject;
}

function merged(types: TypeTable, ref: TypeRef | undefined, live: unknown, applied: unknown): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const shape = shapeOf(types, ref, applied === null ? live : applied);
  if (shape.kind === "map" && (mapOf(live) ?? mapOf(applied))) return mergedMaps(types, shape, mapOf(live) ?? {}, mapOf(applied) ?? {});
  if (shape.kind === "list" && (listOf(live) ?? listOf(applied)))
    return mergedLists(types, shape, listOf(live) ?? [], listOf(applied) ?? []);
  return applied;
}

function mergedMaps(types: TypeTable, shape: Shape & { kind: "map" }, live: JsonObject, applied: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const name of new Set([...Object.keys(live), ...Object.keys(applied)]))
    put(result, name, merged(types, fieldRef(shape, name), own(live, name), own(applied, name)));
  return result;
}

/**
 * One list out of two. Walks both: an element only `live` has is taken where it stands, a shared one where `applied` has it; a shared element that
 * is not the next shared one of `applied` is passed over, it comes later.
 */
function mergedLists(types: TypeTable, shape: Shape & { kind: "list" }, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const [old, wanted] = [byStep(types, shape, live), byStep(types, shape, applied)];
  const [left, right] = [steps(types, shape, live), steps(types, shape, applied)];
  const shared = right.filter((step) => old.has(step));
  const done = new Set<string>();
  const result: unknown[] = [];
  const take = (step: string): void => {
    const same = old.get(step) ?? [];
    // Elements that repeat in the live list cannot be told apart, so none of them is merged: the applied one stands for all.
    result.push(merged(types, shape.element, same.length === 1 ? same[0] : undefined, wanted.get(step)?.[0]));
    done.add(step);
    if (shared[0] === step) shared.shift();
  };
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const [mine, theirs] = [left[l], right[r]];
    if (mine !== undefined && mine === theirs) {
      take(mine);
      l++;
      r++;
    } else if (mine !== undefined && theirs !== undefined && wanted.has(mine) && shared[0] !== undefined && shared[0] !== mine) l++;
    else if (mine !== undefined && !wanted.has(mine)) result.push(live[l++]);
    else {
      if (mine !== undefined && done.has(mine)) l++;
      if (theirs !== undefined) {
        take(theirs);
        r++;
      }
    }
  }
  return result;
}

function steps(types: TypeTable, shape: Shape & { kind: "list" }, list: readonly unknown[]): string[] {
  return list.map((item) => stepOf(types, shape, item));
}

/** The object without the fields and elements in `gone`. A map or list that becomes empty goes with them. */
export function withoutFields({ types, type }: Schema, object: JsonObject, gone: FieldSet): JsonObject {
  const result = reduced(types, { type }, object, gone);
  return isObject(result) ? result : {};
}

function reduced(types: TypeTable, ref: TypeRef | undefined, value: unknown, gone: FieldSet): unknown {
  if (gone.isEmpty) return value;
  const shape = shapeOf(types, ref, value);
  if (shape.kind === "leaf") return typeof value === "object" ? undefined : value; // something inside an atomic value goes: all of it does
  if (shape.kind === "map") return reducedMap(types, shape, mapOf(value) ?? {}, gone);
  const kept = (listOf(value) ?? []).flatMap((item) => {
    const step = stepOf(types, shape, item);
    return gone.members.has(step) ? [] : [reduced(types, shape.element, item, gone.below([step]))];
  });
  return kept.length > 0 ? kept : undefined;
}

function reducedMap(types: TypeTable, shape: Shape & { kind: "map" }, value: JsonObject, gone: FieldSet): JsonObject | undefined {
  const kept: JsonObject = {};
  for (const [name, inner] of Object.entries(value)) {
    const step = fieldStep(name);
    if (gone.members.has(step)) continue;
    const left = reduced(types, fieldRef(shape, name), inner, gone.below([step]));
    if (left !== undefined) put(kept, name, left);
  }
  return Object.keys(kept).length > 0 ? kept : undefined;
}

/** `set` with every named field that has fields in the set as a member of its own: owning something in `spec` counts as owning `spec`. */
export function withNamedFields({ types, type }: Schema, set: FieldSet): FieldSet {
  return named(types, { type }, set);
}

function named(types: TypeTable, ref: TypeRef | undefined, set: FieldSet): FieldSet {
  const shape = ref && shapeOf(types, ref, {});
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    const name = step.slice(2);
    if (step.startsWith("f:") && shape?.kind === "map" && shape.fields.has(name)) members.add(step);
    const below = shape?.kind === "map" ? fieldRef(shape, name) : shape?.kind === "list" ? shape.element : undefined;
    children.set(step, named(types, below, child));
  }
  return new FieldSet(members, children);
}
