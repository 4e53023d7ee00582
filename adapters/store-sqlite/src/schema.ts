/**
 * The file: what is in `state.db`, how it is recognised, and how an older one is brought forward.
 *
 * F1 `application_id` says the file is ours, `user_version` which layout it has; a newer layout is refused untouched (E1)
 * F2 a migration and its new `user_version` are one transaction: a crash leaves the old layout or the new one
 * F3 the append path touches the end of `event` and nothing else, so its cost does not grow with the file. There is no index on
 *    (entity, sequence): an entity's events are a chain, `entity.last_position` → `event.previous` → … → 0. Every 256th event of an entity has
 *    a `milestone`, so that a page in the middle of a long chain is found without walking all of it
 * F4 `entity.sequence`, `entity.last_position` and `shard.next_offset` may lag behind `event`, never by anything at or below
 *    `meta.indexed_position`: opening reads the events above it and catches up
 *
 * Tried instead of the chain, 200-byte events of 10,000 entities, SQLite alone, synchronous=FULL, on 2 cores with a 0.13–0.2 ms fdatasync:
 * docs/performance/journal.md has the table. A unique index (entity, sequence) touches a random leaf for each event; 64 of them in a commit write
 * 64 pages of 4 KiB instead of 5.
 */
import type { DatabaseSync } from "node:sqlite";
import { Fault } from "@mecha/kit";
import { parkedTable } from "./cursors.ts";

/** "Mech", big-endian, at offset 68 of the file; `file(1)` and `sqlite3` show it. */
export const applicationId = 0x4d656368;

/** Events of one entity between two milestones: the most rows a page walks in vain. */
export const milestoneEvery = 256;
/** Virtual shards (E5). Fixed for the life of a file. */
export const shards = 256;
/** `entity.kind` */
export const kinds = { eventSourced: 0, value: 1, crdt: 2 } as const;
/** By number. */
export const kindNames = ["eventSourced", "value", "crdt"] as const;

/** Takes a file from the version that is its index to the next one. Never edited once released; append. */
export type Migration = (db: DatabaseSync) => void;

/** A kind of file: its mark, and the way from each version to the next. */
export interface Layout {
  readonly applicationId: number;
  readonly migrations: readonly Migration[];
}

export const migrations: readonly Migration[] = [createVersion1, createVersion2, createVersion3, createVersion4];

/**
 * Recognises the file and brings it to the newest version.
 * @throws Fault("precondition") when it is somebody else's database, or newer than this program.
 */
export function migrate(db: DatabaseSync, file: string, steps: readonly Migration[] = migrations, mark = applicationId): void {
  const version = recognise(db, file, steps.length, mark);
  for (let from = version; from < steps.length; from++) {
    db.exec("BEGIN IMMEDIATE");
    try {
      steps[from]?.(db);
      db.exec(`PRAGMA application_id = ${mark}; PRAGMA user_version = ${from + 1}; COMMIT`); // keeps F2
    } catch (error) {
      if (db.isTransaction) db.exec("ROLLBACK");
      throw new Fault("internal", `bring ${file} from layout ${from} to ${from + 1}; the file is as it was`, { cause: error });
    }
  }
}

/** @returns the file's version; 0 for an empty file. Writes nothing (F1). */
export function recognise(db: DatabaseSync, file: string, newest: number = migrations.length, mark = applicationId): number {
  const id = pragma(db, "application_id");
  const version = pragma(db, "user_version");
  const empty = db.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (id !== mark && !(id === 0 && version === 0 && empty))
    throw new Fault("precondition", `${file} is a database of another program (application_id ${id}); name another file or folder`);
  if (version > newest) {
    const fix = "use the version of Mecha that wrote it, or a newer one";
    throw new Fault("precondition", `${file} has layout ${version}, this version of Mecha knows up to ${newest}; ${fix}`);
  }
  return version;
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}

