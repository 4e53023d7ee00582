import type { DatabaseSync, StatementSync } from "node:sqlite";

/**
 * WAL pages after which they are copied into the database: 1,000 pages are 4 MiB and took 2–5 ms here, after the group's answers were sent. Four
 * times as many made the longest stall 14 ms and throughput no better.
 */
export const walPagesMax = 1_000;
/** Groups between two looks at the length of the WAL; one look takes a few µs. */
const groupsPerLook = 8;

/** Decides when the WAL is copied into the database. The worker calls it when nobody waits for an answer. */
export class Checkpoints {
  readonly #length: StatementSync;
  readonly #copy: StatementSync;
  readonly #db: DatabaseSync;
  #groups = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#length = db.prepare("PRAGMA wal_checkpoint(NOOP)");
    // PASSIVE copies all of it, as this connection is the only one; the next commit then writes the file from its beginning, without growing it.
    this.#copy = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  }

  /** After a group; `idle` when there was nothing to do for a while. */
  look(idle: boolean): void {
    if (!idle && ++this.#groups % groupsPerLook !== 0) return;
    const { log, checkpointed } = this.#length.get() as { log: number; checkpointed: number };
    if (log - checkpointed > (idle ? 0 : walPagesMax)) this.#copy.get();
  }

  /** Before closing: leaves no WAL. */
  last(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
}
