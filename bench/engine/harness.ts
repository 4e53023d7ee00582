/** Starts sidecar and function, fills stores, measures both processes. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import type { EntityHandle, Payload, Step, Store } from "@mecha/state";
import { openSqliteStore } from "@mecha/store-sqlite";
import { syncFloor } from "../counter/floor.ts";
import { cpuMicros } from "../counter/processes.ts";
import type { Plain } from "./components.ts";

type Counter = typeof Plain;

/** A running sidecar with its function. */
export interface Running {
  readonly url: string;
  readonly port: number;
  /** CPU time of both processes so far, µs. */
  cpu(): { readonly server: number; readonly function: number };
  /** Resident memory now, bytes. */
  memory(): { readonly server: number; readonly function: number };
  stop(): Promise<void>;
}

/** A folder that is gone when the benchmark ends. */
export function tempState(): { readonly dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "bench-engine-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** As users start them: see apps/mecha/bin/mecha.cjs and adapters/runtime-process/src/command.ts. */
const flags = ["--max-semi-space-size=4", "--heap-growing-percent=40"];

export async function startEngine(dir: string, engine: object = {}): Promise<Running> {
  const env = { ...process.env, NODE_ENV: "production" };
  const here = import.meta.dirname;
  const worker = fork(join(here, "function.ts"), [], { env, execArgv: flags });
  const [functionPort] = (await once(worker, "message")) as [number];
  const server = fork(join(here, "host.ts"), [dir, String(functionPort), JSON.stringify(engine)], { env, execArgv: flags });
  const [port] = (await once(server, "message")) as [number];
  const both = <T>(read: (pid: number) => T): { server: T; function: T } => ({
    server: read(server.pid ?? 0),
    function: read(worker.pid ?? 0),
  });
  return {
    url: `http://127.0.0.1:${String(port)}`,
    port,
    cpu: () => both(cpuMicros),
    memory: () => both(residentBytes),
    stop: async () => {
      server.send("stop");
      await ended(server);
      worker.kill("SIGKILL");
      await ended(worker);
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

/** Events written at once while filling. */
const fillSteps = 4_096;

/** Fills a store without engine or function. Events of one entity are made by its component's own codec. */
export class Filler implements AsyncDisposable {
  readonly #store: Store;

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(dir: string): Promise<Filler> {
    // Filling needs no durability: nobody is told of it before the store is closed.
    return new Filler(await openSqliteStore({ dir, clock: hostClock, random: hostRandom, log: noLog, durability: "relaxed" }));
  }

  /** Gives each of `ids` `events` events, one event a step as commands make them, and a snapshot wherever the component asks for one. */
  async fill(component: Counter, ids: readonly string[], events: number): Promise<void> {
    const { definition } = component;
    const type = definition.events.get("added");
    if (type === undefined) throw new Error("the counter has no event `added`");
    const payload: Payload = { typeUrl: type.message.typeUrl, value: type.message.codec.encode({ amount: 1 }) };
    const open = (entityId: string): ReturnType<Store["open"]> =>
      this.#store.open(
        { namespace: "default", service: component.service, persistenceId: definition.persistenceId, entityId },
        "eventSourced",
      );
    for (let from = 0; from < ids.length; from += fillSteps) {
      const handles = (await Promise.all(ids.slice(from, from + fillSteps).map(open))).map(({ handle }) => handle);
      await this.#fillHandles(handles, events, payload, (sequence) => snapshotAt(component, sequence));
      for (const handle of handles) this.#store.release(handle);
    }
  }

  async #fillHandles(
    handles: readonly EntityHandle[],
    events: number,
    payload: Payload,
    snapshot: (sequence: number) => Payload | undefined,
  ): Promise<void> {
    let steps: Step[] = [];
    for (let sequence = 0; sequence < events; sequence++) {
      const taken = snapshot(sequence + 1);
      for (const entity of handles) {
        const common = { entity, expectedSequence: sequence, events: [payload], cause: "Add", timeMs: Date.now() };
        steps.push(taken === undefined ? common : { ...common, snapshot: taken });
      }
      if (steps.length < fillSteps && sequence + 1 < events) continue;
      for (const verdict of await this.#store.commit(steps)) if (verdict.is !== "committed") throw new Error(`filling: ${verdict.is}`);
      steps = [];
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#store[Symbol.asyncDispose]();
  }
}

function snapshotAt({ definition }: Counter, sequence: number): Payload | undefined {
  const { snapshotEvery, state } = definition;
  return snapshotEvery > 0 && sequence % snapshotEvery === 0 ? state.encode({ value: sequence }) : undefined;
}

/** One add; the counter's new value. */
export async function add(url: string, service: string, id: string): Promise<number> {
  const response = await fetch(`${url}/${service}/${id}/add`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"amount":1}',
  });
  if (!response.ok) throw new Error(`add ${service}/${id}: ${String(response.status)} ${await response.text()}`);
  return ((await response.json()) as { value: number }).value;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Says what the figures were taken on: they mean nothing without. */
export function printMachine(): void {
  console.log(
    `${cpus()[0]?.model ?? "unknown CPU"}, ${String(cpus().length)} cores, Node ${process.version}; floor: ${String(syncFloor().perSecond)} fdatasync/s of 4 KiB\n`,
  );
}

/** Keeps the figures: bench/results/NAME.json. */
export function keep(name: string, results: unknown): void {
  const out = join(import.meta.dirname, "../results");
  mkdirSync(out, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, at: new Date().toISOString() };
  writeFileSync(join(out, `${name}.json`), `${JSON.stringify({ ...machine, results }, undefined, 2)}\n`);
}
