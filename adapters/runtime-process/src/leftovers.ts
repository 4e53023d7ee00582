/**
 * The run folder: one small file for each running function, so that what a killed Mecha left behind is ended at the next start (E16).
 *
 * L1 a process is only ended when number and start identity both match, or, its leader being gone, when session and the run's own mark both match
 * L2 a file that cannot be read ends nobody
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processesOfSession, startIdentity } from "./identity.ts";

/** Environment variable that marks every process of one run of a function. */
export const runVariable = "MECHA_RUN";

/** A function's process as the run folder remembers it. */
export interface RunRecord {
  readonly function: string;
  /** Leader of its own session and process group. */
  readonly pid: number;
  readonly identity: string;
  /** Value of MECHA_RUN in its environment. */
  readonly mark: string;
}

/** Remembers a process. */
export function recordRun(folder: string, record: RunRecord): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = recordPath(folder, record.function);
  writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** Forgets a function's process. */
export function forgetRun(folder: string, functionName: string): void {
  rmSync(recordPath(folder, functionName), { force: true });
}

/** Records of processes that still live, as they were left behind. Ends nobody. */
export function findLeftovers(folder: string): RunRecord[] {
  return recordPaths(folder).flatMap((path) => {
    const record = readRecord(path);
    return record && startIdentity(record.pid) === record.identity ? [record] : [];
  });
}

/** Ends every recorded process that still lives, at once, and empties the folder. Returns what was ended. */
export function endLeftovers(folder: string): RunRecord[] {
  const ended: RunRecord[] = [];
  for (const path of recordPaths(folder)) {
    const record = readRecord(path);
    if (record && endRun(record)) ended.push(record);
    rmSync(path, { force: true });
  }
  return ended;
}

function endRun(record: RunRecord): boolean {
  if (startIdentity(record.pid) === record.identity) return kill(-record.pid) || kill(record.pid); // keeps L1
  const orphans = processesOfSession(record.pid, runVariable, record.mark); // keeps L1
  return orphans.map(kill).includes(true);
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false; // it ended by itself meanwhile
  }
}

function recordPath(folder: string, functionName: string): string {
  return join(folder, `${encodeURIComponent(functionName)}.json`);
}

function recordPaths(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(folder, name));
  } catch {
    return []; // no folder, nothing ran
  }
}

function readRecord(path: string): RunRecord | undefined {
  try {
    const { function: name, pid, identity, mark } = JSON.parse(readFileSync(path, "utf8")) as Partial<Record<keyof RunRecord, unknown>>;
    // Number 1 is init, 0 and negative numbers are groups: never from a file.
    if (typeof name !== "string" || typeof identity !== "string" || typeof mark !== "string" || mark === "") return undefined;
    return typeof pid === "number" && Number.isInteger(pid) && pid > 1 ? { function: name, pid, identity, mark } : undefined;
  } catch {
    return undefined; // keeps L2
  }
}
