/** The embedded store: one SQLite file, written by a worker thread. */
import { join } from "node:path";
import { type Clock, type Log, type Random, uuid } from "@mecha/kit";
import { type FileStore, startStore } from "./store.ts";

export { type FileObjectLog, openSqliteObjectLog, type SqliteObjectLogOptions } from "./objects/log.ts";
export type { FileStore } from "./store.ts";
export type { FileTopics } from "./topics/file-topics.ts";
export { openSqliteTopics, type SqliteTopicsOptions } from "./topics/log.ts";
export { type Finding, mergeWal, type StateFile, stateFiles, verifyFile } from "./verify/index.ts";

export interface SqliteStoreOptions {
  /** Folder of the state; its file is `state.db` (E14). Made if missing; its mode becomes 0700. Give this or `file`. */
  readonly dir?: string;
  /** The file itself. Missing folders are made with mode 0700; an existing one keeps its mode. */
  readonly file?: string;
  readonly clock: Clock;
  readonly log: Log;
  /**
   * `full` (default): a commit is on the disk when it is acknowledged. `relaxed`: a power cut may lose the last commits (never reorder them); a
   * killed process loses nothing.
   */
  readonly durability?: "full" | "relaxed";
  /** Names this opening (E13). */
  readonly random: Random;
}

/**
 * Opens the store, making the file if there is none. Only one process can hold it.
 * @throws Fault("unavailable") naming the pid of the process that holds it, or when the file cannot be opened.
 * @throws Fault("precondition") when the file is not Mecha's or was written by a newer version.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<FileStore> {
  const file = options.file ?? join(options.dir ?? ".", "state.db");
  const { durability = "full", clock, log, random } = options;
  const start = { file, ownFolder: options.file === undefined, durability, incarnation: uuid(random) };
  const store = await startStore(start, clock, log);
  log.info("store opened", { file, durability });
  return store;
}
