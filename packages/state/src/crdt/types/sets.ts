/** GSet: union. ORSet: observed-remove, add wins. */
import type { Payload } from "../../model.ts";
import { type CrdtDelta, elementKey } from "../delta.ts";
import { nextNumber } from "./context.ts";
import { DotsDelta, joinDots, noDots } from "./dots.ts";
import type { GSet, ORSet } from "./state.ts";

export const emptyORSet: ORSet = { type: "orset", dots: noDots };

export function joinGSets(a: GSet, b: GSet): GSet {
  if (a === b || b.elements.size === 0) return a;
  const elements = new Map(a.elements);
  for (const [key, element] of b.elements) if (!elements.has(key)) elements.set(key, element);
  return { type: "gset", elements };
}

export function addToGSet(added: readonly Payload[]): GSet {
  return { type: "gset", elements: new Map(added.map((element) => [elementKey(element), element])) };
}

export function joinORSets(a: ORSet, b: ORSet): ORSet {
  return a === b ? a : { type: "orset", dots: joinDots(a.dots, b.dots, () => undefined) };
}

/** What the change does to `state`, as a delta. Adding what is there renews it: it survives a removal that has not seen this. */
export function changeORSet({ dots }: ORSet, change: Extract<CrdtDelta, { type: "orset" }>, replica: string): ORSet {
  const delta = new DotsDelta<undefined>();
  let number = nextNumber(dots.context, replica);
  if (change.cleared) for (const entry of dots.entries.values()) delta.remove(entry.dots);
  for (const element of change.removed) delta.remove(dots.entries.get(elementKey(element))?.dots ?? []);
  for (const element of change.added) {
    const key = elementKey(element);
    delta.remove(dots.entries.get(key)?.dots ?? []);
    delta.add(key, element, { replica, number: number++, value: undefined });
  }
  return { type: "orset", dots: delta.done() };
}
