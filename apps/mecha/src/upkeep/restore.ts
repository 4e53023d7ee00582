/**
 * Puts a backup in the place of a state.
 *
 * R1 nothing is changed unless the backup is whole and nobody runs with the folder
 * R2 a restore is decided by one rename. Before it the state is the one before; from it on whoever is about to use the folder finishes the restore first
 *    (`finishRestore`), so that the state is the one after, all of its files
 * R3 the state before stays, in a folder of its own
 */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { mergeWal, type StateFile, stateFiles } from "@mecha/store-sqlite";
import { putManifest } from "./manifest.ts";
import { stamp, syncPath } from "./place.ts";

/** The new state while it is copied into the folder; left by a restore that was cut off, the next one begins anew. */
export const restoringName = "restoring";
/** The same once it is decided (R2). */
export const decidedName = "restored";
/** Begin of the names of folders with a state before. */
export const beforeRestore = "before-restore-";

/** What is put back. */
export interface Restored {
  /** Files, by their names in the state. */
  readonly files: readonly { readonly name: StateFile; readonly path: string }[];
  /** Files of the state that go away. */
  readonly absent: readonly StateFile[];
}

/** Beside the new files. */
interface Plan {
  /** Name of the folder for the state before. */
  readonly aside: string;
  readonly time: string;
  readonly comes: readonly StateFile[];
  readonly goes: readonly StateFile[];
}

const planName = "restore.json";
/** How every SQLite file begins. */
const sqliteHeader = "SQLite format 3\0";

/** Restores; the caller holds the folder and has verified the backup (R1). @returns where the state before lies; `undefined` when there was none. */
export function putBack({ files, absent }: Restored, stateFolder: string, wallMs: number): string | undefined {
  finishRestore(stateFolder);
  const restoring = join(stateFolder, restoringName);
  rmSync(restoring, { recursive: true, force: true });
  mkdirSync(restoring, { mode: 0o700 });
  for (const { name, path } of files) {
    copyFileSync(path, join(restoring, name));
    chmodSync(join(restoring, name), 0o600);
    syncPath(join(restoring, name));
  }
  const comes = files.map(({ name }) => name);
  for (const name of [...comes, ...absent]) mergeOld(stateFolder, name);
  const plan: Plan = { aside: freeAside(stateFolder, wallMs), time: new Date(wallMs).toISOString(), comes, goes: absent };
  writeFileSync(join(restoring, planName), JSON.stringify(plan), { mode: 0o600 });
  syncPath(join(restoring, planName));
  syncPath(restoring);
  renameSync(restoring, join(stateFolder, decidedName)); // keeps R2
  syncPath(stateFolder);
  return finishRestore(stateFolder);
}

/** A name nobody has: stamps are of seconds, and clocks are set back. */
function freeAside(stateFolder: string, wallMs: number): string {
  const name = `${beforeRestore}${stamp(wallMs)}`;
  for (let n = 1; ; n++) {
    const free = n === 1 ? name : `${name}-${String(n)}`;
    if (!existsSync(join(stateFolder, free))) return free;
  }
}

function mergeOld(stateFolder: string, name: StateFile): void {
  const file = join(stateFolder, name);
  try {
    // SQLite removes the WAL of what is no database.
    if (existsSync(file) && beginsWith(file, sqliteHeader)) mergeWal(file, name);
  } catch {
    // Damaged: that may be why it is replaced. Its WAL is kept beside it, as it is.
  }
}

function beginsWith(file: string, text: string): boolean {
  const begin = Buffer.alloc(text.length);
  const descriptor = openSync(file, "r");
  try {
    readSync(descriptor, begin, 0, begin.length, 0);
  } finally {
    closeSync(descriptor);
  }
  return begin.toString("latin1") === text;
}

/**
 * Finishes a restore that was decided and cut off; done again, it changes nothing. The caller holds the folder.
 * @param done Called after each change of the folder; tests cut it off there.
 * @returns where the state before lies; `undefined` when there was none, or nothing is to be finished.
 */
export function finishRestore(stateFolder: string, done: () => void = () => undefined): string | undefined {
  const decided = join(stateFolder, decidedName);
  if (!existsSync(decided)) return undefined;
  if (!existsSync(join(decided, planName))) {
    rmSync(decided, { recursive: true }); // all but this was done
    return undefined;
  }
  const plan = JSON.parse(readFileSync(join(decided, planName), "utf8")) as Plan;
  const aside = join(stateFolder, plan.aside);
  for (const name of [...plan.goes, ...plan.comes.filter((one) => existsSync(join(decided, one)))])
    setAside(stateFolder, aside, name, done);
  for (const name of plan.comes) {
    if (!existsSync(join(decided, name))) continue;
    renameSync(join(decided, name), join(stateFolder, name));
    done();
  }
  syncPath(stateFolder);
  const kept = describeKept(aside, plan);
  done();
  rmSync(join(decided, planName));
  done();
  rmSync(decided, { recursive: true });
  syncPath(stateFolder);
  return kept ? aside : undefined;
}

/** keeps R3 */
function setAside(stateFolder: string, aside: string, name: StateFile, done: () => void): void {
  const file = join(stateFolder, name);
  rmSync(`${file}-shm`, { force: true });
  // The WAL first: without its file nothing reads it into another.
  for (const path of [`${name}-wal`, name]) {
    if (!existsSync(join(stateFolder, path))) continue;
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    renameSync(join(stateFolder, path), join(aside, path));
    done();
  }
  if (existsSync(aside)) syncPath(aside);
  syncPath(stateFolder);
}

/** Makes the folder with the state before a backup: what is whole in it can be put back. @returns whether there is one. */
function describeKept(aside: string, { time, comes, goes }: Plan): boolean {
  if (!existsSync(aside)) return false;
  const whole = stateFiles.filter((name) => existsSync(join(aside, name)) && !existsSync(join(aside, `${name}-wal`)));
  const files = whole.map((name) => ({ name, bytes: statSync(join(aside, name)).size }));
  // Of what this restore did not touch the folder says nothing.
  const absent = [...comes, ...goes].filter((name) => !existsSync(join(aside, name)));
  if (files.length > 0) putManifest(aside, { time, files, absent });
  return true;
}
