/**
 * The CRDTs this process holds in memory: read from the store for whoever uses one, written when changed, let go when nobody does.
 *
 * Invariants
 * T1 one entity is in memory at most once, so nothing is written over what another user of it wrote
 * T2 one whose write failed is forgotten: what memory says may not be what is stored. Its users are told and start over
 * T3 it is let go only when no write is under way, so the next user reads what was written
 */
import { Fault } from "@mecha/kit";
import type { Committable } from "../commit/committer.ts";
import type { EntityAddress } from "../model.ts";
import type { EngineParts } from "../parts.ts";
import type { EntityHandle, EntityRecord, Verdict } from "../store.ts";
import { type Membership, Replica, type ReplicaWrite } from "./replica.ts";
import type { CrdtState } from "./types/index.ts";

/** Somebody who needs a replica. `opened` or `openFailed` comes once and never inside `acquire`. */
export interface ReplicaUser {
  opened(replica: Replica): void;
  openFailed(cause: unknown): void;
  /** A later version is durable. */
  durable(): void;
  /** It is gone; release it. */
  writeFailed(fault: Fault): void;
  /** Somebody else changed it. */
  heard(): void;
}

/** Votes are not stored; those of entities that were let go are kept here, the oldest dropped past this. About 200 bytes each. */
const votesKeptMax = 10_000;

/** A change on its way to other replicas. `undefined`: deleted. */
export type ChangeListener = (resident: Resident, delta: CrdtState | undefined) => void;

/** What replicas need of the engine. */
export type ReplicaParts = Pick<EngineParts, "store" | "committer" | "clock" | "limits" | "observe" | "meters" | "fatal">;

/** See the file's header. */
export class Replicas {
  readonly membership: Membership;
  /** @internal */
  readonly parts: ReplicaParts;
  readonly #byKey = new Map<string, Resident>();
  readonly #votes = new Map<string, CrdtState>();
  /** Hears of every change made here. */
  onChange: ChangeListener | undefined = undefined;

  constructor(parts: ReplicaParts, membership: Membership) {
    this.parts = parts;
    this.membership = membership;
  }

  /** Those in memory. */
  residents(): Iterable<Resident> {
    return this.#byKey.values();
  }

