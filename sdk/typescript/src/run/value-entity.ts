/**
 * One value entity in memory: holds its value, runs its commands. A command's change is the last `update` or `delete` it asked for, and
 * happens only when the command succeeds.
 */
import type { Method } from "../define/method.ts";
import { isThenable } from "../define/state.ts";
import type { ValueEntityDefinition } from "../define/definitions.ts";
import { listed } from "../mistake.ts";
import type { CommandIn, Payload } from "../protocol/common.ts";
import type { StateChange, ValueEntityAnswer } from "../protocol/value-entity.ts";
import { type BaseContext, CommandFailure, Crash, failOutcome, isBadInput, outcomeOf } from "./answer.ts";
import { EntityContext, type EntityHome } from "./entity-context.ts";
import { readOnly } from "./read-only.ts";
import { type Surroundings, unexpected } from "./surroundings.ts";

/** What a command handler of a value entity works with. */
export class ValueEntityContext<State, Reply, NewState = State, Inputs = Record<string, unknown>> extends EntityContext<Reply, Inputs> {
  readonly #entity: ValueEntity;

  /** @internal */
  constructor(entity: ValueEntity, home: EntityHome, method: Method, command: CommandIn) {
    super(home, method, command);
    this.#entity = entity;
  }

  /** The value, with this command's changes so far; the declared empty one when nothing is stored. Change it by `update`. */
  get state(): Readonly<State> {
    return this.#entity.visibleState() as Readonly<State>;
  }

  /** Whether a value is stored, or would be after this command. */
  get exists(): boolean {
    return this.#entity.exists;
  }

  /** Stores a new value in place of the old one, before the caller gets its reply. */
  update(state: NewState): void {
    this.checkOpen("update");
    this.#entity.change({ do: "update", value: this.#entity.encode(state) });
  }

  /** Stores that there is no value. */
  delete(): void {
    this.checkOpen("delete");
    this.#entity.change({ do: "delete" });
  }
}

export class ValueEntity {
  readonly entityId: string;
  readonly #definition: ValueEntityDefinition;
  readonly #surroundings: Surroundings;
  readonly #home: EntityHome;
  #stored: Payload | undefined;
  /** Decoded `#stored` with `#change`; made when somebody looks. */
  #state: { readonly value: unknown } | undefined;
  #change: StateChange;

  constructor(definition: ValueEntityDefinition, entityId: string, surroundings: Surroundings) {
    this.#definition = definition;
    this.entityId = entityId;
    this.#surroundings = surroundings;
    this.#home = { entityId, definition, surroundings };
  }

  /**
   * Takes over the stored value. `undefined`: there is none.
   * @throws Fault("invalid") for a value this code cannot read.
   */
  restore(stored: Payload | undefined): void {
    // the bytes belong to a message that is not kept
    this.#stored = stored === undefined ? undefined : { typeUrl: stored.typeUrl, value: new Uint8Array(stored.value) };
    this.#state = { value: this.#decoded() };
  }

  get exists(): boolean {
    return this.#change === undefined ? this.#stored !== undefined : this.#change.do === "update";
  }

  /** The value itself. */
  get state(): unknown {
    this.#state ??= { value: this.#decoded() };
    return this.#state.value;
  }

  visibleState(): unknown {
    if (!this.#surroundings.development) return this.state;
    return readOnly(
      this.state,
      `${this.#definition.service}: the state`,
      "store a changed copy: ctx.update({ ...ctx.state, name: value })",
    );
  }

  encode(state: unknown): Payload {
    return this.#definition.state.encode(state);
  }

  change(change: StateChange): void {
    this.#change = change;
    this.#state = undefined;
  }

  /** From bytes, also right after an update: what the next activation will see. */
  #decoded(): unknown {
    const payload = this.#change === undefined ? this.#stored : this.#change.do === "update" ? this.#change.value : undefined;
    return payload === undefined ? this.#definition.state.initial() : this.#definition.state.decode(payload);
  }

  /** Runs one command. Not before the last one has answered. */
  run(command: CommandIn): ValueEntityAnswer | Crash | Promise<ValueEntityAnswer | Crash> {
    const { service, methods } = this.#definition;
    const method = methods.get(command.name);
    if (method === undefined) return new Crash(`${service} has no command ${command.name}; it has ${listed(methods.keys())}`);
    const context = new ValueEntityContext<unknown, unknown>(this, this.#home, method, command);
    try {
      const result = method.handler(method.input.codec.decode(command.payload), context);
      if (!isThenable(result)) return this.#answer(method, context, result);
      return Promise.resolve(result)
        .then((value) => this.#answer(method, context, value))
        .catch((error: unknown) => this.#failed(method, context, error));
    } catch (error) {
      return this.#failed(method, context, error);
    }
  }

  #answer(method: Method, context: EntityContext<unknown>, result: unknown): ValueEntityAnswer | Crash {
    const outcome = outcomeOf(method, result);
    if (outcome.do === "fail") return this.#failed(method, context, new CommandFailure(outcome.description, outcome.code));
    context.close();
    const change = this.#change;
    if (change !== undefined) {
      this.#stored = change.do === "update" ? change.value : undefined;
      this.#change = undefined;
    }
    return { outcome, effects: context.takeEffects(), change, timers: context.takeTimers() };
  }

  #failed(method: Method, context: BaseContext<unknown>, error: unknown): ValueEntityAnswer | Crash {
    context.close();
    if (this.#change !== undefined) this.change(undefined);
    if (!(error instanceof CommandFailure) && !isBadInput(error)) return unexpected(method, error, this.#surroundings);
    return { outcome: failOutcome(error, false), effects: [], change: undefined, timers: [] };
  }
}
