/**
 * Real processes in tests: start, wait for a line, send a signal, and leave nothing behind.
 *
 * T1 every process a program starts inherits a mark in its environment; dispose kills everything that carries it, also what moved to a
 *    session of its own or lost its parent
 * T2 waiting means waiting for a state; a time only bounds it, and running out of it shows what was printed
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { repository } from "./files.ts";

const markName = "MECHA_TEST_MARK";
/** Longest wait for a line or an exit. Far above what is normal: two cores are shared with other tests. */
const waitMaxMs = 60_000;
const pollMs = 10;
/** Output of an ended process arrives within a few ms; half a second is ample on a busy machine. */
const pipesMaxMs = 500;

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running program. Dispose ends it and everything it started, with SIGKILL. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** stdout and stderr so far, as they came. */
  readonly output: string;
  readonly stdout: string;
  readonly exit: Promise<Exit>;
  /** Resolves with the match as soon as the output matches, also in what was printed before. */
  waitFor(pattern: RegExp, waitMs?: number): Promise<RegExpExecArray>;
  kill(signal?: NodeJS.Signals): void;
  /** Ids of the living processes this program started, itself left out. Linux only. */
  descendants(): Promise<readonly number[]>;
}

/** What a program is started with. `env` is added to the environment of the tests. */
export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string;
}

/** Starts a program in a process group of its own. */
export function startProgram(file: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const mark = randomUUID();
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: "1", NODE_TEST_CONTEXT: undefined, ...options.env, [markName]: mark },
    detached: true,
    stdio: [options.stdin === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.end(options.stdin);
  const printed = { all: "", stdout: "" };
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    printed.all += chunk;
    printed.stdout += chunk;
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (printed.all += chunk));
  const exit = exitOf(child);
  let ended = false;
  // Whoever waits for `exit` hears of a failed start; nobody has to.
  void exit.catch(() => undefined).finally(() => (ended = true));
  const describe = (): string => `${[file, ...args].join(" ")}\n${printed.all}`;
  return {
    pid: child.pid ?? -1,
    get output() {
      return printed.all;
    },
    get stdout() {
      return printed.stdout;
    },
    exit,
    async waitFor(pattern, waitMs = waitMaxMs) {
      const untilMs = performance.now() + waitMs;
      for (;;) {
        const match = new RegExp(pattern.source, pattern.flags.replace("g", "")).exec(printed.all);
        if (match) return match;
        if (ended) throw new Error(`ended before printing ${String(pattern)}: ${describe()}`);
        if (performance.now() > untilMs) throw new Error(`did not print ${String(pattern)} within ${waitMs} ms: ${describe()}`);
        await delay(pollMs);
      }
    },
    kill(signal = "SIGTERM") {
      child.kill(signal);
    },
    descendants: async () => (await marked(mark)).filter((pid) => pid !== child.pid),
    async [Symbol.asyncDispose]() {
      if (child.pid === undefined) return;
      if (!ended) killOne(child.pid);
      if (process.platform !== "linux") killOne(-child.pid);
      // A process may start another while we look: again until none is left. Keeps T1.
      for (let pids = await marked(mark); pids.length > 0; pids = await marked(mark)) {
        for (const pid of pids) killOne(pid);
        await delay(pollMs);
      }
      await exit.catch(() => undefined);
    },
  };
}

/** Starts a TypeScript or JavaScript file with this Node. `script` is relative to the repository. */
export function startNode(script: string, args: readonly string[] = [], options: ProgramOptions = {}): Program {
  return startProgram(process.execPath, [script, ...args], { cwd: repository, ...options });
}

/** Runs a program to its end. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<Exit & { readonly output: string; readonly stdout: string }> {
  await using program = startProgram(file, args, options);
  const exit = await program.exit;
  return { ...exit, output: program.output, stdout: program.stdout };
}

/** A TCP port nobody listens on right now. Prefer port 0 where the program can say which it got: between asking and using, others may take it. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

/** Asks until `probe` gives something other than undefined or false. Errors count as "not yet", and the last one is shown. */
export async function eventually<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  waitMs = waitMaxMs,
): Promise<T> {
  const untilMs = performance.now() + waitMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > untilMs) throw new Error(`${what}: not within ${waitMs} ms`, { cause: last });
    await delay(pollMs);
  }
}

/** Whether a process is there (a zombie is not). */
export async function isAlive(pid: number): Promise<boolean> {
  if (process.platform !== "linux") return killOne(pid, 0);
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/^\d+ \(.*\) [ZX]/s.test(stat);
}

/**
 * Resolves when the process has ended and its output is complete. A grandchild that keeps the pipes open must not hide the end of its
 * parent, so after `pipesMaxMs` the end counts without them.
 */
function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("exit", (code, signal) => setTimeout(() => resolve({ code, signal }), pipesMaxMs).unref());
  });
}

/** Ids of the living processes whose environment carries the mark. */
async function marked(mark: string): Promise<number[]> {
  if (process.platform !== "linux") return [];
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => ""); // ended meanwhile, or another user's
    if (environment.includes(`${markName}=${mark}`) && (await isAlive(pid))) found.push(pid);
  }
  return found;
}

function killOne(pid: number, signal: NodeJS.Signals | 0 = "SIGKILL"): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false; // already gone
  }
}
