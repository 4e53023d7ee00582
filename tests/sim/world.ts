/**
 * The engine as a whole in one simulated world: a clock, a disk, processes that are stopped, killed and taken over from, functions that misbehave, and
 * clients who write down what they see. One seed gives one run, whatever the machine does.
 *
 * V1 every answer is explained by one order of the operations, of each ledger and of each register (the judges of tests/crash)
 * V2 every operation is answered at most once, and once the weather is calm every one is answered
 * V3 the engine keeps its own bounds: commands in a mailbox, groups at the store, steps in a group
 * V4 the engine's end leaves nothing: no timer, no open record, no stream
 * V6 timers fire once, when due and not before, in their phase (B1 to B6 of tests/crash/bells.ts)
 * V5 every effect of an acknowledged command comes about, in the end
 */
import { noLog, noMetrics } from "@mecha/kit";
import { SeededRandom } from "@mecha/kit/testing";
import { openEngine, type StateEngine } from "@mecha/state";
import { type Breach, check } from "../crash/history.ts";
import { checkRegisters, type Held } from "../crash/registers.ts";
import { calm, Chance } from "./chance.ts";
import { type BellEvent, checkBells } from "../crash/bells.ts";
import { bells, Clients, ledgers, registers } from "./clients.ts";
import { SimClock } from "./clock.ts";
import { type Flaws, SimDisk, type Simplified, SimStore } from "./disk.ts";
import { bellService, componentsOf, ledgerService, registerService, SimFunction, unpacked } from "./function.ts";
import { SimProcess } from "./process.ts";

/** What came of a run. */
export interface Outcome {
  /** Empty = every promise was kept. */
  readonly problems: readonly string[];
  readonly acknowledged: number;
  readonly refused: number;
  readonly unanswered: number;
  readonly faults: Readonly<Record<string, number>>;
}

/** What is different from the real thing; each must be noticed. */
export interface Planted extends Flaws, Simplified {
  /** Reads do not ask whether the owner still is one, although somebody may take over (E6). */
  readonly readsWithoutFence?: boolean;
}

const clientCount = 6;
/** Time for everything to come to rest: many times the longest wait of the engine below. */
const restMs = 60_000;
/** A timer that is due this long must have fired: longer than the pauses after the failed attempts that a run has time for (0.5 s, doubling). */
const lateMs = 10_000;
/** Longest time a run may take, in its own time. */
const runMs = 600_000;

/** Runs one seed. `operations`: how many each client does. */
export async function runWorld(seed: number, planted: Planted = {}, operations = 20): Promise<Outcome> {
  const world = new World(seed, planted);
  return world.run(operations);
}

interface Running {
  readonly process: SimProcess;
  readonly store: SimStore;
  readonly engine: StateEngine;
  readonly function: SimFunction;
  readonly limits: ReturnType<World["limits"]>;
}

class World {
  readonly #clock = new SimClock();
  readonly #chance: Chance;
  readonly #clients: Clients;
  readonly #disk = new SimDisk();
  readonly #planted: Planted;
  readonly #problems: string[] = [];
  readonly #faults: Record<string, number> = {};
  /** Several may own the state one after the other, the earlier one not knowing: then reads must ask the store too (E6). */
  readonly #takeovers: boolean;
  readonly #functionsFail: boolean;
  #running: Running;
  #stale: Running | undefined;

  constructor(seed: number, planted: Planted) {
    this.#planted = planted;
    this.#chance = new Chance(new SeededRandom(seed));
    this.#takeovers = this.#chance.oneIn(2);
    this.#functionsFail = this.#chance.weather.functionFault !== Infinity;
    this.#clients = new Clients(this.#clock, this.#chance);
    this.#running = this.#start();
  }

