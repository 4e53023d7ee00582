/**
 * Who a process is, beyond its number: numbers are used again. Linux reads /proc; elsewhere `ps` is asked.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** One line of /proc/<pid>/stat that matters here. */
interface ProcessStat {
  readonly state: string;
  readonly session: number;
  /** Clock ticks between boot and the start of the process. */
  readonly startTicks: string;
}

/**
 * Text that tells this run of `pid` from any other process that has or will have the number: boot id and start tick on Linux
 * (proc(5), fields 22 of stat), the start time in seconds elsewhere. `undefined`: no such process, or only its zombie.
 */
export function startIdentity(pid: number): string | undefined {
  if (process.platform === "linux") {
    const stat = readStat(pid);
    return stat === undefined || stat.state === "Z" ? undefined : `${bootId()}/${stat.startTicks}`;
  }
  try {
    const started = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
    return started.trim() || undefined;
  } catch {
    return undefined; // ps exits with 1 when there is no such process
  }
}

/** Processes of a session whose environment holds `variable=value`: what a function's own children look like once their leader is gone. Linux only. */
export function processesOfSession(session: number, variable: string, value: string): number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .map(Number)
    .filter((pid) => readStat(pid)?.session === session && hasVariable(pid, `${variable}=${value}`));
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses: fields count from the last one.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", session: Number(fields[3]), startTicks: fields[19] ?? "" };
  } catch {
    return undefined; // it ended meanwhile
  }
}

function hasVariable(pid: number, entry: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(entry);
  } catch {
    return false; // ended, or somebody else's process
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown-boot"; // containers may hide it; the start tick alone is still good until the next boot
  }
}
