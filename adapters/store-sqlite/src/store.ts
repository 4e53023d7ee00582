/**
 * The store's main-thread side: packs calls into batches, hands them to the worker, gives answers to their callers.
 *
 * T1 calls made in one turn of the event loop travel in one batch, so opening 10,000 entities is a few messages
 * T2 a batch is posted whether or not the worker is at work: what arrives during an fsync is the next group
 */
import { once } from "node:events";
import { deserialize, serialize } from "node:v8";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { assert, type CancelTimer, type Clock, Fault, type FaultCode, type Log } from "@mecha/kit";
import {
  checkAddress,
  type DeduplicationRecord,
  type EntityAddress,
  type EntityHandle,
  type EntityListing,
  type EntityRecord,
  eventsMax,
  type FedStore,
  type KnownKeys,
  listMax,
  noEntity,
  type OutboxChange,
  type OutboxMessage,
  type OutboxQuery,
  type OutboxRow,
  type Payload,
  type ReplicaChange,
  type ReplicaRow,
  rowsMax,
  type Step,
  type Store,
  type StoredEvent,
  type TimerChange,
  type TimerQuery,
  type TimerRow,
  type Verdict,
} from "@mecha/state/store";
import { metadataBytes, metadataOf } from "./metadata.ts";
import { answer, ask, eventHas, messageHas, Reader, recordHas, settledTo, stepHas, timerDoes, verdictIs, Writer } from "./protocol.ts";
import { FeedClient } from "./feed-client.ts";
import type { ListQuery } from "./reads.ts";
import type { DueQuery } from "./row-reads.ts";
import type { BackupNews, BackupOrder } from "./backup.ts";
import { kinds } from "./schema.ts";
import type { WorkerReady, WorkerStart } from "./worker.ts";

/** After this long without a call, heads and WAL are written out, so that what follows starts fresh. */
const idleAfterMs = 250;
/** Batch size at which it is posted without waiting for the end of the turn: the worker can begin. */
const batchBytesMax = 1 << 20;

type Kind = EntityListing["kind"];

/** For the worker's short-lived objects. It makes few; V8's own limit of 48 MB would only be filled before it is emptied. */
const workerYoungMb = 6;

/** One call the worker has not answered. `read` takes the answer's body. */
interface Pending {
  readonly read: (reader: Reader) => void;
  readonly fail: (fault: Fault) => void;
}

/** A store that is a file. */
export interface FileStore extends FedStore {
  /**
   * Copies the store as it is at the end of copying into a new file of mode 0600, while it goes on being used. `progress`: pages copied, of all.
   * @throws Fault("unavailable") when it cannot be written, or the store closes meanwhile; nothing is left of it then.
   */
  backup(file: string, progress?: (pages: number, of: number) => void): Promise<void>;
}

/** Starts the worker and waits until it has opened the file. */
export async function startStore(start: Omit<WorkerStart, "backups">, clock: Clock, log: Log): Promise<FileStore> {
  const { port1: backups, port2 } = new MessageChannel();
  const workerData: WorkerStart = { ...start, backups: port2 };
  const resourceLimits = { maxYoungGenerationSizeMb: workerYoungMb };
  const worker = new Worker(workerUrl(), { workerData, transferList: [port2], name: "store-sqlite", resourceLimits });
  // Listened for from the start: both events may come in one turn.
  const exited = new Promise<void>((done) => worker.once("exit", () => done()));
  const [ready] = (await once(worker, "message").catch((error: unknown) => {
    throw new Fault("internal", `start the thread of ${start.file}`, { cause: error });
  })) as [WorkerReady];
  if (!("ready" in ready)) {
    await exited;
    throw new Fault(ready.code, ready.message, ready.cause === "" ? {} : { cause: ready.cause });
  }
  return new SqliteStore(worker, exited, backups, start.file, clock, log);
}

/** From source the worker is the TypeScript file beside this one; a bundle carries it as a second file beside itself. */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./store-sqlite-worker.js", import.meta.url);
}

class SqliteStore implements FileStore {
  readonly feed = new FeedClient(async (request) => {
    this.#mustBeOpen();
    const body = serialize(request);
    const write = (): void => this.#out.bytes(body);
    return this.#ask(ask.feeds, write, (reader) => deserialize(reader.view()) as unknown);
  });
  readonly #worker: Worker;
  readonly #file: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #out = new Writer();
  readonly #in = new Reader();
  readonly #open = new Map<EntityHandle, Kind>();
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  readonly #backups: MessagePort;
  readonly #copying = new Map<number, (news: BackupNews) => void>();
  #copies = 0;
  #handles = 0;
  #calls = 0;
  #posting = false;
  #closing: Promise<void> | undefined;
  #lost: Fault | undefined;
  #idle: CancelTimer | undefined;
  #callsAtIdle = 0;

