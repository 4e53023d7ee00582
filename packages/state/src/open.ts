/** Opens a state engine: calls, drain and end. Components are in components.ts, entities in entity/, actions in action/. */
import { assert, type Clock, Fault, type Log, type Metrics, type Random, type Tracer, uuid } from "@mecha/kit";
import { MemberList } from "./list.ts";
import type { OpenAction, OpenActions } from "./action/open.ts";
import { StreamedAction } from "./action/streamed.ts";
import { UnaryAction } from "./action/unary.ts";
import { Committer } from "./commit/committer.ts";
import { Components, type Route } from "./components.ts";
import { CrdtStreamedCall } from "./crdt/entity/call.ts";
import { CrdtShell } from "./crdt/entity/shell.ts";
import { aloneAs, defaultNode } from "./crdt/membership.ts";
import { Replicas } from "./crdt/residence.ts";
import { Replicator } from "./replication/replicator.ts";
import type { Peer } from "./replication/link.ts";
import type { ActiveEntity, Answer, StateEngine, StreamedCall, StreamedCallEvents } from "./engine.ts";
import { Activations } from "./entity/activations.ts";
import type { EntityHost, HostedEntity } from "./entity/host.ts";
import { EntityShell } from "./entity/shell.ts";
import { Envelope, type OpenCommands, type Origin } from "./envelope.ts";
import { engineDefaults, type EngineLimits, type EngineOptions } from "./limits.ts";
import { Meters } from "./meters.ts";
import { lastingFault } from "./outbox/chosen.ts";
import { Outbox } from "./outbox/outbox.ts";
import {
  type CallContext,
  type Command,
  type CommandMetadata,
  type Component,
  type ComponentMethod,
  type Payload,
  isGone,
} from "./model.ts";
import type { EngineParts, EngineStore } from "./parts.ts";
import { type OutboxQuery, type OutboxRow, rowsMax } from "./rows.ts";
import type { Store } from "./store.ts";
import type { Dispatcher } from "./tail.ts";
import type { Firing } from "./timers/firing.ts";
import { Timers } from "./timers/timers.ts";
import { TimerWheel, WheelTimer } from "./timing/wheel.ts";

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

class CallbackTimer extends WheelTimer {
  readonly #fire: () => void;
  constructor(fire: () => void) {
    super();
    this.#fire = fire;
  }
  override expired(): void {
    this.#fire();
  }
}

class Engine implements StateEngine, Dispatcher, OpenCommands {
  readonly #parts: EngineParts;
  readonly #limits: EngineLimits;
  readonly #ports: EnginePorts;
  readonly #wheel: TimerWheel;
  readonly #components: Components;
  readonly replication: Replicator | undefined;
  readonly #outbox: Outbox;
  readonly #timers: Timers;
  #newKeys = 0;
  readonly #actions: OpenActions = new MemberList<OpenAction>();
  /** Why new calls are refused; `undefined` = they are not. */
  #refusal: Fault | undefined;
  /** Why internal calls are refused too. */
  #ended: Fault | undefined;
  #ending: Promise<void> | undefined;
  #idleWaiters: (() => void)[] = [];

  /** Commands of entities in the engine. */
  open = 0;

