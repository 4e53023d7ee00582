/** What handlers of CRDT entities work with: commands, streamed ones, and what a stream does when something happens. */
import { shown } from "@mecha/wire/codec";
import type { Draft, DraftHome } from "../crdt/draft.ts";
import { deltaOf } from "../crdt/held.ts";
import { checkConsistency } from "../define/crdt.ts";
import type { Method } from "../define/method.ts";
import { expect, Mistake } from "../mistake.ts";
import { type CallMetadata, type CommandIn, noMetadata } from "../protocol/common.ts";
import type { CrdtChange, WriteConsistency } from "../protocol/crdt.ts";
import { type Answer, BaseContext } from "./answer.ts";
import type { CrdtEntity } from "./crdt.ts";

/** What a command handler of a CRDT entity works with. */
export class CrdtContext<State, Reply> extends BaseContext<Reply> {
  /** Id of this entity. */
  readonly entityId: string;
  readonly #entity: CrdtEntity;
  readonly #home: DraftHome;
  #draft: Draft | undefined;
  #consistency: WriteConsistency;
  #deleted = false;

  /** @internal */
  constructor(entity: CrdtEntity, method: Method, metadata: CallMetadata) {
    super(method, metadata);
    this.entityId = entity.entityId;
    this.#entity = entity;
    this.#consistency = entity.definition.writeConsistency;
    this.#home = entity.homeOf(method, (called) => {
      this.checkOpen(`state.${called}`);
      expect(!this.#deleted, () => `${method.where}: state.${called} was called after ctx.delete(); a deleted entity cannot be changed`);
    });
  }

  /** The value, with this command's changes so far. Change it by its methods; others see that once the command has succeeded. */
  get state(): State {
    this.#draft ??= this.#entity.draft(this.#home);
    return this.#draft as State;
  }

  /** Whether anybody has changed it yet. */
  get exists(): boolean {
    return this.#entity.exists;
  }

  /** How many sidecars must have this command's change before the caller gets the reply: `local`, `majority` or `all`. */
  writeConsistency(level: WriteConsistency): void {
    this.checkOpen("writeConsistency");
    checkConsistency(level, `${this.where}: writeConsistency`);
    this.#consistency = level;
  }

  /** Deletes the entity, for good and on all sidecars: nothing can be stored under its id again. */
  delete(): void {
    this.checkOpen("delete");
    this.#deleted = true;
  }

  /**
   * CRDTs have no timers. A firing and what its command changes are one commit in one place; a CRDT is in many, each with a store of its own: all of them
   * would fire, or none while the one that keeps the timer is away. Let an event-sourced or value entity keep the timer, and call this one by an effect.
   * @throws Mistake always.
   */
  schedule(name: string, ..._rest: readonly unknown[]): never {
    return this.#noTimers("schedule", name);
  }

  /** See `schedule`. @throws Mistake always. */
  cancelTimer(name: string): never {
    return this.#noTimers("cancelTimer", name);
  }

  #noTimers(called: string, name: string): never {
    throw new Mistake(
      `${this.where}: ${called}(${JSON.stringify(name)}): a CRDT has no timers: it is on many sidecars, and all of them would fire; let an event-sourced or value entity schedule, and ctx.effect this one`,
    );
  }

  /** @internal */
  takeChange(): CrdtChange {
    const consistency = this.#consistency;
    if (this.#deleted) return { change: { do: "delete" }, consistency };
    const delta = (this.#draft ?? this.#entity.draft(this.#home)).change();
    return { change: delta && { do: "update", delta: deltaOf(delta) }, consistency };
  }
}

/** What the handler of a command with `.streamedOut()` works with. */
export class StreamedCrdtContext<State, Reply> extends CrdtContext<State, Reply> {
  readonly #canStream: boolean;
  #stream: CrdtStream<Reply> | undefined;

  /** @internal */
  constructor(entity: CrdtEntity, method: Method, command: CommandIn) {
    super(entity, method, command.metadata);
    this.#canStream = command.streamed === true;
  }

  /**
   * Keeps the caller's stream open after the first answer, which is what the handler returns; nothing, when it returns nothing.
   * @example
   * watch(_, ctx) {
   *   ctx.stream({ onChange: ({ state }) => ({ online: state.size }), onCancel: ({ state }) => void state.delete(name) });
   *   return { online: ctx.state.add(name).size };
   * }
   */
  stream(handlers: StreamHandlers<State, Reply> = {}): CrdtStream<Reply> {
    this.checkOpen("stream");
    expect(this.#canStream, () => `${this.where}: ctx.stream: the proxy does not want a stream for this command`);
    expect(this.#stream === undefined, () => `${this.where}: ctx.stream was called twice for one command`);
    for (const [name, handler] of Object.entries(handlers))
      expect(
        (name === "onChange" || name === "onCancel") && typeof handler === "function",
        () => `${this.where}: ctx.stream: expected { onChange, onCancel } with functions, got ${name}: ${shown(handler)}`,
      );
    this.#stream = new CrdtStream(handlers as StreamHandlers<unknown, Reply>);
    return this.#stream;
  }

  /** @internal */
  takeStream(): CrdtStream<unknown> | undefined {
    return this.#stream?.isOver === false ? (this.#stream as CrdtStream<unknown>) : undefined;
  }
}

/** What a stream does when something happens. */
export interface StreamHandlers<State, Reply> {
  /**
   * Runs after each change of the value, whoever made it, this command excepted. What it returns goes to the caller; nothing: no message, unless there
   * are effects. Synchronous. It looks at the value and cannot change it.
   */
  readonly onChange?: (ctx: StreamChange<State, Reply>) => Reply | Answer<Reply> | undefined | void;
  /** Runs when the caller has gone away. It may change the value. */
  readonly onCancel?: (ctx: StreamCancel<State>) => void | Promise<void>;
}

/** What `onChange` works with. */
export class StreamChange<State, Reply> extends BaseContext<Reply> {
  readonly entityId: string;
  readonly #draft: () => Draft;
  #ended = false;

  /** @internal */
  constructor(entity: CrdtEntity, method: Method) {
    super(method, noMetadata);
    this.entityId = entity.entityId;
    const home = entity.homeOf(method, (called) => {
      throw new Mistake(
        `${method.where}: state.${called} was called in onChange, which only looks at the value; change it in a command or in onCancel`,
      );
    });
    this.#draft = () => entity.draft(home);
  }

  /** The value now. */
  get state(): State {
    return this.#draft() as State;
  }

  /** Ends the stream with what is returned. */
  end(): void {
    this.checkOpen("end");
    this.#ended = true;
  }

  /** @internal */
  get isEnded(): boolean {
    return this.#ended;
  }
}

/** What `onCancel` works with. */
export type StreamCancel<State> = Pick<
  CrdtContext<State, never>,
  "entityId" | "state" | "exists" | "effect" | "writeConsistency" | "delete"
>;

/** A caller's open stream. */
export class CrdtStream<Reply> {
  /** @internal */
  readonly handlers: StreamHandlers<unknown, Reply>;
  #send: ((message: Reply | Answer<Reply> | undefined, end: boolean) => void) | undefined;
  #over = false;

  /** @internal */
  constructor(handlers: StreamHandlers<unknown, Reply>) {
    this.handlers = handlers;
  }

  /** Whether it has ended, from either side. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Sends a message that no change caused. Not before the handler has returned the first one; after the end it does nothing. */
  send(message: Reply | Answer<Reply>): void {
    if (this.#over) return;
    expect(this.#send !== undefined, () => "stream.send was called before the handler has answered; return the first message instead");
    this.#send(message, false);
  }

  /** Ends the stream, with a last message if one is given. Ending it twice does nothing. */
  end(message?: Reply | Answer<Reply>): void {
    if (this.#over) return;
    if (this.#send === undefined) {
      expect(
        message === undefined,
        () => "stream.end with a message was called before the handler has answered; return the message instead",
      );
      this.#over = true;
    } else this.#send(message, true);
  }

  /** @internal */
  open(send: (message: Reply | Answer<Reply> | undefined, end: boolean) => void): void {
    this.#send = send;
  }

  /** @internal */
  close(): void {
    this.#over = true;
  }
}