function createVersion1(db: DatabaseSync): void {
  db.exec(journalTables);
  db.exec(laterTables);
  db.exec(views);
  const shard = db.prepare("INSERT INTO shard (id, epoch, next_offset) VALUES (?, 1, 0)");
  for (let id = 0; id < shards; id++) shard.run(id);
}

function createVersion2(db: DatabaseSync): void {
  db.exec(rowTables);
}

/** Layout 1 made `cursor` without ever writing it. */
function createVersion3(db: DatabaseSync): void {
  db.exec(parkedTable);
}

/** Which firing is next, and what became of one that was given up. A parked timer must not be met at each look for due ones. */
function createVersion4(db: DatabaseSync): void {
  db.exec(`
    ALTER TABLE timer ADD COLUMN firings INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE timer ADD COLUMN failure TEXT;
    ALTER TABLE timer ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
    DROP INDEX timer_by_due;
    CREATE INDEX timer_by_due ON timer (due) WHERE parked = 0;
  `);
}

/**
 * Layout 1 made the first three without ever writing them.
 *
 * Keys (E9) have a number, so that an entity's newest are found by it and the oldest of all are swept from the front, and two indexes; a step
 * with a key touches one leaf of each. Without the second, opening an entity with a million keys would sort them.
 * Messages (E10) and timers (E12) live shortly or are few: their pages stay in the cache.
 */
const rowTables = `
  DROP TABLE deduplication;
  DROP TABLE outbox;
  DROP TABLE timer;

  CREATE TABLE deduplication (
    id INTEGER PRIMARY KEY, entity INTEGER NOT NULL, key TEXT NOT NULL, payload_hash BLOB NOT NULL, expires INTEGER NOT NULL,
    codec INTEGER NOT NULL DEFAULT 0, answer BLOB NOT NULL
  );
  CREATE UNIQUE INDEX deduplication_by_key ON deduplication (entity, key);
  CREATE INDEX deduplication_by_entity ON deduplication (entity);

  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,                    -- order of committing
    entity INTEGER NOT NULL,                   -- whose step; 0 = an action's
    target_service TEXT NOT NULL, target_entity TEXT NOT NULL, -- '' = an action
    state INTEGER NOT NULL DEFAULT 0,          -- 0 waiting, 1 dead
    attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL DEFAULT 0, failure TEXT,
    time INTEGER NOT NULL, key TEXT NOT NULL, command TEXT NOT NULL, origin TEXT NOT NULL, hops INTEGER NOT NULL, trace TEXT,
    metadata BLOB, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0, payload BLOB NOT NULL
  );
  CREATE INDEX outbox_by_lane ON outbox (entity, target_service, target_entity);

  CREATE TABLE timer (
    id INTEGER PRIMARY KEY, entity INTEGER NOT NULL, name TEXT NOT NULL, shard INTEGER NOT NULL, due INTEGER NOT NULL,
    schedule TEXT NOT NULL, command TEXT NOT NULL, metadata BLOB, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0, payload BLOB NOT NULL
  );
  CREATE UNIQUE INDEX timer_by_name ON timer (entity, name);
  CREATE INDEX timer_by_due ON timer (due);
`;

/**
 * `codec` is 0 (plain); the rest is reserved (E1). Times are wall ms. Column order is for reading: a walk along `previous` needs what stands
 * before the payload, and SQLite does not load the pages of a long payload for it.
 */