  constructor(worker: Worker, exited: Promise<void>, backups: MessagePort, file: string, clock: Clock, log: Log) {
    this.#worker = worker;
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#exited = exited;
    worker.on("message", (batch: ArrayBuffer) => this.#receive(batch));
    worker.on("error", (error) => this.#workerDied(error));
    this.#backups = backups;
    backups.on("message", (news: BackupNews) => this.#copying.get(news.id)?.(news));
    this.#armIdle();
  }

  async open(address: EntityAddress, kind: Kind, nowMs = 0): Promise<EntityRecord> {
    this.#mustBeOpen();
    checkAddress(address);
    const handle = ++this.#handles as EntityHandle;
    const { service, entityId, persistenceId, namespace } = address;
    return this.#call(
      (call) => {
        const began = this.#out.begin(ask.open);
        this.#out.u32(call);
        this.#out.u32(handle);
        this.#out.f64(nowMs);
        this.#out.u8(kinds[kind]);
        this.#out.text(`${service}\0${entityId}\0${persistenceId}\0${namespace}`);
        this.#out.end(began);
      },
      (reader) => {
        this.#open.set(handle, kind);
        return readRecord(reader, handle);
      },
    );
  }

  async events(handle: EntityHandle, afterSequence: number, limit: number): Promise<readonly StoredEvent[]> {
    this.#mustBeOpen();
    assert(limit >= 1 && limit <= eventsMax, `limit ${limit} of events is not 1 to ${eventsMax}`);
    this.#kindOf(handle);
    return this.#call((call) => {
      const began = this.#out.begin(ask.events);
      this.#out.u32(call);
      this.#out.u32(handle);
      this.#out.f64(afterSequence);
      this.#out.u32(limit);
      this.#out.end(began);
    }, readEvents);
  }

  async commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    this.#mustBeOpen();
    for (const step of steps) checkStep(step, step.entity === noEntity ? undefined : this.#kindOf(step.entity));
    if (steps.length === 0) return [];
    return this.#call(
      (call) => {
        const began = this.#out.begin(ask.commit);
        this.#out.u32(call);
        this.#out.u32(steps.length);
        for (const step of steps) writeStep(this.#out, step);
        this.#out.end(began);
      },
      (reader) => readVerdicts(reader, steps.length),
    );
  }

