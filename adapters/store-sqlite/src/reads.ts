/** The worker's reads: open, events, list. They run between groups, so they see only what is committed (S6). */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { eventsPageBytes, knownKeysBytes, knownKeysMax } from "@mecha/state/store";
import { writeKey } from "./group.ts";
import type { Head, Heads } from "./heads.ts";
import { answer, eventHas, type Reader, recordHas, type Writer } from "./protocol.ts";
import type { StepKey } from "./rows.ts";
import { writeRows } from "./replicas.ts";
import { kindNames, kinds, milestoneEvery } from "./schema.ts";
import { shardOf } from "./shard.ts";

/** Longest walk of one page beside the milestone's, so that one read of tiny events delays a group by a few ms at most. */
const walkMax = 1_024;

const notBuried = "NOT EXISTS (SELECT 1 FROM replica r WHERE r.entity = e.id AND r.deleted = 1)";
const noKeys = { records: [], more: false };

/** A row read as an array: no object with names for each. */
export type Row = readonly unknown[];

export class Reads {
  readonly #db: DatabaseSync;
  readonly #heads: Heads;
  readonly #find: StatementSync;
  readonly #snapshot: StatementSync;
  readonly #value: StatementSync;
  readonly #milestone: StatementSync;
  readonly #link: StatementSync;
  readonly #event: StatementSync;
  readonly #keys: StatementSync;
  readonly #replicas: StatementSync;