  constructor(ports: EnginePorts, limits: EngineLimits) {
    const { store, clock, log, metrics, options } = ports;
    this.#ports = ports;
    this.#limits = limits;
    this.#wheel = new TimerWheel(clock);
    const activations = new Activations(limits.activeEntitiesMax, limits.activationsMax);
    const meters = new Meters(metrics, this.#wheel, () => ({ active: activations.active, open: this.open }));
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
    const draining = (): boolean => this.#refusal !== undefined;
    this.#outbox = new Outbox({ store, clock, wheel: this.#wheel, log, limits, dispatcher: this, draining });
    this.#timers = new Timers({ store, clock, wheel: this.#wheel, log, fire: (firing, answer) => this.#fireTimer(firing, answer), fatal });
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
      commands: this,
      meters,
      tracer: ports.tracer,
      dispatcher: this,
      outbox: this.#outbox,
      timers: this.#timers,
      findTarget: (service, command, payload) => this.#findTarget(service, command, payload),
      newKey: () => `~${keyBase}.${(++this.#newKeys).toString(36)}`,
      observe,
      draining,
      fatal,
    };
    this.#components = new Components(this.#parts, ports.random);
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
    if (this.#ended === undefined) this.#wheel.arm(sweep, this.#nowMs() + pauseMs);
  }

  // ---- components -----------------------------------------------------------------------------------------------------------------

  setComponents(components: readonly Component[]): void {
    this.#components.replace(components, this.#nowMs());
    if (this.#ended !== undefined) return;
    this.#outbox.wake();
    this.#timers.wake();
  }

  component(service: string): Component | undefined {
    return this.#components.route(service)?.component;
  }

  // ---- calls ----------------------------------------------------------------------------------------------------------------------

  call(service: string, command: Command, context: CallContext, answer: Answer): void {
    const refusal = this.#refusal;
    if (refusal !== undefined && context.hops === 0) {
      answer(refusal, undefined);
      return;
    }
    const gone = context.hops === 0 ? this.#alreadyGone(service, command.name, context) : undefined;
    if (gone !== undefined) {
      answer(gone, undefined);
      return;
    }
    if (!this.dispatch(service, command, context, undefined, answer)) answer(this.#unknownCommand(service, command.name), undefined);
  }

  /** A caller who does not wait any more: nothing is begun for it. */
  #alreadyGone(service: string, name: string, context: CallContext): Fault | undefined {
    if (isGone(context)) return new Fault("cancelled", `${service}.${name}: the caller had gone away; not applied`);
    if (context.deadlineMs === undefined || context.deadlineMs > this.#nowMs()) return undefined;
    return new Fault("deadline", `${service}.${name}: the caller's deadline had passed; not applied`);
  }

  dispatch(service: string, command: Command, context: CallContext, origin: Origin | undefined, answer: Answer): boolean {
    const route = this.#components.route(service);
    const method = route?.component.methods.get(command.name);
    if (route === undefined || method === undefined) return false;
    const refusal = this.#refuse(route, method, context);
    if (refusal !== undefined) answer(refusal, undefined);
    else if (route.kind === "entity") this.#callEntity(route.host, method, command, context, origin, answer);
    else this.#callAction(route.component, method, command, context, origin, answer);
    return true;
  }

  #findTarget(service: string, command: string, { value }: Payload): { readonly entityId?: string } | undefined {
    const route = this.#components.route(service);
    const method = route?.component.methods.get(command);
    if (method === undefined) return undefined;
    try {
      return method.entityId === undefined ? {} : { entityId: method.entityId(value) };
    } catch {
      return {}; // it will be refused, with the reason, when it is sent
    }
  }

  #unknownCommand(service: string, name: string): Fault {
    const route = this.#components.route(service);
    if (route !== undefined) {
      const known = [...route.component.methods.keys()].join(", ");
      return new Fault("unimplemented", `${service} has no command ${name}; it has ${known}`);
    }
    return new Fault("unimplemented", `no component serves ${service}`);
  }

  #refuse(route: Route, method: ComponentMethod, context: CallContext): Fault | undefined {
    if (this.#ended !== undefined) return this.#ended;
    const limits = this.#limits;
    if (context.hops > limits.hopsMax) {
      const text = `${route.component.service}.${method.name}: ${limits.hopsMax} forwards and effects in a row (hopsMax); is it a loop?`;
      return lastingFault("exhausted", text);
    }
    if (route.kind === "action") {
      if (this.#actions.size < limits.actionCallsMax) return undefined;
      return new Fault("exhausted", `${limits.actionCallsMax} calls of actions are open (actionCallsMax); retry later`);
    }
    const room = context.hops > 0 ? limits.commandsMax + limits.commandsReserve : limits.commandsMax;
    if (this.open < room) return undefined;
    return new Fault("exhausted", `${room} commands are open (commandsMax); slow down and retry`);
  }

  #callEntity(
    host: EntityHost,
    method: ComponentMethod,
    command: Command,
    context: CallContext,
    origin: Origin | undefined,
    answer: Answer,
  ): void {
    if (host.kind === "crdt" && command.id !== undefined && context.hops === 0 && command.event !== true) {
      answer(keyOfCrdt(host.service, method.name), undefined);
      return;
    }
    const entityId = readEntityId(host, method, command.payload.value);
    if (entityId instanceof Fault || method.streamedOut) {
      const streamed = `${host.service}.${method.name} answers a stream; open one, it cannot be called, forwarded to or be an effect`;
      answer(entityId instanceof Fault ? entityId : new Fault("unimplemented", streamed), undefined);
      return;
    }
    const nowMs = this.#received(host);
    const envelope = new Envelope(host.service, method, command, context, origin, answer, nowMs, this.#wheel, this);
    const { machine } = this.#entity(host, entityId);
    const queuedBefore = machine.queued;
    machine.command(envelope, nowMs);
    if (machine.queued <= queuedBefore) return;
    envelope.waited = true;
    host.meters.queuedCommands++;
  }

  /** The entity is the timer's own, whatever its payload says. `false`: nobody serves it now. */
  #fireTimer(firing: Firing, answer: Answer): boolean {
    const { address, kind, command: name, payload, metadata } = firing.row;
    const route = this.#components.route(address.service);
    if (route?.kind !== "entity" || route.host.kind !== kind || route.host.persistenceId !== address.persistenceId) return false;
    const method = route.component.methods.get(name);
    const context: CallContext = { hops: 1 };
    const refusal = method === undefined ? this.#unknownCommand(address.service, name) : this.#refuse(route, method, context);
    if (method === undefined || refusal !== undefined) {
      answer(refusal, undefined);
      return true;
    }
    const { host } = route;
    const nowMs = this.#received(host);
    const command: Command = { name, payload, id: firing.commandId, about: firing.metadata, ...(metadata && { metadata }) };
    const envelope = new Envelope(host.service, method, command, context, undefined, answer, nowMs, this.#wheel, this);
    envelope.firing = firing;
    this.#entity(host, address.entityId).machine.command(envelope, nowMs);
    return true;
  }

  cancelTimer(service: string, entityId: string, name: string): Promise<boolean> {
    return this.#timers.cancel(service, entityId, name);
  }

  timersImported(): void {
    this.#timers.wake();
  }

  #received(host: EntityHost): number {
    const nowMs = this.#nowMs();
    host.meters.receivedCommands++;
    this.#parts.meters.changed(nowMs);
    return nowMs;
  }

  #entity(host: EntityHost, entityId: string): HostedEntity {
    let entity = host.entities.get(entityId);
    if (entity === undefined) {
      const { kind } = host;
      entity = kind === "crdt" ? new CrdtShell(host, entityId, this.#parts) : new EntityShell(host, entityId, this.#parts);
      host.entities.set(entityId, entity);
    }
    return entity;
  }

  /** A streamed command of a CRDT. It begins with its one message. */
  #streamEntity(
    host: EntityHost,
    method: ComponentMethod,
    context: CallContext,
    events: StreamedCallEvents,
    metadata: CommandMetadata | undefined,
  ): StreamedCall {
    const refuse = (fault: Fault): void => queueMicrotask(() => events.closed(fault));
    if (metadata?.some(([name]) => name === "idempotency-key")) return refusedStream(events, keyOfCrdt(host.service, method.name));
    return new CrdtStreamedCall(
      `${host.service}.${method.name}`,
      (value) => {
        const entityId = readEntityId(host, method, value);
        if (entityId instanceof Fault) {
          refuse(entityId);
          return undefined;
        }
        this.#received(host);
        const payload = { typeUrl: method.inputTypeUrl, value };
        const command: Command = { name: method.name, payload, ...(metadata && { metadata }) };
        const shell = this.#entity(host, entityId);
        assert(shell instanceof CrdtShell, "discovery lets no other kind of entity stream");
        const envelope = shell.streamed({ service: host.service, method, command, context }, events);
        // On an empty stack: a refusal must not come inside the caller's own call.
        queueMicrotask(() => {
          if (envelope.over) envelope.finish(undefined, undefined);
          else this.#entity(host, entityId).machine.command(envelope, this.#nowMs());
        });
        return envelope;
      },
      refuse,
    );
  }