  release(handle: EntityHandle): void {
    if (this.#closing || !this.#open.delete(handle)) return;
    const began = this.#out.begin(ask.release);
    this.#out.u32(handle);
    this.#out.end(began);
    this.#post();
  }

  async list(query: Parameters<Store["list"]>[0]): Promise<readonly EntityListing[]> {
    this.#mustBeOpen();
    assert(query.limit >= 1 && query.limit <= listMax, `limit ${query.limit} of list is not 1 to ${listMax}`);
    const asked: ListQuery = {
      limit: query.limit,
      ...(query.service !== undefined && { service: query.service }),
      ...(query.after && { after: afterParts(query.after) }),
    };
    return this.#query(ask.list, asked, (reader) => JSON.parse(reader.text()) as readonly EntityListing[]);
  }

  async outbox(query: OutboxQuery): Promise<readonly OutboxRow[]> {
    this.#mustBeOpen();
    checkLimit("outbox", query.limit);
    return this.#query(ask.outbox, query, (reader) => readRows<OutboxRow>(reader));
  }

  settle(changes: readonly OutboxChange[]): void {
    if (this.#closing || this.#lost || changes.length === 0) return;
    const began = this.#out.begin(ask.settle);
    this.#out.u32(changes.length);
    for (const change of changes) writeChange(this.#out, change);
    this.#out.end(began);
    this.#calls++; // so that idleness is told again, and the change is written then at the latest
    this.#post();
  }

  async timersDue(nowMs: number, limit: number, after?: Pick<TimerRow, "dueMs" | "id">): Promise<readonly TimerRow[]> {
    this.#mustBeOpen();
    checkLimit("timersDue", limit);
    const query: DueQuery = { nowMs, limit, ...(after && { after: { dueMs: after.dueMs, id: after.id } }) };
    return this.#query(ask.timersDue, query, (reader) => readRows<TimerRow>(reader));
  }

  async timers(query: TimerQuery): Promise<readonly TimerRow[]> {
    this.#mustBeOpen();
    checkLimit("timers", query.limit);
    return this.#query(ask.timers, query, (reader) => readRows<TimerRow>(reader));
  }

  async sweep(nowMs: number, limit: number): Promise<number> {
    this.#mustBeOpen();
    checkLimit("sweep", limit);
    const body = (): void => {
      this.#out.f64(nowMs);
      this.#out.u32(limit);
    };
    return this.#ask(ask.sweep, body, (reader) => reader.u32());
  }

  /** Asks with a query as JSON. */
  #query<T>(kind: number, query: unknown, read: (reader: Reader) => T): Promise<T> {
    return this.#ask(kind, () => this.#out.text(JSON.stringify(query)), read);
  }

  /** Asks with whatever `body` writes behind the call's number. */
  #ask<T>(kind: number, body: () => void, read: (reader: Reader) => T): Promise<T> {
    return this.#call((call) => {
      const began = this.#out.begin(kind);
      this.#out.u32(call);
      body();
      this.#out.end(began);
    }, read);
  }

  async backup(file: string, progress?: (pages: number, of: number) => void): Promise<void> {
    this.#mustBeOpen();
    const id = ++this.#copies;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#copying.set(id, (news) => {
          if (news.is === "copying") progress?.(news.pages, news.of);
          else if (news.is === "done") resolve();
          else reject(new Fault("unavailable", `copy ${this.#file} to ${file}: ${news.why}`));
        });
        this.#backups.postMessage({ id, file } satisfies BackupOrder);
      });
    } finally {
      this.#copying.delete(id);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#idle?.();
    this.#out.end(this.#out.begin(ask.close));
    this.#flush();
    await this.#exited;
    this.#endBackups();
    this.#failAll(new Fault("unavailable", `${this.#file} is closed`));
  }

  #mustBeOpen(): void {
    if (this.#lost) throw this.#lost;
    if (this.#closing) throw new Fault("unavailable", `${this.#file} is closed`);
  }

  #kindOf(handle: EntityHandle): Kind {
    const kind = this.#open.get(handle);
    assert(kind, `entity handle ${handle} is not open`);
    return kind;
  }

  #call<T>(write: (call: number) => void, read: (reader: Reader) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#calls = (this.#calls % 0xffff_ffff) + 1; // 0 is "no call"
      this.#pending.set(this.#calls, { read: (reader) => resolve(read(reader)), fail: reject });
      write(this.#calls);
      this.#post();
    });
  }

  /** Keeps T1. */
  #post(): void {
    if (this.#out.size >= batchBytesMax) this.#flush();
    else if (!this.#posting) {
      this.#posting = true;
      queueMicrotask(() => this.#flush());
    }
  }

  #flush(): void {
    this.#posting = false;
    if (this.#out.size === 0) return;
    const batch = this.#out.take();
    this.#worker.postMessage(batch, [batch]);
  }

  #receive(batch: ArrayBuffer): void {
    const reader = this.#in;
    for (reader.open(batch); !reader.done;) {
      const kind = reader.u8();
      const length = reader.u32();
      const end = reader.at + length;
      if (kind !== answer.closed) this.#settle(reader, kind);
      reader.at = end;
    }
  }

  #settle(reader: Reader, kind: number): void {
    const call = reader.u32();
    const pending = this.#pending.get(call);
    this.#pending.delete(call);
    if (kind === answer.fault) {
      const fault = readFault(reader);
      if (fault.code === "dataLoss" && !this.#lost) this.#lose(fault);
      pending?.fail(fault);
    } else pending?.read(reader);
  }

  /** The medium failed (S5): said once here; from now on every call is refused without asking the worker. */
  #lose(fault: Fault): void {
    this.#log.error("store failed", { file: this.#file, fault });
    const fix = "check the disk, then start Mecha again";
    this.#lost = new Fault("unavailable", `${this.#file} failed earlier and is out of use; ${fix}`, { cause: fault });
  }

  #workerDied(error: unknown): void {
    const fault = new Fault("dataLoss", `the thread of ${this.#file} died; what it was writing is not acknowledged`, { cause: error });
    this.#lose(fault);
    this.#endBackups();
    this.#failAll(fault);
  }

  #endBackups(): void {
    this.#backups.close();
    for (const [id, hear] of this.#copying) hear({ id, is: "failed", why: "the store was closed" });
  }

  #failAll(fault: Fault): void {
    for (const pending of this.#pending.values()) pending.fail(fault);
    this.#pending.clear();
  }

  /** Tells the worker when no call was made for a while; once, until there are calls again. */
  #armIdle(): void {
    this.#idle = this.#clock.after(idleAfterMs, () => {
      const quiet = this.#calls === this.#callsAtIdle && this.#pending.size === 0;
      if (quiet && this.#toldIdleAt !== this.#calls) {
        this.#toldIdleAt = this.#calls;
        this.#out.end(this.#out.begin(ask.idle));
        this.#flush();
      }
      this.#callsAtIdle = this.#calls;
      this.#armIdle();
    });
  }
  #toldIdleAt = 0;
}

