/**
 * Journal benchmark: durable steps a second of the SQLite store, beside what the disk itself allows in the same run.
 *
 *     node bench/micro/journal.ts [--seconds 2] [--rows 1000000] [--durability full] [--flight 64] [--load events,keys,effects] [--out result.json]
 *
 * Closed loop: N steps are in flight; a step that is durable is replaced at once. Steps ready in one turn of the event loop go in one `commit`, as
 * the engine's committer does. Each entity has at most one step in flight, but for the hot one, which has all of them (E3).
 * The floor is one thread doing pwrite of the same bytes (payload + 70) for N steps, then fdatasync, on a growing file. Loads and floor take turns
 * in short slices, so that what else the machine does falls on all of them.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import type { EntityHandle, Step, Store, Verdict } from "@mecha/state";
import { openSqliteStore } from "@mecha/store-sqlite";
import { maybe, number, numbers, readOptions, some, text } from "../options.ts";

const args = readOptions("Durable steps a second of the SQLite store, beside what the disk allows.", {
  seconds: number(2, "of each load"),
  rows: number(0, "events in the file before", 0),
  durability: some(["full", "relaxed"], "full", "fsync before each answer, or not"),
  dir: text(".", "folder of the file: the disk to measure"),
  flight: numbers("1,16,64,256", "steps in flight"),
  load: some(["events", "values", "hot events", "keys", "effects"], "events,hot events,values", "what steps hold"),
  out: maybe("file for the results, JSON"),
});
/** Slices of each load. */
const slices = 8;
const sliceMs = (args.seconds * 1_000) / slices;
const payloadBytes = 200;
const entities = 10_000;
const payload = { typeUrl: "type.googleapis.com/shop.ItemAdded", value: new Uint8Array(payloadBytes).fill(65) };

/** A recorded answer. */
const answer = new Uint8Array(80).fill(66);

/** `keys`: an event with an idempotency key. `effects`: an event that asks for an effect, settled when its step is durable. */
type Load = "events" | "values" | "hot events" | "keys" | "effects";
/** What one slice measured; slices of a load are joined. */
interface Slice {
  readonly ms: number[];
  readonly steps: number;
  readonly tookMs: number;
  readonly cpuUs: number;
}

interface Result {
  readonly load: Load | "floor";
  readonly inFlight: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuUs: number;
}

class Lane {
  readonly handle: EntityHandle;
  sequence: number;
  constructor(handle: EntityHandle, sequence: number) {
    this.handle = handle;
    this.sequence = sequence;
  }
}

