/**
 * A mark remembers a moment of the topics while they go on, so that a copy that is finished later can be taken back to it.
 *
 * State and topics rely on each other in both directions: what the outbox of `state.db` has delivered is in the topics, and what a cursor of the topics has
 * passed has had its effect in `state.db`. Copies of the two therefore have to be of one moment. Messages are only appended, so of them the mark keeps the
 * newest position; cursors and parked events it keeps whole, as both change in place. It is a file, as many events may be parked.
 *
 * What retention has taken away meanwhile stays away: it would be gone soon anyhow.
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** Writes the mark into a new file of mode 0600. @throws when it exists, or cannot be written; nothing is left then. */
export function writeMark(db: DatabaseSync, file: string): void {
  closeSync(openSync(file, "wx", 0o600));
  try {
    within(db, file, () =>
      db.exec(`
        CREATE TABLE mark.newest AS SELECT ifnull((SELECT seq FROM main.sqlite_sequence WHERE name = 'message'), 0) AS position;
        CREATE TABLE mark.cursor AS SELECT * FROM main.cursor;
        CREATE TABLE mark.parked AS SELECT * FROM main.parked;
      `),
    );
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** Takes a copy, made after the mark, back to it. The mark is gone then. */
export function rewind(copy: string, mark: string): void {
  const db = new DatabaseSync(copy, { enableForeignKeyConstraints: false, allowExtension: false });
  try {
    within(db, mark, () =>
      db.exec(`
        DELETE FROM main.seen WHERE (topic, source, id) IN
          (SELECT topic, source, id FROM main.message WHERE position > (SELECT position FROM mark.newest));
        DELETE FROM main.message WHERE position > (SELECT position FROM mark.newest);
        DELETE FROM main.cursor;
        INSERT INTO main.cursor SELECT * FROM mark.cursor;
        DELETE FROM main.parked;
        INSERT INTO main.parked SELECT * FROM mark.parked;
      `),
    );
  } finally {
    db.close();
  }
  rmSync(mark);
}

/** Runs `work` as one transaction beside the mark's file. */
function within(db: DatabaseSync, mark: string, work: () => void): void {
  db.prepare("ATTACH ? AS mark").run(mark);
  try {
    db.exec("BEGIN IMMEDIATE");
    work();
    db.exec("COMMIT");
  } finally {
    if (db.isTransaction) db.exec("ROLLBACK");
    db.exec("DETACH mark");
  }
}