  /** The address's replica for `user`, until `release`. */
  acquire(address: EntityAddress, user: ReplicaUser): Resident {
    const key = keyOf(address);
    let resident = this.#byKey.get(key);
    if (resident === undefined) {
      resident = new Resident(this, key, address, this.#votes.get(key));
      this.#byKey.set(key, resident);
    }
    resident.add(user);
    return resident;
  }

  /** @internal */
  forget(resident: Resident): void {
    if (this.#byKey.get(resident.key) !== resident) return;
    this.#byKey.delete(resident.key);
    const votes = resident.replica.votes();
    this.#votes.delete(resident.key);
    if (votes === undefined) return;
    this.#votes.set(resident.key, votes);
    const [oldest] = this.#votes.keys();
    if (this.#votes.size > votesKeptMax && oldest !== undefined) this.#votes.delete(oldest);
  }
}

function keyOf({ namespace, service, persistenceId, entityId }: EntityAddress): string {
  return [service, entityId, persistenceId, namespace].join("\0");
}

/** One replica in memory, and its record in the store. */
export class Resident implements Committable {
  readonly key: string;
  readonly address: EntityAddress;
  readonly replica: Replica;
  readonly #table: Replicas;
  readonly #users = new Set<ReplicaUser>();
  #phase: "opening" | "open" | "gone" = "opening";
  #handle: EntityHandle | undefined = undefined;
  #sequence = 0;
  #write: ReplicaWrite | undefined = undefined;

  constructor(table: Replicas, key: string, address: EntityAddress, votes: CrdtState | undefined) {
    this.#table = table;
    this.key = key;
    this.address = address;
    this.replica = new Replica(table.membership);
    table.parts.store.open(address, "crdt").then(
      (record) => this.#opened(record, votes),
      (cause: unknown) => {
        if (cause instanceof Fault && cause.code === "dataLoss") table.parts.fatal(cause); // the medium failed (S5)
        this.#openFailed(cause);
      },
    );
  }

  /** `shop.Cart/42`, for texts. */
  get name(): string {
    return `${this.address.service}/${this.address.entityId}`;
  }

  /** Number of the last step that is stored. */
  get sequence(): number {
    return this.#sequence;
  }

  add(user: ReplicaUser): void {
    this.#users.add(user);
    if (this.#phase === "open") {
      queueMicrotask(() => {
        if (this.#users.has(user)) user.opened(this.replica);
      });
    }
  }

  release(user: ReplicaUser): void {
    this.#users.delete(user);
    this.#leaveIfUnused();
  }

  #leaveIfUnused(): void {
    if (this.#users.size > 0 || this.#phase === "opening" || this.replica.writing) return; // keeps T3
    this.#leave();
  }

  #leave(): void {
    this.#phase = "gone";
    this.#table.forget(this);
    if (this.#handle === undefined) return;
    const handle = this.#handle;
    this.#handle = undefined;
    this.#table.parts.store.release(handle);
  }

  #opened(record: EntityRecord, votes: CrdtState | undefined): void {
    this.#handle = record.handle;
    this.#sequence = record.sequence;
    try {
      this.replica.load(record.replicas, votes);
    } catch (cause) {
      this.#openFailed(cause);
      return;
    }
    this.#phase = "open";
    for (const user of [...this.#users]) user.opened(this.replica);
    this.#leaveIfUnused();
  }

  #openFailed(cause: unknown): void {
    this.#leave();
    for (const user of [...this.#users]) user.openFailed(cause);
  }

  /** The replica was changed here: writes it and tells the others. */
  changed(delta: CrdtState | undefined): void {
    this.#pump();
    this.#table.onChange?.(this, delta);
  }

  /** Another replica said something new. Written too, so that a confirmation of ours means something. */
  heard(): void {
    this.#pump();
    for (const user of [...this.#users]) user.heard();
  }

  /** Who is up has changed. */
  membersChanged(): void {
    if (this.#phase === "open") for (const user of [...this.#users]) user.heard();
  }

  #pump(): void {
    const write = this.replica.nextWrite();
    if (write === undefined || this.#handle === undefined) return;
    const { committer, limits } = this.#table.parts;
    if (write.bytes > limits.uncommittedBytesMax) {
      // On an empty stack: whoever changed it is in the middle of something.
      queueMicrotask(() => this.#failed(tooLarge(this.name, write.bytes, limits.uncommittedBytesMax)));
      return;
    }
    this.#write = write;
    committer.add(this);
  }

  // ---- Committable ----------------------------------------------------------------------------------------------------------------

  get bytes(): number {
    return this.#write?.bytes ?? 0;
  }

  get step(): Committable["step"] {
    const { change, cause } = this.#write as ReplicaWrite;
    const entity = this.#handle as EntityHandle;
    return { entity, expectedSequence: this.#sequence, events: [], replicas: change, cause, timeMs: this.#table.parts.clock.wall() };
  }

  settle(outcome: Verdict | { readonly is: "dropped"; readonly fault: Fault }): void {
    if (outcome.is !== "committed") {
      this.#failed(outcome.is === "dropped" ? outcome.fault : notStored(this.name, outcome.is));
      return;
    }
    const cause = this.#write?.cause ?? "";
    this.#table.parts.meters.of(this.address.service).persistedBytes += this.bytes;
    this.#sequence++;
    this.replica.written();
    this.#pump();
    const { service, entityId } = this.address;
    this.#table.parts.observe?.({ service, entityId, sequence: this.#sequence, cause, timeMs: this.#table.parts.clock.wall() });
    for (const user of [...this.#users]) user.durable();
    this.#leaveIfUnused();
  }

  #failed(fault: Fault): void {
    if (this.#phase === "gone") return;
    this.replica.abandonWrite();
    this.#leave(); // keeps T2
    for (const user of [...this.#users]) user.writeFailed(fault);
  }
}

function tooLarge(name: string, bytes: number, most: number): Fault {
  const fix = "keep the entity smaller, or split it over several ids";
  return new Fault("exhausted", `${name}: its state takes ${bytes} bytes, at most ${most} are stored (uncommittedBytesMax); ${fix}`);
}

function notStored(name: string, verdict: Verdict["is"]): Fault {
  if (verdict === "conflict") return new Fault("aborted", `${name}: somebody else wrote this replica's row; not applied, retry`);
  if (verdict === "unknown") return new Fault("unknown", `${name}: the store cannot say whether this was applied`);
  return new Fault("unavailable", `${name}: it is owned elsewhere now; not applied, retry`);
}
