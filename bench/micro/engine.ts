/**
 * Engine benchmark: commands a second through the state engine alone, with a function in the same process that answers at once.
 *
 *     node bench/micro/engine.ts [--seconds 2] [--out result.json]
 *
 * Closed loop: N commands are in flight; one that is answered is replaced at once. `void` store: answers `committed` and keeps nothing, so
 * what is left is the engine's own work. `memory` store: the reference store, its copying included. `read`: commands without events.
 * cpuUs is processor time of the whole process for one command, garbage collection and the function's part included; it hardly depends on what
 * else the machine does, perSecond does.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics } from "@mecha/kit";
import {
  type Answer,
  type Command,
  type Component,
  type EntityHandle,
  type EntityReply,
  type EntityStream,
  type EntityStreamEvents,
  type FunctionPort,
  openEngine,
  type Payload,
  type Step,
  type Store,
  type Verdict,
} from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { maybe, number, readOptions } from "../options.ts";

const args = readOptions("The state engine alone, over stores in memory.", {
  seconds: number(2, "of each measurement"),
  out: maybe("file for the results, JSON"),
});
const runMs = args.seconds * 1000;

interface Load {
  readonly store: "void" | "memory";
  readonly kind: "add" | "read";
  readonly keys: number;
  readonly inFlight: number;
}
interface Result extends Load {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly heapMb: number;
}

const event: Payload = { typeUrl: "type.googleapis.com/shop.ItemAdded", value: new Uint8Array(200).fill(65) };
const answer: Payload = { typeUrl: "type.googleapis.com/shop.Cart", value: new Uint8Array(20) };
const action = { do: "reply", payload: answer } as const;
const add = { action, effects: [], events: [event] };
const read = { action, effects: [], events: [] };

/** Answers all commands of one turn together, as one read of a socket would bring them. */
class EchoFunction implements FunctionPort {
  readonly #answers: { events: EntityStreamEvents; reply: EntityReply }[] = [];
  readonly #parts: Omit<EntityReply, "commandId">;
  constructor(kind: Load["kind"]) {
    this.#parts = kind === "add" ? add : read;
  }
  openEntity(_address: unknown, _init: unknown, events: EntityStreamEvents): EntityStream {
    return {
      event: () => true,
      command: (commandId) => this.#later(events, { commandId, ...this.#parts }),
      halfClose: () => queueMicrotask(() => events.closed()),
      reset() {},
    };
  }
  #later(events: EntityStreamEvents, reply: EntityReply): void {
    if (this.#answers.push({ events, reply }) === 1) setImmediate(() => this.#flush());
  }
  #flush(): void {
    for (const { events, reply } of this.#answers.splice(0)) events.reply(reply);
  }
  openAction(): never {
    throw new Error("no actions here");
  }
  reportError(message: string): void {
    throw new Error(message);
  }
}

class VoidStore implements Store {
  #handles = 0;
  async open(): Promise<{ handle: EntityHandle; sequence: number }> {
    return { handle: ++this.#handles as EntityHandle, sequence: 0 };
  }
  readBack(): Promise<{ handle: EntityHandle; sequence: number }> {
    return this.open();
  }
  async events(): Promise<readonly never[]> {
    return [];
  }
  async commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    return steps.map(() => ({ is: "committed" }));
  }
  release(): void {}
  async outbox(): Promise<readonly never[]> {
    return [];
  }
  async settle(): Promise<void> {}
  async timersDue(): Promise<readonly never[]> {
    return [];
  }
  async timers(): Promise<readonly never[]> {
    return [];
  }
  async sweep(): Promise<number> {
    return 0;
  }
  async list(): Promise<readonly never[]> {
    return [];
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

async function run(load: Load): Promise<Result> {
  const store = load.store === "void" ? new VoidStore() : openMemoryStore();
  await using engine = openEngine({ store, clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics });
  engine.setComponents([cart(new EchoFunction(load.kind))]);
  const commands: Command[] = Array.from({ length: load.keys }, (_, key) => ({
    name: "AddItem",
    payload: { typeUrl: "type.googleapis.com/shop.AddItem", value: Buffer.from(`cart-${key}`) },
  }));
  const context = { hops: 0 };
  let next = 0;
  let done = 0;
  let stopping = false;
  let open = load.inFlight;
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAnswer: Answer = (fault) => {
    if (fault) throw fault;
    done++;
    if (!stopping) send();
    else if (--open === 0) resolve();
  };
  const send = (): void => engine.call("shop.Cart", commands[next++ % load.keys] as Command, context, onAnswer);
  for (let at = 0; at < load.inFlight; at++) send();
  await pause(runMs / 4); // entities active, code compiled
  const before = done;
  const cpuBefore = process.cpuUsage();
  const from = performance.now();
  await pause(runMs);
  const seconds = (performance.now() - from) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const count = done - before;
  stopping = true;
  await promise;
  const heapMb = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
  return { ...load, perSecond: Math.round(count / seconds), cpuUs: Number(((cpu.user + cpu.system) / count).toFixed(2)), heapMb };
}

function cart(port: FunctionPort): Component {
  const text = new TextDecoder("latin1");
  const method = {
    name: "AddItem",
    streamedIn: false,
    streamedOut: false,
    inputTypeUrl: "type.googleapis.com/shop.AddItem",
    outputTypeUrl: "type.googleapis.com/shop.Cart",
    entityId: (message: Uint8Array) => text.decode(message),
  };
  return {
    kind: "eventSourced",
    service: "shop.Cart",
    persistenceId: "cart",
    methods: new Map([["AddItem", method]]),
    passivationMs: undefined,
    function: port,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const loads: Load[] = [
  { store: "void", kind: "read", keys: 10_000, inFlight: 256 },
  { store: "void", kind: "add", keys: 1, inFlight: 64 },
  { store: "void", kind: "add", keys: 10_000, inFlight: 64 },
  { store: "void", kind: "add", keys: 10_000, inFlight: 256 },
  { store: "memory", kind: "add", keys: 10_000, inFlight: 256 },
];
const results: Result[] = [];
for (const load of loads) results.push(await run(load));
console.table(results);
if (args.out !== undefined) {
  writeFileSync(
    args.out,
    `${JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, results }, undefined, 2)}\n`,
  );
}