function checkLimit(what: string, limit: number): void {
  assert(limit >= 1 && limit <= rowsMax, `limit ${limit} of ${what} is not 1 to ${rowsMax}`);
}

function checkStep(step: Step, kind: Kind | undefined): void {
  if (!kind) {
    const bare = step.events.length === 0 && !step.snapshot && !step.value && !step.replicas && !step.deduplication && !step.timers;
    assert(bare && step.expectedSequence === 0, "a step of no entity has only an outbox");
    return;
  }
  const logs = step.events.length > 0 || step.snapshot !== undefined;
  const fits = (kind === "eventSourced" || !logs) && (kind === "value" || !step.value) && (kind === "crdt" || !step.replicas);
  assert(fits, `a step of a ${kind} entity changes what only another kind has`);
}

function writeStep(out: Writer, step: Step): void {
  const { commandId, trace, snapshot, value, deduplication, outbox, timers } = step;
  out.u32(step.entity);
  out.f64(step.expectedSequence);
  out.f64(step.timeMs);
  out.u8(
    (commandId === undefined ? 0 : stepHas.commandId) |
      (trace === undefined ? 0 : stepHas.trace) |
      (snapshot ? stepHas.snapshot : 0) |
      (value ? stepHas[value.do] : 0) |
      (step.replicas ? stepHas[step.replicas.do === "write" ? "update" : "delete"] : 0) |
      (deduplication ? stepHas.key : 0) |
      (outbox?.length ? stepHas.outbox : 0) |
      (timers?.length ? stepHas.timers : 0),
  );
  out.word(step.cause);
  if (commandId !== undefined) out.text(commandId);
  if (trace !== undefined) out.text(trace);
  if (deduplication) writeKey(out, deduplication);
  out.u32(step.events.length);
  for (const event of step.events) writePayload(out, event);
  if (snapshot) writePayload(out, snapshot);
  if (value?.do === "update") writePayload(out, value.value);
  if (step.replicas?.do === "write") writeReplicas(out, step.replicas);
  if (outbox?.length) {
    out.u32(outbox.length);
    for (const message of outbox) writeMessage(out, message);
  }
  if (timers?.length) {
    out.u32(timers.length);
    for (const timer of timers) writeTimer(out, timer);
  }
}

function writeReplicas(out: Writer, { rows, gone }: Extract<ReplicaChange, { do: "write" }>): void {
  out.u32(rows.length);
  for (const { replica, state } of rows) {
    out.text(replica.node);
    out.text(replica.incarnation);
    out.bytes(state);
  }
  out.u32(gone.length);
  for (const { node, incarnation } of gone) {
    out.text(node);
    out.text(incarnation);
  }
}

function writeKey(out: Writer, { key, payloadHash, answer: recorded, expiresMs }: DeduplicationRecord): void {
  out.text(key);
  out.bytes(payloadHash);
  out.bytes(recorded);
  out.f64(expiresMs);
}

function readKey(reader: Reader): DeduplicationRecord {
  return { key: reader.text(), payloadHash: reader.bytes(), answer: reader.bytes(), expiresMs: reader.f64() };
}

function writeMessage(out: Writer, message: OutboxMessage): void {
  const { entityId, metadata, trace } = message;
  out.u8(
    (entityId === undefined ? 0 : messageHas.entityId) |
      (metadata ? messageHas.metadata : 0) |
      (trace === undefined ? 0 : messageHas.trace),
  );
  out.text(message.key);
  out.word(message.service);
  if (entityId !== undefined) out.text(entityId);
  out.word(message.command);
  out.text(message.origin);
  out.u16(message.hops);
  if (trace !== undefined) out.text(trace);
  if (metadata) out.bytes(metadataBytes(metadata));
  writePayload(out, message.payload);
}

