/**
 * Puts a backup in the place of a state.
 *
 * R1 nothing is changed unless the backup is whole and nobody runs with the folder
 * R2 `state.db` is at each moment the state before or the state after, whole: the new file is complete and flushed before one rename
 *    puts it there, and by then the old one has no WAL beside it that would be read into the new one
 * R3 the state before stays, in a folder of its own
 */
import { chmodSync, copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { mergeWal } from "@mecha/store-sqlite";
import { stamp, syncPath } from "./place.ts";

/** The store's file in a state folder. */
export const storeFileName = "state.db";
/** What a restore that was cut off leaves; the next one begins anew. */
export const restoringName = `${storeFileName}.restoring`;
/** Begin of the names of folders with a state before. */
export const beforeRestore = "before-restore-";

/** Restores; the caller holds the folder and has verified the backup (R1). @returns where the state before lies; `undefined` when there was none. */
export function putBack(backup: string, stateFolder: string, wallMs: number): string | undefined {
  const file = join(stateFolder, storeFileName);
  const restoring = join(stateFolder, restoringName);
  rmSync(restoring, { force: true });
  copyFileSync(backup, restoring);
  chmodSync(restoring, 0o600);
  syncPath(restoring);
  const aside = existsSync(file) ? setAside(stateFolder, file, wallMs) : undefined;
  renameSync(restoring, file); // keeps R2
  syncPath(stateFolder);
  return aside;
}

/** keeps R3 */
function setAside(stateFolder: string, file: string, wallMs: number): string {
  try {
    mergeWal(file);
  } catch {
    // Damaged: that may be why it is replaced. Its WAL is kept beside it, as it is.
  }
  const aside = join(stateFolder, `${beforeRestore}${stamp(wallMs)}`);
  mkdirSync(aside, { mode: 0o700 });
  linkSync(file, join(aside, storeFileName));
  if (existsSync(`${file}-wal`)) renameSync(`${file}-wal`, join(aside, `${storeFileName}-wal`));
  rmSync(`${file}-shm`, { force: true });
  syncPath(aside);
  return aside;
}
