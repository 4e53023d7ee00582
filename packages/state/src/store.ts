/**
 * The store, as the engine needs it: small ports over one transaction type. store-memory is the reference, the contract suite
 * (`@mecha/state/contract`) the definition.
 *
 * Promises
 * S1 `commit` resolves when every step it calls committed is durable (fsync done), and not before (D4)
 * S2 steps of one entity are applied in the order given, in this call and across calls; a later step never survives without the earlier
 * S3 an append whose `expectedSequence` is not the entity's last sequence changes nothing and answers `conflict` (D5). A handle through which a step was
 *    answered anything but `committed` is lost: every later step through it, one whose key is known aside, is answered `conflict`, whatever it expects,
 *    until the entity is opened anew. Else a step computed on one that was lost could fit what another owner wrote meanwhile (E3)
 * S4 a step is all or nothing: events, snapshot, value, outbox rows, timers and deduplication record together
 * S5 an I/O error of the medium is a verdict for nobody: the store becomes unusable and `commit` rejects with Fault("dataLoss") (E4);
 *    every later call rejects with Fault("unavailable")
 * S6 reads see every commit called before them, and only what is durable
 * S7 bytes belong to whoever holds them: the store has copied what it was given when the call returns, and keeps nothing of what it hands out
 * S8 of the steps of one entity that carry the same key, one is committed until its record expires; the others answer `duplicate` and change
 *    nothing, whatever sequence they expect (E9)
 */
import { Fault } from "@mecha/kit";
import type { Feed } from "./feed.ts";
import { type EntityAddress, entityIdMaxBytes, type Payload, type StoredKind } from "./model.ts";
import type {
  DeduplicationRecord,
  KnownKeys,
  OutboxChange,
  OutboxMessage,
  OutboxQuery,
  OutboxRow,
  TimerChange,
  TimerQuery,
  TimerRow,
} from "./rows.ts";

// Adapters import this file as `@mecha/state/store`: a store's worker thread then loads the port and not the engine.
export type { CommandMetadata, EntityAddress, Payload, StoredKind } from "./model.ts";
export type * from "./rows.ts";
export type * from "./feed.ts";
export { cursorAtStart, feedScanMax } from "./feed.ts";
export { knownKeysBytes, knownKeysMax, rowsMax } from "./rows.ts";

/** An open entity's number in the store. Valid from `open` to `release`, on one store object. */
export type EntityHandle = number & { readonly entityHandle: unique symbol };

/** In a step: nobody's. Such a step has `expectedSequence` 0 and only `outbox`: what an action wants done. */
export const noEntity: EntityHandle = 0 as EntityHandle;

/**
 * Everything one command changes. A step that changes nothing is allowed: its verdict says whether `expectedSequence` still holds (E6).
 * The engine bounds what is uncommitted to 16 MiB an entity (E3); a store takes any step that fits memory.
 */
export interface Step {
  readonly entity: EntityHandle;
  /** Last event sequence the step was computed on; 0 = none. For a value entity its version, for a CRDT its number of steps. */
  readonly expectedSequence: number;
  /** Numbered `expectedSequence + 1` and on. Event-sourced entities only. */
  readonly events: readonly Payload[];
  /** Covers everything up to the last event of this step; replaces an older one. Event-sourced entities only. */
  readonly snapshot?: Payload;
  /** Value entities: the new value, or its deletion. Raises the version by one, and the version goes on after a deletion. */
  readonly value?: { readonly do: "update"; readonly value: Payload } | { readonly do: "delete" };
  /** CRDTs: rows of this replica. Raises the sequence by one. */
  readonly replicas?: ReplicaChange;
  /** Makes the step's key known (S8). Its `expiresMs` is above `timeMs`. */
  readonly deduplication?: DeduplicationRecord;
  /** Messages to be sent, in order. */
  readonly outbox?: readonly OutboxMessage[];
  readonly timers?: readonly TimerChange[];
  /** Name of the command that caused it. */
  readonly cause: string;
  /** Caller's id of the command, when it gave one. */
  readonly commandId?: string;
  readonly trace?: string;
  /** Wall ms. */
  readonly timeMs: number;
}

/** Who writes a row of a CRDT: nobody else ever does (E13). */
export interface ReplicaId {
  /** Of the process, by its name. */
  readonly node: string;
  /** New whenever the process starts; `retired` for what its dead incarnations left. */
  readonly incarnation: string;
}

/** What one replica has to say about a CRDT. The entity is the join of all of them. */
export interface ReplicaRow {
  readonly replica: ReplicaId;
  readonly state: Uint8Array;
}

/** A deletion is for ever: it removes all rows and leaves a tombstone; writes after it are taken and change nothing. */
export type ReplicaChange =
  { readonly do: "write"; readonly rows: readonly ReplicaRow[]; readonly gone: readonly ReplicaId[] } | { readonly do: "delete" };

/** What became of a step (E4). */
export type Verdict =
  /** `outboxId`: id of the first message; the others follow one by one. Only for steps that have some. */
  | { readonly is: "committed"; readonly outboxId?: number }
  /** The step's key is known: what was answered then. */
  | { readonly is: "duplicate"; readonly record: DeduplicationRecord }
  | { readonly is: "conflict"; readonly actualSequence: number }
  | { readonly is: "fenced" }
  | { readonly is: "unknown" };

/** What an entity is when it is opened. */
export interface EntityRecord {
  readonly handle: EntityHandle;
  /** Last event sequence; for a value entity its version, for a CRDT its number of steps. 0 = nothing stored. */
  readonly sequence: number;
  readonly snapshot?: { readonly sequence: number; readonly payload: Payload };
  readonly value?: Payload;
  /** CRDTs: the rows of every replica, or that it was deleted. Absent: nothing stored. */
  readonly replicas?: readonly ReplicaRow[] | "deleted";
  /** Absent: the entity has no unexpired key. */
  readonly keys?: KnownKeys;
}

