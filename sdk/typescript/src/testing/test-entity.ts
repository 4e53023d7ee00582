/** Runs one entity, or one call of an action, the way the protocol would: through encoded messages, with rollback and rehydration. */
import { type FaultCode, type Log, noLog } from "@mecha/kit";
import type { Schedule } from "@mecha/schedule";
import type { Action } from "../define/action.ts";
import type { EventType } from "../define/definitions.ts";
import type { EventSourced } from "../define/event-sourced.ts";
import type { CommandRef, ComponentBase, Method } from "../define/method.ts";
import type { ValueEntityComponent } from "../define/value-entity.ts";
import { expect, listed, Mistake, nearest } from "../mistake.ts";
import type { ActionAnswer } from "../protocol/action.ts";
import type { CommandIn, EffectOut, Outcome, Payload } from "../protocol/common.ts";
import { type TimerChange, timersExtension } from "../protocol/timers.ts";
import { ActionContext, answerMany, answerOnce } from "../run/action.ts";
import { Crash, metadataOf, type MetadataInput } from "../run/answer.ts";
import { EventSourcedEntity } from "../run/event-sourced.ts";
import type { Surroundings } from "../run/surroundings.ts";
import { ValueEntity } from "../run/value-entity.ts";

/** A side effect or forward a command asked for. */
export interface EffectSeen {
  readonly service: string;
  readonly command: string;
  readonly message: unknown;
  readonly synchronous: boolean;
}

/** What a command did. Exactly one of `reply`, `failure` and `forward` is set; none when an action does not reply. */
export interface Sent {
  readonly reply?: unknown;
  /** Text given to `ctx.fail`, or that a command could not be decoded. */
  readonly failure?: string;
  /** Its code; absent when none was given. */
  readonly failureCode?: FaultCode;
  readonly forward?: Omit<EffectSeen, "synchronous">;
  /** Event sourced: what was emitted, by name. Empty after a failure. */
  readonly events: readonly { readonly name: string; readonly event: unknown }[];
  readonly effects: readonly EffectSeen[];
  /** The state afterwards, as a replay gives it. `undefined` for actions. */
  readonly state: unknown;
  /** Whether a snapshot was stored. */
  readonly snapshot: boolean;
  /** Timers the command set or cancelled, in order. Empty after a failure, and for actions. */
  readonly timers: readonly TimerSeen[];
}

/** A change of a timer. */
export type TimerSeen = ({ readonly do: "set" } & TimerSet) | { readonly do: "cancel"; readonly name: string };

/** A timer that is set. */
export interface TimerSet {
  readonly name: string;
  /** The entity's command, by its name in TypeScript. */
  readonly command: string;
  readonly message: unknown;
  /** Times in ms: `atMs`, `afterMs`, `everyMs`, or `cron` and `timeZone`. */
  readonly schedule: Schedule;
}

export interface TestOptions {
  /** Where mistakes are logged. Default: nowhere; `send` throws them anyway. */
  readonly log?: Log;
  /** Refuse changes of state outside event handlers. Default true. */
  readonly development?: boolean;
}

export type CommandsOf<Refs> = keyof Refs & string;
export type InputOf<R> = R extends CommandRef<infer In> ? In : never;

/** An entity under test. */
export interface TestedEntity<Refs> {
  /**
   * Sends one command and waits for what it does.
   * @throws Mistake when the handler made one, and with the cause when it threw unexpectedly.
   */
  send<K extends CommandsOf<Refs>>(command: K, message: InputOf<Refs[K]>, metadata?: MetadataInput): Promise<Sent>;
  /** The state now. */
  readonly state: unknown;
  /** The timers set now, by name. No time passes in a test: `fire` them. */
  readonly timers: ReadonlyMap<string, TimerSet>;
  /**
   * Fires a timer as if it were due: sends its command, with `ctx.firing`. One that fires once is gone afterwards, unless the command set it anew.
   * Its due time is counted from 1970 where the timer only says how long from now.
   * @throws Mistake when no timer of that name is set.
   */
  fire(timer: string): Promise<Sent>;
  /** Forgets what is in memory and loads the entity from what was stored, as after a crash or a while without commands. */
  reload(): void;
}

/** Makes an entity of a component and an id, new and empty. It remembers its stored events and value across `reload`. */
export function testEntity<Refs>(
  component: EventSourced<Refs> | ValueEntityComponent<Refs>,
  entityId: string,
  options: TestOptions = {},
): TestedEntity<Refs> {
  return component.kind === "eventSourced"
    ? new TestedEventSourced(component, entityId, options)
    : new TestedValue(component, entityId, options);
}

export function methodOf({ service, methods }: ComponentBase, key: string): Method {
  const keys = [...methods.values()].map((method) => method.key);
  const method = [...methods.values()].find((one) => one.key === key);
  expect(
    method !== undefined,
    () => `send(${JSON.stringify(key)}): ${service} has no such command${nearest(key, keys)}; it has ${listed(keys)}`,
  );
  return method;
}

