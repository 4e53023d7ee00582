/**
 * One CRDT as this process holds it: the join of every replica's row, and what this replica itself has added since it was opened, which is its
 * own row in the store (E13).
 *
 * Invariants
 * P1 the own row is written whole, one write at a time; changes made during a write go into the next one, so a busy entity costs one row for
 *    many commands
 * P2 a version is durable when a write that was begun at it or later is; nobody is answered before (D4)
 * P3 deleted is for ever: nothing changes a deleted replica
 * P4 what earlier incarnations of this node left is joined into one row with the first write
 */
import type { ReplicaChange, ReplicaId, ReplicaRow } from "../store.ts";
import { decodeState, encodeState } from "./codec.ts";
import type { CrdtDelta } from "./delta.ts";
import { type CrdtState, join, joinAll, mutate, withoutVotes } from "./types/index.ts";
import { type CrdtValue, valueOf, type Viewer } from "./value.ts";

/** The incarnation under which a node keeps what its dead ones left. */
export const retired = "retired";

/** A replica's id as states name it. */
export function replicaName({ node, incarnation }: ReplicaId): string {
  return `${node}/${incarnation}`;
}

/** Who this process is among the replicas, and who else is up. */
export interface Membership {
  readonly self: ReplicaId;
  /** Names of the replicas that are up, this one included. */
  live(): readonly string[];
}

/** A write of the own row on its way. */
export interface ReplicaWrite {
  readonly change: ReplicaChange;
  readonly bytes: number;
  /** Name of the newest command in it. */
  readonly cause: string;
}

/** See the file's header. */
export class Replica {
  readonly #membership: Membership;
  readonly #self: string;
  #state: CrdtState | undefined = undefined;
  /** What this incarnation added: its row. */
  #own: CrdtState | undefined = undefined;
  #retire: { readonly row: ReplicaRow; readonly gone: readonly ReplicaId[] } | undefined = undefined;
  #deleted = false;
  #version = 0;
  #durable = 0;
  /** Version of the write under way; 0 = none. */
  #writing = 0;
  #cause = "";
  /** Last row written, to see that a change of a vote alone needs no write. */
  #written: Uint8Array | undefined = undefined;

  constructor(membership: Membership) {
    this.#membership = membership;
    this.#self = replicaName(membership.self);
  }

  /** Takes what is stored. @throws Fault("dataLoss") when a row cannot be read. */
  load(rows: readonly ReplicaRow[] | "deleted" | undefined, votes: CrdtState | undefined): void {
    if (rows === "deleted") {
      this.#deleted = true;
      return;
    }
    const { node, incarnation } = this.#membership.self;
    const states = (rows ?? []).map(({ replica, state }) => ({ replica, state: decodeState(state) }));
    this.#own = states.find(({ replica }) => replica.node === node && replica.incarnation === incarnation)?.state;
    this.#state = joinAll([...states.map(({ state }) => state), votes]);
    const dead = states.filter(({ replica }) => replica.node === node && replica.incarnation !== incarnation);
    const left = joinAll(dead.map(({ state }) => state));
    if (left === undefined || (dead.length === 1 && dead[0]?.replica.incarnation === retired)) return;
    const gone = dead.map(({ replica }) => replica).filter((replica) => replica.incarnation !== retired);
    this.#retire = { row: { replica: { node, incarnation: retired }, state: encodeState(left) }, gone };
  }

  get state(): CrdtState | undefined {
    return this.#state;
  }
  get deleted(): boolean {
    return this.#deleted;
  }
  /** Counts changes. */
  get version(): number {
    return this.#version;
  }
  /** The newest version that is on disk. */
  get durable(): number {
    return this.#durable;
  }
  /** A write is under way. */
  get writing(): boolean {
    return this.#writing > 0;
  }

  /** What the function should hold; `undefined` = the entity does not exist. */
  value(): CrdtValue | undefined {
    return this.#state === undefined ? undefined : valueOf(this.#state, this.#viewer());
  }

  #viewer(): Viewer {
    return { replica: this.#self, live: this.#membership.live() };
  }

  /** A change the function asks for, of which the delta comes back. @throws Fault("invalid") when it cannot be; nothing has changed then. */
  change(delta: CrdtDelta, wallMs: number, cause: string): CrdtState | undefined {
    if (this.#deleted) return undefined; // keeps P3
    const changed = mutate(this.#state, delta, { replica: this.#self, nowMs: wallMs });
    this.#join(changed);
    this.#changed(cause);
    return changed;
  }

  /** What another replica says. @returns whether it was news. */
  hear(state: CrdtState, cause: string): boolean {
    if (this.#deleted) return false;
    const before = this.#state;
    const joined = before === undefined ? state : join(before, state);
    if (before !== undefined && sameBytes(encodeState(joined), encodeState(before))) return false;
    this.#join(state);
    this.#changed(cause);
    return true;
  }

  #join(state: CrdtState): void {
    this.#state = this.#state === undefined ? state : join(this.#state, state);
    this.#own = this.#own === undefined ? state : join(this.#own, state);
  }

  /** @returns false when it was deleted already. */
  delete(cause: string): boolean {
    if (this.#deleted) return false;
    this.#deleted = true;
    this.#state = undefined;
    this.#own = undefined;
    this.#changed(cause);
    return true;
  }

  #changed(cause: string): void {
    this.#version++;
    this.#cause = cause;
  }

  /** The next write, if one is needed and none is under way (P1). Answer it with `written`. */
  nextWrite(): ReplicaWrite | undefined {
    if (this.#writing > 0 || this.#version === this.#durable) return undefined;
    const cause = this.#cause;
    if (this.#deleted) {
      this.#writing = this.#version;
      return { change: { do: "delete" }, bytes: 0, cause };
    }
    const state = encodeState(withoutVotes(this.#own as CrdtState));
    if (this.#written !== undefined && sameBytes(state, this.#written)) {
      this.#durable = this.#version;
      return undefined;
    }
    this.#writing = this.#version;
    this.#written = state;
    const own = { replica: this.#membership.self, state };
    const rows = this.#retire === undefined ? [own] : [this.#retire.row, own]; // keeps P4
    const bytes = rows.reduce((sum, row) => sum + row.state.length, 0);
    return { change: { do: "write", rows, gone: this.#retire?.gone ?? [] }, bytes, cause };
  }

  /** The write under way is durable. */
  written(): void {
    this.#durable = this.#writing; // keeps P2
    this.#writing = 0;
    this.#retire = undefined;
  }

  /** The write under way will not be. */
  abandonWrite(): void {
    this.#writing = 0;
  }

  /** Votes, which are not stored, to be handed to `load` when the entity is opened again by this incarnation. */
  votes(): CrdtState | undefined {
    if (this.#state === undefined) return undefined;
    return withoutVotes(this.#state) === this.#state ? undefined : this.#state;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
