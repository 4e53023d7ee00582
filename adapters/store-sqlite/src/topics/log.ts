/** The embedded topic log: one SQLite file, written by a worker thread of its own. This side hands requests over and gives answers back. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { assert, Fault, type Log } from "@mecha/kit";
import type { EventPage } from "@mecha/binding";
import { appendMax, type Retention, type Standing, type TopicListing, type TopicMessage, type TopicReader } from "@mecha/binding/topics";
import { type Cursor, type ParkedChange, type ParkedEvent, type ParkedQuery, type ParkedRow, rowsMax } from "@mecha/state/store";
import { Copies, type CopyOptions } from "../copies.ts";
import type { FileTopics } from "./file-topics.ts";
import type { TopicsAnswer, TopicsRequest, TopicsStart } from "./worker.ts";
import type { WorkerReady } from "../worker.ts";
import { unusedTopics } from "./unused.ts";

export interface SqliteTopicsOptions {
  /** Folder of the state; the file is `topics.db`. Made with mode 0700 when the first message is appended. */
  readonly dir: string;
  readonly log: Log;
  readonly retention: Retention;
  /** As of the store. Default `full`. */
  readonly durability?: "full" | "relaxed";
}

type Asked = TopicsRequest extends infer R ? (R extends { readonly call: number } ? Omit<R, "call"> : never) : never;

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (fault: Fault) => void;
}

/** V8's heap for young objects of the worker, MB: it makes few. */
const workerYoungMb = 6;

/**
 * Opens the log. One that does not exist is made by the first message. Only one process can hold it.
 * @throws Fault("unavailable") naming the holder's pid, or when the file cannot be opened; Fault("precondition") when it is not ours, or newer.
 */
export async function openSqliteTopics(options: SqliteTopicsOptions): Promise<FileTopics> {
  const file = join(options.dir, "topics.db");
  const open = (): Promise<FileTopics> => startWorker(file, options);
  return existsSync(file) ? open() : unusedTopics(file, options.retention, open);
}

async function startWorker(file: string, { log, retention, durability = "full" }: SqliteTopicsOptions): Promise<FileTopics> {
  const copies = new Copies(file);
  const backups = copies.workerPort;
  const workerData: TopicsStart = { file, ownFolder: true, durability, retention, backups };
  const resourceLimits = { maxYoungGenerationSizeMb: workerYoungMb };
  const worker = new Worker(workerUrl(), { workerData, transferList: [backups], name: "store-sqlite-topics", resourceLimits });
  const exited = new Promise<void>((done) => worker.once("exit", () => done()));
  const [ready] = (await once(worker, "message").catch((error: unknown) => {
    throw new Fault("internal", `start the thread of ${file}`, { cause: error });
  })) as [WorkerReady];
  if (!("ready" in ready)) {
    await exited;
    throw new Fault(ready.code, ready.message, ready.cause === "" ? {} : { cause: ready.cause });
  }
  return new SqliteTopics(worker, exited, copies, { file, log, retention });
}

/** As the store's: beside this file from source, beside the bundle when bundled. */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./store-sqlite-topics-worker.js", import.meta.url);
}

class SqliteTopics implements FileTopics {
  readonly retention: Retention;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #copies: Copies;
  readonly #file: string;
  readonly #log: Log;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #closing: Promise<void> | undefined;
  #lost: Fault | undefined;