const journalTables = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
  INSERT INTO meta VALUES ('indexed_position', 0);

  CREATE TABLE entity (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL, service TEXT NOT NULL, persistence_id TEXT NOT NULL, entity_id TEXT NOT NULL,
    kind INTEGER NOT NULL,                     -- 0 event sourced, 1 value (its version is in "value"), 2 CRDT
    shard INTEGER NOT NULL,
    sequence INTEGER NOT NULL DEFAULT 0,       -- may lag (F4)
    last_position INTEGER NOT NULL DEFAULT 0,  -- may lag (F4)
    UNIQUE (service, entity_id, persistence_id, namespace)
  );

  CREATE TABLE event (
    position INTEGER PRIMARY KEY,              -- order of appending, in this file only
    shard INTEGER NOT NULL, "offset" INTEGER NOT NULL, -- gap-free in each shard (E5)
    entity INTEGER NOT NULL, sequence INTEGER NOT NULL,
    previous INTEGER NOT NULL,                 -- position of the entity's event before; 0 = it is the first
    type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0,
    time INTEGER NOT NULL, command_id TEXT, cause TEXT NOT NULL, trace TEXT,
    payload BLOB NOT NULL
  );

  CREATE TABLE milestone (entity INTEGER, sequence INTEGER, position INTEGER NOT NULL, PRIMARY KEY (entity, sequence)) WITHOUT ROWID;

  CREATE TABLE snapshot (
    entity INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0,
    time INTEGER NOT NULL, payload BLOB NOT NULL
  );

  CREATE TABLE value (
    entity INTEGER PRIMARY KEY, version INTEGER NOT NULL, deleted INTEGER NOT NULL, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0,
    time INTEGER NOT NULL, command_id TEXT, payload BLOB NOT NULL
  );

  CREATE TABLE shard (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, next_offset INTEGER NOT NULL); -- next_offset may lag (F4)
`;

/** Written by later versions of the engine; here so that they need no migration: E9, E10, E12, subscribers' cursors (E5), replicas (E13). */
const laterTables = `
  CREATE TABLE deduplication (
    entity INTEGER, key TEXT, payload_hash BLOB NOT NULL, sequence INTEGER NOT NULL, answer BLOB, codec INTEGER NOT NULL DEFAULT 0,
    expires INTEGER NOT NULL, PRIMARY KEY (entity, key)
  ) WITHOUT ROWID;

  CREATE TABLE outbox (
    id INTEGER PRIMARY KEY, entity INTEGER NOT NULL, activation INTEGER NOT NULL, sequence INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    target_service TEXT NOT NULL, target_entity TEXT, command TEXT NOT NULL, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0,
    metadata BLOB, command_id TEXT, trace TEXT, attempts INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0,
    payload BLOB NOT NULL
  );

  CREATE TABLE timer (
    entity INTEGER, name TEXT, shard INTEGER NOT NULL, due INTEGER NOT NULL, period INTEGER, command TEXT NOT NULL, type_url TEXT NOT NULL,
    codec INTEGER NOT NULL DEFAULT 0, metadata BLOB, payload BLOB NOT NULL, PRIMARY KEY (entity, name)
  ) WITHOUT ROWID;

  CREATE TABLE cursor (
    subscriber TEXT, shard INTEGER, next_offset INTEGER NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (subscriber, shard)
  ) WITHOUT ROWID;

  CREATE TABLE replica (
    entity INTEGER, node TEXT, incarnation TEXT, version INTEGER NOT NULL, type_url TEXT NOT NULL, codec INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0, time INTEGER NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (entity, node, incarnation)
  ) WITHOUT ROWID;
`;

/** For people with the sqlite3 shell, on a stopped store or a copy: SELECT * FROM events_by_entity WHERE entity_id = 'cart-42'; */
const views = `
  CREATE VIEW events_by_entity AS
    SELECT entity.namespace, entity.service, entity.persistence_id, entity.entity_id, event.sequence, event.type_url,
           datetime(event.time / 1000.0, 'unixepoch', 'subsec') AS at, event.cause, event.command_id, event.trace, event.payload,
           event.position, event.shard, event."offset"
    FROM entity JOIN event ON event.entity = entity.id ORDER BY entity.id, event.sequence;

  CREATE VIEW values_by_entity AS
    SELECT entity.namespace, entity.service, entity.persistence_id, entity.entity_id, value.version, value.deleted, value.type_url,
           datetime(value.time / 1000.0, 'unixepoch', 'subsec') AS at, value.command_id, value.payload
    FROM entity JOIN value ON value.entity = entity.id;
`;
