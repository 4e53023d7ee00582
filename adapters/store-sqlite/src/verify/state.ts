/**
 * Checks `state.db` against everything the store relies on. One pass over the events, with a few numbers for each entity in memory: 10 million events of a
 * million entities take about 30 MB and, at 1–2 µs a row, some 20 s.
 *
 * D3 an entity's events are numbered from 1 without gaps, and each names the one before it
 * D4 offsets of a shard are numbered from 0 without gaps, in the order of positions
 * D5 heads and shards are right for everything up to `indexed_position`, and name real events beyond (schema F4)
 * D6 every 256th event has its milestone, and there are no others
 * D7 a snapshot is not ahead of its entity's events        D8 whatever names an entity names one that exists, of the right kind
 * D9 no consumer group's cursor is ahead of the events
 */
import type { DatabaseSync } from "node:sqlite";
import { kinds, milestoneEvery, shards } from "../schema.ts";
import { shardOf } from "../shard.ts";
import { checkCursors, type Findings, number } from "./findings.ts";

/** Names each stage before it begins. */
export function* checkState(db: DatabaseSync, found: Findings): Generator<string, void> {
  yield "entities";
  const entities = readEntities(db, found);
  yield "events";
  const tails = checkEvents(db, entities, found);
  yield "heads";
  checkHeads(db, entities, found);
  checkShards(db, tails, found);
  checkMilestones(db, entities, found);
  yield "snapshots, values and cursors";
  checkRecords(db, entities, found);
  const newest = number(db, "SELECT ifnull(max(position), 0) FROM event");
  checkCursors(db, found, { rule: "D9", newest, nextOffset: (shard) => tails.next[shard] ?? 0 });
}

/** What is known of each entity, by its row: plain arrays, as there may be millions. */
class Entities {
  readonly #db: DatabaseSync;
  readonly kind: Int8Array;
  readonly shard: Uint16Array;
  /** Of the events seen so far. */
  readonly sequence: Float64Array;
  readonly position: Float64Array;
  /** The same up to `indexed_position`. */
  readonly indexedSequence: Float64Array;
  readonly milestones: Uint32Array;

  constructor(db: DatabaseSync) {
    this.#db = db;
    const size = number(db, "SELECT ifnull(max(id), 0) + 1 FROM entity");
    this.kind = new Int8Array(size).fill(-1);
    this.shard = new Uint16Array(size);
    this.sequence = new Float64Array(size);
    this.position = new Float64Array(size);
    this.indexedSequence = new Float64Array(size);
    this.milestones = new Uint32Array(size);
  }

  has(row: number): boolean {
    return this.kind[row] !== undefined && this.kind[row] >= 0;
  }

  /** For people: `shop.Cart/42`. */
  name(row: number): string {
    const found = this.#db.prepare("SELECT service, entity_id FROM entity WHERE id = ?").get(row);
    return found ? `${String(found["service"])}/${String(found["entity_id"])}` : `entity ${row}`;
  }
}

function readEntities(db: DatabaseSync, found: Findings): Entities {
  const entities = new Entities(db);
  const known = new Set<number>(Object.values(kinds));
  const rows = db.prepare("SELECT id, service, entity_id, persistence_id, namespace, kind, shard FROM entity");
  for (const row of rows.iterate()) {
    const id = Number(row["id"]);
    const name = `${String(row["service"])}/${String(row["entity_id"])}`;
    if (!known.has(Number(row["kind"]))) found.add("D8", `${name} is of kind ${String(row["kind"])}, which does not exist`, "kind");
    const key = [row["service"], row["entity_id"], row["persistence_id"], row["namespace"]].join("\0");
    const shard = shardOf(Buffer.from(key));
    if (shard !== row["shard"]) found.add("D8", `${name} is in shard ${String(row["shard"])}, it belongs to ${shard}`, "shard");
    entities.kind[id] = Number(row["kind"]);
    entities.shard[id] = Number(row["shard"]);
  }
  return entities;
}