  constructor(
    worker: Worker,
    exited: Promise<void>,
    copies: Copies,
    { file, log, retention }: { readonly file: string; readonly log: Log; readonly retention: Retention },
  ) {
    this.#worker = worker;
    this.#exited = exited;
    this.#copies = copies;
    this.#file = file;
    this.#log = log;
    this.retention = retention;
    worker.on("message", (answer: TopicsAnswer) => this.#answered(answer));
    worker.on("error", (error) => this.#lose(error));
  }

  async append(messages: readonly TopicMessage[]): Promise<readonly boolean[]> {
    assert(messages.length <= appendMax, `${messages.length} messages are more than ${appendMax}`);
    return messages.length === 0 ? [] : ((await this.#ask({ ask: "append", messages })) as readonly boolean[]);
  }

  async read(topic: string, after: number, limit: number): Promise<EventPage> {
    assert(limit >= 1 && limit <= rowsMax, `limit ${limit} is not 1 to ${rowsMax}`);
    return (await this.#ask({ ask: "read", topic, after, limit })) as EventPage;
  }

  async topics(): Promise<readonly TopicListing[]> {
    return (await this.#ask({ ask: "topics" })) as readonly TopicListing[];
  }

  async sweep(nowMs: number, limit: number, groups: readonly TopicReader[] = []): Promise<number> {
    return (await this.#ask({ ask: "sweep", nowMs, limit, groups })) as number;
  }

  async standings(groups: readonly string[]): Promise<readonly Standing[]> {
    assert(groups.length <= rowsMax, `${groups.length} groups are more than ${rowsMax}`);
    return groups.length === 0 ? [] : ((await this.#ask({ ask: "standings", groups })) as readonly Standing[]);
  }

  async cursor(subscriber: string): Promise<Cursor> {
    return (await this.#ask({ ask: "cursor", subscriber })) as Cursor;
  }

  async advance(subscriber: string, cursor: Cursor, parked: readonly ParkedEvent[]): Promise<void> {
    await this.#ask({ ask: "advance", subscriber, cursor, parked });
  }

  async parked(query: ParkedQuery): Promise<readonly ParkedRow[]> {
    assert(query.limit >= 1 && query.limit <= rowsMax, `limit ${query.limit} is not 1 to ${rowsMax}`);
    return (await this.#ask({ ask: "parked", query })) as readonly ParkedRow[];
  }

  async settleParked(changes: readonly ParkedChange[]): Promise<number> {
    return (await this.#ask({ ask: "settleParked", changes })) as number;
  }

  async parkedCount(): Promise<number> {
    return (await this.#ask({ ask: "parkedCount" })) as number;
  }

  async mark(file: string): Promise<boolean> {
    await this.#ask({ ask: "mark", file });
    return true;
  }

  async backup(file: string, options: CopyOptions = {}, mark?: string): Promise<void> {
    if (this.#lost) throw this.#lost;
    await this.#copies.make(file, options, mark);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#lost === undefined) this.#worker.postMessage({ ask: "close", call: ++this.#calls } satisfies TopicsRequest);
    else await this.#worker.terminate();
    await this.#exited;
    this.#copies.end();
    this.#failAll(new Fault("unavailable", `${this.#file} is closed`));
  }

  async #ask(request: Asked): Promise<unknown> {
    if (this.#lost) throw this.#lost;
    if (this.#closing) throw new Fault("unavailable", `${this.#file} is closed`);
    return new Promise((resolve, reject) => {
      const call = ++this.#calls;
      this.#pending.set(call, { resolve, reject });
      this.#worker.postMessage({ ...request, call });
    });
  }

  #answered(answer: TopicsAnswer): void {
    if ("failure" in answer) this.#lose(new Error(answer.failure));
    else if ("refused" in answer)
      this.#pending.get(answer.call)?.reject(new Fault("unavailable", `write beside ${this.#file}: ${answer.refused}`));
    else this.#pending.get(answer.call)?.resolve(answer.result);
    this.#pending.delete(answer.call);
  }

  /** The medium failed, or the thread: said once; from then on everything is refused. Nothing of it was acknowledged. */
  #lose(cause: unknown): void {
    if (this.#lost !== undefined) return;
    this.#lost = new Fault("unavailable", `${this.#file} failed and is out of use; check the disk, then start Mecha again`, { cause });
    this.#log.error("topics failed", { file: this.#file, cause });
    this.#copies.end();
    this.#failAll(this.#lost);
  }

  #failAll(fault: Fault): void {
    for (const { reject } of this.#pending.values()) reject(fault);
    this.#pending.clear();
  }
}