/** What became of an entity whose steps got no verdict. `fenced`: what is stored may be another owner's work, at whatever sequence. */
export interface ReadBack extends EntityRecord {
  readonly fenced?: true;
}

/** A stored event. */
export interface StoredEvent {
  readonly sequence: number;
  readonly payload: Payload;
  readonly timeMs: number;
  readonly cause: string;
  readonly commandId?: string;
  readonly trace?: string;
}

/** An entity in a listing. */
export interface EntityListing {
  readonly address: EntityAddress;
  readonly kind: StoredKind;
  readonly sequence: number;
  readonly snapshotSequence?: number;
}

/**
 * Records of entities. Methods reject with Fault("unavailable") when closed; closing finishes what was called before. A handle that is not
 * open, or a limit out of range, is a mistake in our own code: an assertion.
 */
export interface Store extends AsyncDisposable {
  /**
   * Opens an entity for one activation. Nothing is written for one that does not exist yet. Opened twice, it has two handles on one record.
   * `nowMs` (wall): keys that expired by then do not come along. Default 0: all do.
   * @throws Fault("invalid") when a part of the address is empty, longer than 512 bytes of UTF-8, not well-formed or holds NUL (E1).
   * @throws Fault("precondition") when it is stored as the other kind.
   */
  open(address: EntityAddress, kind: StoredKind, nowMs?: number): Promise<EntityRecord>;
  /**
   * Opens an entity of which steps were answered `unknown`, so that what became of them can be told (E4). When it resolves nothing handed over before can be
   * stored any more. A store that several processes share raises this owner's epoch first, which waits for whatever is under way; it says `fenced` when
   * somebody else has owned the entity meanwhile. As `open` otherwise.
   */
  readBack(address: EntityAddress, kind: StoredKind, nowMs?: number): Promise<ReadBack>;
  /**
   * Events after `afterSequence`, ascending, at most `limit` (1 to 4,096) and about 1 MiB (one event always fits); fewer than exist = ask
   * again from the last one.
   * An empty page means the end.
   */
  events(entity: EntityHandle, afterSequence: number, limit: number): Promise<readonly StoredEvent[]>;
  /** One verdict for each step, in order. Calls may overlap; they are carried out in call order (S2). */
  commit(steps: readonly Step[]): Promise<readonly Verdict[]>;
  /** Ends the use of a handle. What was called with it before is carried out. */
  release(entity: EntityHandle): void;
  /**
   * Entities in (service, entity id, persistence id, namespace) order of their UTF-8 bytes, after `after`, at most `limit` (1 to 1,000).
   * Deleted values and CRDTs are left out. To page, pass the last address. For people; not on the hot path.
   */
  list(query: {
    readonly service?: string;
    /** Without persistence id and namespace: after every entity with that service and id. */
    readonly after?: Pick<EntityAddress, "service" | "entityId"> & Partial<EntityAddress>;
    readonly limit: number;
  }): Promise<readonly EntityListing[]>;

  /** Messages of the outbox, by ascending id. Sees every `settle` called before it. */
  outbox(query: OutboxQuery): Promise<readonly OutboxRow[]>;
  /**
   * Says what became of messages; ids that are gone are passed over. Costs no fsync of its own where it can be helped: it is durable with the
   * next commit or `outbox` called after it, at the latest about a second later. A crash before that is as if it had not been called. From an owner that was
   * taken over from it changes nothing: what became of a message is the new owner's to say (E5).
   */
  settle(changes: readonly OutboxChange[]): void;

  /** Timers of all entities, not parked, due at or before `nowMs` (wall), by (`dueMs`, `id`), after `after`, at most `limit` (1 to 1,000) (E12). */
  timersDue(nowMs: number, limit: number, after?: Pick<TimerRow, "dueMs" | "id">): Promise<readonly TimerRow[]>;
  /** Timers by ascending id. For people. */
  timers(query: TimerQuery): Promise<readonly TimerRow[]>;

  /**
   * Forgets keys that had expired at `nowMs` (wall), in the order they were recorded and up to the first that has not, at most `limit` (1 to
   * 1,000). @returns how many; fewer than `limit` = no more for now.
   */
  sweep(nowMs: number, limit: number): Promise<number>;
}

/** A store whose journal can be subscribed to. */
export interface FedStore extends Store {
  readonly feed: Feed;
}

/** Most entities `list` answers at once. */
export const listMax = 1_000;
/** Most events `events` answers at once. */
export const eventsMax = 4_096;
/** Payload bytes after which a page of events ends. */
export const eventsPageBytes = 1 << 20;

/** For adapters: the check `open` promises. @throws Fault("invalid") naming the part and the rule (E1). */
export function checkAddress(address: EntityAddress): void {
  for (const part of ["namespace", "service", "persistenceId", "entityId"] as const) {
    const problem = idProblem(address[part]);
    if (problem) throw new Fault("invalid", `${part} of an entity ${problem}`);
  }
}

function idProblem(id: string): string | undefined {
  if (id.length === 0) return "is empty";
  if (id.includes("\0")) return "holds a NUL character";
  if (!id.isWellFormed()) return "is not well-formed Unicode (a lone surrogate)";
  // A UTF-16 unit is at most 3 bytes of UTF-8: short ids need no counting.
  if (id.length * 3 <= entityIdMaxBytes) return undefined;
  const bytes = utf8Bytes(id);
  return bytes > entityIdMaxBytes ? `is ${bytes} bytes of UTF-8, the most is ${entityIdMaxBytes}` : undefined;
}

/** Length of well-formed `text` in UTF-8. */
function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}