  async run(operations: number): Promise<Outcome> {
    await this.#turbulence(operations);
    this.#chance.weather = calm;
    this.#endStale();
    let finished = false;
    void this.#clients.readAll(() => this.#running).then(() => (finished = true));
    const all = await this.#clock.runUntil(() => finished, this.#clock.nowMs + restMs);
    if (!all) this.#problems.push(`V2: ${String(this.#clients.waiting)} operations are never answered`);
    await this.#effects();
    await this.#timers();
    const calledMs = this.#clock.wall();
    await this.#close();
    const breaches = [
      ...checkBells(await this.#bells(), this.#functionsFail ? 0 : calledMs - lateMs),
      ...check(this.#clients.history, await this.#ledgers()),
      ...checkRegisters(this.#clients.registerHistory, await this.#registers()),
    ];
    const { acknowledged, refused, history, registerHistory, problems } = this.#clients;
    return {
      problems: [...this.#problems, ...problems.map((text) => `V2: ${text}`), ...breaches.map(breachText)],
      acknowledged,
      refused,
      unanswered: [...history, ...registerHistory].filter(({ endedMs }) => endedMs === undefined).length,
      faults: this.#faults,
    };
  }

  async #turbulence(operations: number): Promise<void> {
    let busy = clientCount;
    for (let client = 0; client < clientCount; client++) void this.#clients.run(operations, () => this.#target()).then(() => busy--);
    let troubled = 0;
    while (busy > 0) {
      const untilMs = this.#clock.nowMs + 10 + this.#chance.below(30);
      await this.#clock.runUntil(() => busy === 0, untilMs);
      this.#look();
      this.#clock.nowMs = Math.max(this.#clock.nowMs, untilMs);
      if (this.#chance.oneIn(Math.ceil(this.#chance.weather.trouble / 6))) {
        await this.#trouble();
        troubled++;
      }
      if (this.#clock.nowMs > runMs) {
        this.#problems.push(`V2: ${String(this.#clients.waiting)} operations are stuck after ${String(troubled)} faults`);
        return;
      }
    }
  }

  #target(): Running {
    return this.#stale && !this.#stale.process.dead && this.#chance.oneIn(3) ? this.#stale : this.#running;
  }

  // ---- processes ------------------------------------------------------------------------------------------------------------------

  limits() {
    const chance = this.#chance;
    return {
      pipelining: !chance.oneIn(4),
      fenceReads: this.#planted.readsWithoutFence === true ? false : this.#takeovers || chance.oneIn(3),
      failQueueOnTermination: chance.oneIn(4),
      groupsInFlightMax: 1 + chance.below(2),
      groupStepsMax: 1 + chance.below(6),
      uncommittedStepsMax: 1 + chance.below(8),
      activeEntitiesMax: 3 + chance.below(6),
      activationsMax: 1 + chance.below(4),
      mailboxMax: 2 + chance.below(6),
      mailboxReserve: 2 + chance.below(4),
      replayPageEvents: 1 + chance.below(4),
      commandTimeoutMs: 200,
      closeTimeoutMs: 50,
      passivationMs: 30 + chance.below(100),
      functionWaitMs: 500,
      functionBackoffMaxMs: 100,
    };
  }

  #start(): Running {
    const process = new SimProcess(this.#clock);
    const store = new SimStore(this.#disk, process, this.#chance, this.#planted);
    const limits = this.limits();
    const engine = openEngine({
      store,
      clock: process,
      random: new SeededRandom(this.#chance.below(2 ** 31)), // its own: keys an engine makes are never the same twice
      log: noLog,
      metrics: noMetrics,
      // The store failed: the process stops, and is started again by whoever watches over it.
      options: { ...limits, onFatal: () => void this.#clock.after(0, () => this.#replace("disk failed", process)) },
    });
    const function_ = new SimFunction(process, this.#chance);
    engine.setComponents(componentsOf(function_));
    return { process, store, engine, function: function_, limits };
  }

  #kill({ process, store }: Running): void {
    process.kill();
    store.forget();
    this.#clients.cutOff(process);
  }

  #replace(why: string, process: SimProcess): void {
    this.#count(why);
    if (this.#stale?.process === process) {
      this.#endStale();
      return;
    }
    if (this.#running.process !== process || process.dead) return;
    this.#kill(this.#running);
    this.#running = this.#start();
  }

  #endStale(): void {
    if (this.#stale && !this.#stale.process.dead) this.#kill(this.#stale);
    this.#stale = undefined;
  }

  // ---- faults ---------------------------------------------------------------------------------------------------------------------

  async #trouble(): Promise<void> {
    const { process, engine, function: function_ } = this.#running;
    switch (this.#chance.pick("kill", "power cut", "stop", "stop", "function crash", "move", "take over", "take over")) {
      case "kill":
        this.#replace("kill", process);
        return;
      case "power cut":
        this.#count("power cut");
        this.#endStale();
        this.#kill(this.#running);
        await this.#disk.powerCut(this.#chance);
        this.#running = this.#start();
        return;
      case "stop":
        this.#count("stop");
        process.stop();
        this.#clock.after(this.#chance.below(400), () => process.continue());
        return;
      case "function crash":
        this.#count("function crash");
        process.deliver(() => function_.crash());
        return;
      case "move":
        this.#count("move");
        process.deliver(() => engine.setComponents([]));
        process.deliver(() => engine.setComponents(componentsOf(function_)));
        return;
      case "take over":
        if (this.#takeovers) this.#takeOver();
    }
  }

  /** Somebody starts while the old owner is stopped; it goes on later and believes it still is one. */
  #takeOver(): void {
    if (this.#stale) return;
    this.#count("take over");
    const old = this.#running;
    old.process.stop();
    this.#stale = old;
    this.#running = this.#start();
    this.#clock.after(this.#chance.below(150), () => old.process.continue());
    this.#clock.after(200 + this.#chance.below(300), () => {
      if (this.#stale === old) this.#endStale();
    });
  }

  #count(fault: string): void {
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
  }

  // ---- judging --------------------------------------------------------------------------------------------------------------------

  /** keeps V3 */
  #look(): void {
    const { engine, store, limits } = this.#running;
    const most = limits.mailboxMax + limits.mailboxReserve;
    for (const { entityId, queued } of engine.active(100)) {
      if (queued > most) this.#problems.push(`V3: ${String(queued)} commands wait at ${entityId}, the most is ${String(most)}`);
    }
    if (store.inFlightMost > limits.groupsInFlightMax) this.#problems.push(`V3: ${String(store.inFlightMost)} groups at the store`);
    if (store.groupMost > limits.groupStepsMax) this.#problems.push(`V3: ${String(store.groupMost)} steps in a group`);
  }

  /** keeps V5. A function that fails may refuse an effect for good: then only those that are stored must have come about. */
  async #effects(): Promise<void> {
    if (this.#functionsFail) return;
    const missing = async (): Promise<readonly string[]> => {
      const stored = await this.#ledgers();
      return this.#clients.told
        .filter(({ ledger, commandId }) => !stored.get(ledger)?.includes(commandId))
        .map(({ commandId }) => commandId);
    };
    let lost = await missing();
    for (const untilMs = this.#clock.nowMs + restMs; lost.length > 0 && this.#clock.nowMs < untilMs; lost = await missing()) {
      const stepMs = this.#clock.nowMs + 500;
      await this.#clock.runUntil(() => false, stepMs);
      this.#clock.nowMs = stepMs;
    }
    if (lost.length > 0) this.#problems.push(`V5: effects of acknowledged commands never came about: ${lost.join(", ")}`);
  }

  /** Lets what is due fire. */
  async #timers(): Promise<void> {
    const untilMs = this.#clock.nowMs + 2 * lateMs;
    await this.#clock.runUntil(() => false, untilMs);
    this.#clock.nowMs = Math.max(this.#clock.nowMs, untilMs);
  }

  /** keeps V4 */
  async #close(): Promise<void> {
    const { engine, process, store, function: function_ } = this.#running;
    process.continue();
    let closed = false;
    void engine[Symbol.asyncDispose]().then(() => (closed = true));
    await this.#clock.runUntil(() => closed, this.#clock.nowMs + restMs);
    await this.#clock.runUntil(() => false, this.#clock.nowMs + 1_000);
    const left = { closed, timers: process.timers, handles: store.handles, streams: function_.liveStreams };
    if (!closed || left.timers + left.handles + left.streams > 0) this.#problems.push(`V4: after the end ${JSON.stringify(left)}`);
  }

