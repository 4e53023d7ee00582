/** What can be seen of a state folder from outside: who holds it, who may read it, what was left behind, how much room there is. Changes nothing. */
import { readdirSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import { findLeftovers } from "@mecha/runtime-process";
import { stateFiles } from "@mecha/store-sqlite";
import { backupFolderName } from "../admin/backups.ts";
import type { FunctionJson, StatusJson } from "../admin/model.ts";
import { beforeRestore, decidedName, restoringName } from "./restore.ts";

/** One thing looked at. A problem has a `fix`: what to do. */
export type Check =
  | { readonly name: string; readonly ok: true; readonly what: string }
  | { readonly name: string; readonly ok: false; readonly what: string; readonly fix: string };

/** Room below which the disk counts as nearly full: the WAL may take 64 MiB, and a copy for a backup as much as the store. */
const freeMinBytes = 256 * 1_024 * 1_024;

const fine = (name: string, what: string): Check => ({ name, ok: true, what });
const problem = (name: string, what: string, fix: string): Check => ({ name, ok: false, what, fix });

/** Whether others may enter the folder or read its files. */
export function checkModes(folder: string): Check[] {
  const open = [".", ...namesIn(folder)].filter((name) => modeOf(join(folder, name)) & 0o077);
  if (open.length === 0) return [fine("private", "nobody else may read it")];
  return open.map((name) => {
    const path = name === "." ? folder : join(folder, name);
    const mode = name === "." || isFolder(path) ? "700" : "600";
    return problem("private", `others may read ${path} (mode ${modeOf(path).toString(8)})`, `chmod ${mode} ${path}`);
  });
}

/** Room on the folder's disk. */
export function checkRoom(folder: string): Check {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  const files = stateFiles.flatMap((name) => [name, `${name}-wal`]);
  const state = files.reduce((sum, name) => sum + sizeOf(join(folder, name)), 0);
  const text = `${mebibytes(free)} free, the state takes ${mebibytes(state)}`;
  if (free >= freeMinBytes) return fine("room", text);
  return problem("room", text, `free some space on the disk of ${folder}: when it is full, Mecha stops`);
}

/** What a process that was killed left behind; `running`: somebody works in the folder now, and its files are no leftovers. */
export function checkLeftovers(folder: string, running: boolean): Check[] {
  const checks: Check[] = [];
  const names = namesIn(folder);
  if (!running) {
    for (const { function: name, pid } of findLeftovers(join(folder, "run"))) {
      checks.push(problem("leftovers", `process ${pid} of function ${name} still runs`, `\`mecha up\` ends it; or: kill ${pid}`));
    }
    if (names.includes(backupFolderName))
      checks.push(fine("leftovers", `an unfinished backup in ${backupFolderName}; \`mecha up\` removes it`));
  }
  if (names.includes(restoringName)) {
    checks.push(
      problem(
        "leftovers",
        "a restore was cut off; the state is as it was before",
        `restore again, or delete ${join(folder, restoringName)}`,
      ),
    );
  }
  if (names.includes(decidedName))
    checks.push(
      problem("leftovers", "a restore was cut off when it was decided", "`mecha up` finishes it, and so does another `mecha restore`"),
    );
  for (const name of names.filter((one) => one.startsWith(beforeRestore))) {
    checks.push(fine("leftovers", `${name}: the state before a restore; delete it once you are sure`));
  }
  return checks;
}

/** What a running Mecha says about itself. */
export function checkRunning({ state, pid, functions }: StatusJson): Check[] {
  const sick = functions.filter((fn) => fn.state !== "ready");
  return [
    fine("running", `process ${pid}, ${state}, ${functions.length === 1 ? "one function" : `${functions.length} functions`}`),
    ...sick.map((fn) => problem("functions", functionText(fn), "read its output where `mecha up` runs; `mecha functions` shows more")),
  ];
}

function functionText({ name, state, problem: why }: FunctionJson): string {
  return `function ${name} is ${state}${why === undefined ? "" : `: ${why}`}`;
}

function namesIn(folder: string): string[] {
  return readdirSync(folder).sort();
}

function modeOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1_024 * 1_024)).toFixed(1)} MiB`;
}
