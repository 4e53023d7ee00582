/**
 * A CRDT's value as the function holds it, and as the proxy knows that it does. No merge metadata: that is the proxy's.
 *
 * H1 only what is settled gets here: what the proxy told, and what a command that succeeded has changed
 * H2 elements and keys are equal when type URL and bytes are, as the proxy compares them
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import {
  type CrdtDelta,
  CrdtDeltaSchema,
  type ORMapDelta,
  type ORMapEntryDelta,
  type ORSetDelta,
  type VoteDelta,
} from "@mecha/wire/gen/cloudstate/crdt";
import type { Payload } from "../protocol/common.ts";

export type { CrdtDelta };
export type DeltaInit = MessageInitShape<typeof CrdtDeltaSchema>;

/** By the names of the cases of CrdtDelta. */
export type CrdtType = Exclude<CrdtDelta["delta"]["case"], undefined>;

/** A payload, and what it was decoded to when somebody looked. */
export interface Element {
  readonly payload: Payload;
  decoded?: { readonly value: unknown };
}

export interface HeldEntry {
  readonly key: Element;
  readonly value: Held;
}

export type HeldSet = { readonly type: "gset" | "orset"; readonly elements: Map<string, Element> };
export type HeldMap = { readonly type: "ormap"; readonly entries: Map<string, HeldEntry> };
export type HeldRegister = {
  readonly type: "lwwregister";
  /** `undefined`: nobody has written yet. */
  element: Element | undefined;
};
export type HeldCounter = { readonly type: "gcounter" | "pncounter"; value: bigint };
export type HeldFlag = { readonly type: "flag"; value: boolean };
export type HeldVote = { readonly type: "vote"; selfVote: boolean; votesFor: number; totalVoters: number };

export type Held = HeldCounter | HeldSet | HeldRegister | HeldFlag | HeldMap | HeldVote;

/** The value of an entity that does not exist yet. */
export function emptyHeld(type: CrdtType): Held {
  switch (type) {
    case "gcounter":
    case "pncounter":
      return { type, value: 0n };
    case "gset":
    case "orset":
      return { type, elements: new Map() };
    case "lwwregister":
      return { type, element: undefined };
    case "flag":
      return { type, value: false };
    case "ormap":
      return { type, entries: new Map() };
    case "vote":
      return { type, selfVote: false, votesFor: 0, totalVoters: 1 }; // until the proxy tells of others
  }
}

/** What an element or key is compared by (H2). */
export function elementId({ typeUrl, value }: Payload): string {
  return `${typeUrl}\0${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1")}`;
}

/** Whose change it is: the function's own vote it counts itself, everything else about votes it is told. */
export type ChangedBy = "own" | "proxy";

/**
 * Changes `held`.
 * @throws Fault("invalid") when the change is of another type, or none.
 */
export function applyDelta(held: Held, { delta }: CrdtDelta, by: ChangedBy): void {
  if (delta.case !== held.type) {
    throw new Fault("invalid", `a change of a ${delta.case ?? "CRDT without a type"} where this code declares a ${held.type}`);
  }
  const { value } = delta;
  switch (held.type) {
    case "gcounter":
      held.value += (value as { increment: bigint }).increment;
      return;
    case "pncounter":
      held.value += (value as { change: bigint }).change;
      return;
    case "gset":
    case "orset":
      return applyToSet(held, value as ORSetDelta);
    case "lwwregister":
      held.element = kept((value as { value?: Payload }).value);
      return;
    case "flag":
      held.value ||= (value as { value: boolean }).value; // a raised flag stays
      return;
    case "ormap":
      return applyToMap(held, value as ORMapDelta, by);
    case "vote":
      return applyToVote(held, value as VoteDelta, by);
  }
}

/** cleared, then removed, then added. A GSetDelta has only the last. */
function applyToSet({ elements }: HeldSet, { cleared, removed, added }: Partial<ORSetDelta>): void {
  if (cleared === true) elements.clear();
  for (const element of removed ?? []) elements.delete(elementId(element));
  for (const element of added ?? []) {
    const id = elementId(element);
    if (!elements.has(id)) elements.set(id, kept(element));
  }
}

/** cleared, then removed, then updated, then added. */
function applyToMap({ entries }: HeldMap, { cleared, removed, updated, added }: ORMapDelta, by: ChangedBy): void {
  if (cleared) entries.clear();
  for (const key of removed) entries.delete(elementId(key));
  for (const { key, delta } of updated) {
    const entry = key === undefined ? undefined : entries.get(elementId(key));
    // a change of what is not there, or of another type, is passed over: the proxy sends the whole value after it
    if (entry !== undefined && delta?.delta.case === entry.value.type) applyDelta(entry.value, delta, by);
  }
  for (const entry of added) addEntry(entries, entry, by);
}

function addEntry(entries: HeldMap["entries"], { key, delta }: ORMapEntryDelta, by: ChangedBy): void {
  if (key === undefined || delta?.delta.case === undefined) throw new Fault("invalid", "an entry of a map without a key or a value");
  const value = emptyHeld(delta.delta.case);
  applyDelta(value, delta, by);
  entries.set(elementId(key), { key: kept(key), value });
}

function applyToVote(held: HeldVote, { selfVote, votesFor, totalVoters }: VoteDelta, by: ChangedBy): void {
  if (by === "proxy") {
    held.votesFor = votesFor;
    held.totalVoters = totalVoters;
  } else if (held.selfVote !== selfVote) held.votesFor += selfVote ? 1 : -1;
  held.selfVote = selfVote;
}

/** The bytes belong to a message that is not kept. */
function kept(payload: Payload | undefined): Element {
  return { payload: { typeUrl: payload?.typeUrl ?? "", value: new Uint8Array(payload?.value ?? []) } };
}

/** The whole value as a change of an empty one, also when it is empty. */
export function wholeDelta(held: Held): DeltaInit {
  switch (held.type) {
    case "gcounter":
      return { delta: { case: held.type, value: { increment: held.value } } };
    case "pncounter":
      return { delta: { case: held.type, value: { change: held.value } } };
    case "gset":
    case "orset":
      return { delta: { case: held.type, value: { added: [...held.elements.values()].map(({ payload }) => payload) } } };
    case "lwwregister":
      return { delta: { case: held.type, value: held.element === undefined ? {} : { value: held.element.payload } } };
    case "flag":
      return { delta: { case: held.type, value: { value: held.value } } };
    case "ormap": {
      const added = [...held.entries.values()].map(({ key, value }) => ({ key: key.payload, delta: wholeDelta(value) }));
      return { delta: { case: held.type, value: { added } } };
    }
    case "vote": {
      const { selfVote, votesFor, totalVoters } = held;
      return { delta: { case: held.type, value: { selfVote, votesFor, totalVoters } } };
    }
  }
}

/** A change in full. */
export const deltaOf = (init: DeltaInit): CrdtDelta => create(CrdtDeltaSchema, init);
