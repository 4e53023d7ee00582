/**
 * The worker's part for subscribers: pages of the journal, cursors, parked events. Requests and answers travel as structured clones in bytes: there are
 * few of them, and a page has many events.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { deserialize, serialize } from "node:v8";
import {
  type Cursor,
  eventsPageBytes,
  type FeedEvent,
  type FeedPage,
  feedScanMax,
  type ParkedChange,
  type ParkedEvent,
  type ParkedQuery,
} from "@mecha/state/store";
import { CursorTables } from "./cursors.ts";
import { answer, type Reader, type Writer } from "./protocol.ts";
import { arrays, type Row } from "./reads.ts";

/** What a subscriber asks of the store. */
export type FeedRequest =
  | { readonly ask: "feed"; readonly persistenceId: string; readonly after: number; readonly limit: number }
  | { readonly ask: "cursor"; readonly subscriber: string }
  | { readonly ask: "advance"; readonly subscriber: string; readonly cursor: Cursor; readonly parked: readonly ParkedEvent[] }
  | { readonly ask: "parked"; readonly query: ParkedQuery }
  | { readonly ask: "settleParked"; readonly changes: readonly ParkedChange[] }
  | { readonly ask: "parkedCount" };

export class Feeds {
  readonly #cursors: CursorTables;
  readonly #events: StatementSync;
  readonly #head: StatementSync;
  readonly #transaction: <T>(run: () => T) => T;

  /** `transaction`: runs its argument so that it is durable when it returns. */
  constructor(db: DatabaseSync, transaction: <T>(run: () => T) => T) {
    this.#transaction = transaction;
    this.#cursors = new CursorTables(db);
    this.#events = arrays(
      db,
      `SELECT v.position, v.shard, v."offset", e.entity_id, v.sequence, v.time, v.trace, v.type_url, v.payload
       FROM event v CROSS JOIN entity e ON e.id = v.entity
       WHERE v.position > ? AND v.position <= ? AND e.persistence_id = ? ORDER BY v.position LIMIT ?`,
    );
    this.#head = arrays(db, "SELECT max(position) FROM event");
  }

  /** Body: call, request. */
  serve(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const result = this.#answer(deserialize(reader.view()) as FeedRequest);
    const began = out.begin(answer.served);
    out.u32(call);
    out.bytes(serialize(result));
    out.end(began);
  }

  #answer(request: FeedRequest): unknown {
    switch (request.ask) {
      case "feed":
        return this.#feed(request);
      case "cursor":
        return this.#cursors.cursor(request.subscriber);
      case "advance":
        return this.#transaction(() => this.#cursors.advance(request.subscriber, request.cursor, request.parked));
      case "parked":
        return this.#cursors.parked(request.query);
      case "settleParked":
        return this.#transaction(() => this.#cursors.settle(request.changes));
      case "parkedCount":
        return this.#cursors.count();
    }
  }

  #feed({ persistenceId, after, limit }: Extract<FeedRequest, { ask: "feed" }>): FeedPage {
    const head = Number((this.#head.get() as Row | undefined)?.[0] ?? 0);
    const until = Math.min(head, after + feedScanMax);
    const events: FeedEvent[] = [];
    let bytes = 0;
    let full = false;
    for (const row of this.#events.iterate(after, until, persistenceId, limit) as Iterable<unknown> as Iterable<Row>) {
      bytes += (row.at(-1) as Uint8Array).length;
      full = events.length > 0 && bytes > eventsPageBytes;
      if (full) break;
      events.push(feedEvent(row));
    }
    full ||= events.length === limit;
    return { events, readTo: full ? (events.at(-1)?.position ?? after) : Math.max(after, until), head };
  }
}

function feedEvent([position, shard, offset, entityId, sequence, timeMs, trace, typeUrl, value]: Row): FeedEvent {
  return {
    ...{ position: Number(position), shard: Number(shard), offset: Number(offset) },
    ...{ entityId: String(entityId), sequence: Number(sequence), timeMs: Number(timeMs) },
    payload: { typeUrl: String(typeUrl), value: value as Uint8Array },
    ...(typeof trace === "string" && { trace }),
  };
}