export function encodeCommand(method: Method, id: number, message: unknown, metadata: MetadataInput | undefined): CommandIn {
  return { id, name: method.name, payload: method.input.codec.encode(message), metadata: metadataOf(metadata) };
}

export function describeOutcome(method: Method, outcome: Outcome): Pick<Sent, "reply" | "failure" | "failureCode" | "forward"> {
  switch (outcome.do) {
    case "reply":
      return { reply: method.output.codec.decode(outcome.payload.value) };
    case "fail":
      return { failure: outcome.description, ...(outcome.code !== undefined && { failureCode: outcome.code }) };
    case "forward":
      return { forward: { service: outcome.service, command: outcome.command, message: readable(outcome.payload) } };
    case "nothing":
      return {};
  }
}

export const describeEffect = ({ service, command, payload, synchronous }: EffectOut): EffectSeen => ({
  service,
  command,
  message: readable(payload),
  synchronous,
});

function readable({ codec, value }: Payload): unknown {
  return codec === undefined ? value : codec.decode(value);
}

/** Keeps the error a handler threw, which the log otherwise has. */
export class Caught {
  readonly surroundings: Surroundings;
  #error: unknown;
  constructor({ log = noLog, development = true }: TestOptions) {
    const keep: Log = { ...log, error: (message, fields) => this.#keep(log, message, fields) };
    this.surroundings = { log: keep, development, proxy: () => ({ name: "the test kit", extensions: [timersExtension] }) };
  }
  #keep(log: Log, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#error = fields?.["error"] ?? new Mistake(message);
    log.error(message, fields);
  }
  /** Throws what was kept, if anything was. */
  rethrowAny(): void {
    if (this.#error !== undefined) this.rethrow(new Crash(""));
  }
  /** Throws what was kept. */
  rethrow(crash: Crash): never {
    const error = this.#error;
    this.#error = undefined;
    throw error instanceof Error ? error : new Mistake(crash.description);
  }
}

/** The timers of one entity, as a proxy would keep them. */
class KeptTimers {
  readonly set = new Map<string, TimerSet>();
  /** Firings of each since it was set. */
  readonly #firings = new Map<string, number>();
  readonly #definition: ComponentBase;
  constructor(definition: ComponentBase) {
    this.#definition = definition;
  }

  /** What a command did to them, carried out. */
  change(changes: readonly TimerChange[]): TimerSeen[] {
    return changes.map((change) => {
      this.set.delete(change.name);
      this.#firings.delete(change.name);
      if (change.do === "cancel") return change;
      const { name, command, payload, schedule } = change;
      const timer = { name, command: this.#definition.methods.get(command)?.key ?? command, message: readable(payload), schedule };
      this.set.set(name, timer);
      return { do: "set", ...timer };
    });
  }

  /** Takes a firing: what fires once is gone before its command runs, which may set it anew. */
  fire(name: string): { readonly command: string; readonly message: unknown; readonly metadata: MetadataInput } {
    const timer = this.set.get(name);
    expect(timer !== undefined, () => `fire(${JSON.stringify(name)}): no such timer is set; set are ${listed(this.set.keys())}`);
    if (timer.schedule.everyMs === undefined && timer.schedule.cron === undefined) this.set.delete(name);
    const firings = this.#firings.get(name) ?? 0;
    this.#firings.set(name, firings + 1);
    const { atMs, afterMs, everyMs = 0 } = timer.schedule;
    const dueMs = (atMs ?? afterMs ?? everyMs) + firings * everyMs;
    const metadata = {
      "mecha-timer": name,
      "mecha-timer-due": new Date(dueMs).toISOString(),
      "mecha-timer-firing": String(firings + 1),
    };
    return { command: timer.command, message: timer.message, metadata };
  }
}

class TestedEventSourced<Refs> implements TestedEntity<Refs> {
  readonly #component: EventSourced<Refs>;
  readonly #timers: KeptTimers;
  readonly #entityId: string;
  readonly #caught: Caught;
  #stored: Payload[] = [];
  #snapshot: { readonly sequence: number; readonly payload: Payload } | undefined;
  #commands = 0;
  #entity: EventSourcedEntity;

  constructor(component: EventSourced<Refs>, entityId: string, options: TestOptions) {
    this.#component = component;
    this.#timers = new KeptTimers(component.definition);
    this.#entityId = entityId;
    this.#caught = new Caught(options);
    this.#entity = this.#load();
  }

