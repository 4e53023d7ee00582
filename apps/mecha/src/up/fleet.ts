/**
 * The functions Mecha runs here, as processes: those of mecha.yaml and those of StatefulService objects go the same way. The set changes while it runs.
 *
 * L1 a function that ends is started again, and the sidecar hears of both
 * L2 a changed function is replaced alone: its new version is started beside the old one and takes over once it was discovered; where both need one port,
 *    the old one is ended first and calls wait for the new one
 * L3 what is removed is first withdrawn from callers, then ended; after `stop` nothing is started any more
 */
import { type Clock, Fault, type Random } from "@mecha/kit";
import {
  type FunctionCommand,
  type FunctionProcess,
  type FunctionState,
  openFunctionProcess,
  type OutputStream,
} from "@mecha/runtime-process";
import type { FunctionProtocol, HostedFunction, Sidecar } from "@mecha/sidecar";
import type { FunctionJson } from "../admin/model.ts";
import { functionJson } from "../status.ts";

/** Functions listen here, whatever callers reach: only the sidecar talks to them. */
const functionHost = "127.0.0.1";
/** How long a function may take to end after SIGTERM, ms; the calls are over by then. */
const endGraceMs = 5_000;

/** A function as it is to run. Two that are equal run alike: a function is replaced when this changes. */
export interface FleetFunction {
  readonly name: string;
  readonly command: FunctionCommand;
  /** Absolute. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly protocol: FunctionProtocol;
  /** `undefined`: a free one. */
  readonly port: number | undefined;
  /** Of two that serve the same the smaller does (FunctionOptions.order). */
  readonly order: number;
}

export interface FleetPorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Environment functions inherit. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder of run records. */
  readonly runFolder: string;
  readonly sidecar: Sidecar;
  /** How long calls of a version that was replaced may take, ms. */
  readonly graceMs: number;
  readonly output: (name: string, stream: OutputStream, line: string) => void | Promise<void>;
  /** A line for people. */
  readonly say: (text: string) => void;
  /** A function's state changed: look again. */
  readonly changed: () => void;
}

/** One version of a function: its process and its place in the sidecar. */
class Version {
  readonly spec: FleetFunction;
  readonly hosted: HostedFunction;
  readonly process: FunctionProcess;

  private constructor(spec: FleetFunction, hosted: HostedFunction, process: FunctionProcess) {
    this.spec = spec;
    this.hosted = hosted;
    this.process = process;
  }

  /** @param run Name of the process among the run records. @throws as openFunctionProcess; nothing is left then. */
  static async start(spec: FleetFunction, run: string, ports: FleetPorts): Promise<Version> {
    const { clock, random, environment, runFolder, sidecar, output, say, changed } = ports;
    const { name, command, directory, env, port, protocol, order } = spec;
    const hosted = sidecar.addFunction(name, { protocol, order });
    const stateChanged = (state: FunctionState): void => {
      if (state.is === "running") hosted.started({ host: functionHost, port: state.port });
      else hosted.ended();
      if (state.is === "waiting")
        say(`function ${name} ended (${state.reason}); it starts again in ${(state.delayMs / 1_000).toFixed(1)} s`);
      changed();
    };
    try {
      const process = await openFunctionProcess(
        { name: run, command, directory, env, host: functionHost, port },
        { clock, random, environment, runFolder, output: (stream, line) => output(name, stream, line), changed: stateChanged },
      );
      return new Version(spec, hosted, process);
    } catch (error) {
      await hosted.remove(0);
      throw error;
    }
  }

  get status(): FunctionJson {
    return functionJson(this.hosted.status, this.process);
  }

  /** keeps L3 */
  async end(graceMs: number): Promise<void> {
    await this.hosted.remove(graceMs);
    await this.process.stop(endGraceMs);
  }
}

/** A function's state, and whether another version of it serves meanwhile. */
export interface FleetStatus extends FunctionJson {
  /** What is asked for is not served yet, and the version before goes on. */
  readonly replacing: boolean;
}

interface Entry {
  current: Version;
  /** Takes over from `current` once it was discovered (L2). */
  next: Version | undefined;
}