function writeTimer(out: Writer, change: TimerChange): void {
  out.u8(timerDoes[change.do]);
  out.text(change.name);
  if (change.do === "cancel") return;
  out.f64(change.dueMs);
  if (change.do === "fired" || change.do === "failed") {
    out.f64(change.nextDueMs ?? NaN);
    if (change.do === "failed") out.text(change.failure);
    return;
  }
  out.text(change.schedule);
  out.word(change.command);
  out.bytes(change.metadata ? metadataBytes(change.metadata) : nothing);
  writePayload(out, change.payload);
}

function writeChange(out: Writer, change: OutboxChange): void {
  out.f64(change.id);
  out.u8(settledTo[change.to]);
  if (change.to === "removed") return;
  out.u32(change.attempts);
  out.f64(change.to === "waiting" ? change.dueMs : 0);
  out.text(change.failure ?? "");
}

const nothing = new Uint8Array(0);

/** Rows as row-reads.ts writes them. */
function readRows<T extends { readonly payload: Payload }>(reader: Reader): readonly T[] {
  return Array.from({ length: reader.u32() }, () => {
    const scalars = JSON.parse(reader.text()) as Omit<T, "payload">;
    const metadata = reader.view();
    const more = metadata.length === 0 ? {} : { metadata: metadataOf(metadata) };
    return { ...scalars, ...more, payload: readPayload(reader) } as unknown as T;
  });
}

function writePayload(out: Writer, payload: Payload): void {
  out.word(payload.typeUrl);
  out.bytes(payload.value);
}

function readPayload(reader: Reader): Payload {
  const typeUrl = reader.word();
  return { typeUrl, value: reader.bytes() };
}

function readRecord(reader: Reader, handle: EntityHandle): EntityRecord {
  const sequence = reader.f64();
  const flags = reader.u8();
  const snapshot = flags & recordHas.snapshot ? { sequence: reader.f64(), payload: readPayload(reader) } : undefined;
  const value = flags & recordHas.value ? readPayload(reader) : undefined;
  const keys = flags & (recordHas.keys | recordHas.moreKeys) ? readKeys(reader, flags) : undefined;
  const rows = flags & recordHas.replicas ? Array.from({ length: reader.u32() }, () => readReplica(reader)) : undefined;
  const replicas = flags & recordHas.tombstone ? "deleted" : rows;
  return {
    handle,
    sequence,
    ...(snapshot && { snapshot }),
    ...(value && { value }),
    ...(keys && { keys }),
    ...(replicas && { replicas }),
  };
}

function readReplica(reader: Reader): ReplicaRow {
  return { replica: { node: reader.text(), incarnation: reader.text() }, state: reader.bytes() };
}

function readKeys(reader: Reader, flags: number): KnownKeys {
  const records = Array.from({ length: reader.u32() }, () => readKey(reader));
  return { records, complete: (flags & recordHas.moreKeys) === 0 };
}

function readEvents(reader: Reader): readonly StoredEvent[] {
  const after = reader.f64();
  const count = reader.u32();
  return Array.from({ length: count }, (_, at) => readEvent(reader, after + 1 + at));
}

function readEvent(reader: Reader, sequence: number): StoredEvent {
  const payload = readPayload(reader);
  const timeMs = reader.f64();
  const cause = reader.word();
  const flags = reader.u8();
  return {
    sequence,
    payload,
    timeMs,
    cause,
    ...(flags & eventHas.commandId && { commandId: reader.text() }),
    ...(flags & eventHas.trace && { trace: reader.text() }),
  };
}

const committed: Verdict = Object.freeze({ is: "committed" });

function readVerdicts(reader: Reader, steps: number): readonly Verdict[] {
  const verdicts = Array<Verdict>(steps).fill(committed);
  for (let told = reader.u32(); told > 0; told--) verdicts[reader.u32()] = readVerdict(reader);
  return verdicts;
}

function readVerdict(reader: Reader): Verdict {
  const is = reader.u8();
  if (is === verdictIs.duplicate) return { is: "duplicate", record: readKey(reader) };
  return is === verdictIs.sent ? { is: "committed", outboxId: reader.f64() } : { is: "conflict", actualSequence: reader.f64() };
}

function readFault(reader: Reader): Fault {
  const code = reader.text() as FaultCode;
  const message = reader.text();
  const cause = reader.text();
  return new Fault(code, message, cause === "" ? {} : { cause });
}

/** As many as are given; a namespace comes with a persistence id. */
function afterParts({ service, entityId, persistenceId, namespace }: NonNullable<Parameters<Store["list"]>[0]["after"]>): string[] {
  return [service, entityId, persistenceId, persistenceId && namespace].filter((part) => part !== undefined);
}
