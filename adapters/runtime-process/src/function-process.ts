/**
 * A user function as a child process: started, watched, started again after it ended, stopped with grace.
 *
 * P1 the function leads its own session and process group; whatever it starts is signalled with it, and the terminal's Ctrl-C reaches only Mecha
 * P2 it does not outlive Mecha: parent-death signal or lifeline at once (E16), run folder at the next start
 * P3 after `stop` or `kill` nothing is started any more, and when they resolve no process of the group is left
 * P4 output is read as fast as it is taken: a slow taker slows the function, it does not fill memory
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { dirname } from "node:path";
import type { Readable, Writable } from "node:stream";
import { type Clock, explain, Fault, type Random, uuid } from "@mecha/kit";
import { checkCommand, commandWords, lean, type FunctionCommand, type OrphanGuard, orphanGuard } from "./command.ts";
import { startIdentity } from "./identity.ts";
import { forgetRun, recordRun, runVariable } from "./leftovers.ts";
import { LineSplitter } from "./lines.ts";
import { freePort, portIsFree, releasePort } from "./ports.ts";
import { planRestart, type RestartHistory, type RestartPolicy, restartPolicy } from "./restart.ts";

/** What to run. */
export interface FunctionSpec {
  /** For messages and the run folder; unique within it. */
  readonly name: string;
  readonly command: FunctionCommand;
  /** Working directory, absolute. */
  readonly directory: string;
  /** Added to Mecha's own environment; wins over it. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the function shall listen: exposed as HOST, with `port` as PORT. */
  readonly host: string;
  /** `undefined`: a free one is chosen. */
  readonly port: number | undefined;
}

/** Where a function is in its life. */
export type FunctionState =
  | { readonly is: "running"; readonly pid: number; readonly port: number; readonly sinceMs: number }
  /** Ended by itself; starts again after `delayMs`. */
  | { readonly is: "waiting"; readonly reason: string; readonly delayMs: number }
  | { readonly is: "stopping"; readonly pid: number }
  | { readonly is: "stopped" };

export type OutputStream = "stdout" | "stderr";

export interface FunctionPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Environment functions inherit. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder of run records, private to one Mecha. */
  readonly runFolder: string;
  /** One line of output. A promise holds further output back until it settles (P4). */
  readonly output: (stream: OutputStream, line: string) => void | Promise<void>;
  /** Called at each change of `state`. */
  readonly changed: (state: FunctionState) => void;
  readonly policy?: RestartPolicy;
  /** Default: what the machine offers. */
  readonly guard?: OrphanGuard;
}

export interface FunctionProcess extends AsyncDisposable {
  readonly state: FunctionState;
  /** Times it was started again. */
  readonly restarts: number;
  readonly guard: OrphanGuard;
  /** SIGTERM to the group, SIGKILL after `graceMs`. `true`: it ended within the grace. */
  stop(graceMs: number): Promise<boolean>;
  /** SIGKILL to the group now. */
  kill(): Promise<void>;
}

/** Grace of `[Symbol.asyncDispose]`, ms. */
const disposeGraceMs = 5_000;

/** How long output may trail the end of a process before its pipes are cut: a stranger may hold them open, or nobody take the lines, ms. */
const outputTailMs = 500;

/**
 * Starts a function and keeps it running.
 * @throws Fault("precondition") when folder, program or a fixed port make a start hopeless; nothing runs then.
 */
