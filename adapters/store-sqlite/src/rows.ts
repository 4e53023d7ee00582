/** Keys, messages and timers of steps: how they are written, inside the group's transaction. Reading them is in row-reads.ts. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Head } from "./heads.ts";
import { messageHas, type Reader, settledTo, timerDoes } from "./protocol.ts";

/** A key of a step, still in the batch. */
export interface StepKey {
  readonly key: string;
  readonly payloadHash: Uint8Array;
  readonly answer: Uint8Array;
  readonly expires: number;
}

/** A message of a step, still in the batch. */
export interface StepMessage {
  readonly key: string;
  readonly service: string;
  /** `""`: an action. */
  readonly entityId: string;
  readonly command: string;
  readonly origin: string;
  readonly hops: number;
  readonly trace: string | null;
  readonly metadata: Uint8Array | null;
  readonly typeUrl: string;
  readonly payload: Uint8Array;
}

/** A timer's change in a step, still in the batch. */
export type StepTimer =
  | {
      readonly does: typeof timerDoes.set;
      readonly name: string;
      readonly due: number;
      readonly schedule: string;
      readonly command: string;
      readonly metadata: Uint8Array | null;
      readonly typeUrl: string;
      readonly payload: Uint8Array;
    }
  | { readonly does: typeof timerDoes.cancel; readonly name: string }
  | { readonly does: typeof timerDoes.fired; readonly name: string; readonly due: number; readonly next: number | undefined }
  | {
      readonly does: typeof timerDoes.failed;
      readonly name: string;
      readonly due: number;
      readonly next: number | undefined;
      readonly failure: string;
    };

/** What became of a message. */
export interface Settled {
  readonly id: number;
  readonly to: (typeof settledTo)[keyof typeof settledTo];
  readonly attempts: number;
  readonly due: number;
  readonly failure: string | null;
}

type Row = readonly unknown[];

export class Rows {
  readonly #sql: ReturnType<typeof statements>;
  #nextMessage: number;

  constructor(db: DatabaseSync) {
    this.#sql = statements(db);
    // A number that was given out is not given out again while the file is open; after that nobody remembers it.
    this.#nextMessage = Number((this.#sql.lastMessage.get() as unknown as Row)[0]) + 1;
  }

  /** What is recorded of a key that has not expired at `nowMs`; one that has is forgotten. */
  known(entity: number, key: string, nowMs: number): StepKey | undefined {
    if (entity === 0) return undefined;
    const row = this.#sql.findKey.get(entity, key) as unknown as Row | undefined;
    if (!row) return undefined;
    const [id, expires, payloadHash, answer] = row;
    if (Number(expires) > nowMs)
      return { key, payloadHash: payloadHash as Uint8Array, answer: answer as Uint8Array, expires: Number(expires) };
    this.#sql.forgetKey.run(Number(id));
    return undefined;
  }

  record(entity: number, { key, payloadHash, expires, answer }: StepKey): void {
    this.#sql.addKey.run(entity, key, payloadHash, expires, answer);
  }

  /** @returns the message's id. */
  send(entity: number, message: StepMessage, timeMs: number): number {
    const { key, service, entityId, command, origin, hops, trace, metadata, typeUrl, payload } = message;
    const id = this.#nextMessage++;
    this.#sql.addMessage.run(id, entity, service, entityId, timeMs, key, command, origin, hops, trace, metadata, typeUrl, payload);
    return id;
  }

  timer(head: Head, change: StepTimer): void {
    const { row } = head;
    const { name } = change;
    if (change.does === timerDoes.set) {
      const { due, schedule, command, metadata, typeUrl, payload } = change;
      this.#sql.setTimer.run(row, name, head.shard, due, schedule, command, metadata, typeUrl, payload);
    } else if (change.does === timerDoes.cancel) this.#sql.cancelTimer.run(row, name);
    else {
      const failure = change.does === timerDoes.failed ? change.failure : null;
      if (change.next !== undefined) this.#sql.nextFiring.run(change.next, failure, row, name, change.due);
      else if (failure === null) this.#sql.lastFiring.run(row, name, change.due);
      else this.#sql.parkTimer.run(failure, row, name, change.due);
    }
  }

  settle({ id, to, attempts, due, failure }: Settled): void {
    if (to === settledTo.removed) this.#sql.removeMessage.run(id);
    else this.#sql.settleMessage.run(to === settledTo.dead ? 1 : 0, attempts, due, failure, id);
  }

