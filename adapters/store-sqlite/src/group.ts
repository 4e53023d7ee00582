/**
 * Group commit: the steps of one or many `commit` calls in one transaction, one fsync.
 *
 * G1 the verdict of a step without a key is decided in memory, by its entity's head; SQLite only stores. A key is looked up by its index
 * G2 when the transaction does not commit, every head, position and offset is as before it
 * G3 a statement that fails for a reason of its own (a constraint, a size limit) costs its step, not the group: the group is run again with a
 *    savepoint around each step. Anything else that fails is the medium, and rejects (S5)
 * G4 heads are brought to disk in the same transaction, a few at a time and oldest first, once the events above `indexed_position` are more than
 *    `tailMax`: no separate fsync, no stall, and a bound on what opening must read
 * G5 what became of messages rides in the next transaction, whatever it is for; it is forgotten only once that is durable
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { primaryCode } from "./database.ts";
import type { Head, Heads } from "./heads.ts";
import { answer, type Reader, stepHas, verdictIs, type Writer } from "./protocol.ts";
import { readReplicas, ReplicaRows } from "./replicas.ts";
import { readKey, readMessage, readTimer, Rows, type Settled, type StepKey } from "./rows.ts";
import { kinds, milestoneEvery, shards } from "./schema.ts";

/** Events that may lie above `indexed_position`: opening reads them at about 1 µs each. */
export const tailMax = 65_536;
/** Heads are brought to disk when the tail is longer than that by this factor (1,311 events): then 256 shard rows cost 0.3 µs an event. */
const tailSlack = 1.02;

/** Settled messages that get a transaction of their own when no group comes: a few hundred KB of memory, a few ms of work. */
const settledMax = 4_096;

const sqlite = { toobig: 18, constraint: 19, mismatch: 20 } as const;
/** Result codes that are about one statement's data. */
const ofTheStep: ReadonlySet<number | undefined> = new Set([sqlite.toobig, sqlite.constraint, sqlite.mismatch]);

/** One `commit` call: the batch it came in, and where its body begins there. */
export interface CommitCall {
  readonly batch: ArrayBuffer;
  readonly at: number;
}

interface Before {
  readonly head: Head;
  readonly row: number;
  readonly sequence: number;
  readonly lastPosition: number;
  readonly dirtyFrom: number;
}

export class Group {
  readonly #db: DatabaseSync;
  readonly #heads: Heads;
  readonly #tailLimit: number;
  readonly #sql: ReturnType<typeof statements>;
  readonly #rows: Rows;
  readonly #replicas: ReplicaRows;
  /** Waiting for the next transaction (G5). */
  #settled: Settled[] = [];
  readonly #nextOffset = new Float64Array(shards);
  readonly #movedShards = new Set<number>();
  #nextPosition = 1;
  #nextRow = 1;
  #indexedPosition = 0;
  /** Heads as they were before this group, or before this step when steps run one by one (G2). */
  #before: Before[] = [];
  /** Handles lost in this group. */
  #lostNow: number[] = [];

  constructor(db: DatabaseSync, heads: Heads, tailLimit: number = tailMax) {
    this.#db = db;
    this.#tailLimit = tailLimit;
    this.#heads = heads;
    this.#sql = statements(db);
    this.#rows = new Rows(db);
    this.#replicas = new ReplicaRows(db);
    this.#recover();
  }

  /** Stores every step of `calls`, durably, and writes their verdicts. Rejects only for G3's "anything else". */
  run(calls: readonly CommitCall[], reader: Reader, verdicts: Writer): void {
    const first = (): Verdicts[] => this.#transaction(() => this.#apply(calls, reader, (step) => step()));
    const oneByOne = (): Verdicts[] => this.#transaction(() => this.#apply(calls, reader, (step, head) => this.#savepoint(step, head)));
    this.#lostNow = [];
    let results: Verdicts[];
    try {
      results = first();
    } catch (error) {
      if (!ofTheStep.has(primaryCode(error))) throw error;
      this.#heads.regain(this.#lostNow); // keeps G2
      results = oneByOne(); // keeps G3
    }
    for (const result of results) writeVerdicts(verdicts, result);
  }

