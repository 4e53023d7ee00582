/**
 * `topics.db`: messages of all topics in one table, by position. A file of its own, so that what is kept here and taken away never stalls entities (E14).
 *
 * `seen` remembers what was appended for longer than the message itself may be kept.
 */
import type { DatabaseSync } from "node:sqlite";
import type { BoundEvent, EventPage } from "@mecha/binding";
import {
  idsKeptMs,
  isBehind,
  type Retention,
  type Standing,
  subscribedTopic,
  type TopicListing,
  type TopicMessage,
  type TopicReader,
  topicShard,
} from "@mecha/binding/topics";
import { type Cursor, eventsPageBytes, rowsMax } from "@mecha/state/store";
import { type CursorTables, cursorTable, parkedTable } from "../cursors.ts";
import { metadataBytes, metadataOf } from "../metadata.ts";
import type { Layout } from "../schema.ts";
import { Totals, type TotalsRow, totalsSql } from "./totals.ts";

/** "MchT", big-endian. */
const topicsApplicationId = 0x4d636854;

export const topicsLayout: Layout = { applicationId: topicsApplicationId, migrations: [createVersion1, createVersion2] };

function createVersion1(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE message (
      position INTEGER PRIMARY KEY AUTOINCREMENT, -- order of appending; never given twice, also when the newest is removed
      topic TEXT NOT NULL, shard INTEGER NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, time INTEGER NOT NULL, trace TEXT,
      attributes BLOB NOT NULL, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0, payload BLOB NOT NULL
    );
    CREATE INDEX message_by_topic ON message (topic);
    CREATE TABLE seen (topic TEXT, source TEXT, id TEXT, time INTEGER NOT NULL, PRIMARY KEY (topic, source, id)) WITHOUT ROWID;
    CREATE INDEX seen_by_time ON seen (time);
    ${cursorTable}
    ${parkedTable}
  `);
}

/** What `sweep` took before a group had it; `held` of them were in hand, the last at `held_to`, and are not lost yet. */
function createVersion2(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE lost (
      subscriber TEXT PRIMARY KEY, events INTEGER NOT NULL, time INTEGER NOT NULL, held INTEGER NOT NULL, held_to INTEGER NOT NULL
    ) WITHOUT ROWID;
  `);
}

/** Where a message lay. */
interface Place {
  readonly position: number;
  readonly shard: number;
}

interface Stored {
  readonly position: number;
  readonly shard: number;
  readonly source: string;
  readonly id: string;
  readonly trace: string | null;
  readonly attributes: Uint8Array;
  readonly type_url: string;
  readonly payload: Uint8Array;
}

/** See the file's header. Every change runs in a transaction of the caller's. */
export class TopicTables {
  readonly #sql: ReturnType<typeof statements>;
  readonly #retention: Retention;
  readonly #cursors: CursorTables;
  readonly #totals: Totals;

  constructor(db: DatabaseSync, cursors: CursorTables, retention: Retention) {
    this.#sql = statements(db);
    this.#cursors = cursors;
    this.#retention = retention;
    this.#totals = new Totals(this.#sql.totals.iterate() as Iterable<unknown> as Iterable<TotalsRow>);
  }