  #load(): EventSourcedEntity {
    const entity = new EventSourcedEntity(this.#component.definition, this.#entityId, this.#caught.surroundings);
    const from = this.#snapshot?.sequence ?? 0;
    if (this.#snapshot !== undefined) entity.restore(from, this.#snapshot.payload);
    for (const [index, event] of this.#stored.entries()) if (index >= from) entity.replay(index + 1, event);
    return entity;
  }

  get state(): unknown {
    return this.#entity.state;
  }

  get timers(): ReadonlyMap<string, TimerSet> {
    return this.#timers.set;
  }

  async fire(timer: string): Promise<Sent> {
    const { command, message, metadata } = this.#timers.fire(timer);
    return this.send(command, message, metadata);
  }

  reload(): void {
    this.#entity = this.#load();
  }

  async send(key: string, message: unknown, metadata?: MetadataInput): Promise<Sent> {
    const { definition } = this.#component;
    const method = methodOf(definition, key);
    const answer = await this.#entity.run(encodeCommand(method, ++this.#commands, message, metadata));
    if (answer instanceof Crash) {
      this.reload(); // as the proxy would
      this.#caught.rethrow(answer);
    }
    if (answer.outcome.do === "fail" && answer.outcome.restart) this.reload();
    this.#stored.push(...answer.events);
    if (answer.snapshot !== undefined) this.#snapshot = { sequence: this.#stored.length, payload: answer.snapshot };
    return {
      ...describeOutcome(method, answer.outcome),
      events: answer.events.map(({ typeUrl, value }) => {
        const type = definition.eventsByUrl.get(typeUrl) as EventType;
        return { name: type.name, event: type.message.codec.decode(value) };
      }),
      effects: answer.effects.map(describeEffect),
      state: this.#entity.state,
      snapshot: answer.snapshot !== undefined,
      timers: this.#timers.change(answer.timers),
    };
  }
}

class TestedValue<Refs> implements TestedEntity<Refs> {
  readonly #timers: KeptTimers;
  readonly #component: ValueEntityComponent<Refs>;
  readonly #entityId: string;
  readonly #caught: Caught;
  #stored: Payload | undefined;
  #commands = 0;
  #entity: ValueEntity;

  constructor(component: ValueEntityComponent<Refs>, entityId: string, options: TestOptions) {
    this.#component = component;
    this.#timers = new KeptTimers(component.definition);
    this.#entityId = entityId;
    this.#caught = new Caught(options);
    this.#entity = this.#load();
  }

  #load(): ValueEntity {
    const entity = new ValueEntity(this.#component.definition, this.#entityId, this.#caught.surroundings);
    entity.restore(this.#stored);
    return entity;
  }

  get state(): unknown {
    return this.#entity.state;
  }

  get timers(): ReadonlyMap<string, TimerSet> {
    return this.#timers.set;
  }

  async fire(timer: string): Promise<Sent> {
    const { command, message, metadata } = this.#timers.fire(timer);
    return this.send(command, message, metadata);
  }

  reload(): void {
    this.#entity = this.#load();
  }

  async send(key: string, message: unknown, metadata?: MetadataInput): Promise<Sent> {
    const method = methodOf(this.#component.definition, key);
    const answer = await this.#entity.run(encodeCommand(method, ++this.#commands, message, metadata));
    if (answer instanceof Crash) {
      this.reload();
      this.#caught.rethrow(answer);
    }
    if (answer.change !== undefined) this.#stored = answer.change.do === "update" ? answer.change.value : undefined;
    return {
      ...describeOutcome(method, answer.outcome),
      events: [],
      effects: answer.effects.map(describeEffect),
      state: this.#entity.state,
      snapshot: false,
      timers: this.#timers.change(answer.timers),
    };
  }
}

/**
 * Calls one method of an action. `messages`: what the caller sends, one message unless the method is streamed in.
 * @returns Every response, in order.
 */
export async function testAction<Refs>(
  component: Action<Refs>,
  command: CommandsOf<Refs>,
  messages: readonly unknown[],
  options: TestOptions & { readonly metadata?: MetadataInput } = {},
): Promise<Sent[]> {
  const method = methodOf(component.definition, command);
  const caught = new Caught(options);
  const context = new ActionContext<unknown>(method, metadataOf(options.metadata));
  const decoded = messages.map((message) => method.input.codec.decode(method.input.codec.encode(message)));
  expect(method.streamedIn || decoded.length === 1, () => `testAction(${method.where}): it takes one message, got ${decoded.length}`);
  const input = method.streamedIn ? ReadableStream.from(decoded) : decoded[0];
  const answers: ActionAnswer[] = [];
  if (method.streamedOut) {
    const responses = { isCancelled: false, writable: () => Promise.resolve(), send: (answer: ActionAnswer) => answers.push(answer) > 0 };
    await answerMany(method, context, input, responses, caught.surroundings);
  } else answers.push(await answerOnce(method, context, input, caught.surroundings));
  caught.rethrowAny();
  return answers.map(({ outcome, effects }) => ({
    ...describeOutcome(method, outcome),
    events: [],
    effects: effects.map(describeEffect),
    state: undefined,
    snapshot: false,
    timers: [],
  }));
}