/** Gathers the steps of one turn into one commit. */
class Committer {
  readonly #store: Store;
  #steps: Step[] = [];
  #answers: ((verdict: Verdict) => void)[] = [];
  constructor(store: Store) {
    this.#store = store;
  }
  submit(step: Step, answer: (verdict: Verdict) => void): void {
    if (this.#steps.push(step) === 1) queueMicrotask(() => void this.#flush());
    this.#answers.push(answer);
  }
  async #flush(): Promise<void> {
    const [steps, answers] = [this.#steps, this.#answers];
    this.#steps = [];
    this.#answers = [];
    const verdicts = await this.#store.commit(steps);
    verdicts.forEach((verdict, at) => answers[at]?.(verdict));
  }
}

function stepOf(lane: Lane, load: Load): Step {
  const timeMs = Date.now();
  const common = { entity: lane.handle, expectedSequence: lane.sequence++, cause: "AddItem", timeMs };
  if (load === "keys") {
    const deduplication = {
      key: `${lane.handle}-${lane.sequence}-${timeMs}`,
      payloadHash: answer.subarray(0, 8),
      answer,
      expiresMs: timeMs + 3_600_000,
    };
    return { ...common, events: [payload], deduplication };
  }
  if (load === "effects") {
    const target = {
      service: "shop.Mirror",
      entityId: `m${lane.handle}`,
      command: "Note",
      hops: 1,
      origin: "side effect of shop.Cart.AddItem",
    };
    return { ...common, events: [payload], outbox: [{ ...target, key: `${lane.handle}-${lane.sequence}/e/0`, payload }] };
  }
  return load === "values" ? { ...common, events: [], value: { do: "update", value: payload } } : { ...common, events: [payload] };
}

async function run(store: Store, lanes: readonly Lane[], load: Load, inFlight: number): Promise<Slice> {
  const committer = new Committer(store);
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + sliceMs;
  await new Promise<void>((done, failed) => {
    let running = inFlight;
    const free = [...lanes.keys()];
    const next = (): void => {
      const pick = load === "hot events" ? 0 : Math.floor(Math.random() * free.length);
      const index = free[pick] ?? 0;
      if (load !== "hot events") {
        free[pick] = free.at(-1) ?? 0;
        free.pop();
      }
      const lane = lanes[index];
      if (!lane) throw new Error("no entity");
      const began = performance.now();
      committer.submit(stepOf(lane, load), (verdict) => {
        if (verdict.is !== "committed") failed(new Error(`verdict ${verdict.is}`));
        else if (verdict.outboxId !== undefined) store.settle([{ id: verdict.outboxId, to: "removed" }]);
        const now = performance.now();
        latencies.push(now - began);
        if (load !== "hot events") free.push(index);
        if (now < end) next();
        else if (--running === 0) done();
      });
    };
    for (let at = 0; at < inFlight; at++) next();
  });
  return { ms: latencies, steps: latencies.length, tookMs: performance.now() - start, cpuUs: cpuSince(cpu) };
}

function floor(inFlight: number, dir: string): Slice {
  const file = openSync(join(dir, "floor"), "a");
  const bytes = new Uint8Array((payloadBytes + 70) * inFlight);
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let now = start; now < start + sliceMs;) {
    writeSync(file, bytes);
    fdatasyncSync(file);
    const after = performance.now();
    latencies.push(after - now);
    now = after;
  }
  closeSync(file);
  return { ms: latencies, steps: latencies.length * inFlight, tookMs: performance.now() - start, cpuUs: cpuSince(cpu) };
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function summary(load: Result["load"], inFlight: number, slices: readonly Slice[]): Result {
  const ms = slices.flatMap((slice) => slice.ms).sort((a, b) => a - b);
  const at = (part: number): number => ms[Math.min(ms.length - 1, Math.floor(ms.length * part))] ?? 0;
  const sum = (of: (slice: Slice) => number): number => slices.reduce((total, slice) => total + of(slice), 0);
  const steps = sum((slice) => slice.steps);
  return {
    load,
    inFlight,
    perSecond: Math.round((steps / sum((slice) => slice.tookMs)) * 1_000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    cpuUs: sum((slice) => slice.cpuUs) / steps,
  };
}

async function openLanes(store: Store, kind: "eventSourced" | "value"): Promise<Lane[]> {
  const address = (at: number) => ({ namespace: "default", service: `shop.${kind}`, persistenceId: kind, entityId: `cart-${at}` });
  const records = await Promise.all(Array.from({ length: entities }, (_, at) => store.open(address(at), kind)));
  return records.map(({ handle, sequence }) => new Lane(handle, sequence));
}

async function fill(store: Store, lanes: readonly Lane[], rows: number): Promise<void> {
  for (let row = 0; row < rows;) {
    const steps: Step[] = [];
    for (; steps.length < 1_024 && row < rows; row++) {
      const lane = lanes[Math.floor(Math.random() * lanes.length)];
      if (lane) steps.push(stepOf(lane, "events"));
    }
    await store.commit(steps);
  }
}

function print(result: Result, floorPerSecond: number): void {
  const { load, inFlight, perSecond, p50Ms, p99Ms, maxMs, cpuUs } = result;
  const columns = [
    load.padEnd(12),
    String(inFlight).padStart(4),
    `${perSecond}/s`.padStart(12),
    `p50 ${p50Ms.toFixed(2)}`.padStart(10),
    `p99 ${p99Ms.toFixed(2)}`.padStart(10),
    `max ${maxMs.toFixed(1)} ms`.padStart(13),
    `${cpuUs.toFixed(1)} µs CPU`.padStart(14),
    load === "floor" ? "" : `floor/this ${(floorPerSecond / perSecond).toFixed(2)}`,
  ];
  console.log(columns.join("  "));
}

const dir = mkdtempSync(join(resolve(args.dir), "journal-bench-"));
const results: Result[] = [];
try {
  const [durability = "full"] = args.durability;
  await using store = await openSqliteStore({ dir, durability, clock: hostClock, log: noLog, random: hostRandom });
  const opening = performance.now();
  const [events, values] = [await openLanes(store, "eventSourced"), await openLanes(store, "value")];
  console.log(
    `${cpus().length} cores, ${durability}, ${args.rows} rows before; 20,000 opens ${(performance.now() - opening).toFixed(0)} ms`,
  );
  await fill(store, events, args.rows);
  for (const inFlight of args.flight) {
    const loads: Load[] = args.load;
    const measured = new Map<Result["load"], Slice[]>([["floor", []], ...loads.map((load): [Load, Slice[]] => [load, []])]);
    for (let slice = 0; slice < slices; slice++)
      for (const [load, of] of measured) {
        const lanes = load === "values" ? values : load === "hot events" ? events.slice(0, 1) : events;
        of.push(load === "floor" ? floor(inFlight, dir) : await run(store, lanes, load, inFlight));
      }
    const joined = [...measured].map(([load, of]) => summary(load, inFlight, of));
    for (const result of joined) print(result, joined[0]?.perSecond ?? 0);
    results.push(...joined);
  }
  if (args.out) writeFileSync(args.out, JSON.stringify({ durability, rows: args.rows, results }, undefined, 2));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