/** Next offset of each shard: by all events, and by those up to `indexed_position`. */
interface Tails {
  readonly next: Float64Array;
  readonly indexedNext: Float64Array;
}

/** keeps D3 and D4 */
function checkEvents(db: DatabaseSync, entities: Entities, found: Findings): Tails {
  const indexed = number(db, "SELECT value FROM meta WHERE name = 'indexed_position'");
  const last = number(db, "SELECT ifnull(max(position), 0) FROM event");
  if (indexed > last) found.add("D5", `indexed_position is ${indexed}, the last event is at ${last}`);
  const tails: Tails = { next: new Float64Array(shards), indexedNext: new Float64Array(shards) };
  const events = db.prepare('SELECT position, shard, "offset", entity, sequence, previous FROM event ORDER BY position');
  events.setReturnArrays(true);
  for (const row of events.iterate() as unknown as Iterable<readonly number[]>) {
    const [position = 0, shard = 0, offset = 0, entity = 0, sequence = 0, previous = 0] = row;
    if (!entities.has(entity)) {
      found.add("D8", `the event at position ${position} belongs to entity ${entity}, which does not exist`, "event without entity");
      continue;
    }
    checkLink(entities, { position, entity, sequence, previous }, found);
    if (entities.kind[entity] !== kinds.eventSourced)
      found.add("D8", `${entities.name(entity)} has events and is not event sourced`, "kind of event");
    if (entities.shard[entity] !== shard) {
      found.add(
        "D8",
        `event ${sequence} of ${entities.name(entity)} is in shard ${shard}, its entity in ${entities.shard[entity]}`,
        "event's shard",
      );
    }
    const next = tails.next[shard] ?? 0;
    if (offset !== next) found.add("D4", `shard ${shard}: offset ${offset} follows ${next - 1}, at position ${position}`, "offset");
    tails.next[shard] = offset + 1;
    if (position <= indexed) tails.indexedNext[shard] = offset + 1;
    if (position <= indexed) entities.indexedSequence[entity] = sequence;
  }
  return tails;
}

interface Link {
  readonly position: number;
  readonly entity: number;
  readonly sequence: number;
  readonly previous: number;
}

function checkLink(entities: Entities, { position, entity, sequence, previous }: Link, found: Findings): void {
  const before = entities.sequence[entity] ?? 0;
  if (sequence !== before + 1)
    found.add("D3", `${entities.name(entity)}: event ${sequence} follows ${before}, at position ${position}`, "sequence");
  const beforeAt = entities.position[entity] ?? 0;
  if (previous !== beforeAt) {
    const text = `${entities.name(entity)}: event ${sequence} names position ${previous} as the one before, which is at ${beforeAt}`;
    found.add("D3", text, "chain");
  }
  entities.sequence[entity] = sequence;
  entities.position[entity] = position;
}

/** keeps D5 */
function checkHeads(db: DatabaseSync, entities: Entities, found: Findings): void {
  const event = db.prepare("SELECT entity, sequence FROM event WHERE position = ?");
  for (const row of db.prepare("SELECT id, sequence, last_position FROM entity WHERE kind = 0").iterate()) {
    const id = Number(row["id"]);
    const sequence = Number(row["sequence"]);
    const position = Number(row["last_position"]);
    const most = entities.sequence[id] ?? 0;
    const least = entities.indexedSequence[id] ?? 0;
    if (sequence > most || sequence < least) {
      const range = least === most ? `${most}` : `${least} to ${most}`;
      found.add("D5", `${entities.name(id)}: its head says ${sequence}, its events say ${range}`, "head");
      continue;
    }
    if (sequence === 0 && position === 0) continue;
    const at = event.get(position);
    if (at?.["entity"] !== id || at["sequence"] !== sequence) {
      found.add(
        "D5",
        `${entities.name(id)}: its head says event ${sequence} is at position ${position}, where it is not`,
        "head's position",
      );
    }
  }
}

