/**
 * What a function holds of a CRDT: its value, without merge metadata. The engine keeps a copy of it, so that it can say what has changed
 * since (facts/cloudstate.md §1.5, §2.7).
 *
 * Invariants
 * A1 `apply(value, difference(value, other))` is `other`, for values of one type
 * A2 no difference, no delta: a function is never told what it knows
 */
import type { Payload } from "../model.ts";
import { type CrdtDelta, type CrdtEntryDelta, elementKey, type UniformMapType } from "./delta.ts";
import { type CrdtState, entryState } from "./types/index.ts";
import { valueOfGCounter, valueOfPNCounter } from "./types/counters.ts";
import { voteOf } from "./types/vote.ts";

/** Elements by `elementKey`. */
export type Elements = ReadonlyMap<string, Payload>;
/** Entries by `elementKey` of their keys. */
export type Entries = ReadonlyMap<string, { readonly key: Payload; readonly value: CrdtValue }>;

/** See the file's header. */
export type CrdtValue =
  | { readonly type: "gcounter"; readonly value: bigint }
  | { readonly type: "pncounter"; readonly value: bigint }
  | { readonly type: "gset"; readonly elements: Elements }
  | { readonly type: "orset"; readonly elements: Elements }
  | { readonly type: "lwwregister"; readonly value: Payload }
  | { readonly type: "flag"; readonly value: boolean }
  | { readonly type: "ormap"; readonly entries: Entries }
  | { readonly type: UniformMapType; readonly entries: Entries }
  | { readonly type: "vote"; readonly selfVote: boolean; readonly votesFor: number; readonly totalVoters: number };

/** Whose eyes a value is seen with: votes differ. */
export interface Viewer {
  /** This replica. */
  readonly replica: string;
  /** Replicas that are up, this one included. */
  readonly live: readonly string[];
}

export function valueOf(state: CrdtState, viewer: Viewer): CrdtValue {
  switch (state.type) {
    case "gcounter":
      return { type: state.type, value: valueOfGCounter(state) };
    case "pncounter":
      return { type: state.type, value: valueOfPNCounter(state) };
    case "gset":
      return { type: state.type, elements: state.elements };
    case "orset":
      return { type: state.type, elements: new Map([...state.dots.entries].map(([key, { element }]) => [key, element])) };
    case "lwwregister":
      return { type: state.type, value: state.value };
    case "flag":
      return { type: state.type, value: state.on };
    case "ormap":
    case "countermap":
    case "registermap":
    case "multimap": {
      const entries = [...state.dots.entries];
      return {
        type: state.type,
        entries: new Map(entries.map(([key, entry]) => [key, { key: entry.element, value: valueOf(entryState(entry), viewer) }])),
      };
    }
    case "vote": {
      const votesFor = viewer.live.filter((replica) => voteOf(state, replica)).length;
      return { type: state.type, selfVote: voteOf(state, viewer.replica), votesFor, totalVoters: viewer.live.length };
    }
  }
}

// ---- what to tell ---------------------------------------------------------------------------------------------------------------------

const noPayloads: readonly Payload[] = [];

/** The whole value as a delta, for a function that has nothing: always one, also for an empty value. */
export function wholeDelta(value: CrdtValue): CrdtDelta {
  switch (value.type) {
    case "gcounter":
      return { type: value.type, increment: value.value };
    case "pncounter":
      return { type: value.type, change: value.value };
    case "gset":
      return { type: value.type, added: [...value.elements.values()] };
    case "orset":
      return { type: value.type, cleared: false, removed: noPayloads, added: [...value.elements.values()] };
    case "lwwregister":
      return { type: value.type, value: value.value, clock: "default", customClockValue: 0n };
    case "flag":
      return { type: value.type, value: value.value };
    case "ormap":
      return { type: value.type, cleared: false, removed: noPayloads, updated: [], added: added(value.entries.values()) };
    case "countermap":
    case "registermap":
    case "multimap":
      return { type: value.type, cleared: false, removed: noPayloads, updated: added(value.entries.values()) };
    case "vote":
      return value;
  }
}

