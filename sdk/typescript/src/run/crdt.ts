/**
 * One CRDT entity in memory: takes over what the proxy tells, runs commands, tells streams of changes.
 *
 * C1 commands may run at a time; each works on a draft, and nothing of it is seen by others before the command has succeeded
 * C2 a stream hears of each change after the reply to the command that made it; not of its own command's
 * C3 every cancellation is answered, also of a stream that has ended: the proxy waits for it
 */
import type { Draft, DraftHome } from "../crdt/draft.ts";
import { applyDelta, type CrdtDelta, emptyHeld, type Held } from "../crdt/held.ts";
import type { BoundState } from "../crdt/state.ts";
import type { CrdtDefinition } from "../define/crdt.ts";
import type { Method } from "../define/method.ts";
import { isThenable } from "../define/state.ts";
import { expect, listed, Mistake } from "../mistake.ts";
import { type CommandIn, noMetadata, type Outcome } from "../protocol/common.ts";
import type { CrdtAnswer, CrdtCancelAnswer, CrdtStreamed } from "../protocol/crdt.ts";
import { CommandFailure, Crash, failOutcome, isBadInput, outcomeOf } from "./answer.ts";
import { CrdtContext, type CrdtStream, StreamChange, StreamedCrdtContext, type StreamHandlers } from "./crdt-context.ts";
import { type Surroundings, unexpected } from "./surroundings.ts";

/** Where answers go. */
export interface CrdtOut {
  /** A crash ends its command only. */
  answered(commandId: number, answer: CrdtAnswer | Crash): void;
  streamed(commandId: number, message: CrdtStreamed): void;
  cancelAnswered(commandId: number, answer: CrdtCancelAnswer): void;
}

interface Open {
  readonly method: Method;
  readonly stream: CrdtStream<unknown>;
}

type Context = CrdtContext<unknown, unknown>;

export class CrdtEntity {
  readonly entityId: string;
  readonly definition: CrdtDefinition;
  readonly #surroundings: Surroundings;
  readonly #out: CrdtOut;
  readonly #state: BoundState;
  readonly #held: Held;
  #exists = false;
  #deleted = false;
  readonly #streams = new Map<number, Open>();
  /** Commands and cancellations whose handlers have not finished. */
  readonly #running = new Set<number>();
  /** Streams cancelled while their command ran. */
  readonly #cancelled = new Set<number>();

  constructor(definition: CrdtDefinition, entityId: string, surroundings: Surroundings, out: CrdtOut) {
    this.definition = definition;
    this.entityId = entityId;
    this.#surroundings = surroundings;
    this.#out = out;
    this.#state = definition.stateOf(entityId);
    this.#held = emptyHeld(this.#state.type);
  }

  get exists(): boolean {
    return this.#exists;
  }

  /** Commands and cancellations that are not answered yet. */
  get unanswered(): number {
    return this.#running.size;
  }

  /** The value itself. */
  get held(): Held {
    return this.#held;
  }

