/**
 * `mecha up` on the ledger project, and what can be done to it from outside: signals, a limit on file sizes, failing system calls, copies.
 *
 * F1 a function must not outlive its Mecha (E16): after each end of Mecha its children are gone before the next start is asked for anything
 * F2 a disk that fails or is full stops Mecha with exit code 1 and a line that says so (docs/guides/backup.md)
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openHttp } from "./http.ts";
import { repository } from "../support/files.ts";
import { eventually, type Exit, freePort, isAlive, type Program, runProgram, startProgram } from "../support/program.ts";

/** How long children may take to end after their Mecha. */
const childrenMaxMs = 5_000;

export interface PlatformOptions {
  readonly stateDir: string;
  /** Folder with mecha.yaml, relative to the repository. */
  readonly project?: string;
  /** A bug planted in its storage (planted/preload.ts). */
  readonly planted?: string;
  /** A program to start it with, `strace …`. */
  readonly wrap?: readonly string[];
}

export class Platform implements AsyncDisposable {
  readonly port: number;
  readonly #options: PlatformOptions;
  readonly orphans: number[] = [];
  #mecha: Program | undefined;

  private constructor(options: PlatformOptions, port: number) {
    this.#options = options;
    this.port = port;
  }

  /** Starts it. */
  static async open(options: PlatformOptions): Promise<Platform> {
    const platform = new Platform(options, await freePort());
    await platform.start();
    return platform;
  }

  get stateDir(): string {
    return this.#options.stateDir;
  }
  get #program(): Program {
    if (!this.#mecha) throw new Error("mecha is not running");
    return this.#mecha;
  }
  get output(): string {
    return this.#program.output;
  }
  get exit(): Promise<Exit> {
    return this.#program.exit;
  }

  /** @throws when it does not come up. */
  async start(): Promise<void> {
    this.launch();
    await this.untilItAnswers();
  }

  /** Starts it without waiting. */
  launch(): void {
    const { wrap = [], project = "tests/crash/ledger", stateDir, planted } = this.#options;
    const mecha = [
      process.execPath,
      ...(planted === undefined ? [] : ["--import", join(repository, "tests/crash/planted/preload.ts")]),
      "apps/mecha/src/main.ts",
      "up",
      project,
      "--port",
      String(this.port),
      "--admin-port",
      "0",
      "--state",
      stateDir,
    ];
    // Past a limit on file sizes writes then fail, as on a full disk, instead of killing the process.
    this.#mecha = startProgram("sh", ["-c", 'trap "" XFSZ; exec "$@"', "sh", ...wrap, ...mecha], {
      cwd: repository,
      env: { MECHA_TEST_PLANTED: planted },
    });
  }

  /** @throws when it has ended, or takes too long. */
  async untilItAnswers(): Promise<void> {
    const http = openHttp(this.port, 1_000);
    let ended: Exit | undefined;
    void this.#program.exit.then((exit) => (ended = exit));
    try {
      await eventually("mecha answers", async () => {
        if (ended) return true;
        return (await http.ask("GET", "/ledgers/ready")) !== undefined;
      });
    } finally {
      http.close();
    }
    if (ended) throw new Error(`mecha ended with ${JSON.stringify(ended)}: ${this.output}`);
  }

  /** kill -9, and waits until its children are gone. Keeps F1. */
  async killMecha(): Promise<void> {
    const children = await this.#program.descendants();
    this.#program.kill("SIGKILL");
    await this.#program.exit;
    await this.#untilGone(children);
  }

  async killFunction(): Promise<void> {
    const pid = await this.#functionPid();
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  }

  /** All threads of Mecha, or of its function, do nothing for a while. */
  async stopFor(victim: "mecha" | "function", ms: number): Promise<void> {
    const pid = victim === "mecha" ? this.#program.pid : await this.#functionPid();
    if (pid === undefined) return;
    signal(pid, "SIGSTOP");
    await delay(ms);
    signal(pid, "SIGCONT");
  }

  /** Copies the database while every thread is stopped. `stopped` is called in that moment. */
  async copyWhileStopped(to: string, stopped: () => void): Promise<void> {
    const { pid } = this.#program;
    signal(pid, "SIGSTOP");
    try {
      await eventually("all threads have stopped", () => allThreadsStopped(pid));
      stopped();
      mkdirSync(to, { recursive: true });
      for (const name of ["state.db", "state.db-wal"]) {
        if (existsSync(join(this.stateDir, name))) copyFileSync(join(this.stateDir, name), join(to, name));
      }
    } finally {
      signal(pid, "SIGCONT");
    }
  }

  /** From now on no file may grow past what the WAL has now, plus `moreBytes`: the disk is full. Waits for the end (F2). */
  async fillDisk(moreBytes: number): Promise<void> {
    const wal = join(this.stateDir, "state.db-wal");
    const limit = (existsSync(wal) ? statSync(wal).size : 0) + moreBytes;
    const set = await runProgram("prlimit", ["--pid", String(this.#program.pid), `--fsize=${String(limit)}`]);
    if (set.code !== 0) throw new Error(`prlimit: ${set.output}`);
    await this.#untilItGivesUp();
  }

  /** From now on flushing to the disk fails with EIO. Waits for the end (F2). */
  async failSyncs(): Promise<void> {
    const { pid } = this.#program;
    const calls = "fsync,fdatasync";
    const args = ["-f", "-qq", "-o", "/dev/null", "-p", String(pid), "-e", `trace=${calls}`, "-e", `inject=${calls}:error=EIO`];
    await using _strace = startProgram("strace", args);
    await this.#untilItGivesUp();
  }

  /** SIGTERM. @returns how it ended. */
  async stop(): Promise<Exit> {
    signal(await this.#mechaPid(), "SIGTERM");
    return this.#program.exit;
  }

  /** Under strace the program started is strace, which lets no signal through. */
  async #mechaPid(): Promise<number> {
    if (!this.#options.wrap) return this.#program.pid;
    const found = (await this.#program.descendants()).find((child) => commandLineOf(child).includes("apps/mecha/src/main.ts\0up"));
    return found ?? this.#program.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mecha?.[Symbol.asyncDispose]();
  }

  /** keeps F2 and F1 */
  async #untilItGivesUp(): Promise<void> {
    const children = await this.#program.descendants();
    const exit = await this.#program.exit;
    if (exit.code !== 1) throw new Error(`a failing disk ended mecha with ${JSON.stringify(exit)}, not with 1: ${this.output}`);
    if (!/mecha: .*state\.db failed/.test(this.output)) throw new Error(`a failing disk is not named: ${this.output}`);
    await this.#untilGone(children);
  }

  async #untilGone(children: readonly number[]): Promise<void> {
    const left = async (): Promise<number[]> => {
      const alive = await Promise.all(children.map(async (pid) => ({ pid, alive: await isAlive(pid) })));
      return alive.filter((child) => child.alive).map(({ pid }) => pid);
    };
    await eventually("the children end with mecha", async () => (await left()).length === 0, childrenMaxMs).catch(() => undefined);
    this.orphans.push(...(await left()));
  }

  async #functionPid(): Promise<number | undefined> {
    return (await this.#program.descendants()).find((child) => commandLineOf(child).includes("\0main.ts"));
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended meanwhile.
  }
}

function allThreadsStopped(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) => /^State:\s+[TtZ]/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8")));
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // ended between listing and looking
  }
}
