/**
 * The thread that owns `topics.db`. Requests are structured clones, answered in order.
 *
 * This file is an entry of its own, like ../worker.ts: a bundler must emit it as `store-sqlite-topics-worker.js` beside the bundle.
 *
 * W1 what has arrived is one transaction: the writes of all callers share one fsync, and nobody is answered before it
 * W2 after the medium failed nothing is tried again
 * W3 what stands alone (marks, closing) is a turn of its own, in its place among the requests
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { explain, Fault } from "@mecha/kit";
import type { Retention, TopicMessage, TopicReader } from "@mecha/binding/topics";
import type { Cursor, ParkedChange, ParkedEvent, ParkedQuery } from "@mecha/state/store";
import { serveBackups } from "../backup.ts";
import { Checkpoints } from "../checkpoint.ts";
import { CursorTables } from "../cursors.ts";
import { type Database, openDatabase } from "../database.ts";
import { rewind, writeMark } from "./mark.ts";
import { topicsLayout, TopicTables } from "./tables.ts";
import type { WorkerReady } from "../worker.ts";

/** What log.ts starts the worker with. */
export interface TopicsStart {
  readonly file: string;
  readonly ownFolder: boolean;
  readonly durability: "full" | "relaxed";
  readonly retention: Retention;
  /** Where orders for backups come from (../backup.ts). */
  readonly backups: MessagePort;
}

/** What is asked; `call` numbers the answer. */
export type TopicsRequest = { readonly call: number } & (
  | { readonly ask: "append"; readonly messages: readonly TopicMessage[] }
  | { readonly ask: "read"; readonly topic: string; readonly after: number; readonly limit: number }
  | { readonly ask: "topics" }
  | { readonly ask: "sweep"; readonly nowMs: number; readonly limit: number; readonly groups: readonly TopicReader[] }
  | { readonly ask: "standings"; readonly groups: readonly string[] }
  | { readonly ask: "cursor"; readonly subscriber: string }
  | { readonly ask: "advance"; readonly subscriber: string; readonly cursor: Cursor; readonly parked: readonly ParkedEvent[] }
  | { readonly ask: "parked"; readonly query: ParkedQuery }
  | { readonly ask: "settleParked"; readonly changes: readonly ParkedChange[] }
  | { readonly ask: "parkedCount" }
  | { readonly ask: "mark"; readonly file: string }
  | { readonly ask: "close" }
);

/** `failure`: the file cannot be used any more. `refused`: only this could not be done. */
export type TopicsAnswer = { readonly call: number } & (
  { readonly result: unknown } | { readonly failure: string } | { readonly refused: string }
);

/** Requests of one transaction: a turn of a few ms at most. */
const turnMax = 1_000;

function standsAlone(request: TopicsRequest | undefined): boolean {
  return request?.ask === "close" || request?.ask === "mark";
}

class TopicsWorker {
  readonly #port: MessagePort;
  readonly #database: Database;
  readonly #topics: TopicTables;
  readonly #cursors: CursorTables;
  readonly #checkpoints: Checkpoints;
  readonly #backups: MessagePort;
  #broken: string | undefined;

  constructor(port: MessagePort, { file, ownFolder, durability, retention, backups }: TopicsStart) {
    this.#port = port;
    this.#database = openDatabase(file, durability, ownFolder, topicsLayout);
    const { db } = this.#database;
    this.#cursors = new CursorTables(db);
    this.#topics = new TopicTables(db, this.#cursors, retention);
    this.#checkpoints = new Checkpoints(db);
    port.on("message", (request: TopicsRequest) => this.#turn(request));
    this.#backups = backups;
    serveBackups(backups, db, {
      copying: () => undefined,
      complete: (copy, mark) => (mark === undefined ? undefined : rewind(copy, mark)),
    });
  }

  /** Keeps W1 and W3. */
  #turn(first: TopicsRequest): void {
    const requests = [first];
    while (requests.length < turnMax && !standsAlone(requests.at(-1))) {
      const next = receiveMessageOnPort(this.#port) as { message: TopicsRequest } | undefined;
      if (next === undefined) break;
      requests.push(next.message);
    }
    for (const answer of this.#answers(requests)) this.#port.postMessage(answer);
    const last = requests.at(-1);
    if (last?.ask === "close") return this.#close(last.call);
    if (last?.ask === "mark") this.#mark(last.call, last.file);
    if (this.#broken === undefined) this.#checkpoints.look(false);
  }

  /** A mark that cannot be written is the caller's problem, not the medium's. */
  #mark(call: number, file: string): void {
    try {
      if (this.#broken !== undefined) throw new Error(this.#broken);
      writeMark(this.#database.db, file);
      this.#port.postMessage({ call, result: undefined } satisfies TopicsAnswer);
    } catch (error) {
      this.#port.postMessage({ call, refused: explain(error) } satisfies TopicsAnswer);
    }
  }

  #answers(requests: readonly TopicsRequest[]): TopicsAnswer[] {
    const { db } = this.#database;
    const asked = requests.filter((request) => !standsAlone(request));
    if (this.#broken === undefined && asked.length > 0)
      try {
        db.exec("BEGIN IMMEDIATE");
        const answers = asked.map((request) => ({ call: request.call, result: this.#serve(request) }));
        db.exec("COMMIT");
        return answers;
      } catch (error) {
        this.#broken = explain(error); // keeps W2
        if (db.isTransaction) db.exec("ROLLBACK");
      }
    const failure = this.#broken ?? "";
    return asked.map(({ call }) => ({ call, failure }));
  }

  #serve(request: TopicsRequest): unknown {
    switch (request.ask) {
      case "append":
        return this.#topics.append(request.messages);
      case "read":
        return this.#topics.read(request.topic, request.after, request.limit);
      case "topics":
        return this.#topics.topics();
      case "sweep":
        return this.#topics.sweep(request.nowMs, request.limit, request.groups);
      case "standings":
        return this.#topics.standings(request.groups);
      case "cursor":
        this.#topics.begins(request.subscriber);
        return this.#cursors.cursor(request.subscriber);
      case "advance":
        this.#cursors.advance(request.subscriber, request.cursor, request.parked);
        return this.#topics.advanced(request.subscriber, request.cursor);
      case "parked":
        return this.#cursors.parked(request.query);
      case "settleParked":
        return this.#cursors.settle(request.changes);
      case "parkedCount":
        return this.#cursors.count();
      case "mark":
      case "close":
        return undefined; // keeps W3
    }
  }

  #close(call: number): void {
    if (this.#broken === undefined) this.#checkpoints.last();
    this.#database.close();
    this.#backups.close();
    this.#port.postMessage({ call, result: undefined } satisfies TopicsAnswer);
    this.#port.close();
  }
}

function start(port: MessagePort): WorkerReady {
  try {
    new TopicsWorker(port, workerData as TopicsStart);
    return { ready: true };
  } catch (error) {
    const known = Fault.from(error, `open ${(workerData as TopicsStart).file}`, "unavailable");
    return { code: known.code, message: known.message, cause: known.cause === undefined ? "" : explain(known.cause) };
  }
}

if (parentPort) {
  const ready = start(parentPort);
  parentPort.postMessage(ready);
  if (!("ready" in ready)) parentPort.close();
}
