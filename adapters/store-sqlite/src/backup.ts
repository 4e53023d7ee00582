/**
 * A copy of the file while it is written to, made in the worker through the connection that writes. SQLite then brings every page that changes
 * behind the copier into the copy, so the copy is the file as of its end, and never has to begin again (sqlite.org/backup.html).
 *
 * K1 the copy exists under its name from the start and with mode 0600; an existing file is never touched
 * K2 the copy is one file, without a WAL: it can be opened read-only and moved
 * K3 between two portions the worker commits what has arrived: a copy never holds back commits for longer than one portion
 * K4 when asked for, nothing is committed from before the last portion until whoever asked has looked at what else belongs to this moment
 */
import { closeSync, openSync, rmSync } from "node:fs";
import { backup, DatabaseSync } from "node:sqlite";
import type { MessagePort } from "node:worker_threads";
import { explain } from "@mecha/kit";

/** Pages in one portion: 256 KiB, well under a millisecond of copying. */
const portionPages = 64;

/** Main → worker: an order, and later the word that commits may go on (K4). */
export type BackupOrder =
  | {
      readonly id: number;
      /** Absolute path; must not exist. */
      readonly file: string;
      /** Whether to hold commits at the end and say `still` (K4). */
      readonly holds: boolean;
      /** What `complete` needs, of the log of topics. */
      readonly mark?: string;
    }
  | { readonly id: number; readonly goOn: true };
/** Worker → main: progress, perhaps `still`, then an end. */
export type BackupNews =
  | { readonly id: number; readonly is: "copying"; readonly pages: number; readonly of: number }
  | { readonly id: number; readonly is: "still" }
  | { readonly id: number; readonly is: "done" }
  | { readonly id: number; readonly is: "failed"; readonly why: string };

/** What the worker has to know of its backups. */
export interface BackupHooks {
  /** Copying begins and ends: it goes on in turns of the event loop, so the worker must get there (K3). */
  readonly copying: (is: boolean) => void;
  /** Commits are to be held, or not any more (K4). */
  readonly hold?: (is: boolean) => void;
  /** Changes the finished copy. */
  readonly complete?: (copy: string, mark: string | undefined) => void;
}

/** Carries out orders that arrive at `port`. */
export function serveBackups(port: MessagePort, db: DatabaseSync, hooks: BackupHooks): void {
  const tell = (news: BackupNews): void => port.postMessage(news);
  const held = new Map<number, Held>();
  port.on("message", (order: BackupOrder) => {
    const { id } = order;
    if ("goOn" in order) {
      held.get(id)?.release();
      held.delete(id);
      return;
    }
    const { file, holds, mark } = order;
    const hold = new Held(hooks.hold, () => tell({ id, is: "still" }));
    if (holds) held.set(id, hold); // until its `goOn`, which comes before or after the copy's end
    hooks.copying(true);
    const progress = (pages: number, of: number): void => tell({ id, is: "copying", pages, of });
    const last = (): void => (holds ? hold.begin() : undefined);
    const complete = (): void => hooks.complete?.(file, mark);
    copy(db, file, { progress, last, complete })
      .then(
        () => {
          hold.copied();
          tell({ id, is: "done" });
        },
        (error: unknown) => {
          hold.end();
          held.delete(id); // perhaps `still` was never said, and then no `goOn` comes
          tell({ id, is: "failed", why: explain(error) });
        },
      )
      .finally(() => hooks.copying(false));
  });
}

/** Holds commits from `begin` on until the copy is complete and whoever asked for it says so. keeps K4 */
class Held {
  readonly #hold: BackupHooks["hold"];
  readonly #tell: () => void;
  #state: "before" | "held" | "over" = "before";
  #waitsFor = 2;

  constructor(hold: BackupHooks["hold"], tell: () => void) {
    this.#hold = hold;
    this.#tell = tell;
  }

  begin(): void {
    if (this.#state !== "before") return;
    this.#state = "held";
    this.#hold?.(true);
    this.#tell();
  }
  copied(): void {
    if (--this.#waitsFor === 0) this.end();
  }
  release(): void {
    if (--this.#waitsFor === 0) this.end();
  }
  end(): void {
    if (this.#state === "held") this.#hold?.(false);
    this.#state = "over";
  }
}

interface CopyHooks {
  readonly progress: (pages: number, of: number) => void;
  /** Before the last portion; perhaps several times. */
  readonly last: () => void;
  readonly complete: () => void;
}

async function copy(db: DatabaseSync, file: string, { progress, last, complete }: CopyHooks): Promise<void> {
  closeSync(openSync(file, "wx", 0o600)); // keeps K1
  try {
    // Of so few there is no progress before the end.
    if (pagesOf(db) <= portionPages) last();
    await backup(db, file, {
      rate: portionPages,
      progress: ({ totalPages, remainingPages }) => {
        progress(totalPages - remainingPages, totalPages);
        if (remainingPages <= portionPages) last();
      },
    });
    makeOneFile(file);
    complete();
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

function pagesOf(db: DatabaseSync): number {
  return (db.prepare("PRAGMA page_count").get() as { page_count: number }).page_count;
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