function added(entries: Iterable<{ readonly key: Payload; readonly value: CrdtValue }>): CrdtEntryDelta[] {
  return [...entries].map(({ key, value }) => ({ key, delta: wholeDelta(value) }));
}

/** What becomes of a value that no delta can lead to the other: another type, or a map's entry that began anew. */
export type Difference = CrdtDelta | "replaced" | undefined;

/** What to tell a function that has `has` so that it has `now`; `undefined` = nothing (A2). */
export function difference(has: CrdtValue, now: CrdtValue): Difference {
  if (has.type !== now.type) return "replaced";
  switch (now.type) {
    case "gcounter": {
      const increment = now.value - (has as typeof now).value;
      return increment < 0n ? "replaced" : increment === 0n ? undefined : { type: now.type, increment };
    }
    case "pncounter": {
      const change = now.value - (has as typeof now).value;
      return change === 0n ? undefined : { type: now.type, change };
    }
    case "gset": {
      const before = (has as typeof now).elements;
      if (without(before, now.elements).length > 0) return "replaced";
      const fresh = without(now.elements, before);
      return fresh.length === 0 ? undefined : { type: now.type, added: fresh };
    }
    case "orset":
      return setDifference((has as typeof now).elements, now.elements);
    case "lwwregister":
      return elementKey((has as typeof now).value) === elementKey(now.value) ? undefined : wholeDelta(now);
    case "flag":
      if ((has as typeof now).value === now.value) return undefined;
      return now.value ? wholeDelta(now) : "replaced";
    case "ormap":
      return mapDifference((has as typeof now).entries, now.entries);
    case "countermap":
    case "registermap":
    case "multimap":
      return uniformMapDifference(now.type, (has as typeof now).entries, now.entries);
    case "vote":
      return sameVote(has as typeof now, now) ? undefined : now;
  }
}

/** Emptied: cleared. More change than is left: cleared and told whole, which is shorter. */
function setDifference(has: Elements, now: Elements): CrdtDelta | undefined {
  const removed = without(has, now);
  const fresh = without(now, has);
  if (removed.length + fresh.length === 0) return undefined;
  if (now.size === 0) return { type: "orset", cleared: true, removed: noPayloads, added: noPayloads };
  if (removed.length > 0 && removed.length + fresh.length > now.size) {
    return { type: "orset", cleared: true, removed: noPayloads, added: [...now.values()] };
  }
  return { type: "orset", cleared: false, removed, added: fresh };
}

function without(elements: Elements, others: ReadonlyMap<string, unknown>): Payload[] {
  const left: Payload[] = [];
  for (const [key, element] of elements) if (!others.has(key)) left.push(element);
  return left;
}

/** A key whose value was replaced is removed and added. */
function mapDifference(has: Entries, now: Entries): CrdtDelta | undefined {
  if (now.size === 0) return has.size === 0 ? undefined : { type: "ormap", cleared: true, removed: noPayloads, updated: [], added: [] };
  const removed: Payload[] = [];
  const updated: CrdtEntryDelta[] = [];
  const fresh: { readonly key: Payload; readonly value: CrdtValue }[] = [];
  for (const [id, { key }] of has) if (!now.has(id)) removed.push(key);
  for (const [id, entry] of now) {
    const before = has.get(id);
    const delta = before && difference(before.value, entry.value);
    if (delta === "replaced") removed.push(entry.key);
    if (before === undefined || delta === "replaced") fresh.push(entry);
    else if (delta !== undefined) updated.push({ key: entry.key, delta });
  }
  if (removed.length + updated.length + fresh.length === 0) return undefined;
  return { type: "ormap", cleared: false, removed, updated, added: added(fresh) };
}

/** The same, in one list: an entry that is not there begins with what it is told. */
function uniformMapDifference(type: UniformMapType, has: Entries, now: Entries): CrdtDelta | undefined {
  const change = mapDifference(has, now);
  if (change?.type !== "ormap") return undefined;
  const { cleared, removed, updated, added: fresh } = change;
  return { type, cleared, removed, updated: [...updated, ...fresh] };
}