  /** Which of them are new. */
  append(messages: readonly TopicMessage[]): boolean[] {
    return messages.map((message) => {
      const { topic, source, id, timeMs, trace, attributes, payload } = message;
      if (this.#sql.see.run(topic, source, id, timeMs).changes === 0) return false;
      const { typeUrl, value } = payload;
      const row = [topic, topicShard(message), source, id, timeMs, trace ?? null, metadataBytes(attributes), typeUrl, value] as const;
      this.#totals.came(topic, this.#sql.append.run(...row).lastInsertRowid as number, value.length);
      return true;
    });
  }

  read(topic: string, after: number, limit: number): EventPage {
    const newest = (this.#sql.newest.get(topic) as { position: number | null }).position ?? 0;
    const events: BoundEvent[] = [];
    let bytes = 0;
    for (const row of this.#sql.read.iterate(topic, after, limit) as Iterable<unknown> as Iterable<Stored>) {
      bytes += row.payload.length;
      if (events.length > 0 && bytes > eventsPageBytes) break;
      events.push(eventOf(row));
    }
    const head = Math.max(after, newest);
    return { events, readTo: events.at(-1)?.position ?? head, head };
  }

  topics(): readonly TopicListing[] {
    return this.#totals.topics(rowsMax).map(([topic, { messages, bytes }]) => {
      const [oldest, newest] = [this.#sql.first.get(topic), this.#sql.last.get(topic)] as unknown as [{ time: number }, { time: number }];
      return { topic, messages, bytes, oldestMs: oldest.time, newestMs: newest.time };
    });
  }

  sweep(nowMs: number, limit: number, groups: readonly TopicReader[]): number {
    const { maxAgeMs, maxBytes } = this.#retention;
    this.#sql.forget.run(nowMs - Math.max(maxAgeMs, idsKeptMs), limit);
    const swept = new Map<string, Place[]>();
    let count = 0;
    let lastPosition = 0;
    for (const row of this.#sql.oldest.iterate(limit) as Iterable<unknown> as Iterable<Oldest>) {
      if (this.#totals.bytes <= maxBytes && row.time >= nowMs - maxAgeMs) break;
      this.#totals.went(row.topic, row.position, row.bytes);
      lastPosition = row.position;
      count++;
      const places = swept.get(row.topic);
      if (places === undefined) swept.set(row.topic, [row]);
      else places.push(row);
    }
    if (count === 0) return 0;
    this.#sql.remove.run(lastPosition);
    this.#countLost(swept, groups, nowMs);
    return count;
  }

  /** keeps L5 */
  #countLost(swept: ReadonlyMap<string, readonly Place[]>, groups: readonly TopicReader[], nowMs: number): void {
    const readTo = new Map(this.#cursors.subscribers().map((subscriber) => [subscriber, 0]));
    for (const group of groups) readTo.set(group.subscriber, group.readTo);
    for (const [subscriber, position] of readTo) {
      const places = swept.get(subscribedTopic(subscriber) ?? "");
      if (places === undefined) continue;
      const cursor = this.#cursors.cursor(subscriber);
      const missed = places.filter((place) => !isBehind(cursor, place));
      const held = missed.filter((place) => place.position <= position);
      if (missed.length > 0) this.#sql.lose.run(subscriber, missed.length - held.length, nowMs, held.length, held.at(-1)?.position ?? 0);
    }
  }

  /** A group begins at its stored place: what it had in hand before is lost. */
  begins(subscriber: string): void {
    this.#sql.loseHeld.run(subscriber);
  }

  /** A group has stored its place. */
  advanced(subscriber: string, { position }: Cursor): void {
    this.#sql.done.run(subscriber, position);
  }

  standings(groups: readonly string[]): readonly Standing[] {
    return groups.map((subscriber) => {
      const lost = this.#sql.lost.get(subscriber) as { events: number; time: number } | undefined;
      const oldest = this.#oldest(subscriber);
      return {
        subscriber,
        lost: lost?.events ?? 0,
        ...(lost !== undefined && { lostMs: lost.time }),
        ...(oldest !== undefined && { oldest: { timeMs: oldest.time, bytesFrom: this.#totals.from(oldest.position) } }),
      };
    });
  }

  /** The oldest message a group has not had. */
  #oldest(subscriber: string): { readonly position: number; readonly time: number } | undefined {
    const topic = subscribedTopic(subscriber);
    if (topic === undefined) return undefined;
    const cursor = this.#cursors.cursor(subscriber);
    const rows = this.#sql.after.iterate(topic, cursor.position) as Iterable<unknown> as Iterable<Place & { readonly time: number }>;
    for (const row of rows) if (!isBehind(cursor, row)) return row;
    return undefined;
  }
}

/** A message that may have to go. */
interface Oldest extends Place {
  readonly topic: string;
  readonly time: number;
  readonly bytes: number;
}

function eventOf({ position, shard, source, id, trace, attributes, type_url: typeUrl, payload: value }: Stored): BoundEvent {
  const payload = { typeUrl, value };
  return {
    ...{ position, shard, offset: position, id, source, attributes: metadataOf(attributes), payload },
    ...(trace !== null && { trace }),
  };
}

function statements(db: DatabaseSync) {
  return {
    see: db.prepare("INSERT INTO seen (topic, source, id, time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    append: db.prepare(
      "INSERT INTO message (topic, shard, source, id, time, trace, attributes, type_url, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    read: db.prepare("SELECT * FROM message WHERE topic = ? AND position > ? ORDER BY position LIMIT ?"),
    newest: db.prepare("SELECT max(position) AS position FROM message WHERE topic = ?"),
    totals: db.prepare(totalsSql),
    first: db.prepare("SELECT time FROM message WHERE topic = ? ORDER BY position LIMIT 1"),
    last: db.prepare("SELECT time FROM message WHERE topic = ? ORDER BY position DESC LIMIT 1"),
    oldest: db.prepare("SELECT position, topic, shard, time, length(payload) AS bytes FROM message ORDER BY position LIMIT ?"),
    after: db.prepare("SELECT position, shard, time FROM message WHERE topic = ? AND position > ? ORDER BY position"),
    lose: db.prepare(
      `INSERT INTO lost (subscriber, events, time, held, held_to) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         events = events + excluded.events, time = excluded.time, held = held + excluded.held, held_to = max(held_to, excluded.held_to)`,
    ),
    loseHeld: db.prepare("UPDATE lost SET events = events + held, held = 0 WHERE subscriber = ? AND held > 0"),
    done: db.prepare("UPDATE lost SET held = 0 WHERE subscriber = ? AND held > 0 AND held_to <= ?"),
    lost: db.prepare("SELECT events, time FROM lost WHERE subscriber = ? AND events > 0"),
    remove: db.prepare("DELETE FROM message WHERE position <= ?"),
    forget: db.prepare(
      "DELETE FROM seen WHERE (topic, source, id) IN (SELECT topic, source, id FROM seen WHERE time < ? ORDER BY time LIMIT ?)",
    ),
  };
}
