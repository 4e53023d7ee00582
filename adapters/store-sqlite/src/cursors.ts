/**
 * Cursors of subscribers and the events parked for them, as tables. The same in `state.db` (event logs) and `topics.db` (topics): a cursor commits
 * with what it is a cursor of.
 *
 * Row -1 of a subscriber holds its position, the others the shards that are further on.
 */
import type { DatabaseSync } from "node:sqlite";
import {
  type Cursor,
  cursorAtStart,
  eventsPageBytes,
  type ParkedChange,
  type ParkedEvent,
  type ParkedQuery,
  type ParkedRow,
} from "@mecha/state/store";
import { metadataBytes, metadataOf } from "./metadata.ts";

/** Shard number of the row that holds the position. */
const wholeShard = -1;

/** `state.db` has had `cursor` since layout 1. */
export const cursorTable = `
  CREATE TABLE cursor (
    subscriber TEXT, shard INTEGER, next_offset INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (subscriber, shard)
  ) WITHOUT ROWID;
`;

export const parkedTable = `
  CREATE TABLE parked (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: people name events by it
    subscriber TEXT NOT NULL, time INTEGER NOT NULL, attempts INTEGER NOT NULL, failure TEXT NOT NULL, trace TEXT,
    attributes BLOB NOT NULL, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0, payload BLOB NOT NULL
  );
  CREATE INDEX parked_by_subscriber ON parked (subscriber);
`;

interface Stored {
  readonly id: number;
  readonly subscriber: string;
  readonly time: number;
  readonly attempts: number;
  readonly failure: string;
  readonly trace: string | null;
  readonly attributes: Uint8Array;
  readonly type_url: string;
  readonly payload: Uint8Array;
}

/** See the file's header. Every change runs in a transaction of the caller's. */
export class CursorTables {
  readonly #sql: ReturnType<typeof statements>;

  constructor(db: DatabaseSync) {
    this.#sql = statements(db);
  }

  cursor(subscriber: string): Cursor {
    const rows = this.#sql.read.all(subscriber) as { shard: number; next_offset: number; position: number }[];
    const whole = rows.find(({ shard }) => shard === wholeShard);
    if (whole === undefined) return cursorAtStart;
    const ahead = rows.filter(({ shard }) => shard !== wholeShard).map(({ shard, next_offset: next }) => [shard, next] as const);
    return { position: whole.position, ahead };
  }

  /** Every subscriber that has a cursor. */
  subscribers(): string[] {
    return (this.#sql.subscribers.all(wholeShard) as { subscriber: string }[]).map(({ subscriber }) => subscriber);
  }

  advance(subscriber: string, { position, ahead }: Cursor, parked: readonly ParkedEvent[]): void {
    if (position >= this.cursor(subscriber).position) this.#move(subscriber, position, ahead);
    for (const { timeMs, attempts, failure, trace, attributes, payload } of parked)
      this.#sql.park.run(subscriber, timeMs, attempts, failure, trace ?? null, metadataBytes(attributes), payload.typeUrl, payload.value);
  }

  #move(subscriber: string, position: number, ahead: Cursor["ahead"]): void {
    this.#sql.forget.run(subscriber);
    this.#sql.write.run(subscriber, wholeShard, 0, position);
    for (const [shard, nextOffset] of ahead) this.#sql.write.run(subscriber, shard, nextOffset, position);
  }

  parked({ subscriber, afterId = 0, limit }: ParkedQuery): readonly ParkedRow[] {
    const found = (
      subscriber === undefined ? this.#sql.parked.iterate(afterId, limit) : this.#sql.parkedOf.iterate(subscriber, afterId, limit)
    ) as Iterable<Stored>;
    const page: ParkedRow[] = [];
    let bytes = 0;
    for (const row of found) {
      bytes += row.payload.length;
      if (page.length > 0 && bytes > eventsPageBytes) break;
      page.push(parkedRow(row));
    }
    return page;
  }

  settle(changes: readonly ParkedChange[]): number {
    let settled = 0;
    for (const change of changes) {
      const { changes: one } =
        change.to === "removed" ? this.#sql.unpark.run(change.id) : this.#sql.again.run(change.attempts, change.failure, change.id);
      settled += one as number;
    }
    return settled;
  }

  count(): number {
    return (this.#sql.count.get() as { n: number }).n;
  }
}

function parkedRow({ id, subscriber, time: timeMs, attempts, failure, trace, attributes, type_url: typeUrl, payload }: Stored): ParkedRow {
  return {
    ...{ id, subscriber, timeMs, attempts, failure, attributes: metadataOf(attributes), payload: { typeUrl, value: payload } },
    ...(trace !== null && { trace }),
  };
}

function statements(db: DatabaseSync) {
  return {
    read: db.prepare("SELECT shard, next_offset, position FROM cursor WHERE subscriber = ?"),
    subscribers: db.prepare("SELECT subscriber FROM cursor WHERE shard = ?"),
    forget: db.prepare("DELETE FROM cursor WHERE subscriber = ?"),
    write: db.prepare("INSERT INTO cursor (subscriber, shard, next_offset, position) VALUES (?, ?, ?, ?)"),
    park: db.prepare(
      "INSERT INTO parked (subscriber, time, attempts, failure, trace, attributes, type_url, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    parked: db.prepare("SELECT * FROM parked WHERE id > ? ORDER BY id LIMIT ?"),
    parkedOf: db.prepare("SELECT * FROM parked WHERE subscriber = ? AND id > ? ORDER BY id LIMIT ?"),
    unpark: db.prepare("DELETE FROM parked WHERE id = ?"),
    again: db.prepare("UPDATE parked SET attempts = ?, failure = ? WHERE id = ?"),
    count: db.prepare("SELECT count(*) AS n FROM parked"),
  };
}
