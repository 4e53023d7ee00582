/**
 * Checks a file nobody writes to (a stopped state's, a copy, a backup) against everything that relies on it, and says what is wrong in words. Reads only.
 *
 * D1 SQLite's own structure is whole                       D2 the file is ours, and of a layout we know
 * The rest: state.ts, topics.ts, objects.ts.
 */
import { existsSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { explain } from "@mecha/kit";
import { controlLayout } from "../objects/rows.ts";
import { applicationId, type Layout, migrations, recognise } from "../schema.ts";
import { topicsLayout } from "../topics/tables.ts";
import { type Finding, Findings } from "./findings.ts";
import { checkObjects } from "./objects.ts";
import { checkState } from "./state.ts";
import { checkTopics } from "./topics.ts";

export type { Finding } from "./findings.ts";

/** Lines of SQLite's own check that are shown. */
const structureLinesMax = 5;

type Check = (db: DatabaseSync, found: Findings) => Generator<string, void>;

const files = {
  "state.db": { layout: { applicationId, migrations }, check: checkState },
  "topics.db": { layout: topicsLayout, check: checkTopics },
  "control.db": { layout: controlLayout, check: checkObjects },
} as const satisfies Record<string, { readonly layout: Layout; readonly check: Check }>;

/** The files of a state, by their names in the state folder. */
export type StateFile = keyof typeof files;
export const stateFiles = Object.keys(files) as readonly StateFile[];

/** Checks the file, naming each stage before it begins. @returns what is wrong; empty = nothing. */
export function* verifyFile(file: string, is: StateFile = "state.db"): Generator<string, readonly Finding[]> {
  const { layout, check } = files[is];
  const found = new Findings();
  // SQLite makes these for a reader too, and cannot take away what it may not write.
  const made = [`${file}-wal`, `${file}-shm`].filter((companion) => !existsSync(companion));
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(file, { readOnly: true, enableForeignKeyConstraints: false, allowExtension: false });
    recognise(db, file, layout.migrations.length, layout.applicationId);
    yield "structure";
    checkStructure(db, found);
    if (!found.none) return found.all; // the rest would stumble over it
    yield* check(db, found);
  } catch (error) {
    found.add(isForeign(error) ? "D2" : "D1", explain(error));
  } finally {
    db?.close();
    for (const companion of made) rmSync(companion, { force: true });
  }
  return found.all;
}

/**
 * Brings what a stopped state's WAL holds into the file itself, so that the file alone is the store.
 * @throws when the file is in use, damaged, or not ours.
 */
export function mergeWal(file: string, is: StateFile = "state.db"): void {
  const { layout } = files[is];
  const db = new DatabaseSync(file, { enableForeignKeyConstraints: false, allowExtension: false });
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    recognise(db, file, layout.migrations.length, layout.applicationId);
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

function isForeign(error: unknown): boolean {
  return (error as { code?: unknown }).code === "precondition";
}

function checkStructure(db: DatabaseSync, found: Findings): void {
  const lines = db.prepare(`PRAGMA integrity_check(${structureLinesMax})`).all();
  for (const { integrity_check: line } of lines) if (line !== "ok") found.add("D1", `SQLite: ${String(line)}`);
}