  /** Forgets expired keys from the front. @returns how many. */
  sweep(nowMs: number, limit: number): number {
    return Number(this.#sql.sweep.run(limit, nowMs).changes);
  }
}

export function readKey(reader: Reader): StepKey {
  return { key: reader.text(), payloadHash: reader.view(), answer: reader.view(), expires: reader.f64() };
}

export function readMessage(reader: Reader): StepMessage {
  const flags = reader.u8();
  return {
    key: reader.text(),
    service: reader.word(),
    entityId: flags & messageHas.entityId ? reader.text() : "",
    command: reader.word(),
    origin: reader.text(),
    hops: reader.u16(),
    trace: flags & messageHas.trace ? reader.text() : null,
    metadata: flags & messageHas.metadata ? reader.view() : null,
    typeUrl: reader.word(),
    payload: reader.view(),
  };
}

export function readTimer(reader: Reader): StepTimer {
  const does = reader.u8();
  const name = reader.text();
  if (does === timerDoes.cancel) return { does, name };
  const due = reader.f64();
  if (does === timerDoes.fired || does === timerDoes.failed) {
    const read = reader.f64();
    const next = Number.isNaN(read) ? undefined : read;
    return does === timerDoes.fired ? { does, name, due, next } : { does, name, due, next, failure: reader.text() };
  }
  const schedule = reader.text();
  const command = reader.word();
  const metadata = reader.view();
  const typeUrl = reader.word();
  return {
    does: timerDoes.set,
    name,
    due,
    schedule,
    command,
    metadata: metadata.length === 0 ? null : metadata,
    typeUrl,
    payload: reader.view(),
  };
}

export function readSettled(reader: Reader): Settled {
  const id = reader.f64();
  const to = reader.u8() as Settled["to"];
  if (to === settledTo.removed) return { id, to, attempts: 0, due: 0, failure: null };
  return { id, to, attempts: reader.u32(), due: reader.f64(), failure: reader.text() || null };
}

function statements(
  db: DatabaseSync,
): Record<
  | "lastMessage"
  | "findKey"
  | "forgetKey"
  | "addKey"
  | "addMessage"
  | "setTimer"
  | "cancelTimer"
  | "lastFiring"
  | "nextFiring"
  | "parkTimer"
  | "removeMessage"
  | "settleMessage"
  | "sweep",
  StatementSync
> {
  const arrays = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  };
  return {
    lastMessage: arrays("SELECT ifnull(max(id), 0) FROM outbox"),
    findKey: arrays("SELECT id, expires, payload_hash, answer FROM deduplication WHERE entity = ? AND key = ?"),
    forgetKey: db.prepare("DELETE FROM deduplication WHERE id = ?"),
    addKey: db.prepare("INSERT INTO deduplication (entity, key, payload_hash, expires, answer) VALUES (?, ?, ?, ?, ?)"),
    addMessage: db.prepare(
      `INSERT INTO outbox (id, entity, target_service, target_entity, time, key, command, origin, hops, trace, metadata, type_url, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    setTimer: db.prepare(
      `INSERT INTO timer (entity, name, shard, due, schedule, command, metadata, type_url, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (entity, name) DO UPDATE SET due = excluded.due, schedule = excluded.schedule, command = excluded.command,
         metadata = excluded.metadata, type_url = excluded.type_url, payload = excluded.payload, firings = 0, failure = NULL, parked = 0`,
    ),
    cancelTimer: db.prepare("DELETE FROM timer WHERE entity = ? AND name = ?"),
    lastFiring: db.prepare("DELETE FROM timer WHERE entity = ? AND name = ? AND due = ?"),
    nextFiring: db.prepare("UPDATE timer SET due = ?, firings = firings + 1, failure = ? WHERE entity = ? AND name = ? AND due = ?"),
    parkTimer: db.prepare("UPDATE timer SET parked = 1, failure = ? WHERE entity = ? AND name = ? AND due = ?"),
    removeMessage: db.prepare("DELETE FROM outbox WHERE id = ?"),
    settleMessage: db.prepare("UPDATE outbox SET state = ?, attempts = ?, due = ?, failure = ? WHERE id = ?"),
    // The inner list is the front of the table, so a sweep costs what it deletes, however many keys there are.
    sweep: db.prepare("DELETE FROM deduplication WHERE id IN (SELECT id FROM deduplication ORDER BY id LIMIT ?) AND expires <= ?"),
  };
}