export async function openFunctionProcess(spec: FunctionSpec, ports: FunctionPorts): Promise<FunctionProcess> {
  const running = new RunningFunction(spec, ports);
  await running.start();
  return running;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

class RunningFunction implements FunctionProcess {
  readonly guard: OrphanGuard;
  readonly #spec: FunctionSpec;
  readonly #ports: FunctionPorts;
  readonly #policy: RestartPolicy;
  #state: FunctionState = { is: "stopped" };
  #restarts = 0;
  #history: RestartHistory = { ends: 0 };
  #port: number | undefined;
  #child: Child | undefined;
  #ended: Promise<void> = Promise.resolve();
  #closing = false;
  #cancelWait: () => void = () => undefined;

  constructor(spec: FunctionSpec, ports: FunctionPorts) {
    this.#spec = spec;
    this.#ports = ports;
    this.#policy = ports.policy ?? restartPolicy;
    this.guard = ports.guard ?? orphanGuard();
    this.#port = spec.port;
  }

  get state(): FunctionState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  async start(): Promise<void> {
    const env = this.#environment(uuid(this.#ports.random));
    checkCommand(this.#spec.command, this.#spec.directory, env.PATH ?? "");
    const port = await this.#choosePort();
    if (this.#closing) return;
    const child = this.#spawn({ ...env, PORT: String(port) });
    const pid = child.pid;
    if (pid === undefined) {
      await this.#ended; // spawn itself failed: no memory, no processes left
      throw new Fault("unavailable", `start function ${this.#spec.name}`);
    }
    const sinceMs = this.#ports.clock.monotonic();
    this.#record(pid, env[runVariable] ?? "");
    void this.#ended.then(() => this.#afterEnd(child, sinceMs));
    this.#change({ is: "running", pid, port, sinceMs });
  }

  async stop(graceMs: number): Promise<boolean> {
    const pid = this.#close()?.pid;
    let graceful = true;
    if (pid !== undefined) {
      this.#change({ is: "stopping", pid });
      signalGroup(pid, "SIGTERM");
      const cancel = this.#ports.clock.after(graceMs, () => {
        graceful = false;
        signalGroup(pid, "SIGKILL");
      });
      await this.#ended;
      cancel();
    }
    await this.#ended;
    this.#finish();
    return graceful;
  }

  async kill(): Promise<void> {
    const child = this.#close();
    if (child?.pid !== undefined) signalGroup(child.pid, "SIGKILL");
    await this.#ended;
    this.#finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop(disposeGraceMs);
  }

  /** Forbids further starts (P3); the child that runs, if one does. */
  #close(): Child | undefined {
    this.#closing = true;
    this.#cancelWait();
    return this.#child;
  }

  #finish(): void {
    if (this.#spec.port === undefined && this.#port !== undefined) releasePort(this.#port);
    forgetRun(this.#ports.runFolder, this.#spec.name);
    if (this.#state.is !== "stopped") this.#change({ is: "stopped" });
  }

  #change(state: FunctionState): void {
    this.#state = state;
    this.#ports.changed(state);
  }

  /** The port of the last run while it is free, so that what is connected finds the function again; else another, unless it was fixed. */
  async #choosePort(): Promise<number> {
    const { host, port: fixed, name } = this.#spec;
    if (this.#port !== undefined && (await portIsFree(host, this.#port))) return this.#port;
    if (fixed !== undefined)
      throw new Fault(
        "precondition",
        `port ${fixed} of function ${name} is in use; end what holds it, change \`port\`, or leave \`port\` out to get a free one`,
      );
    if (this.#port !== undefined) releasePort(this.#port);
    this.#port = await freePort(host);
    return this.#port;
  }

  #environment(mark: string): Record<string, string | undefined> {
    const inherited = this.#ports.environment;
    // `node` in a command means the Node that runs Mecha: the machine's own may be too old for the user's TypeScript.
    const path = [dirname(process.execPath), inherited.PATH].filter(Boolean).join(":");
    return { ...inherited, PATH: path, ...this.#spec.env, HOST: this.#spec.host, [runVariable]: mark, MECHA_EXIT_ON_STDIN_END: "1" };
  }

  #spawn(env: Record<string, string | undefined>): Child {
    // With options or a PATH of the user's own, which Node it is and how it is to run is the user's business.
    const own = env.NODE_OPTIONS !== undefined || this.#spec.env.PATH !== undefined;
    const command = own ? this.#spec.command : lean(this.#spec.command);
    const [program, ...words] = commandWords(command, this.guard);
    const child = spawn(program, words, { cwd: this.#spec.directory, env, stdio: ["pipe", "pipe", "pipe"], detached: true }); // keeps P1
    child.stdin.on("error", () => undefined); // nothing is ever written; its open end is the lifeline (P2)
    this.#child = child;
    const tails = [this.#read(child.stdout, "stdout"), this.#read(child.stderr, "stderr")];
    this.#ended = this.#end(child, tails);
    return child;
  }

  /** Delivers a pipe's lines; resolves when it ended or was cut. */
  async #read(pipe: Readable, stream: OutputStream): Promise<void> {
    const splitter = new LineSplitter();
    try {
      for await (const chunk of pipe as AsyncIterable<Uint8Array>) {
        for (const line of splitter.push(chunk)) await this.#ports.output(stream, line); // keeps P4
      }
    } catch {
      // The pipe was cut after the process ended: what came before has been delivered.
    }
    for (const line of splitter.end()) await this.#ports.output(stream, line);
  }

  /** Resolves when the process has ended, its group is gone and its output is delivered. */
  async #end(child: Child, tails: readonly Promise<void>[]): Promise<void> {
    await new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    if (child.pid !== undefined) signalGroup(child.pid, "SIGKILL"); // keeps P3: children it left behind
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#ports.clock.after(outputTailMs, resolve);
    await Promise.race([Promise.all(tails), late]);
    cancel();
    child.stdout.destroy();
    child.stderr.destroy();
  }

  #record(pid: number, mark: string): void {
    const identity = startIdentity(pid);
    if (identity !== undefined) recordRun(this.#ports.runFolder, { function: this.#spec.name, pid, identity, mark });
  }

  #afterEnd(child: Child, sinceMs: number): void {
    this.#child = undefined;
    forgetRun(this.#ports.runFolder, this.#spec.name);
    if (!this.#closing) this.#waitAndStart(endReason(child), this.#ports.clock.monotonic() - sinceMs);
  }

  #waitAndStart(reason: string, upMs: number): void {
    const chance = this.#ports.random.below(1_000) / 1_000;
    const { history, delayMs } = planRestart(this.#history, upMs, chance, this.#policy);
    this.#history = history;
    this.#change({ is: "waiting", reason, delayMs });
    this.#cancelWait = this.#ports.clock.after(delayMs, () => {
      this.#restarts += 1;
      this.start().catch((error: unknown) => {
        if (!this.#closing) this.#waitAndStart(explain(error), 0);
      });
    });
  }
}

function endReason(child: Child): string {
  return child.signalCode === null ? `exit code ${child.exitCode ?? "unknown"}` : `signal ${child.signalCode}`;
}

/** Signals the whole group (P1). */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: nobody of the group is left, which is what was wanted. EPERM: macOS says so for a group of zombies.
  }
}