  async #ledgers(): Promise<Map<string, readonly string[]>> {
    const stored = new Map<string, readonly string[]>();
    for (const entityId of ledgers) {
      const address = { namespace: "default", service: ledgerService, persistenceId: "ledger", entityId };
      const { events } = await this.#disk.read(address, "eventSourced");
      stored.set(
        entityId,
        events.map(({ payload }) => unpacked<string>(payload)),
      );
    }
    return stored;
  }

  async #bells(): Promise<Map<string, readonly BellEvent[]>> {
    const stored = new Map<string, readonly BellEvent[]>();
    for (const entityId of bells) {
      const address = { namespace: "default", service: bellService, persistenceId: "bell", entityId };
      const { events } = await this.#disk.read(address, "eventSourced");
      stored.set(
        entityId,
        events.map(({ payload }) => unpacked<BellEvent>(payload)),
      );
    }
    return stored;
  }

  async #registers(): Promise<Map<string, Held>> {
    const stored = new Map<string, Held>();
    for (const entityId of registers) {
      const address = { namespace: "default", service: registerService, persistenceId: "register", entityId };
      const { record } = await this.#disk.read(address, "value");
      stored.set(entityId, record.value === undefined ? null : unpacked<string>(record.value));
    }
    return stored;
  }
}

function breachText({ rule, entity, what }: Breach): string {
  return `${rule}: ${entity}: ${what}`;
}
