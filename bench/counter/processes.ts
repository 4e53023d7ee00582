/** Starting, watching and measuring the processes of a benchmark. Linux only: figures come from /proc. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

/** A process under measurement. */
export interface Measured {
  readonly role: string;
  readonly pid: number;
}

const clockTicksPerSecond = 100; // Linux USER_HZ on every architecture Node runs on

/** User and system time of all threads so far, in microseconds. */
export function cpuMicros(pid: number): number {
  const fields =
    readFileSync(`/proc/${String(pid)}/stat`, "utf8")
      .split(") ")[1]
      ?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond) * 1e6;
}

/** Largest resident size so far, in MiB. */
export function peakMiB(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"));
  return Number(line?.[1] ?? 0) / 1024;
}

/** Memory of a process now, MiB. */
export interface Memory {
  /** Resident: pages other processes have too are counted in full. */
  readonly rss: number;
  /** Proportional: a page that n processes share counts an nth in each, so sums over processes are true. */
  readonly pss: number;
}

export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${String(pid)}/smaps_rollup`, "utf8");
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) / 1024;
  return { rss: field("Rss"), pss: field("Pss") };
}

/** A TCP port nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

/** Starts a program whose output is kept for the error message should it end early. */
export function start(command: string, args: readonly string[], options: { cwd?: string; env?: Record<string, string> }): ChildProcess {
  const child = spawn(command, [...args], { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
  let tail = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-4000);
    });
  }
  child.once("exit", (code, signal) => {
    if (code !== 0 && signal === null) console.error(`${command} ended with ${String(code)}:\n${tail}`);
  });
  return child;
}

/** Ends a process and waits for it. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await ended;
  clearTimeout(timer);
}

/** Asks `probe` every 50 ms until it is true; gives up after `limitMs`. */
export async function until(what: string, probe: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const giveUpAt = Date.now() + limitMs;
  while (Date.now() < giveUpAt) {
    if (await probe().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not happen within ${String(limitMs)} ms`);
}

/** What one run of wrk measured; times in µs, errors in requests. */
export interface LoadResult {
  readonly requests: number;
  readonly micros: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

/** POSTs `{"amount":1}` to a random one of `keys` counters, closed loop on `connections` connections. */
export function wrk(url: string, pathPattern: string, keys: number, connections: number, seconds: number): LoadResult {
  const script = join(import.meta.dirname, "add.lua");
  const run = spawnSync("wrk", ["-t1", `-c${String(connections)}`, `-d${String(seconds)}s`, "--timeout", "30s", "-s", script, url], {
    env: { ...process.env, KEYS: String(keys), PATH_PATTERN: pathPattern },
    encoding: "utf8",
  });
  if (run.error)
    throw new Error("wrk is needed: install it with the system's package manager (Debian: apt-get install wrk)", { cause: run.error });
  const line = /^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/m.exec(run.stdout);
  if (!line) throw new Error(`wrk gave no result: ${run.stdout}${run.stderr}`);
  const [requests = 0, micros = 1, p50 = 0, p99 = 0, status = 0, io = 0] = line.slice(1).map(Number);
  return { requests, micros, p50, p99, errors: status + io };
}
