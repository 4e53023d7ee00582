/** Opens a state engine: what it is made of, drain and end. Components are in components.ts, calls in engine/, entities in entity/, actions in action/. */
import { type Clock, Fault, type Log, type Metrics, type Random, type Tracer, uuid } from "@mecha/kit";
import { Committer } from "./commit/committer.ts";
import { Components } from "./components.ts";
import type { OpenAction } from "./action/open.ts";
import { aloneAs, defaultNode } from "./crdt/membership.ts";
import { Replicas } from "./crdt/residence.ts";
import type { ActiveEntity, Answer, StateEngine, StreamedCall, StreamedCallEvents } from "./engine.ts";
import { Calls } from "./engine/calls.ts";
import { Doors } from "./engine/doors.ts";
import { OpenWork } from "./engine/open-work.ts";
import { Activations } from "./entity/activations.ts";
import { engineDefaults, type EngineLimits, type EngineOptions } from "./limits.ts";
import { Meters } from "./meters.ts";
import type { CallContext, Command, CommandMetadata, Component, FunctionPort } from "./model.ts";
import { Outbox } from "./outbox/outbox.ts";
import type { EngineParts, EngineStore } from "./parts.ts";
import type { Peer } from "./replication/link.ts";
import { Replicator } from "./replication/replicator.ts";
import { type OutboxQuery, type OutboxRow, rowsMax } from "./rows.ts";
import type { Store } from "./store.ts";
import type { Dispatcher } from "./tail.ts";
import { Timers } from "./timers/timers.ts";
import { CallbackTimer } from "./timing/callback.ts";
import { TimerWheel } from "./timing/wheel.ts";

/** Pause between two looks for expired keys, and when the last one found as many as it may forget at once. */
const sweepEveryMs = 60_000;
const sweepAgainMs = 1_000;

/** What an engine runs on. The store stays its owner's: close it after the engine. */
export interface EnginePorts {
  readonly store: EngineStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Records calls of functions. Absent: nothing does, and callers' traces pass through as they come. */
  readonly tracer?: Tracer;
  readonly options?: EngineOptions;
  /** The other processes that hold the same CRDTs. Absent: there are none. Give each process a `node` of its own. */
  readonly cluster?: {
    readonly peers: readonly Peer[];
    /** Of the same store. */
    readonly catalog: Pick<Store, "list">;
  };
}

/**
 * Opens an engine without components; `setComponents` gives it some.
 * @throws Fault("invalid") naming the option when one of the limits is not a number above 0.
 */
export function openEngine(ports: EnginePorts): StateEngine {
  return new Engine(ports, resolveLimits(ports.options ?? {}));
}

function resolveLimits(options: EngineOptions): EngineLimits {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (typeof value === "number" && !(value > 0)) throw new Fault("invalid", `engine option ${name}: ${value}; give a number above 0`);
  }
  return { ...engineDefaults, ...Object.fromEntries(given) };
}

class Engine implements StateEngine {
  readonly #parts: EngineParts;
  readonly #ports: EnginePorts;
  readonly #wheel: TimerWheel;
  readonly #components: Components;
  readonly replication: Replicator | undefined;
  readonly #outbox: Outbox;
  readonly #timers: Timers;
  #newKeys = 0;
  readonly #work: OpenWork;
  readonly #doors: Doors;
  readonly #calls: Calls;
  #ending: Promise<void> | undefined;

