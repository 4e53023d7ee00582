/**
 * The worker thread of the object log: the only one that touches `control.db`, so that an fsync never blocks the event loop. API objects change a
 * few hundred times a second at most, so calls travel as plain values; the state store's binary batches would buy nothing.
 *
 * This file is an entry of its own: log.ts starts it by URL. A bundler must emit it beside the bundle as `object-log-worker.js`.
 *
 * W1 writes that have arrived are one group: one transaction, one fsync, then all answers (O2)
 * W2 calls are carried out in the order they were made
 * W3 after the disk failed nothing is tried again
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { explain, Fault } from "@mecha/kit";
import type { ObjectChange, ObjectWrite, StoredObject } from "@mecha/machinery";
import { serveBackups } from "../backup.ts";
import { Checkpoints } from "../checkpoint.ts";
import { type Database, openDatabase } from "../database.ts";
import { controlLayout, ObjectRows, type RowOutcome } from "./rows.ts";

export interface ObjectWorkerStart {
  readonly file: string;
  readonly durability: "full" | "relaxed";
  /** Where orders for backups come from (../backup.ts). */
  readonly backups: MessagePort;
}

export type ObjectCall =
  | { readonly id: number; readonly do: "write"; readonly write: ObjectWrite }
  | { readonly id: number; readonly do: "load" }
  | { readonly id: number; readonly do: "changes"; readonly after: number; readonly limit: number }
  | { readonly id: number; readonly do: "compact"; readonly revision: number }
  | { readonly id: number; readonly do: "close" };

export type ObjectReply =
  | { readonly id: number; readonly outcome: RowOutcome }
  | { readonly id: number; readonly objects: readonly StoredObject[] }
  | { readonly id: number; readonly changes: readonly ObjectChange[] }
  | { readonly id: number; readonly compacted: number }
  | { readonly id: number; readonly closed: true }
  | { readonly id: number; readonly code: Fault["code"]; readonly message: string; readonly cause: string };

export interface ObjectWorkerOpened {
  readonly revision: number;
  readonly compacted: number;
}
/** First message back: open, or why not. */
export type ObjectWorkerReady = ObjectWorkerOpened | { readonly code: Fault["code"]; readonly message: string; readonly cause: string };

/** Writes taken into one group; what an fsync costs is spread thinly enough by then. */
const groupMax = 1_000;

class ObjectWorker {
  readonly #port: MessagePort;
  readonly #file: string;
  readonly #database: Database;
  readonly #checkpoints: Checkpoints;
  readonly rows: ObjectRows;
  readonly #backups: MessagePort;
  /** Backups under way: they need turns of the event loop. */
  #copying = 0;
  #broken: string | undefined;

  constructor(port: MessagePort, { file, durability, backups }: ObjectWorkerStart) {
    this.#port = port;
    this.#file = file;
    this.#database = openDatabase(file, durability, false, controlLayout);
    this.rows = new ObjectRows(this.#database.db);
    this.#checkpoints = new Checkpoints(this.#database.db);
    port.on("message", (call: ObjectCall) => this.#turn(call));
    this.#backups = backups;
    serveBackups(backups, this.#database.db, { copying: (is) => (this.#copying += is ? 1 : -1) });
  }

  #turn(first: ObjectCall): void {
    let writes: Extract<ObjectCall, { do: "write" }>[] = [];
    const flush = (): void => {
      if (writes.length > 0) this.#writeAll(writes);
      writes = [];
    };
    for (let call: ObjectCall | undefined = first; call; call = this.#next()) {
      if (call.do !== "write") flush(); // keeps W2
      if (call.do === "close") return this.#close(call.id);
      if (call.do === "write") writes.push(call);
      else this.#one(call);
      if (writes.length >= groupMax) flush();
    }
    flush();
    if (this.#broken === undefined) this.#guard(() => this.#checkpoints.look(false));
  }

  #next(): ObjectCall | undefined {
    if (this.#copying > 0) return undefined;
    return (receiveMessageOnPort(this.#port) as { message: ObjectCall } | undefined)?.message;
  }

  /** keeps W1 */
  #writeAll(calls: readonly Extract<ObjectCall, { do: "write" }>[]): void {
    const outcomes = this.#guard(() => this.rows.writeAll(calls.map(({ write }) => write)));
    calls.forEach(({ id }, i) => {
      const outcome = outcomes?.[i];
      if (outcome) this.#reply({ id, outcome });
      else this.#refuse(id);
    });
  }

  #one(call: Exclude<ObjectCall, { do: "write" | "close" }>): void {
    const reply = this.#guard((): ObjectReply => {
      try {
        return this.#serve(call);
      } catch (error) {
        if (error instanceof Fault && error.code === "outOfRange")
          return { id: call.id, code: error.code, message: error.message, cause: "" };
        throw error;
      }
    });
    if (reply) this.#reply(reply);
    else this.#refuse(call.id);
  }

  #serve(call: Exclude<ObjectCall, { do: "write" | "close" }>): ObjectReply {
    switch (call.do) {
      case "load":
        return { id: call.id, objects: this.rows.load() };
      case "changes":
        return { id: call.id, changes: this.rows.changesAfter(call.after, call.limit) };
      case "compact":
        this.rows.compact(call.revision);
        return { id: call.id, compacted: this.rows.compacted };
    }
  }

  /** keeps W3. @returns `undefined` when the disk has failed, now or before. */
  #guard<T>(work: () => T): T | undefined {
    if (this.#broken !== undefined) return undefined;
    try {
      return work();
    } catch (error) {
      this.#broken = explain(error);
      return undefined;
    }
  }

  #refuse(id: number): void {
    const message = `${this.#file} failed; what was being written is not acknowledged. Check the disk, then start Mecha again`;
    this.#reply({ id, code: "unavailable", message, cause: this.#broken ?? "" });
  }

  #close(id: number): void {
    this.#guard(() => this.#checkpoints.last());
    this.#database.close();
    this.#backups.close();
    this.#reply({ id, closed: true });
    this.#port.close();
  }

  #reply(reply: ObjectReply): void {
    this.#port.postMessage(reply);
  }
}

function start(port: MessagePort): ObjectWorkerReady {
  try {
    const { rows } = new ObjectWorker(port, workerData as ObjectWorkerStart);
    return { revision: rows.revision, compacted: rows.compacted };
  } catch (error) {
    const known = Fault.from(error, `open ${(workerData as ObjectWorkerStart).file}`, "unavailable");
    return { code: known.code, message: known.message, cause: known.cause === undefined ? "" : explain(known.cause) };
  }
}

if (parentPort) {
  const ready = start(parentPort);
  parentPort.postMessage(ready);
  if (!("revision" in ready)) parentPort.close();
}
