/**
 * The store's main-thread side: packs calls into batches, hands them to the worker, gives answers to their callers.
 *
 * T1 calls made in one turn of the event loop travel in one batch, so opening 10,000 entities is a few messages
 * T2 a batch is posted whether or not the worker is at work: what arrives during an fsync is the next group
 */
import { once } from "node:events";
import { deserialize, serialize } from "node:v8";
import { Worker } from "node:worker_threads";
import { assert, type CancelTimer, type Clock, Fault, type Log } from "@mecha/kit";
import {
  checkAddress,
  type EntityAddress,
  type EntityHandle,
  type EntityListing,
  type EntityRecord,
  eventsMax,
  type FedStore,
  listMax,
  noEntity,
  type OutboxChange,
  type OutboxQuery,
  type OutboxRow,
  rowsMax,
  type Step,
  type Store,
  type StoredEvent,
  type TimerQuery,
  type TimerRow,
  type Verdict,
} from "@mecha/state/store";
import { readEvents, readFault, readRecord, readRows, readVerdicts, writeChange, writeStep } from "./codec.ts";
import { answer, ask, Reader, Writer } from "./protocol.ts";
import { FeedClient } from "./feed-client.ts";
import type { ListQuery } from "./reads.ts";
import type { DueQuery } from "./row-reads.ts";
import { Copies, type Copied, type CopyOptions } from "./copies.ts";
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
export interface FileStore extends FedStore, Copied {}

/** Starts the worker and waits until it has opened the file. */
export async function startStore(start: Omit<WorkerStart, "backups">, clock: Clock, log: Log): Promise<FileStore> {
  const copies = new Copies(start.file);
  const backups = copies.workerPort;
  const workerData: WorkerStart = { ...start, backups };
  const resourceLimits = { maxYoungGenerationSizeMb: workerYoungMb };
  const worker = new Worker(workerUrl(), { workerData, transferList: [backups], name: "store-sqlite", resourceLimits });
  // Listened for from the start: both events may come in one turn.
  const exited = new Promise<void>((done) => worker.once("exit", () => done()));
  const [ready] = (await once(worker, "message").catch((error: unknown) => {
    throw new Fault("internal", `start the thread of ${start.file}`, { cause: error });
  })) as [WorkerReady];
  if (!("ready" in ready)) {
    await exited;
    throw new Fault(ready.code, ready.message, ready.cause === "" ? {} : { cause: ready.cause });
  }
  return new SqliteStore(worker, exited, copies, start.file, clock, log);
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
  readonly #copies: Copies;
  #handles = 0;
  #calls = 0;
  #posting = false;
  #closing: Promise<void> | undefined;
  #lost: Fault | undefined;
  #idle: CancelTimer | undefined;
  #callsAtIdle = 0;

  constructor(worker: Worker, exited: Promise<void>, copies: Copies, file: string, clock: Clock, log: Log) {
    this.#worker = worker;
    this.#file = file;
    this.#clock = clock;
    this.#log = log;
    this.#exited = exited;
    worker.on("message", (batch: ArrayBuffer) => this.#receive(batch));
    worker.on("error", (error) => this.#workerDied(error));
    this.#copies = copies;
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

  /** Verdicts are certain, and this process has the file to itself. */
  readBack(address: EntityAddress, kind: Kind, nowMs?: number): Promise<EntityRecord> {
    return this.open(address, kind, nowMs);
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

  async backup(file: string, options: CopyOptions = {}): Promise<void> {
    this.#mustBeOpen();
    await this.#copies.make(file, options);
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
    this.#copies.end();
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
    this.#copies.end();
    this.#failAll(fault);
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

/** As many as are given; a namespace comes with a persistence id. */
function afterParts({ service, entityId, persistenceId, namespace }: NonNullable<Parameters<Store["list"]>[0]["after"]>): string[] {
  return [service, entityId, persistenceId, persistenceId && namespace].filter((part) => part !== undefined);
}