  constructor(db: DatabaseSync, heads: Heads) {
    this.#db = db;
    this.#heads = heads;
    const rows = (sql: string): StatementSync => arrays(db, sql);
    // Never-seen entities are frequent: one descent of the unique index answers them.
    this.#find = rows(
      "SELECT id, kind, sequence, last_position FROM entity WHERE service = ? AND entity_id = ? AND persistence_id = ? AND namespace = ?",
    );
    this.#snapshot = rows("SELECT sequence, type_url, payload FROM snapshot WHERE entity = ?");
    this.#value = rows("SELECT version, deleted, type_url, payload FROM value WHERE entity = ?");
    this.#milestone = rows("SELECT sequence, position FROM milestone WHERE entity = ? AND sequence >= ? ORDER BY sequence LIMIT 1");
    this.#link = rows("SELECT entity, sequence, previous, length(payload) FROM event WHERE position = ?");
    this.#event = rows("SELECT type_url, payload, time, cause, command_id, trace FROM event WHERE position = ?");
    this.#replicas = rows("SELECT node, incarnation, deleted, payload FROM replica WHERE entity = ?");
    this.#keys = rows("SELECT key, payload_hash, answer, expires FROM deduplication WHERE entity = ? ORDER BY id DESC LIMIT ?");
  }

  /** Body: call, handle, now, kind, key. */
  open(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const handle = reader.u32();
    const nowMs = reader.f64();
    const kind = kindNames[reader.u8()] ?? "value";
    const keyAt = reader.at;
    const key = reader.text();
    let head = this.#heads.find(key);
    if (!head) {
      reader.at = keyAt;
      head = this.#load(key, kind, shardOf(reader.view()));
    }
    if (head.kind !== kind) {
      const [service, entityId] = key.split("\0");
      const fix = "give the new kind another persistence id";
      fault(out, call, "precondition", `open ${service}/${entityId}: it is stored as ${head.kind}, not ${kind}; ${fix}`);
      return;
    }
    this.#heads.add(handle, head);
    this.#writeRecord(call, head, nowMs, out);
  }

  #load(key: string, kind: Head["kind"], shard: number): Head {
    const row = one(this.#find, ...key.split("\0"));
    const head: Head = { key, kind, shard, row: 0, sequence: 0, lastPosition: 0, handles: 0, dirtyFrom: 0 };
    if (!row) return head;
    const stored = { ...head, kind: kindNames[Number(row[1])] ?? "value", row: Number(row[0]), lastPosition: Number(row[3]) };
    stored.sequence = stored.kind === "value" ? Number(one(this.#value, stored.row)?.[0] ?? 0) : Number(row[2]);
    return stored;
  }

  #writeRecord(call: number, head: Head, nowMs: number, out: Writer): void {
    const snapshot = head.row !== 0 && head.kind === "eventSourced" ? one(this.#snapshot, head.row) : undefined;
    const value = head.row !== 0 && head.kind === "value" ? one(this.#value, head.row) : undefined;
    const live = value && value[1] === 0;
    const keys = head.row === 0 ? noKeys : this.#newestKeys(head.row, nowMs);
    const replicas = head.row !== 0 && head.kind === "crdt" ? (this.#replicas.all(head.row) as unknown as Row[]) : [];
    const buried = replicas.some(([, , deleted]) => deleted === 1);
    const hasReplicas = buried ? recordHas.tombstone : replicas.length > 0 ? recordHas.replicas : 0;
    const hasKeys = (keys.records.length > 0 ? recordHas.keys : 0) | (keys.more ? recordHas.moreKeys : 0);
    const began = out.begin(answer.opened);
    out.u32(call);
    out.f64(head.sequence);
    out.u8((snapshot ? recordHas.snapshot : 0) | (live ? recordHas.value : 0) | hasKeys | hasReplicas);
    if (snapshot) {
      out.f64(Number(snapshot[0]));
      out.word(String(snapshot[1]));
      out.bytes(snapshot[2] as Uint8Array);
    }
    if (live) {
      out.word(String(value[2]));
      out.bytes(value[3] as Uint8Array);
    }
    if (hasKeys) {
      out.u32(keys.records.length);
      for (const record of keys.records) writeKey(out, record);
    }
    if (hasReplicas === recordHas.replicas) writeRows(out, replicas);
    out.end(began);
  }

  /** Oldest first. `more`: there are older ones. */
  #newestKeys(row: number, nowMs: number): { readonly records: readonly StepKey[]; readonly more: boolean } {
    const records: StepKey[] = [];
    let bytes = 0;
    for (const [key, payloadHash, answer, expires] of this.#keys.iterate(row, knownKeysMax + 1) as Iterable<unknown> as Iterable<Row>) {
      if (Number(expires) <= nowMs) continue; // not swept yet
      bytes += (answer as Uint8Array).length;
      if (records.length === knownKeysMax || bytes > knownKeysBytes) return { records: records.reverse(), more: true };
      records.push({ key: String(key), payloadHash: payloadHash as Uint8Array, answer: answer as Uint8Array, expires: Number(expires) });
    }
    return { records: records.reverse(), more: false };
  }

  /** Body: call, handle, after, limit. */
  events(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const head = this.#heads.at(reader.u32());
    const after = reader.f64();
    const limit = Math.min(reader.u32(), walkMax);
    if (!head) throw new Error("assertion failed: events of an entity that is not open in the worker");
    const positions = head.kind !== "eventSourced" || after >= head.sequence ? [] : this.#page(head, after, limit);
    const began = out.begin(answer.events);
    out.u32(call);
    out.f64(after);
    out.u32(positions.length);
    for (const position of positions) writeEvent(one(this.#event, position) ?? [], out);
    out.end(began);
  }

  /** Positions of the events after `after`, ascending, as many as fit a page. */
  #page(head: Head, after: number, limit: number): readonly number[] {
    const until = Math.min(after + limit, head.sequence);
    let { sequence, position } = this.#start(head, until);
    const links: { readonly position: number; readonly bytes: number }[] = [];
    for (; sequence > after; sequence--) {
      const row = one(this.#link, position);
      if (!row || row[0] !== head.row || row[1] !== sequence) throw brokenChain(head, sequence, position);
      if (sequence <= until) links.push({ position, bytes: Number(row[3]) });
      position = Number(row[2]);
    }
    links.reverse();
    let bytes = 0;
    const end = links.findIndex((link, at) => (bytes += link.bytes) > eventsPageBytes && at > 0);
    return (end < 0 ? links : links.slice(0, end)).map((link) => link.position);
  }

  /** Where to start walking back from: the head, or a milestone at or after `until` that is nearer (F3). */
  #start(head: Head, until: number): { sequence: number; position: number } {
    if (head.sequence - until >= milestoneEvery) {
      const [sequence, position] = one(this.#milestone, head.row, until) ?? [];
      if (sequence !== undefined) return { sequence: Number(sequence), position: Number(position) };
    }
    return { sequence: head.sequence, position: head.lastPosition };
  }

  /** Body: call, query as JSON: for people, a few a second. */
  list(reader: Reader, out: Writer): void {
    const call = reader.u32();
    const query = JSON.parse(reader.text()) as ListQuery;
    const began = out.begin(answer.listed);
    out.u32(call);
    out.text(JSON.stringify(this.#listed(query)));
    out.end(began);
  }

  #listed({ service, after, limit }: ListQuery): unknown[] {
    const where = [`(e.kind = 0 OR v.deleted = 0 OR (e.kind = ${kinds.crdt} AND ${notBuried}))`];
    const values: (string | number)[] = [];
    if (service !== undefined) {
      where.push("e.service = ?");
      values.push(service);
    }
    if (after) {
      const columns = ["e.service", "e.entity_id", "e.persistence_id", "e.namespace"].slice(0, after.length);
      where.push(`(${columns.join(", ")}) > (${columns.map(() => "?").join(", ")})`);
      values.push(...after);
    }
    const sql = `SELECT e.id, e.namespace, e.service, e.persistence_id, e.entity_id, e.kind, e.sequence, s.sequence, v.version
      FROM entity e LEFT JOIN snapshot s ON s.entity = e.id LEFT JOIN value v ON v.entity = e.id
      WHERE ${where.join(" AND ")} ORDER BY e.service, e.entity_id, e.persistence_id, e.namespace LIMIT ?`;
    return (arrays(this.#db, sql).all(...values, limit) as unknown as Row[]).map((row) => this.#listing(row));
  }

  #listing([id, namespace, service, persistenceId, entityId, kind, sequence, snapshot, version]: Row): unknown {
    const address = { namespace, service, persistenceId, entityId };
    if (kind === kinds.value) return { address, kind: "value", sequence: version };
    if (kind === kinds.crdt) return { address, kind: "crdt", sequence };
    const now = this.#heads.lagging(Number(id))?.sequence ?? sequence;
    return { address, kind: "eventSourced", sequence: now, ...(snapshot !== null && { snapshotSequence: snapshot }) };
  }
}

/** `after`: service, entity id, and perhaps persistence id and namespace. */
export interface ListQuery {
  readonly service?: string;
  readonly after?: readonly string[];
  readonly limit: number;
}

/** Answers a call with a Fault. */
export function fault(out: Writer, call: number, code: string, message: string, cause = ""): void {
  const began = out.begin(answer.fault);
  out.u32(call);
  out.text(code);
  out.text(message);
  out.text(cause);
  out.end(began);
}

function writeEvent([typeUrl, payload, time, cause, commandId, trace]: Row, out: Writer): void {
  out.word(String(typeUrl));
  out.bytes(payload as Uint8Array);
  out.f64(Number(time));
  out.word(String(cause));
  out.u8((commandId !== null ? eventHas.commandId : 0) | (trace !== null ? eventHas.trace : 0));
  if (commandId !== null) out.text(commandId as string);
  if (trace !== null) out.text(trace as string);
}

function brokenChain(head: Head, sequence: number, position: number): Error {
  const [service, entityId] = head.key.split("\0");
  return new Error(`event ${sequence} of ${service}/${entityId} is not at position ${position}: the file is damaged`);
}

export function one(statement: StatementSync, ...values: (string | number)[]): Row | undefined {
  return statement.get(...values) as unknown as Row | undefined;
}

export function arrays(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}
