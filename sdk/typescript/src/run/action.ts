/**
 * Calls of actions. Effects belong to the response that follows them; those left at the end of a stream go out in a response of their
 * own, without a reply. Unlike entities, actions keep their effects when they fail.
 */
import { Fault, type FaultCode } from "@mecha/kit";
import type { Method } from "../define/method.ts";
import { isThenable } from "../define/state.ts";
import { expect } from "../mistake.ts";
import type { ActionAnswer } from "../protocol/action.ts";
import { Answer, BaseContext, CommandFailure, failOutcome, type FailOptions, failureOf, isBadInput, outcomeOf } from "./answer.ts";
import { type Surroundings, unexpected } from "./surroundings.ts";

/** What the handler of an action works with. */
export class ActionContext<Reply> extends BaseContext<Reply> {
  #abort: AbortController | undefined;
  #gone: Fault | undefined;

  /** Aborted when the caller goes away. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#gone !== undefined) this.#abort.abort(this.#gone);
    return this.#abort.signal;
  }

  /** Answers nothing: effects run, the caller gets no message. */
  noReply(): Answer<never> {
    return new Answer({ do: "nothing" });
  }

  /** A failure to return or yield, where throwing `ctx.fail` would end the handler. */
  failure(message: string, options: FailOptions = {}): Answer<never> {
    return new Answer(failOutcome(failureOf(this.where, message, options), false));
  }

  /** @internal */
  cancel(reason: FaultCode): void {
    this.#gone = new Fault(reason, "the caller is gone");
    this.#abort?.abort(this.#gone);
  }
}

/** Where responses go. */
export interface Responses {
  /** `false`: wait for `writable` before the next one. */
  send(answer: ActionAnswer): boolean;
  /** Resolves when there is room, or the call is over. */
  writable(): Promise<void>;
  readonly isCancelled: boolean;
}

/** Runs a method that answers once. */
export async function answerOnce(
  method: Method,
  context: ActionContext<unknown>,
  input: unknown,
  surroundings: Surroundings,
): Promise<ActionAnswer> {
  try {
    const result = method.handler(input, context);
    const outcome = outcomeOf(method, isThenable(result) ? await result : result);
    return { outcome, effects: context.takeEffects() };
  } catch (error) {
    return failed(method, context, error, surroundings);
  } finally {
    context.close();
  }
}

/** Runs a method that answers with a stream. Resolves when the last response was handed over. */
export async function answerMany(
  method: Method,
  context: ActionContext<unknown>,
  input: unknown,
  responses: Responses,
  surroundings: Surroundings,
): Promise<void> {
  try {
    const stream = method.handler(input, context) as AsyncIterable<unknown> | undefined;
    expect(
      isIterable(stream),
      () =>
        `${method.where} is declared streamedOut() and must give an async iterable; write it as a generator: async *${method.key}(…) { yield … }`,
    );
    for await (const item of stream) {
      if (responses.isCancelled) return;
      if (!responses.send({ outcome: outcomeOf(method, item), effects: context.takeEffects() })) await responses.writable();
    }
    const effects = context.takeEffects();
    if (effects.length > 0) responses.send({ outcome: { do: "nothing" }, effects });
  } catch (error) {
    if (!responses.isCancelled) responses.send(failed(method, context, error, surroundings));
  } finally {
    context.close();
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function failed(method: Method, context: BaseContext<unknown>, error: unknown, surroundings: Surroundings): ActionAnswer {
  const outcome =
    error instanceof CommandFailure || isBadInput(error)
      ? failOutcome(error, false)
      : ({ do: "fail", description: unexpected(method, error, surroundings).description, restart: false } as const);
  return { outcome, effects: context.takeEffects() };
}

/** Messages held back from a slow handler; past `high` the caller is paused, at `low` it goes on. */
const buffered = { high: 16, low: 4 };

/** Incoming messages of a streamed-in call, read at the handler's pace. */
export class MessageStream implements AsyncIterable<unknown> {
  readonly #pause: () => void;
  readonly #resume: () => void;
  readonly #queue: unknown[] = [];
  #waiting: { resolve(result: IteratorResult<unknown>): void; reject(error: Error): void } | undefined;
  #ended = false;
  #error: Error | undefined;
  #paused = false;

  constructor(flow: { pause(): void; resume(): void }) {
    this.#pause = () => flow.pause();
    this.#resume = () => flow.resume();
  }

  push(message: unknown): void {
    if (this.#ended) return;
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve({ done: false, value: message });
      return;
    }
    this.#queue.push(message);
    if (!this.#paused && this.#queue.length >= buffered.high) {
      this.#paused = true;
      this.#pause();
    }
  }

  /** No more messages; with an error, the handler's loop throws it. */
  end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (error !== undefined) waiting?.reject(error);
    else waiting?.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return {
      next: () => this.#next(),
      // the handler has read enough: what still comes is dropped
      return: () => {
        this.#queue.length = 0;
        this.end();
        this.#goOn();
        return Promise.resolve({ done: true as const, value: undefined });
      },
    };
  }

  #next(): Promise<IteratorResult<unknown>> {
    if (this.#queue.length > 0) {
      const value = this.#queue.shift();
      if (this.#queue.length <= buffered.low) this.#goOn();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #goOn(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#resume();
  }
}
