/**
 * Maps: observed-remove on their keys, add wins, values are CRDTs; of any type in an ORMap, of one in the others. Each update of an entry is a new dot
 * with the whole new value, in place of those it saw; values of concurrent updates are joined when read. So an update survives a removal that has not
 * seen it, with everything it knew, and a key that was removed and added again begins with nothing.
 */
import { Fault } from "@mecha/kit";
import { type CrdtDelta, type CrdtEntryDelta, elementKey, entryTypes, type UniformMapType } from "../delta.ts";
import { nextNumber } from "./context.ts";
import { type DotEntry, type Dots, DotsDelta, joinDots, noDots } from "./dots.ts";
import type { CrdtState, MapInstance, Mutation, ORMap, UniformMap } from "./state.ts";

export const emptyORMap: ORMap = { type: "ormap", dots: noDots };

export function emptyUniformMap(type: UniformMapType): UniformMap {
  return { type, dots: noDots };
}

type Entries = Dots<MapInstance>;

/** The operations on the values; they know all types. */
export interface NestedOperations {
  join(a: CrdtState, b: CrdtState): CrdtState;
  mutate(state: CrdtState | undefined, delta: CrdtDelta, by: Mutation): CrdtState;
}

/** Of two maps of one type. */
export function joinMaps<M extends ORMap | UniformMap>(a: M, b: M, nested: NestedOperations): M {
  return a === b ? a : { ...a, dots: joinDots(a.dots, b.dots, (mine, theirs) => joinInstances(mine, theirs, nested)) };
}

function joinInstances(a: MapInstance, b: MapInstance, nested: NestedOperations): MapInstance {
  if (a === b) return a;
  const writers = new Map(a.writers);
  for (const [replica, number] of b.writers) writers.set(replica, Math.max(number, writers.get(replica) ?? 0));
  return { state: nested.join(a.state, b.state), writers };
}

/** An entry's value: what its concurrent updates join to. */
export function instanceOf({ dots }: DotEntry<MapInstance>, nested: NestedOperations): MapInstance {
  return dots.map(({ value }) => value).reduce((a, b) => joinInstances(a, b, nested));
}

type MapChange = Omit<Extract<CrdtDelta, { type: "ormap" }>, "type">;

/** What the change does to `state`, as a delta. @throws Fault("invalid") for a nested change that cannot be. */
export function changeORMap(state: ORMap, change: MapChange, by: Mutation, nested: NestedOperations): ORMap {
  return { type: "ormap", dots: changed(state.dots, change, by, nested) };
}

/** The same for a map of one type. @throws Fault("invalid"), also for a nested change of another type. */
export function changeUniformMap(
  state: UniformMap,
  { cleared, removed, updated }: Extract<CrdtDelta, { type: UniformMapType }>,
  by: Mutation,
  nested: NestedOperations,
): UniformMap {
  const { type } = state;
  for (const [at, { delta }] of updated.entries()) {
    if (delta.type !== entryTypes[type])
      throw new Fault("invalid", `${type}.updated[${at}]: a ${delta.type}; its values are of type ${entryTypes[type]}`);
  }
  return { type, dots: changed(state.dots, { cleared, removed, updated: [], added: updated }, by, nested) };
}

function changed({ entries, context }: Entries, change: MapChange, by: Mutation, nested: NestedOperations): Entries {
  const delta = new DotsDelta<MapInstance>();
  const gone = new Set<string>();
  let number = nextNumber(context, by.replica);
  const remove = (key: string): void => {
    delta.remove(entries.get(key)?.dots ?? []);
    gone.add(key);
  };
  const current = (key: string): DotEntry<MapInstance> | undefined => delta.added(key) ?? (gone.has(key) ? undefined : entries.get(key));
  const put = ({ key: element, delta: change }: CrdtEntryDelta, before: MapInstance | undefined): void => {
    const key = elementKey(element);
    const epoch = before?.writers.get(by.replica) ?? number;
    const changed = nested.mutate(before?.state, change, { ...by, replica: `${by.replica}#${epoch}` });
    const state = before === undefined ? changed : nested.join(before.state, changed);
    const writers = new Map(before?.writers).set(by.replica, epoch);
    remove(key);
    delta.add(key, element, { replica: by.replica, number: number++, value: { state, writers } });
  };
  if (change.cleared) for (const key of entries.keys()) remove(key);
  for (const element of change.removed) remove(elementKey(element));
  for (const entry of change.updated) {
    const before = current(elementKey(entry.key));
    // A peer may have removed the key, or made it something else, before the function could know.
    if (before !== undefined && instanceOf(before, nested).state.type === entry.delta.type) put(entry, instanceOf(before, nested));
  }
  for (const entry of change.added) {
    const before = current(elementKey(entry.key));
    const instance = before && instanceOf(before, nested);
    put(entry, instance?.state.type === entry.delta.type ? instance : undefined);
  }
  return delta.done();
}
