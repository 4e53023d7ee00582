/**
 * One event-sourced entity in memory: replays its events, runs its commands. No bytes of the protocol, no sockets.
 *
 * I1 events are applied when they are emitted, decoded from their stored bytes: the state is the one a replay would give
 * I2 a failed command leaves nothing behind. Event handlers may change the state in place, so an emitted event cannot be taken back here;
 *    a failure after `emit` therefore asks the proxy to load the entity anew (restart). Without events nothing has changed and no restart is needed
 * I3 after an error in an event handler, or any unexpected one after `emit`, the state is not trusted: the activation ends (Crash)
 */
import { explain } from "@mecha/kit";
import type { EventSourcedDefinition, EventType } from "../define/definitions.ts";
import type { Method } from "../define/method.ts";
import { isThenable } from "../define/state.ts";
import { expect, listed, Mistake, nearest } from "../mistake.ts";
import type { CommandIn, Payload } from "../protocol/common.ts";
import type { EventSourcedAnswer } from "../protocol/event-sourced.ts";
import { type BaseContext, CommandFailure, Crash, failOutcome, isBadInput, outcomeOf } from "./answer.ts";
import { EntityContext, type EntityHome } from "./entity-context.ts";
import { readOnly } from "./read-only.ts";
import { type Surroundings, unexpected } from "./surroundings.ts";

/** What a command handler of an event-sourced entity works with. */
export class EventSourcedContext<State, Events, Reply, Inputs = Record<string, unknown>> extends EntityContext<Reply, Inputs> {
  readonly #entity: EventSourcedEntity;

  /** @internal */
  constructor(entity: EventSourcedEntity, home: EntityHome, method: Method, command: CommandIn) {
    super(home, method, command);
    this.#entity = entity;
  }

  /** The state, with all events emitted so far. Change it by emitting events only. */
  get state(): Readonly<State> {
    return this.#entity.visibleState() as Readonly<State>;
  }

  /** Number of events this entity has, those of this command included. */
  get sequence(): number {
    return this.#entity.sequence;
  }

  /** Records that something happened. The state changes at once; it is stored before the caller gets its reply, or not at all. */
  emit<K extends keyof Events & string>(name: K, event: Events[K]): void {
    this.checkOpen("emit");
    this.#entity.emit(this.where, name, event);
  }
}

const none: Payload[] = [];

export class EventSourcedEntity {
  readonly entityId: string;
  readonly #definition: EventSourcedDefinition;
  readonly #surroundings: Surroundings;
  readonly #home: EntityHome;
  #state: unknown;
  #sequence = 0;
  /** Events of the running command; between commands none are kept. */
  #emitted: Payload[] = none;
  /** I3 */
  #broken: string | undefined;