  /** A view of the value that nothing can be changed through. */
  view(): Draft {
    const refuse = (): never => {
      throw new Mistake(`${this.definition.service}: the value is looked at from outside a command and cannot be changed`);
    };
    return this.draft({ where: this.definition.service, development: this.#surroundings.development, checkChange: refuse });
  }

  draft(home: DraftHome): Draft {
    return this.#state.draft(this.#held, home);
  }

  homeOf({ where }: Method, checkChange: (called: string) => void): DraftHome {
    return { where, development: this.#surroundings.development, checkChange };
  }

  /**
   * Takes over what the proxy says has changed; at the beginning, the whole value.
   * @throws Fault("invalid") when it is of another type.
   */
  told(delta: CrdtDelta): void {
    if (this.#deleted) return;
    applyDelta(this.#held, delta, "proxy");
    this.#exists = true;
    this.#tellStreams();
  }

  /** It was deleted elsewhere. The proxy ends the streams. */
  deleted(): void {
    this.#deleted = true;
    for (const { stream } of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  /** Runs one command. */
  command(command: CommandIn): void {
    const { service, methods } = this.definition;
    const method = methods.get(command.name);
    const refusal = this.#deleted
      ? `${service}: entity ${this.entityId} was deleted`
      : method === undefined
        ? `${service} has no command ${command.name}; it has ${listed(methods.keys())}`
        : undefined;
    if (refusal !== undefined) return this.#out.answered(command.id, new Crash(refusal));
    this.#run(command, method as Method);
  }

  #run(command: CommandIn, method: Method): void {
    const context: Context = method.streamedOut
      ? new StreamedCrdtContext(this, method, command)
      : new CrdtContext(this, method, command.metadata);
    this.#running.add(command.id);
    try {
      const result = method.handler(method.input.codec.decode(command.payload), context);
      if (!isThenable(result)) return this.#succeeded(command.id, method, context, result);
      Promise.resolve(result).then(
        (value) => this.#succeeded(command.id, method, context, value),
        (error: unknown) => this.#failed(command.id, method, context, error),
      );
    } catch (error) {
      this.#failed(command.id, method, context, error);
    }
  }

  #succeeded(id: number, method: Method, context: Context, result: unknown): void {
    const stream = context instanceof StreamedCrdtContext ? context.takeStream() : undefined;
    let answer: CrdtAnswer;
    try {
      if (this.#deleted) throw new CommandFailure(`${this.definition.service}: entity ${this.entityId} was deleted meanwhile`);
      const outcome = stream !== undefined && result === undefined ? nothing : outcomeOf(method, result);
      if (outcome.do === "fail") throw new CommandFailure(outcome.description, outcome.code);
      answer = { outcome, ...this.#settle(context), streamed: stream !== undefined };
    } catch (error) {
      return this.#failed(id, method, context, error);
    }
    this.#running.delete(id);
    this.#out.answered(id, answer);
    if (answer.change !== undefined) this.#tellStreams(); // keeps C2
    if (stream !== undefined && !this.#deleted) this.#open(id, { method, stream });
    this.#answerEarlyCancel(id);
  }

  /** Nothing of a failed command remains: its draft is dropped, its effects do not run. */
  #failed(id: number, method: Method, context: Context, error: unknown): void {
    context.close();
    this.#running.delete(id);
    const outcome = this.#failure(method, error);
    this.#out.answered(
      id,
      outcome instanceof Crash ? outcome : { outcome, effects: [], change: undefined, consistency: "local", streamed: false },
    );
    this.#answerEarlyCancel(id);
  }

  #failure(method: Method, error: unknown): Outcome | Crash {
    if (error instanceof CommandFailure || isBadInput(error)) return failOutcome(error, false);
    return unexpected(method, error, this.#surroundings);
  }

  /** Takes over what a handler has changed. */
  #settle(context: Context): CrdtCancelAnswer {
    const { change, consistency } = context.takeChange();
    context.close();
    if (change?.do === "update") {
      applyDelta(this.#held, change.delta, "own");
      this.#exists = true;
    } else if (change?.do === "delete") this.deleted();
    return { change, consistency, effects: context.takeEffects() };
  }

  // ---- streams ------------------------------------------------------------------------------------------------------------------------

  #open(id: number, open: Open): void {
    this.#streams.set(id, open);
    open.stream.open((message, end) => this.#send(id, open.method, { result: message, effects: [], end }));
  }

  #tellStreams(): void {
    for (const [id, { method, stream }] of [...this.#streams]) {
      const { onChange } = stream.handlers;
      if (onChange !== undefined && !stream.isOver) this.#tell(id, method, onChange);
    }
  }

  #tell(id: number, method: Method, onChange: NonNullable<StreamHandlers<unknown, unknown>["onChange"]>): void {
    const context = new StreamChange<unknown, unknown>(this, method);
    try {
      const result = onChange(context);
      expect(
        !isThenable(result),
        () => `${method.where}: onChange is async; it must answer at once. Use the stream's send for later messages`,
      );
      const effects = context.takeEffects();
      const { isEnded: end } = context;
      if (result !== undefined || effects.length > 0 || end) this.#send(id, method, { result, effects, end });
    } catch (error) {
      this.#endWithFailure(id, method, error);
    } finally {
      context.close();
    }
  }

  #send(id: number, method: Method, message: { result: unknown; effects: CrdtStreamed["effects"]; end: boolean }): void {
    const outcome = message.result === undefined ? nothing : outcomeOf(method, message.result);
    const end = message.end || outcome.do === "fail";
    if (end) this.#close(id);
    this.#out.streamed(id, { outcome, effects: outcome.do === "fail" ? [] : message.effects, end });
  }

  #endWithFailure(id: number, method: Method, error: unknown): void {
    this.#close(id);
    const failure = this.#failure(method, error);
    const outcome: Outcome = failure instanceof Crash ? { do: "fail", description: failure.description, restart: false } : failure;
    this.#out.streamed(id, { outcome, effects: [], end: true });
  }

  #close(id: number): Open | undefined {
    const open = this.#streams.get(id);
    this.#streams.delete(id);
    open?.stream.close();
    return open;
  }

  /** The caller of a streamed command went away. */
  cancel(id: number): void {
    if (this.#running.has(id)) this.#cancelled.add(id);
    else this.#cancel(id);
  }

  #answerEarlyCancel(id: number): void {
    if (this.#cancelled.delete(id)) this.#cancel(id);
  }

  /** keeps C3 */
  #cancel(id: number): void {
    const open = this.#close(id);
    const onCancel = open?.stream.handlers.onCancel;
    if (open === undefined || onCancel === undefined) return this.#out.cancelAnswered(id, unchanged);
    const { method } = open;
    const context: Context = new CrdtContext(this, method, noMetadata);
    this.#running.add(id);
    try {
      const result = onCancel(context);
      if (!isThenable(result)) return this.#cancelDone(id, method, context);
      Promise.resolve(result).then(
        () => this.#cancelDone(id, method, context),
        (error: unknown) => this.#cancelFailed(id, method, context, error),
      );
    } catch (error) {
      this.#cancelFailed(id, method, context, error);
    }
  }

  #cancelDone(id: number, method: Method, context: Context): void {
    let answer: CrdtCancelAnswer;
    try {
      answer = this.#deleted ? unchanged : this.#settle(context);
    } catch (error) {
      return this.#cancelFailed(id, method, context, error);
    }
    this.#running.delete(id);
    this.#out.cancelAnswered(id, answer);
    if (answer.change !== undefined) this.#tellStreams();
  }

  /** Nobody is there to be told; the log is. */
  #cancelFailed(id: number, method: Method, context: Context, error: unknown): void {
    context.close();
    this.#running.delete(id);
    unexpected(method, error, this.#surroundings);
    this.#out.cancelAnswered(id, unchanged);
  }
}

const nothing: Outcome = { do: "nothing" };
const unchanged: CrdtCancelAnswer = { change: undefined, consistency: "local", effects: [] };