export class Fleet implements AsyncDisposable {
  readonly #ports: FleetPorts;
  readonly #entries = new Map<string, Entry>();
  /** All that were started and have not ended, also those that were removed or replaced and whose calls are waited for. */
  readonly #alive = new Set<Version>();
  /** The ends of those that were replaced. */
  readonly #ending = new Set<Promise<void>>();
  #runs = 0;
  #stopped = false;

  constructor(ports: FleetPorts) {
    this.#ports = ports;
  }

  /**
   * Has `spec` run, in place of what runs under its name. Returns when its process was started.
   * @throws Fault("precondition") when folder, program or port make a start hopeless: what ran before goes on, unless it had the port.
   */
  async set(spec: FleetFunction): Promise<void> {
    this.#checkOpen();
    const entry = this.#entries.get(spec.name);
    if (!entry) {
      this.#entries.set(spec.name, { current: await this.#start(spec), next: undefined });
    } else if (!runs(entry.next ?? entry.current, spec)) {
      await this.#dropNext(entry);
      if (!runs(entry.current, spec)) await this.#replace(entry, spec);
    }
    this.changed(); // it may have been discovered already
  }

  /** Ends what runs under `name`, within `graceMs`; nothing when there is none. */
  async remove(name: string, graceMs: number): Promise<void> {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#entries.delete(name);
    await Promise.all([entry.next && this.#end(entry.next, 0), this.#end(entry.current, graceMs)]);
    this.#ports.changed();
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** How the newest version of a function is. */
  status(name: string): FleetStatus | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const { current, next } = entry;
    return { ...(next ?? current).status, replacing: next !== undefined && current.hosted.serves };
  }

  /** The process of the version that callers reach. */
  process(name: string): FunctionProcess | undefined {
    return this.#entries.get(name)?.current.process;
  }

  /** The sidecar's state changed: versions that were discovered take over. */
  changed(): void {
    for (const entry of this.#entries.values()) {
      const { current, next } = entry;
      if (!next?.hosted.serves) continue;
      entry.current = next;
      entry.next = undefined;
      this.#endLater(current);
    }
  }

  /** SIGKILL to all, now. */
  kill(): void {
    for (const { process } of this.#alive) void process.kill(); // signals before it waits
  }

  /** Ends all processes, those that are being removed too, without telling the sidecar, which drains on its own. keeps L3 */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(Array.from(this.#alive, ({ process }) => process.stop(endGraceMs)));
    await Promise.all(this.#ending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #replace(entry: Entry, spec: FleetFunction): Promise<void> {
    const { current } = entry;
    const onePort = spec.port !== undefined && spec.port === current.hosted.status.address?.port;
    if (onePort) await current.process.stop(endGraceMs); // keeps L2
    entry.next = await this.#start(spec);
  }

  async #dropNext(entry: Entry): Promise<void> {
    const { next } = entry;
    entry.next = undefined;
    if (next) await this.#end(next, 0);
  }

  #endLater(version: Version): void {
    const ending = this.#end(version, this.#ports.graceMs).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async #end(version: Version, graceMs: number): Promise<void> {
    await version.end(graceMs);
    this.#alive.delete(version);
  }

  async #start(spec: FleetFunction): Promise<Version> {
    const version = await Version.start(spec, this.#runName(spec.name), this.#ports);
    this.#alive.add(version);
    if (!this.#stopped) return version;
    await this.#end(version, 0);
    throw stopping();
  }

  /** Two versions of one function have records of their own. */
  #runName(name: string): string {
    this.#runs++;
    return this.#entries.has(name) ? `${name}@${String(this.#runs)}` : name;
  }

  #checkOpen(): void {
    if (this.#stopped) throw stopping();
  }
}

function stopping(): Fault {
  return new Fault("cancelled", "Mecha is about to end");
}

/** The version is of `spec`, and was not ended to make room. */
function runs(version: Version, spec: FleetFunction): boolean {
  return version.process.state.is !== "stopped" && same(version.spec, spec);
}

function same(a: FleetFunction, b: FleetFunction): boolean {
  return JSON.stringify(keyed(a)) === JSON.stringify(keyed(b));
}

function keyed({ env, ...rest }: FleetFunction): unknown[] {
  const { name, command, directory, protocol, port, order } = rest;
  return [name, command, directory, protocol, port, order, Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))];
}
