/**
 * The engine under random weather: a function that crashes, restarts, lies, hangs and is replaced; a store that is slow, conflicts, loses its
 * answer, or cannot be read; callers with deadlines. One seed gives one run, on a fake clock.
 *
 * Every event a command emits is `<command>@<sequence the function computed>`, so the log alone shows whether a command was applied once, and on
 * the state it was computed on.
 */
import { assert, Fault, noLog, noMetrics, type Random } from "@mecha/kit";
import { FakeClock, SeededRandom, settle } from "@mecha/kit/testing";
import type { StateEngine } from "../engine.ts";
import type { Command, EntityAddress, EntityInit, EntityStream, EntityStreamEvents, FunctionPort, SideEffect } from "../model.ts";
import { openEngine } from "../open.ts";
import type { EntityHandle, EntityRecord, Step, StoredEvent, Verdict } from "../store.ts";
import { bodyOf, command, component, payload, textOf } from "./function.ts";
import { ScriptedStore } from "./store.ts";

/** How the weather is: one in `n` of each thing goes wrong; Infinity = never. */
export interface Weather {
  readonly functionFault: number;
  readonly storeFault: number;
  readonly move: number;
}

const calm: Weather = { functionFault: Infinity, storeFault: Infinity, move: Infinity };

class Chance {
  readonly #random: Random;
  weather: Weather;
  constructor(random: Random, weather: Weather) {
    this.#random = random;
    this.weather = weather;
  }
  below(limit: number): number {
    return this.#random.below(limit);
  }
  oneIn(count: number): boolean {
    return count !== Infinity && this.#random.below(count) === 0;
  }
  pick<T>(...of: readonly T[]): T {
    return of[this.#random.below(of.length)] as T;
  }
}

/** A stream to a function that keeps the log as its state. */
class SimStream implements EntityStream {
  readonly #events: EntityStreamEvents;
  readonly #chance: Chance;
  readonly #clock: FakeClock;
  #length: number;
  /** Commands without an answer, in the order they came; it works on the first. */
  readonly #commands: { readonly id: number; readonly body: string }[] = [];
  #live = true;

  constructor(clock: FakeClock, chance: Chance, init: EntityInit, events: EntityStreamEvents) {
    this.#clock = clock;
    this.#chance = chance;
    this.#events = events;
    assert(init.kind === "eventSourced", "the simulation has event sourced entities only");
    this.#length = init.snapshot?.sequence ?? 0;
  }

  get live(): boolean {
    return this.#live;
  }

