/**
 * The object log's main-thread side: calls to the worker, answers to their callers, changes to the listener.
 *
 * The worker answers writes in the order of their revisions, and the listener is told before the writer's promise resolves (O3).
 */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Fault } from "@mecha/kit";
import type { ObjectChange, ObjectLog, ObjectWrite, StoredObject, WriteOutcome } from "@mecha/machinery";
import { Copies, type Copied, type CopyOptions } from "../copies.ts";
import type { ObjectCall, ObjectReply, ObjectWorkerOpened, ObjectWorkerReady, ObjectWorkerStart } from "./worker.ts";

export interface SqliteObjectLogOptions {
  /** Folder of the state; the file is `control.db` (E14). Made with mode 0700 if missing. */
  readonly dir: string;
  /** As of the state store: `full` (default) acknowledges what is on the disk. */
  readonly durability?: "full" | "relaxed";
}

/** Objects in a file. */
export interface FileObjectLog extends ObjectLog, Copied {}

/** V8's heap for young objects of the worker, MB: it makes few. */
const workerYoungMb = 6;

type Pending = { readonly resolve: (reply: ObjectReply) => void; readonly reject: (fault: Fault) => void };
type Ask = ObjectCall extends infer C ? (C extends ObjectCall ? Omit<C, "id"> : never) : never;

/**
 * Opens `control.db`, making it if there is none. Only one process can hold it.
 * @throws Fault("unavailable") naming the pid of the process that holds it; Fault("precondition") when the file is not Mecha's, or newer.
 */
export async function openSqliteObjectLog({ dir, durability = "full" }: SqliteObjectLogOptions): Promise<FileObjectLog> {
  const file = join(dir, "control.db");
  const copies = new Copies(file);
  const start: ObjectWorkerStart = { file, durability, backups: copies.workerPort };
  const worker = new Worker(workerUrl(), {
    workerData: start,
    transferList: [copies.workerPort],
    name: "object-log",
    resourceLimits: { maxYoungGenerationSizeMb: workerYoungMb },
  });
  const exited = new Promise<void>((done) => worker.once("exit", () => done()));
  const [ready] = (await once(worker, "message").catch((error: unknown) => {
    throw new Fault("internal", `start the thread of ${file}`, { cause: error });
  })) as [ObjectWorkerReady];
  if (!("revision" in ready)) {
    await exited;
    throw new Fault(ready.code, ready.message, ready.cause === "" ? {} : { cause: ready.cause });
  }
  return new SqliteObjectLog(worker, exited, copies, file, ready);
}

function workerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./object-log-worker.js", import.meta.url);
}

class SqliteObjectLog implements FileObjectLog {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #copies: Copies;
  readonly #file: string;
  readonly #pending = new Map<number, Pending>();
  #listener: ((change: ObjectChange) => void) | undefined;
  #ids = 0;
  #closing: Promise<void> | undefined;
  #lost: Fault | undefined;
  revision: number;
  compactedRevision: number;

  constructor(worker: Worker, exited: Promise<void>, copies: Copies, file: string, ready: ObjectWorkerOpened) {
    this.#worker = worker;
    this.#exited = exited;
    this.#copies = copies;
    this.#file = file;
    this.revision = ready.revision;
    this.compactedRevision = ready.compacted;
    worker.on("message", (reply: ObjectReply) => this.#receive(reply));
    worker.on("error", (cause) => this.#fail(new Fault("unavailable", `the thread of ${file} died`, { cause })));
  }

  async write(write: ObjectWrite): Promise<WriteOutcome> {
    const reply = await this.#ask({ do: "write", write });
    if (!("outcome" in reply)) throw this.#strange();
    const { outcome } = reply;
    return "change" in outcome
      ? { outcome: "written", revision: outcome.change.revision }
      : { outcome: "conflict", current: outcome.current };
  }

  async load(): Promise<{ readonly revision: number; readonly objects: readonly StoredObject[] }> {
    const reply = await this.#ask({ do: "load" });
    if (!("objects" in reply)) throw this.#strange();
    return { revision: this.revision, objects: reply.objects };
  }

  async changesAfter(revision: number, limit: number): Promise<readonly ObjectChange[]> {
    const reply = await this.#ask({ do: "changes", after: revision, limit });
    if (!("changes" in reply)) throw this.#strange();
    return reply.changes;
  }

  async compact(revision: number): Promise<void> {
    const reply = await this.#ask({ do: "compact", revision });
    if ("compacted" in reply) this.compactedRevision = reply.compacted;
  }

  async backup(file: string, options: CopyOptions = {}): Promise<void> {
    if (this.#lost) throw this.#lost;
    await this.#copies.make(file, options);
  }

  onCommit(listener: (change: ObjectChange) => void): void {
    this.#listener = listener;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#lost) await this.#call({ do: "close" }).catch(() => undefined); // a lost worker is closed
    await this.#exited;
    this.#fail(new Fault("unavailable", `${this.#file} is closed`));
  }

  async #ask(call: Ask): Promise<ObjectReply> {
    if (this.#closing) throw new Fault("unavailable", `${this.#file} is closed`);
    return this.#call(call);
  }

  #call(call: Ask): Promise<ObjectReply> {
    if (this.#lost) return Promise.reject(this.#lost);
    const id = ++this.#ids;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ ...call, id });
    });
  }

  #receive(reply: ObjectReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("code" in reply) {
      pending?.reject(new Fault(reply.code, reply.message, reply.cause === "" ? {} : { cause: reply.cause }));
      return;
    }
    if ("outcome" in reply && "change" in reply.outcome) {
      this.revision = reply.outcome.change.revision;
      this.#listener?.(reply.outcome.change);
    }
    pending?.resolve(reply);
  }

  #fail(fault: Fault): void {
    this.#lost ??= fault;
    this.#copies.end();
    for (const { reject } of this.#pending.values()) reject(fault);
    this.#pending.clear();
  }

  #strange(): Fault {
    return new Fault("internal", `the thread of ${this.#file} answered another question`);
  }
}
