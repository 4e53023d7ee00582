/**
 * `control.db`: API objects as rows of one table of changes, as etcd keeps them. Runs in the worker thread.
 *
 * R1 each write is one row, numbered by its revision; `head` points at the newest row of each key that exists
 * R2 compaction up to R deletes the rows whose successor is at or below R, and deletions at or below R; the newest row of all always stays, so that
 *    no revision is given twice
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { Fault } from "@mecha/kit";
import type { ObjectChange, ObjectWrite, StoredObject } from "@mecha/machinery";
import type { Layout } from "../schema.ts";

/** "MecO": `control.db`, not `state.db`. */
export const controlLayout: Layout = { applicationId: 0x4d65634f, migrations: [createVersion1] };

function createVersion1(db: DatabaseSync): void {
  db.exec(`
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    INSERT INTO meta VALUES ('compacted', 0);
    CREATE TABLE change (
      revision INTEGER PRIMARY KEY,
      key TEXT NOT NULL,             -- /group/plural/namespace/name
      previous INTEGER NOT NULL,     -- revision of the key's row before; 0 = created
      value TEXT                     -- JSON without resourceVersion; NULL = deleted
    );
    CREATE TABLE head (key TEXT PRIMARY KEY, revision INTEGER NOT NULL) WITHOUT ROWID;
    -- For people with the sqlite3 shell: SELECT * FROM object WHERE key LIKE '/apps/deployments/%';
    CREATE VIEW object AS SELECT head.key, change.revision, change.value FROM head JOIN change ON change.revision = head.revision;
  `);
}

/** What a write came to, as the worker tells it. */
export type RowOutcome = { readonly change: ObjectChange } | { readonly current: StoredObject | undefined };

interface ChangeRow {
  readonly revision: number;
  readonly key: string;
  readonly value: string | null;
  readonly previous: number;
  readonly before: string | null;
}

export class ObjectRows {
  readonly #db: DatabaseSync;
  readonly #current: StatementSync;
  readonly #insert: StatementSync;
  readonly #setHead: StatementSync;
  readonly #dropHead: StatementSync;
  readonly #changes: StatementSync;
  revision: number;
  compacted: number;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#current = db.prepare("SELECT key, value, revision FROM object WHERE key = ?");
    this.#insert = db.prepare("INSERT INTO change (revision, key, previous, value) VALUES (?, ?, ?, ?)");
    this.#setHead = db.prepare("INSERT INTO head VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision");
    this.#dropHead = db.prepare("DELETE FROM head WHERE key = ?");
    this.#changes = db.prepare(`
      SELECT change.revision, change.key, change.value, change.previous, earlier.value AS before
      FROM change LEFT JOIN change AS earlier ON earlier.revision = change.previous
      WHERE change.revision > ? ORDER BY change.revision LIMIT ?`);
    this.revision = Number(db.prepare("SELECT max(revision) AS newest FROM change").get()?.newest ?? 0);
    this.compacted = Number(db.prepare("SELECT value FROM meta WHERE name = 'compacted'").get()?.value);
  }

  /** Writes of one group: one transaction, one fsync. Each is judged on what those before it left. */
  writeAll(writes: readonly ObjectWrite[]): RowOutcome[] {
    const { revision } = this;
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const outcomes = writes.map((write) => this.#write(write));
      this.#db.exec("COMMIT");
      return outcomes;
    } catch (error) {
      this.revision = revision;
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #write({ key, expected, value }: ObjectWrite): RowOutcome {
    const current = this.#current.get(key) as StoredObject | undefined;
    if ((current?.revision ?? 0) !== expected || (value === undefined && !current)) return { current: current && { ...current } };
    const revision = ++this.revision;
    this.#insert.run(revision, key, expected, value ?? null);
    if (value === undefined) this.#dropHead.run(key);
    else this.#setHead.run(key, revision);
    return { change: { revision, key, value, previous: current?.value, previousRevision: expected } };
  }

  load(): StoredObject[] {
    const rows = this.#db.prepare("SELECT key, value, revision FROM object ORDER BY key").iterate() as Iterable<StoredObject>;
    return Array.from(rows, (row) => ({ ...row }));
  }

  /** @throws Fault("outOfRange") */
  changesAfter(revision: number, limit: number): ObjectChange[] {
    if (revision < this.compacted)
      throw new Fault("outOfRange", `changes up to revision ${this.compacted} are forgotten; ${revision} was asked for`);
    return (this.#changes.all(revision, limit) as unknown as ChangeRow[]).map((row) => ({
      revision: row.revision,
      key: row.key,
      value: row.value ?? undefined,
      previous: row.previous === 0 ? undefined : (row.before ?? undefined),
      previousRevision: row.previous,
    }));
  }

  /** keeps R2 */
  compact(revision: number): void {
    const upTo = Math.min(revision, this.revision);
    if (upTo <= this.compacted) return;
    const from = this.compacted;
    this.#db.exec("BEGIN IMMEDIATE");
    this.#db
      .prepare("DELETE FROM change WHERE revision IN (SELECT previous FROM change WHERE revision > ? AND revision <= ? AND previous > 0)")
      .run(from, upTo);
    this.#db
      .prepare("DELETE FROM change WHERE value IS NULL AND revision >= ? AND revision <= ? AND revision < ?")
      .run(from, upTo, this.revision);
    this.#db.prepare("UPDATE meta SET value = ? WHERE name = 'compacted'").run(upTo);
    this.#db.exec("COMMIT");
    this.compacted = upTo;
  }
}