  constructor(definition: EventSourcedDefinition, entityId: string, surroundings: Surroundings) {
    this.#definition = definition;
    this.entityId = entityId;
    this.#surroundings = surroundings;
    this.#home = { entityId, definition, surroundings };
    this.#state = definition.state.initial();
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** The state itself. */
  get state(): unknown {
    return this.#state;
  }

  visibleState(): unknown {
    if (!this.#surroundings.development) return this.#state;
    return readOnly(
      this.#state,
      `${this.#definition.service}: the state`,
      "only events change state: ctx.emit an event, and change the state in its handler under `on`",
    );
  }

  /** @throws Fault("invalid") for a snapshot this code cannot read. */
  restore(sequence: number, snapshot: Payload): void {
    this.#state = this.#definition.state.decode(snapshot);
    this.#sequence = sequence;
  }

  /**
   * Applies a stored event.
   * @throws Mistake for an event this code does not know, or whose handler fails.
   */
  replay(sequence: number, { typeUrl, value }: Payload): void {
    const { service, eventsByUrl } = this.#definition;
    const type = eventsByUrl.get(typeUrl);
    expect(
      type !== undefined,
      () =>
        `${service}: entity ${this.entityId} has a stored event ${typeUrl}, which this code does not know${nearest(typeUrl, [...eventsByUrl.keys()])}; was the event renamed? Give it its old name: message("${typeUrl.slice(typeUrl.lastIndexOf(".") + 1)}", { … })`,
    );
    this.#apply(type, value, sequence);
    this.#sequence = sequence;
  }

  emit(where: string, name: string, event: unknown): void {
    const type = this.#definition.events.get(name);
    expect(
      type !== undefined,
      () =>
        `${where}: emit(${JSON.stringify(name)}): ${this.#definition.service} declares no such event${nearest(name, [...this.#definition.events.keys()])}; declared: ${listed(this.#definition.events.keys())}`,
    );
    let value: Uint8Array;
    try {
      value = type.message.codec.encode(event);
    } catch (error) {
      throw new Mistake(`${where}: emit(${JSON.stringify(name)}): ${explain(error)}`);
    }
    this.#emitted.push({ typeUrl: type.message.typeUrl, value });
    try {
      this.#apply(type, value, this.#sequence + 1); // keeps I1
    } catch (error) {
      this.#broken = `the handler of event ${name} failed`;
      throw error;
    }
    this.#sequence++;
  }

  #apply(type: EventType, value: Uint8Array, sequence: number): void {
    const next = type.apply(this.#state, type.message.codec.decode(value), { entityId: this.entityId, sequence });
    if (next === undefined) return;
    expect(
      !isThenable(next),
      () =>
        `${this.#definition.service}: the handler of event ${type.name} is async; event handlers must be synchronous, because they run again at each replay. Do the waiting in the command handler`,
    );
    this.#state = next;
  }

  /** Runs one command. Not before the last one has answered. */
  run(command: CommandIn): EventSourcedAnswer | Crash | Promise<EventSourcedAnswer | Crash> {
    const method = this.#definition.methods.get(command.name);
    if (this.#broken !== undefined || method === undefined) return this.#refusal(command.name);
    const context = new EventSourcedContext<unknown, Record<string, unknown>, unknown>(this, this.#home, method, command);
    const before = this.#sequence;
    this.#emitted = [];
    try {
      const result = method.handler(method.input.codec.decode(command.payload), context);
      if (!isThenable(result)) return this.#answer(method, context, before, result);
      return Promise.resolve(result)
        .then((value) => this.#answer(method, context, before, value))
        .catch((error: unknown) => this.#failed(method, context, error));
    } catch (error) {
      return this.#failed(method, context, error);
    }
  }

  #refusal(name: string): Crash {
    const { service, methods } = this.#definition;
    return new Crash(
      this.#broken === undefined
        ? `${service} has no command ${name}; it has ${listed(methods.keys())}`
        : `${service}: ${this.#broken}; the entity must be loaded again`,
    );
  }

  #answer(method: Method, context: EntityContext<unknown>, before: number, result: unknown): EventSourcedAnswer | Crash {
    const outcome = outcomeOf(method, result);
    if (outcome.do === "fail") return this.#failed(method, context, new CommandFailure(outcome.description, outcome.code));
    if (this.#broken !== undefined) return this.#failed(method, context, new Mistake(`${method.where}: ${this.#broken}`));
    context.close();
    const every = this.#definition.snapshotEvery;
    const due = every > 0 && Math.floor(this.#sequence / every) > Math.floor(before / every);
    const answer = {
      outcome,
      effects: context.takeEffects(),
      events: this.#emitted,
      snapshot: due ? this.#definition.state.encode(this.#state) : undefined,
      timers: context.takeTimers(),
    };
    this.#emitted = none; // last: what may throw before it needs to know whether there were events
    return answer;
  }

  /** Nothing of a failed command remains: no event, no effect (I2). */
  #failed(method: Method, context: BaseContext<unknown>, error: unknown): EventSourcedAnswer | Crash {
    context.close();
    const restart = this.#emitted.length > 0;
    if ((error instanceof CommandFailure || (!restart && isBadInput(error))) && this.#broken === undefined) {
      if (restart) this.#broken = "a command failed after it had emitted events";
      return { outcome: failOutcome(error, restart), effects: [], events: [], snapshot: undefined, timers: [] };
    }
    this.#broken ??= `${method.where} failed unexpectedly`;
    return unexpected(method, error, this.#surroundings);
  }
}
