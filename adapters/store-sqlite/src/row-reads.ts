/**
 * The worker's reads of messages and timers. A row travels as JSON with its payload and metadata behind it: they are read after a restart, when
 * a target was out of reach, when a timer is due, and for people; not on the path of a command.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { eventsPageBytes, type OutboxLane, type OutboxQuery, type TimerQuery } from "@mecha/state/store";
import { answer, type Reader, type Writer } from "./protocol.ts";
import { arrays, one, type Row } from "./reads.ts";
import { kindNames } from "./schema.ts";

/** Asked of `timersDue`. */
export interface DueQuery {
  readonly nowMs: number;
  readonly limit: number;
  readonly after?: { readonly dueMs: number; readonly id: number };
}

const messageColumns = `o.id, o.state, o.attempts, o.due, o.failure, o.time, o.key, o.target_service, o.target_entity, o.command, o.origin,
  o.hops, o.trace, e.namespace, e.service, e.persistence_id, e.entity_id, o.metadata, o.type_url, o.payload`;
const timerColumns = `t.id, t.name, t.due, t.firings, t.failure, t.parked, t.schedule, t.command, e.kind, e.namespace, e.service, e.persistence_id, e.entity_id,
  t.metadata, t.type_url, t.payload`;

const none = new Uint8Array(0);

export class RowReads {
  readonly #db: DatabaseSync;
  readonly #waiting: StatementSync;
  readonly #inLane: StatementSync;
  readonly #entity: StatementSync;
  readonly #due: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    const outbox = `SELECT ${messageColumns} FROM outbox o LEFT JOIN entity e ON e.id = o.entity`;
    this.#waiting = arrays(db, `${outbox} WHERE o.id > ? AND o.state = ? ORDER BY o.id LIMIT ?`);
    this.#inLane = arrays(
      db,
      `${outbox} WHERE o.entity = ? AND o.target_service = ? AND o.target_entity = ? AND o.id > ? AND o.state = ? ORDER BY o.id LIMIT ?`,
    );
    this.#entity = arrays(db, "SELECT id FROM entity WHERE service = ? AND entity_id = ? AND persistence_id = ? AND namespace = ?");
    this.#due = arrays(
      db,
      `SELECT ${timerColumns} FROM timer t JOIN entity e ON e.id = t.entity
       WHERE t.parked = 0 AND t.due <= ? AND (t.due, t.id) > (?, ?) ORDER BY t.due, t.id LIMIT ?`,
    );
  }

  /** Body: call, query as JSON. */
  outbox(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const { state, lane, afterId = 0, limit } = JSON.parse(reader.text()) as OutboxQuery;
    const stateNumber = state === "dead" ? 1 : 0;
    const rows = lane ? this.#lane(lane, afterId, stateNumber, limit) : this.#waiting.iterate(afterId, stateNumber, limit);
    writeRows(out, call, rows, messageOf);
  }

  #lane({ source, service, entityId = "" }: OutboxLane, afterId: number, state: number, limit: number): Iterable<unknown> {
    const entity = source ? one(this.#entity, source.service, source.entityId, source.persistenceId, source.namespace)?.[0] : 0;
    return entity === undefined ? [] : this.#inLane.iterate(Number(entity), service, entityId, afterId, state, limit);
  }

  /** Body: call, query as JSON. */
  timersDue(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const { nowMs, limit, after = { dueMs: Number.MIN_SAFE_INTEGER, id: 0 } } = JSON.parse(reader.text()) as DueQuery;
    writeRows(out, call, this.#due.iterate(nowMs, after.dueMs, after.id, limit), timerOf);
  }

  /** Body: call, query as JSON. */
  timers(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const { service, entityId, afterId = 0, limit } = JSON.parse(reader.text()) as TimerQuery;
    const asked: readonly (readonly [condition: string, value: string | number | undefined])[] = [
      ["t.id > ?", afterId],
      ["e.service = ?", service],
      ["e.entity_id = ?", entityId],
    ];
    const set = asked.filter(([, value]) => value !== undefined);
    const where = set.map(([condition]) => condition);
    const values = set.map(([, value]) => value as string | number);
    const from = "FROM timer t JOIN entity e ON e.id = t.entity";
    const sql = `SELECT ${timerColumns} ${from} WHERE ${where.join(" AND ")} ORDER BY t.id LIMIT ?`;
    writeRows(out, call, arrays(this.#db, sql).iterate(...values, limit), timerOf);
  }
}

function messageOf(row: Row): unknown {
  const [id, state, attempts, dueMs, failure, timeMs, key, service, entityId, command, origin, hops, trace, ...source] = row;
  return {
    ...{ id, state: state === 1 ? "dead" : "waiting", attempts, dueMs, timeMs, key, service, command, origin, hops },
    ...(failure !== null && { failure }),
    ...(entityId !== "" && { entityId }),
    ...(trace !== null && { trace }),
    ...(source[0] !== null && { source: addressOf(source) }),
  };
}

function timerOf([id, name, dueMs, firings, failure, parked, schedule, command, kind, ...address]: Row): unknown {
  return {
    ...{ id, address: addressOf(address), kind: kindNames[Number(kind)], name, dueMs, firings, schedule, command },
    ...(failure !== null && { failure }),
    ...(parked === 1 && { parked: true }),
  };
}

function addressOf([namespace, service, persistenceId, entityId]: Row): unknown {
  return { namespace, service, persistenceId, entityId };
}

/** The last three columns of a row are metadata, type URL and payload. A page ends after `eventsPageBytes`; one row always fits. */
function writeRows(out: Writer, call: number, rows: Iterable<unknown>, scalars: (row: Row) => unknown): void {
  const page: Row[] = [];
  let bytes = 0;
  for (const row of rows as Iterable<Row>) {
    bytes += (row.at(-1) as Uint8Array).length;
    if (page.length > 0 && bytes > eventsPageBytes) break;
    page.push(row);
  }
  const began = out.begin(answer.rows);
  out.u32(call);
  out.u32(page.length);
  for (const row of page) {
    const [metadata, typeUrl, payload] = row.slice(-3);
    out.text(JSON.stringify(scalars(row)));
    out.bytes((metadata as Uint8Array | null) ?? none);
    out.word(String(typeUrl));
    out.bytes(payload as Uint8Array);
  }
  out.end(began);
}
