/**
 * The worker thread: the only one that touches the database, so that an fsync never blocks the event loop.
 *
 * This file is an entry of its own: store.ts starts it by URL. A bundler must emit it as a second file beside the bundle, named
 * `store-sqlite-worker.js` (store.ts has the rule).
 *
 * W1 a turn takes what has arrived (up to `groupBytesMax`), commits all its steps as one group, answers, then serves up to `readsPerTurn` reads:
 *    neither can starve the other
 * W2 commits are carried out in the order of their calls (S2), reads after every commit called before them (S6)
 * W3 after the medium failed nothing is tried again (S5)
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { explain, Fault } from "@mecha/kit";
import { serveBackups } from "./backup.ts";
import { Checkpoints } from "./checkpoint.ts";
import { type Database, openDatabase } from "./database.ts";
import { Feeds } from "./feeds.ts";
import { type CommitCall, Group } from "./group.ts";
import { Heads } from "./heads.ts";
import { answer, ask, Reader, Writer } from "./protocol.ts";
import { fault, Reads } from "./reads.ts";
import { RowReads } from "./row-reads.ts";
import { readSettled } from "./rows.ts";

/** What store.ts starts the worker with. */
export interface WorkerStart {
  readonly file: string;
  readonly ownFolder: boolean;
  readonly durability: "full" | "relaxed";
  /** New at each open; stored, so that what two openings of one file (or of its copy) wrote can be told apart (E13). */
  readonly incarnation: string;
  /** Events whose heads may lag; tests make it small. Default: `tailMax`. */
  readonly tailMax?: number;
  /** Where orders for backups come from (backup.ts). */
  readonly backups: MessagePort;
}

/** First message back: the store is open, or why not. */
export type WorkerReady = { readonly ready: true } | { readonly code: Fault["code"]; readonly message: string; readonly cause: string };

/** Bytes of batches taken into one group; about 30,000 small steps. Past it the next group begins. */
const groupBytesMax = 8 << 20;
/** Reads between two groups: opening takes 5–10 µs, so a group waits about 1–2 ms at most for opens. */
const readsPerTurn = 256;
/** Bytes of answers to reads after which the turn ends, as pages of events are large. */
const readBytesPerTurn = 4 << 20;

interface PendingRead {
  readonly kind: number;
  readonly batch: ArrayBuffer;
  readonly at: number;
}

class Worker {
  readonly #port: NonNullable<typeof parentPort>;
  readonly #database: Database;
  readonly #file: string;
  readonly #heads = new Heads();
  readonly #group: Group;
  readonly #reads: Reads;
  readonly #rowReads: RowReads;
  readonly #feeds: Feeds;
  readonly #checkpoints: Checkpoints;
  /** For the order of batches; `#stepReader` keeps the words of steps (protocol P1) and is only moved by the group. */
  readonly #reader = new Reader();
  readonly #stepReader = new Reader();
  readonly #out = new Writer();
  readonly #arrived: ArrayBuffer[] = [];
  #commits: CommitCall[] = [];
  #pending: PendingRead[] = [];
  #closing = false;
  #idle = false;
  #broken: string | undefined;
  /** Backups under way. They go on in turns of the event loop, so this thread must get there. */
  #copying = 0;
  /** What arrives waits: a copy is about to be complete (backup.ts, K4). */
  #held = false;
  readonly #backups: MessagePort;