  /** Brings every head to disk. For idle times and for closing. */
  flush(): void {
    if (this.#indexedPosition === this.#nextPosition - 1) this.flushSettled();
    else this.#transaction(() => this.#flushHeads(Infinity));
  }

  /** Notes what became of a message. Keeps G5. */
  settle(settled: Settled): void {
    this.#settled.push(settled);
  }

  /** Whether so much is settled that it should not wait for the next group. */
  get settledEnough(): boolean {
    return this.#settled.length >= settledMax;
  }

  /** Writes what is settled, if anything is. */
  flushSettled(): void {
    if (this.#settled.length > 0) this.#transaction(() => undefined);
  }

  /** Forgets expired keys, durably. @returns how many. */
  sweep(nowMs: number, limit: number): number {
    return this.#transaction(() => this.#rows.sweep(nowMs, limit));
  }

  /** Runs something that is none of the entities' in a transaction, durably. */
  within<T>(run: () => T): T {
    return this.#transaction(run);
  }

  /** Events that opening would have to read. */
  get tail(): number {
    return this.#nextPosition - 1 - this.#indexedPosition;
  }

  #transaction<T>(run: () => T): T {
    this.#before = [];
    this.#sql.begin.run();
    try {
      for (const settled of this.#settled) this.#rows.settle(settled);
      const result = run();
      if (this.tail > this.#tailLimit * tailSlack) this.#flushHeads(this.#nextPosition - this.#tailLimit); // keeps G4
      this.#sql.commit.run();
      this.#settled = [];
      return result;
    } catch (error) {
      this.#undo();
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #apply(calls: readonly CommitCall[], reader: Reader, guard: (step: () => StepVerdict, head: Head) => StepVerdict): Verdicts[] {
    let open: ArrayBuffer | undefined;
    return calls.map((call) => {
      if (open !== call.batch) reader.open((open = call.batch));
      reader.at = call.at;
      const id = reader.u32();
      const steps = reader.u32();
      const told: Verdicts["told"] = [];
      for (let at = 0; at < steps; at++) {
        const handle = reader.u32();
        const head = this.#headAt(handle);
        const verdict = guard(() => this.#step(handle, head, reader), head);
        if (verdict === true) continue;
        told.push({ at, verdict });
        if (verdict.is !== verdictIs.sent) this.#lose(handle);
      }
      return { id, steps, told };
    });
  }

  /** Runs one step so that its failure leaves nothing of it. A failed one is a conflict, at the sequence it was meant to follow. */
  #savepoint(step: () => StepVerdict, head: Head): StepVerdict {
    this.#before = [];
    this.#db.exec("SAVEPOINT step");
    try {
      return step();
    } catch (error) {
      if (!ofTheStep.has(primaryCode(error))) throw error;
      this.#undo();
      this.#db.exec("ROLLBACK TO step");
      return { is: verdictIs.conflict, actual: head.sequence };
    } finally {
      if (this.#db.isTransaction) this.#db.exec("RELEASE step");
    }
  }

  /** keeps S3 */
  #lose(handle: number): void {
    if (handle === 0 || this.#heads.isLost(handle)) return;
    this.#heads.lose(handle);
    this.#lostNow.push(handle);
  }

  /** Reads one step to its end and stores it if it may be. */
  #step(handle: number, head: Head, reader: Reader): StepVerdict {
    const expected = reader.f64();
    const timeMs = reader.f64();
    const flags = reader.u8();
    const cause = reader.word();
    const commandId = flags & stepHas.commandId ? reader.text() : null;
    const trace = flags & stepHas.trace ? reader.text() : null;
    const key = flags & stepHas.key ? readKey(reader) : undefined;
    const events = reader.u32();
    const known = key && this.#rows.known(head.row, key.key, timeMs); // keeps S8
    const good = !known && expected === head.sequence && !this.#heads.isLost(handle); // keeps S3
    const actual = head.sequence;
    const changes = events > 0 || (flags & changing) !== 0;
    let failure: Error | undefined;
    // A failing statement must not stop the reading: the words after it would be missed (protocol P2).
    const store = (run: () => void): void => {
      if (!good || failure) return;
      try {
        run();
      } catch (error) {
        failure = error as Error;
      }
    };
    if (changes && head !== nobody) store(() => this.#touch(head, events));
    if (key) store(() => this.#rows.record(head.row, key));
    for (let at = 0; at < events; at++) {
      const typeUrl = reader.word();
      const payload = reader.view();
      store(() => this.#event(head, typeUrl, payload, timeMs, commandId, cause, trace));
    }
    if (flags & stepHas.snapshot) {
      const typeUrl = reader.word();
      const payload = reader.view();
      store(() => this.#sql.snapshot.run(head.row, head.sequence, typeUrl, timeMs, payload));
    }
    if (head.kind === "crdt") this.#replicate(head, flags, reader, timeMs, store);
    else if (flags & (stepHas.update | stepHas.delete)) {
      const update = (flags & stepHas.update) !== 0;
      const typeUrl = update ? reader.word() : "";
      const payload = update ? reader.view() : none;
      store(() => this.#sql.value.run(head.row, ++head.sequence, update ? 0 : 1, typeUrl, timeMs, commandId, payload));
    }
    const sent = flags & stepHas.outbox ? this.#send(head, reader, timeMs, store) : 0;
    if (flags & stepHas.timers) this.#setTimers(head, reader, store);
    if (failure) throw failure;
    if (known) return { is: verdictIs.duplicate, known };
    if (!good) return { is: verdictIs.conflict, actual };
    return sent === 0 ? true : { is: verdictIs.sent, first: sent };
  }

  /** A CRDT's sequence is in its row in `entity`, which never lags: it has no events to catch up from. */
  #replicate(head: Head, flags: number, reader: Reader, timeMs: number, store: (run: () => void) => void): void {
    const written = flags & stepHas.update ? readReplicas(reader) : undefined;
    if (written === undefined && !(flags & stepHas.delete)) return;
    store(() => {
      head.sequence++;
      if (written) this.#replicas.write(head.row, written, head.sequence, timeMs);
      else this.#replicas.delete(head.row, head.sequence, timeMs);
      this.#sql.head.run(head.sequence, 0, head.row);
    });
  }

  /** @returns the first message's id. */
  #send(head: Head, reader: Reader, timeMs: number, store: (run: () => void) => void): number {
    let first = 0;
    for (let left = reader.u32(); left > 0; left--) {
      const message = readMessage(reader);
      store(() => {
        const id = this.#rows.send(head.row, message, timeMs);
        first ||= id;
      });
    }
    return first;
  }

  #setTimers(head: Head, reader: Reader, store: (run: () => void) => void): void {
    for (let left = reader.u32(); left > 0; left--) {
      const timer = readTimer(reader);
      store(() => this.#rows.timer(head, timer));
    }
  }

  /** Notes the head as it is, and gives a new entity its row, which already shows the events of this step. */
  #touch(head: Head, events: number): void {
    const { row: before, sequence, lastPosition, dirtyFrom } = head;
    this.#before.push({ head, row: before, sequence, lastPosition, dirtyFrom });
    this.#fresh = undefined;
    if (before !== 0) return;
    const row = this.#nextRow;
    const [service = "", entityId = "", persistenceId = "", namespace = ""] = head.key.split("\0");
    const kind = kinds[head.kind];
    const last = events > 0 ? this.#nextPosition + events - 1 : 0;
    this.#sql.entity.run(row, namespace, service, persistenceId, entityId, kind, head.shard, events, last);
    this.#nextRow++;
    head.row = row;
    this.#fresh = head;
  }
  /** The head whose row was inserted by the current step: it does not lag. */
  #fresh: Head | undefined;

  #event(
    head: Head,
    typeUrl: string,
    payload: Uint8Array,
    timeMs: number,
    commandId: string | null,
    cause: string,
    trace: string | null,
  ): void {
    const position = this.#nextPosition;
    const sequence = head.sequence + 1;
    const offset = this.#nextOffset[head.shard] ?? 0;
    const { shard, row, lastPosition } = head;
    this.#sql.event.run(position, shard, offset, row, sequence, lastPosition, typeUrl, timeMs, commandId, cause, trace, payload);
    if (sequence % milestoneEvery === 0) this.#sql.milestone.run(row, sequence, position);
    this.#nextPosition++;
    this.#nextOffset[head.shard] = offset + 1;
    this.#movedShards.add(head.shard);
    head.sequence = sequence;
    head.lastPosition = position;
    if (this.#fresh !== head) this.#heads.soil(head, position);
  }

  /** Keeps G2. In reverse, as a head may have been touched several times. */
  #undo(): void {
    for (const before of this.#before.reverse()) {
      const { head } = before;
      if (head.kind === "eventSourced") this.#giveBack(head.shard, head.sequence - before.sequence);
      if (before.dirtyFrom === 0 && head.dirtyFrom !== 0) this.#heads.clean(head);
      if (before.row === 0 && head.row !== 0) this.#nextRow--;
      head.row = before.row;
      head.sequence = before.sequence;
      head.lastPosition = before.lastPosition;
    }
    this.#before = [];
    this.#fresh = undefined;
  }

  #giveBack(shard: number, events: number): void {
    this.#nextOffset[shard] = (this.#nextOffset[shard] ?? 0) - events;
    this.#nextPosition -= events;
  }

  /** Writes heads that lag since before position `until`, the moved shards, and how far that makes the file complete (F4). */
  #flushHeads(until: number): void {
    for (const head of this.#heads.dirty()) {
      if (head.dirtyFrom >= until) break;
      this.#sql.head.run(head.sequence, head.lastPosition, head.row);
      this.#heads.clean(head);
    }
    for (const shard of this.#movedShards) this.#sql.shard.run(this.#nextOffset[shard] ?? 0, shard);
    this.#movedShards.clear();
    this.#indexedPosition = (this.#heads.oldestDirty?.dirtyFrom ?? this.#nextPosition) - 1;
    this.#sql.indexed.run(this.#indexedPosition);
  }

  /** Reads the events above `indexed_position` and brings heads and shards up to date (F4). */
  #recover(): void {
    const db = this.#db;
    this.#indexedPosition = numberOf(db, "SELECT value FROM meta WHERE name = 'indexed_position'");
    this.#nextPosition = numberOf(db, "SELECT ifnull(max(position), 0) FROM event") + 1;
    this.#nextRow = numberOf(db, "SELECT ifnull(max(id), 0) FROM entity") + 1;
    for (const row of db.prepare("SELECT id, next_offset FROM shard").all()) this.#nextOffset[Number(row.id)] = Number(row.next_offset);
    if (this.tail === 0) return;
    const tail = db.prepare('SELECT position, shard, "offset", entity, sequence FROM event WHERE position > ? ORDER BY position');
    const last = new Map<number, { readonly sequence: number; readonly position: number }>();
    for (const row of tail.iterate(this.#indexedPosition)) {
      const shard = Number(row.shard);
      last.set(Number(row.entity), { sequence: Number(row.sequence), position: Number(row.position) });
      this.#nextOffset[shard] = Math.max(this.#nextOffset[shard] ?? 0, Number(row.offset) + 1);
      this.#movedShards.add(shard);
    }
    this.#transaction(() => {
      for (const [entity, { sequence, position }] of last) this.#sql.head.run(sequence, position, entity);
      this.#flushHeads(Infinity);
    });
  }

  #headAt(handle: number): Head {
    if (handle === 0) return nobody;
    const head = this.#heads.at(handle);
    if (!head) throw new Error(`assertion failed: entity handle ${handle} is not open in the worker`);
    return head;
  }
}

const none = new Uint8Array(0);

/** Flags of a step that give its entity a row. */
const changing = stepHas.snapshot | stepHas.update | stepHas.delete | stepHas.key | stepHas.outbox | stepHas.timers;

/** Whose steps belong to no entity: messages of actions. */
const nobody: Head = { key: "", kind: "eventSourced", shard: 0, row: 0, sequence: 0, lastPosition: 0, handles: 0, dirtyFrom: 0 };

/** `true` = committed, and nothing more to say. */
type StepVerdict =
  | true
  | { readonly is: typeof verdictIs.conflict; readonly actual: number }
  | { readonly is: typeof verdictIs.sent; readonly first: number }
  | { readonly is: typeof verdictIs.duplicate; readonly known: StepKey };

interface Verdicts {
  readonly id: number;
  readonly steps: number;
  readonly told: { readonly at: number; readonly verdict: Exclude<StepVerdict, true> }[];
}

function writeVerdicts(out: Writer, { id, told }: Verdicts): void {
  const began = out.begin(answer.verdicts);
  out.u32(id);
  out.u32(told.length);
  for (const { at, verdict } of told) {
    out.u32(at);
    out.u8(verdict.is);
    if (verdict.is === verdictIs.conflict) out.f64(verdict.actual);
    else if (verdict.is === verdictIs.sent) out.f64(verdict.first);
    else writeKey(out, verdict.known);
  }
  out.end(began);
}

/** As `readKey` reads it. */
export function writeKey(out: Writer, { key, payloadHash, answer, expires }: StepKey): void {
  out.text(key);
  out.bytes(payloadHash);
  out.bytes(answer);
  out.f64(expires);
}

function numberOf(db: DatabaseSync, sql: string): number {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return Number((statement.get() as unknown as unknown[] | undefined)?.[0] ?? 0);
}

function statements(
  db: DatabaseSync,
): Record<"begin" | "commit" | "entity" | "event" | "milestone" | "snapshot" | "value" | "head" | "shard" | "indexed", StatementSync> {
  return {
    begin: db.prepare("BEGIN IMMEDIATE"),
    commit: db.prepare("COMMIT"),
    entity: db.prepare("INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    event: db.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?)"),
    milestone: db.prepare("INSERT INTO milestone VALUES (?, ?, ?)"),
    snapshot: db.prepare("INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, 0, ?, ?)"),
    value: db.prepare("INSERT OR REPLACE INTO value VALUES (?, ?, ?, ?, 0, ?, ?, ?)"),
    head: db.prepare("UPDATE entity SET sequence = ?, last_position = ? WHERE id = ?"),
    shard: db.prepare("UPDATE shard SET next_offset = ? WHERE id = ?"),
    indexed: db.prepare("UPDATE meta SET value = ? WHERE name = 'indexed_position'"),
  };
}
