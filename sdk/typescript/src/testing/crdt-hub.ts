/**
 * Stands in for the sidecars of a CRDT in tests: takes each replica's changes one after the other and tells the others what has changed.
 *
 * It merges by value, in the order of arrival. So it shows what replicas make of each other's changes, but not what real merging does with changes made
 * at the same time (an addition to a set wins over a removal, a register's clock decides): that is the sidecar's, and tested there.
 */
import {
  applyDelta,
  type CrdtDelta,
  type CrdtType,
  type DeltaInit,
  deltaOf,
  elementId,
  emptyHeld,
  type Held,
  type HeldMap,
  type HeldSet,
  wholeDelta,
} from "../crdt/held.ts";
import type { CrdtEntity } from "../run/crdt.ts";
import type { Payload } from "../protocol/common.ts";

/** One replica as the hub sees it. */
export interface Replica {
  readonly entity: CrdtEntity;
  /** Changes made while it could not reach the hub; `undefined`: it can. */
  unsent: (CrdtDelta | "delete")[] | undefined;
}

export class CrdtHub {
  #value: Held | undefined;
  #deleted = false;
  readonly #replicas = new Set<Replica>();
  /** Who votes, by the path of keys to the vote. */
  readonly #votes = new Map<string, Set<Replica>>();

  /** The whole value for a replica that has nothing; `undefined`: it does not exist. */
  join(replica: Replica): CrdtDelta | undefined {
    this.#replicas.add(replica);
    this.#tell();
    return this.#value === undefined ? undefined : deltaOf(wholeDelta(this.#seenBy(replica, this.#value, "")));
  }

  leave(replica: Replica): void {
    this.#replicas.delete(replica);
  }

  get isDeleted(): boolean {
    return this.#deleted;
  }

  /** A change that this replica has made and taken over. */
  changed(replica: Replica, change: CrdtDelta | "delete"): void {
    if (replica.unsent !== undefined) return void replica.unsent.push(change);
    this.#take(replica, change);
    this.#tell();
  }

  reconnect(replica: Replica): void {
    const { unsent } = replica;
    replica.unsent = undefined;
    for (const change of unsent ?? []) this.#take(replica, change);
    this.#tell();
  }

  #take(replica: Replica, change: CrdtDelta | "delete"): void {
    if (this.#deleted) return;
    if (change === "delete") {
      this.#deleted = true;
      return;
    }
    this.#value ??= emptyHeld(change.delta.case as CrdtType);
    this.#countVotes(replica, change, "");
    applyDelta(this.#value, change, "own");
  }

  /** Tells every replica what it does not know yet. */
  #tell(): void {
    for (const replica of this.#replicas) {
      if (replica.unsent !== undefined) continue;
      if (this.#deleted) replica.entity.deleted();
      else if (this.#value !== undefined) {
        const delta = difference(replica.entity.held, this.#seenBy(replica, this.#value, ""));
        if (delta !== undefined && delta !== "replaced") replica.entity.told(deltaOf(delta));
      }
    }
  }

  #countVotes(replica: Replica, { delta }: CrdtDelta, path: string): void {
    if (delta.case === "vote") {
      const votes = this.#votes.get(path) ?? new Set();
      if (delta.value.selfVote) votes.add(replica);
      else votes.delete(replica);
      this.#votes.set(path, votes);
    } else if (delta.case === "ormap") {
      for (const { key, delta: inner } of [...delta.value.updated, ...delta.value.added])
        if (key !== undefined && inner !== undefined) this.#countVotes(replica, inner, pathTo(path, elementId(key)));
    }
  }

  /** Votes differ by who looks. */
  #seenBy(replica: Replica, value: Held, path: string): Held {
    if (value.type === "vote") {
      const votes = this.#votes.get(path) ?? new Set();
      return { type: value.type, selfVote: votes.has(replica), votesFor: votes.size, totalVoters: this.#replicas.size };
    }
    if (value.type !== "ormap") return value;
    const entries = [...value.entries].map(
      ([id, { key, value: inner }]) => [id, { key, value: this.#seenBy(replica, inner, pathTo(path, id)) }] as const,
    );
    return { type: value.type, entries: new Map(entries) };
  }
}

const pathTo = (path: string, id: string): string => `${path}/${id}`;

/** What to tell a function that holds `has` so that it holds `now`; `replaced`: nothing leads there, a map removes the entry and adds it. */
export function difference(has: Held, now: Held): DeltaInit | "replaced" | undefined {
  if (has.type !== now.type) return "replaced";
  switch (now.type) {
    case "gcounter": {
      const increment = now.value - (has as typeof now).value;
      return increment < 0n ? "replaced" : increment === 0n ? undefined : { delta: { case: now.type, value: { increment } } };
    }
    case "pncounter": {
      const change = now.value - (has as typeof now).value;
      return change === 0n ? undefined : { delta: { case: now.type, value: { change } } };
    }
    case "gset":
    case "orset":
      return setDifference(has as HeldSet, now);
    case "lwwregister": {
      const before = (has as typeof now).element?.payload;
      const after = now.element?.payload;
      if (after === undefined) return before === undefined ? undefined : "replaced";
      return before !== undefined && elementId(before) === elementId(after) ? undefined : wholeDelta(now);
    }
    case "flag":
      if ((has as typeof now).value === now.value) return undefined;
      return now.value ? wholeDelta(now) : "replaced";
    case "ormap":
      return mapDifference(has as HeldMap, now);
    case "vote": {
      const { selfVote, votesFor, totalVoters } = has as typeof now;
      const same = selfVote === now.selfVote && votesFor === now.votesFor && totalVoters === now.totalVoters;
      return same ? undefined : wholeDelta(now);
    }
  }
}

function setDifference(has: HeldSet, now: HeldSet): DeltaInit | "replaced" | undefined {
  const removed = missing(has.elements, now.elements).map(({ payload }) => payload);
  const added = missing(now.elements, has.elements).map(({ payload }) => payload);
  if (removed.length + added.length === 0) return undefined;
  if (now.type === "orset") return { delta: { case: now.type, value: { removed, added } } };
  return removed.length > 0 ? "replaced" : { delta: { case: now.type, value: { added } } };
}

function mapDifference(has: HeldMap, now: HeldMap): DeltaInit | undefined {
  const removed = missing(has.entries, now.entries).map(({ key }) => key.payload);
  const updated: { key: Payload; delta: DeltaInit }[] = [];
  const added: { key: Payload; delta: DeltaInit }[] = [];
  for (const [id, { key, value }] of now.entries) {
    const before = has.entries.get(id);
    const delta = before === undefined ? "replaced" : difference(before.value, value);
    if (delta === undefined) continue;
    if (delta !== "replaced") updated.push({ key: key.payload, delta });
    else {
      if (before !== undefined) removed.push(key.payload);
      added.push({ key: key.payload, delta: wholeDelta(value) });
    }
  }
  if (removed.length + updated.length + added.length === 0) return undefined;
  return { delta: { case: "ormap", value: { removed, updated, added } } };
}

/** Values of `from` whose keys are not in `other`. */
function missing<V>(from: ReadonlyMap<string, V>, other: ReadonlyMap<string, unknown>): V[] {
  return [...from].flatMap(([id, value]) => (other.has(id) ? [] : [value]));
}
