/**
 * Opens the file: folders and modes, the lock, the pragmas.
 *
 * L1 SQLite's exclusive lock decides who holds the file; the kernel drops it when the holder dies, however it dies. The `.pid` file beside it only
 *    gives the holder a name, so a stale one is harmless
 * L2 nothing in this process opens and closes the database file itself: closing any descriptor of it would drop the lock (POSIX)
 */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Fault } from "@mecha/kit";
import { type Layout, migrate, recognise } from "./schema.ts";

/**
 * Memory for pages, KiB, of each database: the upper levels of every tree. What is not in it is in the system's page cache, which gives memory back when others
 * need it; with a million rows 4, 8 and 32 MiB took the same CPU for events, values and keys. A log that only grows would fill whatever it is given.
 */
const cacheKiB = 8_192;
/** A WAL left larger than this by one huge step is cut back at the next checkpoint. */
const walKeepBytes = 64 << 20;
/** How long an opener waits for the lock: a holder that was just killed may need a moment to be gone. */
const lockWaitMs = 500;
/** SQLITE_BUSY */
const busy = 5;

export interface Database {
  readonly db: DatabaseSync;
  /** Leaves no WAL and no pid file behind. */
  close(): void;
}

/** @param layout Default: `state.db`'s. @throws Fault("unavailable") naming the holder's pid when the file is in use; Fault("precondition") as `migrate`. */
export function openDatabase(file: string, durability: "full" | "relaxed", ownFolder: boolean, layout?: Layout): Database {
  prepareFolder(file, ownFolder);
  const db = new DatabaseSync(file, { timeout: lockWaitMs, enableForeignKeyConstraints: false, allowExtension: false });
  try {
    // Before the first read: then the WAL index is kept in memory and no -shm file exists.
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    recognise(db, file, layout?.migrations.length, layout?.applicationId);
    db.exec(pragmas(durability));
    db.exec("BEGIN EXCLUSIVE; COMMIT"); // keeps L1
    writeFileSync(pidFile(file), `${process.pid}\n`, { mode: 0o600 });
    migrate(db, file, layout?.migrations, layout?.applicationId);
    syncFolder(dirname(file));
  } catch (error) {
    db.close();
    throw primaryCode(error) === busy ? inUse(file) : error;
  }
  return { db, close: () => close(db, file) };
}

/** SQLite's primary result code, or undefined when `error` is not SQLite's. */
export function primaryCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

function pidFile(file: string): string {
  return `${file}.pid`;
}

function prepareFolder(file: string, ownFolder: boolean): void {
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (ownFolder) chmodSync(folder, 0o700);
  // SQLite gives WAL and journal the mode of the file. "wx" never opens an existing one (keeps L2).
  if (existsSync(file)) chmodSync(file, 0o600);
  else closeSync(openSync(file, "wx", 0o600));
}

function pragmas(durability: "full" | "relaxed"): string {
  const lines = [
    "journal_mode = WAL",
    // FULL: fsync of the WAL before COMMIT returns (S1). NORMAL: a power cut may lose the last commits, never their order.
    `synchronous = ${durability === "full" ? "FULL" : "NORMAL"}`,
    // The worker checkpoints itself, after it has answered.
    "wal_autocheckpoint = 0",
    `journal_size_limit = ${walKeepBytes}`,
    `cache_size = -${cacheKiB}`,
    "temp_store = MEMORY",
    "trusted_schema = OFF",
  ];
  // On macOS fsync leaves data in the drive's cache (E14).
  if (process.platform === "darwin" && durability === "full") lines.push("fullfsync = 1", "checkpoint_fullfsync = 1");
  return lines.map((line) => `PRAGMA ${line};`).join("\n");
}

/** New names (database, WAL) are durable only when their folder is. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function inUse(file: string): Fault {
  const pid = holder(file);
  const who = pid === undefined ? "another process" : pid === process.pid ? `this process (${pid})` : `process ${pid}`;
  const facts = pid === undefined ? {} : { pid };
  return new Fault("unavailable", `${file} is in use by ${who}; stop it, or name another folder`, { facts });
}

function holder(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile(file), "utf8"));
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined; // The holder has not written it yet, or just removed it: it stays without a name.
  }
}

function close(db: DatabaseSync, file: string): void {
  rmSync(pidFile(file), { force: true });
  db.close();
}
