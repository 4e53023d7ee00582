/**
 * A copy of the file while it is written to, made in the worker through the connection that writes. SQLite then brings every page that changes
 * behind the copier into the copy, so the copy is the file as of its end, and never has to begin again (sqlite.org/backup.html).
 *
 * K1 the copy exists under its name from the start and with mode 0600; an existing file is never touched
 * K2 the copy is one file, without a WAL: it can be opened read-only and moved
 * K3 between two portions the worker commits what has arrived: a copy never holds back commits for longer than one portion
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { backup, DatabaseSync } from "node:sqlite";
import type { MessagePort } from "node:worker_threads";
import { explain } from "@mecha/kit";

/** Pages in one portion: 256 KiB, well under a millisecond of copying. */
const portionPages = 64;

/** Main → worker. */
export interface BackupOrder {
  readonly id: number;
  /** Absolute path; must not exist. */
  readonly file: string;
}
/** Worker → main: progress, then an end. */
export type BackupNews =
  | { readonly id: number; readonly is: "copying"; readonly pages: number; readonly of: number }
  | { readonly id: number; readonly is: "done" }
  | { readonly id: number; readonly is: "failed"; readonly why: string };

/** Carries out orders that arrive at `port`; tells `busy` when copying begins and ends (K3). */
export function serveBackups(port: MessagePort, db: DatabaseSync, busy: (copying: boolean) => void): void {
  const tell = (news: BackupNews): void => port.postMessage(news);
  port.on("message", ({ id, file }: BackupOrder) => {
    busy(true);
    copy(db, file, (pages, of) => tell({ id, is: "copying", pages, of }))
      .then(
        () => tell({ id, is: "done" }),
        (error: unknown) => tell({ id, is: "failed", why: explain(error) }),
      )
      .finally(() => busy(false));
  });
}

async function copy(db: DatabaseSync, file: string, progress: (pages: number, of: number) => void): Promise<void> {
  closeSync(openSync(file, "wx", 0o600)); // keeps K1
  try {
    await backup(db, file, {
      rate: portionPages,
      progress: ({ totalPages, remainingPages }) => progress(totalPages - remainingPages, totalPages),
    });
    makeOneFile(file);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

/** The copy says "WAL" in its header like its source. keeps K2 */
function makeOneFile(file: string): void {
  const db = new DatabaseSync(file);
  try {
    db.exec("PRAGMA journal_mode = DELETE");
  } finally {
    db.close();
  }
}
