/** Lists of a Strategic Merge Patch whose strategy is `merge`: sets of scalars, and objects found by their merge key. */
import type { JsonObject } from "@mecha/kinds";
import { goText, own } from "../json.ts";
import { misshapen } from "./refusal.ts";

/** How objects of a list merge. */
interface Elements {
  /** Name of the field that holds an element's directive. */
  readonly directive: string;
  readonly unknownDirective: (element: JsonObject) => string;
  readonly merge: (element: JsonObject, change: JsonObject) => JsonObject;
  readonly add: (element: JsonObject) => JsonObject;
}

/** Both sets together. */
export function mergeScalars(before: readonly unknown[], change: readonly unknown[]): unknown[] {
  return arrange([...new Set([...before, ...change])], change, before, undefined);
}

/** Elements of `change` merged into those of `before` with the same key, or added. */
export function mergeElements(before: readonly JsonObject[], change: readonly JsonObject[], mergeKey: string, how: Elements): unknown[] {
  const base = withoutDeleted(before, change, mergeKey, how);
  const plain = change.filter((element) => !Object.hasOwn(element, how.directive));
  const merged = [...base];
  for (const element of plain) {
    const key = keyOf(element, mergeKey);
    const at = merged.findIndex((other) => own(other, mergeKey) === key);
    const found = merged[at];
    if (found) merged[at] = how.merge(found, element);
    else merged.push(how.add(element));
  }
  return arrange(merged, plain, base, mergeKey);
}

/** What is left of `before` after elements with `$patch: delete` or `replace`. */
function withoutDeleted(
  before: readonly JsonObject[],
  change: readonly JsonObject[],
  mergeKey: string,
  how: Elements,
): readonly JsonObject[] {
  let left = before;
  let replaced = false;
  for (const element of change) {
    if (!Object.hasOwn(element, how.directive)) continue;
    switch (element[how.directive]) {
      case "delete": {
        const key = keyOf(element, mergeKey);
        left = left.filter((other) => own(other, mergeKey) !== key);
        break;
      }
      case "replace":
        replaced = true;
        break;
      case "merge":
        throw misshapen("merging lists cannot yet be specified in the patch");
      default:
        throw misshapen(how.unknownDirective(element));
    }
  }
  return replaced ? [] : left;
}

function keyOf(element: unknown, mergeKey: string): unknown {
  const key = own(element as JsonObject, mergeKey);
  if (key === undefined) throw misshapen(`map: ${goText(element)} does not contain declared merge key: ${mergeKey}`);
  return key;
}

/**
 * `merged` in order: what `order` names as it names it; the others as `before` had them, each as early as the elements that were before it allow.
 */
export function arrange(
  merged: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const identity = (item: unknown): unknown => (mergeKey === undefined ? item : keyOf(item, mergeKey));
  const ranks = (list: readonly unknown[]): Map<unknown, number> => new Map(list.map((item, index) => [identity(item), index]));
  const wanted = ranks(order);
  const had = ranks(before);
  const by = (rank: Map<unknown, number>) => (a: unknown, b: unknown) =>
    (rank.get(identity(a)) ?? rank.size) - (rank.get(identity(b)) ?? rank.size);
  const named = merged.filter((item) => wanted.has(identity(item))).sort(by(wanted));
  const others = merged.filter((item) => !wanted.has(identity(item))).sort(by(had));
  return interleave(others, named, (item) => had.get(identity(item)));
}

/** Inserts `others` into `named`: one of them goes first only where it stood before the next named one in the old list. */
function interleave(others: readonly unknown[], named: readonly unknown[], place: (item: unknown) => number | undefined): unknown[] {
  const result: unknown[] = [];
  let next = 0;
  for (const item of named) {
    const limit = place(item);
    while (next < others.length && isBefore(place(others[next]), limit)) result.push(others[next++]);
    result.push(item);
  }
  return [...result, ...others.slice(next)];
}

function isBefore(a: number | undefined, b: number | undefined): boolean {
  return a !== undefined && b !== undefined && a < b;
}