type VoteValue = Extract<CrdtValue, { type: "vote" }>;

function sameVote(a: VoteValue, b: VoteValue): boolean {
  return a.selfVote === b.selfVote && a.votesFor === b.votesFor && a.totalVoters === b.totalVoters;
}

// ---- what the function makes of it ----------------------------------------------------------------------------------------------------

/** `asFunction`: the change is the function's own, which knows nothing of other voters. `asTold`: the engine told it. */
export type AppliedBy = "asFunction" | "asTold";

/** The value after a change; from nothing, its creation. A change of another type leaves it as it is: `mutate` refuses those. */
export function apply(value: CrdtValue | undefined, delta: CrdtDelta, by: AppliedBy): CrdtValue {
  if (value !== undefined && value.type !== delta.type) return value;
  switch (delta.type) {
    case "gcounter":
      return { type: delta.type, value: ((value as { value: bigint } | undefined)?.value ?? 0n) + delta.increment };
    case "pncounter":
      return { type: delta.type, value: ((value as { value: bigint } | undefined)?.value ?? 0n) + delta.change };
    case "gset":
      return { type: delta.type, elements: elementsAfter(elementsOf(value), false, noPayloads, delta.added) };
    case "orset":
      return { type: delta.type, elements: elementsAfter(elementsOf(value), delta.cleared, delta.removed, delta.added) };
    case "lwwregister":
      return { type: delta.type, value: delta.value };
    case "flag":
      return { type: delta.type, value: delta.value };
    case "ormap":
      return { type: delta.type, entries: entriesAfter(entriesOf(value), delta, by) };
    case "countermap":
    case "registermap":
    case "multimap":
      return { type: delta.type, entries: uniformEntriesAfter(entriesOf(value), delta, by) };
    case "vote":
      if (by === "asTold") return { ...delta };
      return voteAfter(value?.type === "vote" ? value : { type: "vote", selfVote: false, votesFor: 0, totalVoters: 1 }, delta.selfVote);
  }
}

/** A function counts its own vote by itself. */
function voteAfter(vote: VoteValue, selfVote: boolean): VoteValue {
  if (vote.selfVote === selfVote) return vote;
  return { ...vote, selfVote, votesFor: vote.votesFor + (selfVote ? 1 : -1) };
}

function elementsOf(value: CrdtValue | undefined): Elements {
  return value?.type === "gset" || value?.type === "orset" ? value.elements : new Map();
}

function elementsAfter(elements: Elements, cleared: boolean, removed: readonly Payload[], fresh: readonly Payload[]): Elements {
  const after = new Map(cleared ? [] : elements);
  for (const element of removed) after.delete(elementKey(element));
  for (const element of fresh) after.set(elementKey(element), element);
  return after;
}

function entriesOf(value: CrdtValue | undefined): Entries {
  return value !== undefined && "entries" in value ? value.entries : new Map();
}

function entriesAfter(entries: Entries, delta: Extract<CrdtDelta, { type: "ormap" }>, by: AppliedBy): Entries {
  const after = new Map(delta.cleared ? [] : entries);
  for (const key of delta.removed) after.delete(elementKey(key));
  for (const { key, delta: change } of delta.updated) {
    const before = after.get(elementKey(key));
    if (before !== undefined) after.set(elementKey(key), { key, value: apply(before.value, change, by) });
  }
  for (const { key, delta: change } of delta.added) after.set(elementKey(key), { key, value: apply(undefined, change, by) });
  return after;
}

function uniformEntriesAfter(entries: Entries, delta: Extract<CrdtDelta, { type: UniformMapType }>, by: AppliedBy): Entries {
  const after = new Map(delta.cleared ? [] : entries);
  for (const key of delta.removed) after.delete(elementKey(key));
  for (const { key, delta: change } of delta.updated) {
    const id = elementKey(key);
    after.set(id, { key, value: apply(after.get(id)?.value, change, by) });
  }
  return after;
}