  constructor(port: NonNullable<typeof parentPort>, start: WorkerStart) {
    this.#port = port;
    this.#file = start.file;
    this.#database = openDatabase(start.file, start.durability, start.ownFolder);
    const { db } = this.#database;
    db.prepare("INSERT OR REPLACE INTO meta VALUES ('incarnation', ?)").run(start.incarnation);
    this.#group = new Group(db, this.#heads, start.tailMax);
    this.#reads = new Reads(db, this.#heads);
    this.#rowReads = new RowReads(db);
    this.#feeds = new Feeds(db, (run) => this.#group.within(run));
    this.#checkpoints = new Checkpoints(db);
    port.on("message", (batch: ArrayBuffer) => this.#run(batch));
    this.#backups = start.backups;
    serveBackups(start.backups, db, {
      copying: (is) => (this.#copying += is ? 1 : -1),
      hold: (is) => this.#hold(is),
    });
  }

  #run(batch: ArrayBuffer): void {
    this.#arrived.push(batch);
    if (!this.#held) this.#work();
  }

  #hold(is: boolean): void {
    this.#held = is;
    if (!is && this.#arrived.length > 0) this.#work();
  }

  #work(): void {
    do this.#turn();
    while (this.#pending.length > 0 || this.#more());
  }

  /** Looks whether a batch has arrived meanwhile, without going back to the event loop. */
  #more(): boolean {
    const next =
      this.#closing || this.#copying > 0 ? undefined : (receiveMessageOnPort(this.#port) as { message: ArrayBuffer } | undefined);
    if (next) this.#arrived.push(next.message);
    return next !== undefined;
  }

  /** Keeps W1. */
  #turn(): void {
    let bytes = 0;
    do for (const batch of this.#arrived.splice(0)) bytes += this.#sort(batch);
    while (bytes < groupBytesMax && this.#more());
    this.#commit();
    this.#read();
    if (this.#pending.length > 0) return;
    if (this.#closing) this.#close();
    else this.#tidy();
  }

  /** Splits a batch into commits and the rest. @returns its bytes. */
  #sort(batch: ArrayBuffer): number {
    const reader = this.#reader;
    for (reader.open(batch); !reader.done;) {
      const kind = reader.u8();
      const length = reader.u32();
      const at = reader.at;
      if (kind === ask.commit) this.#commits.push({ batch, at });
      else if (kind === ask.settle) this.#settle(reader);
      else if (kind === ask.idle) this.#idle = true;
      else if (kind === ask.close) this.#closing = true;
      else this.#pending.push({ kind, batch, at });
      reader.at = at + length;
    }
    return batch.byteLength;
  }

  #settle(reader: Reader): void {
    for (let left = reader.u32(); left > 0; left--) this.#group.settle(readSettled(reader));
  }

  #commit(): void {
    const calls = this.#commits;
    if (calls.length === 0) return;
    this.#commits = [];
    if (this.#broken === undefined) this.#guard(calls, () => this.#group.run(calls, this.#stepReader, this.#out));
    else for (const call of calls) this.#refuse(call);
    this.#send(); // before the reads: callers wait for the commit
  }

  #read(): void {
    let done = 0;
    for (const read of this.#pending) {
      if (done >= readsPerTurn || this.#out.size > readBytesPerTurn) break;
      done++;
      this.#serve(read);
    }
    this.#pending = done === this.#pending.length ? [] : this.#pending.slice(done);
    this.#send();
  }

  #serve(read: PendingRead): void {
    const reader = this.#reader;
    reader.open(read.batch);
    reader.at = read.at;
    if (read.kind === ask.release) this.#heads.release(reader.u32());
    else if (this.#broken !== undefined) this.#refuse(read);
    else if (read.kind === ask.open) this.#guard([read], () => this.#reads.open(reader, this.#out));
    else if (read.kind === ask.events) this.#guard([read], () => this.#reads.events(reader, this.#out));
    else this.#guard([read], () => this.#serveRare(read.kind, reader));
  }

  #serveRare(kind: number, reader: Reader): void {
    const out = this.#out;
    if (kind === ask.list) this.#reads.list(reader, out);
    else if (kind === ask.timersDue) this.#rowReads.timersDue(reader, out);
    else if (kind === ask.timers) this.#rowReads.timers(reader, out);
    else if (kind === ask.sweep) this.#sweep(reader, out);
    else if (kind === ask.feeds) this.#feeds.serve(reader, out);
    else {
      this.#group.flushSettled(); // it sees them all
      this.#rowReads.outbox(reader, out);
    }
  }

  /** Body: call, now, limit. */
  #sweep(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const nowMs = reader.f64();
    const swept = this.#group.sweep(nowMs, reader.u32());
    const began = out.begin(answer.swept);
    out.u32(call);
    out.u32(swept);
    out.end(began);
  }

  /** Once the answers are out: heads and WAL. */
  #tidy(): void {
    if (this.#broken !== undefined) return;
    this.#guard([], () => {
      if (this.#idle) this.#group.flush();
      else if (this.#group.settledEnough) this.#group.flushSettled();
      this.#checkpoints.look(this.#idle);
    });
    this.#idle = false;
  }

  /** Runs `work`; when it fails the store is unusable (W3), and the calls it was for are told so. */
  #guard(calls: readonly { readonly batch: ArrayBuffer; readonly at: number }[], work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#broken = explain(error);
      for (const call of calls) this.#answer(call, "dataLoss", `${this.#file} failed; what was being written is not acknowledged`);
      if (calls.length === 0) fault(this.#out, 0, "dataLoss", `${this.#file} failed between two groups`, this.#broken);
      this.#send();
    }
  }

  #refuse(call: { readonly batch: ArrayBuffer; readonly at: number }): void {
    this.#answer(call, "unavailable", `${this.#file} failed earlier and is out of use; check the disk, then start Mecha again`);
  }

  #answer({ batch, at }: { readonly batch: ArrayBuffer; readonly at: number }, code: string, message: string): void {
    this.#reader.open(batch);
    this.#reader.at = at;
    fault(this.#out, this.#reader.u32(), code, message, this.#broken);
  }

  #close(): void {
    if (this.#broken === undefined)
      this.#guard([], () => {
        this.#group.flush();
        this.#checkpoints.last();
      });
    this.#database.close();
    this.#backups.close();
    this.#out.end(this.#out.begin(answer.closed));
    this.#send();
    this.#port.close();
  }

  #send(): void {
    if (this.#out.size === 0) return;
    const batch = this.#out.take();
    this.#port.postMessage(batch, [batch]);
  }
}

function start(port: NonNullable<typeof parentPort>): WorkerReady {
  try {
    new Worker(port, workerData as WorkerStart);
    return { ready: true };
  } catch (error) {
    const known = Fault.from(error, `open ${(workerData as WorkerStart).file}`, "unavailable");
    return { code: known.code, message: known.message, cause: known.cause === undefined ? "" : explain(known.cause) };
  }
}

if (parentPort) {
  const ready = start(parentPort);
  parentPort.postMessage(ready);
  if (!("ready" in ready)) parentPort.close();
}