/** keeps D5 */
function checkShards(db: DatabaseSync, tails: Tails, found: Findings): void {
  const rows = db.prepare("SELECT id, next_offset FROM shard").all();
  if (rows.length !== shards) found.add("D5", `there are ${rows.length} shards, not ${shards}`);
  for (const row of rows) {
    const id = Number(row["id"]);
    const next = Number(row["next_offset"]);
    const [least, most] = [tails.indexedNext[id] ?? 0, tails.next[id] ?? 0];
    if (next >= least && next <= most) continue;
    found.add(
      "D5",
      `shard ${id}: its next offset is said to be ${next}, its events say ${least === most ? most : `${least} to ${most}`}`,
      "shard",
    );
  }
}

/** keeps D6 */
function checkMilestones(db: DatabaseSync, entities: Entities, found: Findings): void {
  const event = db.prepare("SELECT entity, sequence FROM event WHERE position = ?");
  for (const row of db.prepare("SELECT entity, sequence, position FROM milestone").iterate()) {
    const entity = Number(row["entity"]);
    const sequence = Number(row["sequence"]);
    const at = event.get(Number(row["position"]));
    if (at?.["entity"] !== entity || at["sequence"] !== sequence || sequence % milestoneEvery !== 0) {
      const text = `${entities.name(entity)}: the milestone of event ${sequence} names position ${String(row["position"])}, where it is not`;
      found.add("D6", text, "milestone");
    } else if (entities.has(entity)) entities.milestones[entity] = (entities.milestones[entity] ?? 0) + 1;
  }
  for (let row = 0; row < entities.kind.length; row++) {
    const want = Math.floor((entities.sequence[row] ?? 0) / milestoneEvery);
    const have = entities.milestones[row] ?? 0;
    if (have < want) found.add("D6", `${entities.name(row)} has ${have} of ${want} milestones`, "milestones missing");
  }
}

/** keeps D7 and D8 */
function checkRecords(db: DatabaseSync, entities: Entities, found: Findings): void {
  for (const row of db.prepare("SELECT entity, sequence FROM snapshot").iterate()) {
    const entity = Number(row["entity"]);
    const sequence = Number(row["sequence"]);
    const last = entities.sequence[entity] ?? 0;
    if (!entities.has(entity)) found.add("D8", `a snapshot belongs to entity ${entity}, which does not exist`, "snapshot without entity");
    else if (sequence > last || sequence < 1) {
      found.add("D7", `${entities.name(entity)}: its snapshot is of event ${sequence}, its last event is ${last}`, "snapshot");
    }
  }
  for (const row of db.prepare("SELECT entity, version, deleted FROM value").iterate()) {
    const entity = Number(row["entity"]);
    if (!entities.has(entity)) found.add("D8", `a value belongs to entity ${entity}, which does not exist`, "value without entity");
    else if (entities.kind[entity] !== kinds.value)
      found.add("D8", `${entities.name(entity)} has a value and is not a value entity`, "kind of value");
    else if (Number(row["version"]) < 1)
      found.add("D8", `${entities.name(entity)}: version ${String(row["version"])} of a value`, "version");
  }
  checkReferences(db, entities, found);
}

/** Tables beside the records that name an entity. 0 in the outbox: an action's. */
function checkReferences(db: DatabaseSync, entities: Entities, found: Findings): void {
  for (const table of ["deduplication", "outbox", "timer", "replica"]) {
    for (const row of db.prepare(`SELECT DISTINCT entity FROM ${table}`).iterate()) {
      const entity = Number(row["entity"]);
      if (entity === 0 && table === "outbox") continue;
      if (!entities.has(entity)) found.add("D8", `a row of ${table} belongs to entity ${entity}, which does not exist`, table);
    }
  }
}