  constructor(ports: EnginePorts, limits: EngineLimits) {
    const { store, clock, log, metrics, options } = ports;
    this.#ports = ports;
    this.#wheel = new TimerWheel(clock);
    const activations = new Activations(limits.activeEntitiesMax, limits.activationsMax);
    this.#work = new OpenWork(activations, this.#wheel);
    this.#doors = new Doors(limits, clock, this.#work);
    const meters = new Meters(metrics, this.#wheel, () => ({ active: activations.active, open: this.#work.open }));
    const committer = new Committer(meters.timed(store, clock), limits, {
      grouped: (steps) => meters.group(steps),
      fatal: (fault) => this.#fatal(fault),
    });
    const fatal = (fault: Fault): void => this.#fatal(fault);
    const { observe } = options ?? {};
    const alone = aloneAs(options?.node ?? defaultNode, ports.random);
    this.replication = ports.cluster && new Replicator({ ...ports.cluster, alone, clock, log, metrics });
    const replicas = new Replicas({ store, committer, clock, limits, observe, meters, fatal }, this.replication ?? alone);
    const keyBase = uuid(ports.random);
    const draining = (): boolean => this.#doors.refusal !== undefined;
    const dispatcher: Dispatcher = { dispatch: (...call) => this.#calls.dispatch(...call) };
    this.#outbox = new Outbox({ store, clock, wheel: this.#wheel, log, limits, dispatcher, draining });
    this.#timers = new Timers({
      store,
      clock,
      wheel: this.#wheel,
      log,
      fire: (firing, answer) => this.#calls.fireTimer(firing, answer),
      fatal,
    });
    this.#parts = {
      store,
      clock,
      log,
      wheel: this.#wheel,
      limits,
      committer,
      activations,
      replicas,
      replication: this.replication,
      commands: this.#work,
      meters,
      tracer: ports.tracer,
      dispatcher,
      outbox: this.#outbox,
      timers: this.#timers,
      findTarget: (service, command, payload) => this.#calls.findTarget(service, command, payload),
      newKey: () => `~${keyBase}.${(++this.#newKeys).toString(36)}`,
      observe,
      draining,
      fatal,
    };
    this.#components = new Components(this.#parts, ports.random);
    this.#calls = new Calls(this.#parts, this.#components, this.#doors, this.#work);
    this.replication?.start(replicas);
    this.#sweepAfter(sweepEveryMs);
  }

  /** Forgets expired keys, a bounded number at a time. */
  #sweepAfter(pauseMs: number): void {
    const { store, clock, log } = this.#ports;
    const sweep = new CallbackTimer(() => {
      store.sweep(clock.wall(), rowsMax).then(
        (swept) => this.#sweepAfter(swept === rowsMax ? sweepAgainMs : sweepEveryMs),
        (cause: unknown) => log.warn("expired keys could not be forgotten", { cause }),
      );
    });
    if (this.#doors.ended === undefined) this.#wheel.arm(sweep, this.#nowMs() + pauseMs);
  }

  // ---- components -----------------------------------------------------------------------------------------------------------------

  setComponents(components: readonly Component[]): void {
    this.#components.replace(components, this.#nowMs());
    if (this.#doors.ended !== undefined) return;
    this.#outbox.wake();
    this.#timers.wake();
  }

  closeFunction(port: FunctionPort): void {
    const fault = new Fault("unavailable", "the function was ended before it answered; retry later");
    const theirs: OpenAction[] = [];
    for (let action = this.#work.actions.first; action !== undefined; action = action.memberAfter)
      if (action.port === port) theirs.push(action);
    for (const action of theirs) action.cut(fault);
  }

  component(service: string): Component | undefined {
    return this.#components.route(service)?.component;
  }

  // ---- calls ----------------------------------------------------------------------------------------------------------------------

  call(service: string, command: Command, context: CallContext, answer: Answer): void {
    this.#calls.call(service, command, context, answer);
  }

  stream(service: string, method: string, context: CallContext, events: StreamedCallEvents, metadata?: CommandMetadata): StreamedCall {
    return this.#calls.stream(service, method, context, events, metadata);
  }

  cancelTimer(service: string, entityId: string, name: string): Promise<boolean> {
    return this.#timers.cancel(service, entityId, name);
  }

  timersImported(): void {
    this.#timers.wake();
  }

  // ---- figures --------------------------------------------------------------------------------------------------------------------

  active(limit: number): readonly ActiveEntity[] {
    const found: ActiveEntity[] = [];
    for (const { machine, host, entityId } of this.#components.entities()) {
      if (found.length >= limit) break;
      const { durableSequence: sequence, queued, phase } = machine;
      found.push({ service: host.service, entityId, sequence, queued, phase });
    }
    return found;
  }

  // ---- outbox ---------------------------------------------------------------------------------------------------------------------

  outbox(query: OutboxQuery): Promise<readonly OutboxRow[]> {
    return this.#ports.store.outbox(query);
  }

  retryMessages(ids: readonly number[]): Promise<number> {
    return this.#outbox.retry(ids);
  }

  discardMessages(ids: readonly number[]): Promise<number> {
    return this.#outbox.discard(ids);
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------------

  async drain(graceMs: number): Promise<number> {
    if (!(graceMs >= 0)) throw new Fault("invalid", `drain: graceMs is ${graceMs}; give 0 or more`);
    this.#doors.shut(new Fault("unavailable", "Mecha is shutting down; not applied, retry elsewhere or later"));
    this.#timers.stop();
    const nowMs = this.#nowMs();
    for (const entity of [...this.#components.entities()]) entity.machine.passivate(nowMs);
    await this.#work.doneWithin(nowMs + graceMs);
    const cutOff = this.#work.open + this.#work.actions.size;
    this.#cutAll(new Fault("unavailable", "Mecha shut down before this was carried out"));
    return cutOff;
  }

  #cutAll(fault: Fault): void {
    const nowMs = this.#nowMs();
    for (const entity of [...this.#components.entities()]) entity.machine.cut(fault, nowMs);
    const { actions } = this.#work;
    while (actions.first !== undefined) actions.first.cut(fault);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const fault = new Fault("unavailable", "Mecha stopped before this was carried out");
    this.#doors.end(fault);
    const stopped = this.replication?.stop();
    this.#outbox.stop();
    this.#timers.stop();
    this.#cutAll(fault);
    await this.#parts.committer.end(fault);
    const nowMs = this.#nowMs();
    for (const entity of [...this.#components.entities()]) entity.machine.giveUp(nowMs);
    await stopped;
    this.#wheel.stop();
    this.#parts.meters.flush();
  }

  /** Nothing can be trusted any more: refuse everything and have the process stopped (E4). */
  #fatal(fault: Fault): void {
    if (this.#doors.ended !== undefined) return;
    this.#doors.end(fault);
    this.#outbox.stop();
    this.#timers.stop();
    this.#ports.log.error("state engine stopped", { cause: fault });
    // On an empty stack: the entity that found out is in the middle of something.
    queueMicrotask(() => {
      this.#cutAll(fault);
      void this.#parts.committer.end(fault);
      this.#ports.options?.onFatal?.(fault);
    });
  }

  #nowMs(): number {
    return this.#ports.clock.monotonic();
  }
}