  #callAction(
    component: Component,
    method: ComponentMethod,
    command: Command,
    context: CallContext,
    origin: Origin | undefined,
    answer: Answer,
  ): void {
    const nowMs = this.#nowMs();
    this.#countAction(component.service, nowMs);
    const event = command.event === true ? command.metadata : undefined;
    new UnaryAction(this.#parts, this.#actions, { component, method, context, origin, event }, answer).start(command, nowMs);
  }

  #countAction(service: string, nowMs: number): void {
    this.#parts.meters.of(service).actionCalls++;
    this.#parts.meters.changed(nowMs);
  }

  stream(service: string, method: string, context: CallContext, events: StreamedCallEvents, metadata?: CommandMetadata): StreamedCall {
    const route = this.#components.route(service);
    const found = route?.component.methods.get(method);
    if (route === undefined || found === undefined) return refusedStream(events, this.#unknownCommand(service, method));
    if (route.kind === "entity" && !found.streamedOut) {
      return refusedStream(events, new Fault("unimplemented", `${service}.${method} is a command of an entity: call it, it has no stream`));
    }
    const nowMs = this.#nowMs();
    const refusal = this.#refusal ?? this.#alreadyGone(service, method, context) ?? this.#refuse(route, found, context);
    if (refusal !== undefined) return refusedStream(events, refusal);
    if (route.kind === "entity") return this.#streamEntity(route.host, found, context, events, metadata);
    this.#countAction(service, nowMs);
    const target = { component: route.component, method: found, context, origin: undefined };
    const action = new StreamedAction(this.#parts, this.#actions, target, events);
    action.start(metadata, nowMs);
    return action;
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
    this.#refusal ??= new Fault("unavailable", "Mecha is shutting down; not applied, retry elsewhere or later");
    this.#timers.stop();
    const nowMs = this.#nowMs();
    for (const entity of [...this.#components.entities()]) entity.machine.passivate(nowMs);
    await this.#idleWithin(graceMs);
    const cutOff = this.open + this.#actions.size;
    this.#cutAll(new Fault("unavailable", "Mecha shut down before this was carried out"));
    return cutOff;
  }

  /** Resolves when nothing is left, or after `graceMs`. */
  #idleWithin(graceMs: number): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = new CallbackTimer(resolve);
      this.#wheel.arm(timer, this.#nowMs() + graceMs);
      this.#idleWaiters.push(() => {
        this.#wheel.cancel(timer);
        resolve();
      });
    });
  }

  #isIdle(): boolean {
    return this.open === 0 && this.#actions.size === 0 && this.#parts.activations.active === 0;
  }

  fewer(): void {
    if (this.#idleWaiters.length === 0 || !this.#isIdle()) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }

  #cutAll(fault: Fault): void {
    const nowMs = this.#nowMs();
    for (const entity of [...this.#components.entities()]) entity.machine.cut(fault, nowMs);
    while (this.#actions.first !== undefined) this.#actions.first.cut(fault);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const fault = new Fault("unavailable", "Mecha stopped before this was carried out");
    this.#refusal = fault;
    this.#ended = fault;
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
    if (this.#ended !== undefined) return;
    this.#ended = fault;
    this.#refusal = fault;
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

function readEntityId(host: EntityHost, method: ComponentMethod, message: Uint8Array): string | Fault {
  try {
    return (method.entityId as (message: Uint8Array) => string)(message);
  } catch (cause) {
    return Fault.from(cause, `read the entity id of ${host.service}.${method.name}`, "invalid");
  }
}

/**
 * A CRDT is changed at several processes that do not ask each other, so none of them knows which commands were done before (E13). To pass over the
 * key would promise what nobody keeps.
 */
function keyOfCrdt(service: string, name: string): Fault {
  const why = `${service}.${name}: a CRDT takes no idempotency key: the process that would be asked again may be another one, which knows nothing of it`;
  const fix = "leave the key out when doing it twice is harmless (sets, flags), else keep the state in an event-sourced or value entity";
  return new Fault("unimplemented", `${why}; ${fix}`);
}

/** A streamed call that never was. */
function refusedStream(events: StreamedCallEvents, fault: Fault): StreamedCall {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) events.closed(fault);
  });
  return {
    message: () => true,
    halfClose() {},
    cancel() {
      cancelled = true;
    },
    pause() {},
    resume() {},
  };
}