  event(sequence: number): boolean {
    assert(this.#live, "an event on a dead stream");
    assert(sequence === ++this.#length, `event ${sequence} is not the next`);
    if (!this.#chance.oneIn(4)) return true;
    this.#later(() => this.#events.drain());
    return false;
  }

  command(id: number, sent: Command): void {
    assert(this.#live, "a command on a dead stream");
    if (this.#commands.push({ id, body: bodyOf(sent) }) === 1) this.#work();
  }

  /** Works on the first command, and on those behind it that are quick in the same turn. */
  #work(): void {
    this.#later(() => {
      do {
        const command = this.#commands[0];
        if (command === undefined || !this.#answer(command.id, command.body)) return;
        this.#commands.shift();
      } while (this.#live && this.#chance.oneIn(2));
      if (this.#commands.length > 0) this.#work();
    });
  }

  halfClose(): void {
    if (this.#chance.oneIn(this.#chance.weather.functionFault)) return; // never ends its side
    this.#later(() => this.#end(undefined));
  }

  reset(): void {
    this.#live = false;
  }

  /** The process behind it died. */
  kill(): void {
    if (this.#live) this.#end("connection lost");
  }

  #later(what: () => void): void {
    this.#clock.after(this.#chance.below(12), () => {
      if (this.#live) what();
    });
  }

  #end(reason: string | undefined): void {
    this.#live = false;
    this.#events.closed(reason);
  }

  /** `false`: it does no more on this stream. */
  #answer(id: number, body: string): boolean {
    const misbehaves = this.#chance.oneIn(this.#chance.weather.functionFault);
    if (misbehaves) this.#misbehave(id, body);
    else this.#reply(id, body);
    return !misbehaves;
  }

  #misbehave(id: number, body: string): void {
    switch (this.#chance.below(7)) {
      case 0:
        this.#end("crashed");
        return;
      case 1:
        this.#live = false;
        this.#events.closed("refused", true);
        return;
      case 2:
        this.#events.failure({ commandId: id, description: "failed" });
        return;
      case 3:
        this.#live = false;
        this.#events.violation("nonsense");
        return;
      case 4:
        this.#events.reply({ commandId: id + 7, action: { do: "nothing" }, effects: [], events: [] });
        return;
      case 5: {
        // Emits, then asks for a restart: the event must not be kept.
        const events = [payload(`${body}@${this.#length + 1}`)];
        this.#events.reply({ commandId: id, action: { do: "fail", description: "restart", restart: true }, effects: [], events });
        return;
      }
      default: // hangs
    }
  }

  #reply(id: number, body: string): void {
    const [kind, , target] = body.split(" ");
    if (kind === "read") {
      this.#events.reply({ commandId: id, action: { do: "reply", payload: payload(`${this.#length}`) }, effects: [], events: [] });
      return;
    }
    if (kind === "forward") {
      const to = { service: "shop.Cart", command: "Do", payload: payload(`${target}|${body.replace("forward", "add")}`) };
      this.#events.reply({ commandId: id, action: { do: "forward", ...to }, effects: [], events: [] });
      return;
    }
    const sequence = ++this.#length;
    const effects: SideEffect[] =
      kind === "effect"
        ? [{ service: "shop.Cart", command: "Do", payload: payload(`${target}|add ${body}`), synchronous: this.#chance.oneIn(2) }]
        : [];
    this.#events.reply({
      commandId: id,
      action: { do: "reply", payload: payload(`${sequence}`) },
      effects,
      events: [payload(`${body}@${sequence}`)],
      ...(this.#chance.oneIn(5) ? { snapshot: payload(`${sequence}`) } : {}),
    });
  }
}

class SimFunction implements FunctionPort {
  readonly streams = new Map<string, SimStream>();
  readonly window: number;
  readonly #clock: FakeClock;
  readonly #chance: Chance;
  /** All streams of the simulation by entity: never two live ones (E8). */
  readonly #byEntity: Map<string, SimStream>;

  constructor(clock: FakeClock, chance: Chance, byEntity: Map<string, SimStream>) {
    this.#clock = clock;
    this.#chance = chance;
    this.#byEntity = byEntity;
    this.window = chance.pick(1, 2, 3, 8);
  }
  openEntity({ entityId }: EntityAddress, init: EntityInit, events: EntityStreamEvents): EntityStream {
    assert(this.#byEntity.get(entityId)?.live !== true, `two streams for ${entityId}`);
    const stream = new SimStream(this.#clock, this.#chance, init, events);
    this.#byEntity.set(entityId, stream);
    this.streams.set(entityId, stream);
    return stream;
  }
  openAction(): never {
    throw new Error("assertion failed: the simulation has no actions");
  }
  reportError(): void {}
}

/** Applies groups in call order, answers late, and sometimes lies about what it did, but never breaks S1 to S6. */
class SimStore extends ScriptedStore {
  readonly #lost = new Map<EntityHandle, Verdict>();
  readonly #clock: FakeClock;
  readonly #chance: Chance;
  constructor(clock: FakeClock, chance: Chance) {
    super();
    this.#clock = clock;
    this.#chance = chance;
  }

  #delay(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(this.#chance.below(8), resolve));
  }
  #fails(): boolean {
    return this.#chance.oneIn(this.#chance.weather.storeFault);
  }

  override async open(address: EntityAddress, kind: "eventSourced" | "value"): Promise<EntityRecord> {
    await this.#delay();
    if (this.#fails()) throw new Fault("unavailable", "busy");
    return super.open(address, kind);
  }
  override async events(handle: EntityHandle, after: number, limit: number): Promise<readonly StoredEvent[]> {
    const page = await super.events(handle, after, Math.min(limit, 1 + this.#chance.below(5)));
    await this.#delay();
    if (this.#fails()) throw new Fault("unavailable", "busy");
    return page;
  }
  override async commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    const verdicts = steps.map((step) => this.#judge(step));
    await this.#delay();
    return verdicts;
  }
  #judge(step: Step): Verdict {
    const before = this.#lost.get(step.entity);
    if (before !== undefined) return before;
    if (!this.#fails()) return this.apply(step);
    switch (this.#chance.below(4)) {
      case 0:
        return this.#lose(step, { is: "conflict", actualSequence: step.expectedSequence + 1 });
      case 1:
        return this.#lose(step, { is: "fenced" });
      case 2:
        this.apply(step);
        return { is: "unknown" };
      default:
        return { is: "unknown" };
    }
  }
  /** Who lost an entity has lost it until it opens it again: a later step never survives (S2). */
  #lose(step: Step, verdict: Verdict): Verdict {
    this.#lost.set(step.entity, verdict);
    return verdict;
  }
}

/** One call of the simulation. */
export interface SimCall {
  readonly order: number;
  readonly entityId: string;
  readonly body: string;
  readonly kind: string;
  /** Most adds to this entity that were acknowledged when it was sent. */
  readonly acknowledgedBefore: number;
  answers: number;
  fault: Fault | undefined;
  reply: string;
}

/** What a run leaves behind. */
export interface SimResult {
  readonly calls: readonly SimCall[];
  /** Texts of each entity's events, in sequence order. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
  readonly fatal: readonly Fault[];
  readonly handles: number;
  readonly timers: number;
  readonly liveStreams: number;
}

/** Runs one seed. `turns`: about as many commands are sent. */
export async function simulate(seed: number, turns: number, weather: Weather): Promise<SimResult> {
  const clock = new FakeClock();
  const chance = new Chance(new SeededRandom(seed), weather);
  const store = new SimStore(clock, chance);
  const byEntity = new Map<string, SimStream>();
  const fatal: Fault[] = [];
  const engine = openEngine({
    store,
    clock,
    random: new SeededRandom(seed + 1),
    log: noLog,
    metrics: noMetrics,
    options: {
      pipelining: !chance.oneIn(4),
      fenceReads: chance.oneIn(3),
      failQueueOnTermination: chance.oneIn(4),
      groupsInFlightMax: 1 + chance.below(2),
      groupStepsMax: 1 + chance.below(6),
      uncommittedStepsMax: 1 + chance.below(8),
      activeEntitiesMax: 2 + chance.below(6),
      activationsMax: 1 + chance.below(4),
      mailboxMax: 20,
      replayPageEvents: 1 + chance.below(4),
      commandTimeoutMs: 200,
      closeTimeoutMs: 50,
      passivationMs: 30 + chance.below(100),
      functionWaitMs: 500,
      functionBackoffMaxMs: 100,
      outboxBackoffMaxMs: 500,
      onFatal: (fault) => fatal.push(fault),
    },
  });
  let host = new SimFunction(clock, chance, byEntity);
  engine.setComponents([component(host)]);
  const calls: SimCall[] = [];
  for (let turn = 0; turn < turns; turn++) {
    callOnce(engine, clock, chance, calls);
    if (chance.oneIn(weather.move)) {
      const old = host;
      host = new SimFunction(clock, chance, byEntity);
      const gone = chance.oneIn(3);
      engine.setComponents(gone ? [] : [component(host)]);
      for (const stream of old.streams.values()) stream.kill();
      if (gone) engine.setComponents([component(host)]);
    }
    if (chance.oneIn(3)) await clock.advance(chance.below(40));
  }
  chance.weather = calm;
  await clock.advance(20_000);
  await engine[Symbol.asyncDispose]();
  await settle();
  await clock.advance(1_000);
  const logs = new Map(
    [...store.entities.values()].map(({ address, events }) => [address.entityId, events.map((event) => textOf(event.payload))]),
  );
  const liveStreams = [...byEntity.values()].filter(({ live }) => live).length;
  return { calls, logs, fatal, handles: store.handles, timers: clock.pending, liveStreams };
}

function callOnce(engine: StateEngine, clock: FakeClock, chance: Chance, calls: SimCall[]): void {
  const order = calls.length;
  const entityId = `e${chance.below(8)}`;
  const kind = chance.pick("add", "add", "add", "read", "effect", "forward");
  const body = `${kind} c${order} t${chance.below(8)}`;
  const acknowledged = calls.filter((other) => other.entityId === entityId && isOwnAdd(other) && other.answers > 0 && !other.fault);
  const acknowledgedBefore = Math.max(0, ...acknowledged.map(({ reply }) => Number(reply)));
  const made: SimCall = { order, entityId, body, kind, acknowledgedBefore, answers: 0, fault: undefined, reply: "" };
  calls.push(made);
  const deadline = chance.oneIn(6) ? { deadlineMs: clock.monotonic() + chance.below(100) } : {};
  engine.call("shop.Cart", command(entityId, body), { hops: 0, ...deadline }, (fault, reply) => {
    made.answers++;
    made.fault = fault;
    made.reply = textOf(reply?.payload);
  });
}

/** A call whose own entity gets an event, and whose reply says at which sequence. */
export function isOwnAdd(call: SimCall): boolean {
  return call.kind === "add" || call.kind === "effect";
}
