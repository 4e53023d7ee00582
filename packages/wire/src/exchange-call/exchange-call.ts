/**
 * A gRPC call carried by a plain HTTP exchange. gRPC-Web, server-sent events, JSON lines and raw bodies differ only in their `AnswerForm`;
 * the rules of `ServerCall` (rpc.ts, R1 to R3) are kept here, once, so that each of them reaches the same method handlers as gRPC does.
 *
 * Invariants
 * X1 the exchange is answered exactly once, unless its client went away
 * X2 an answer that ends in the turn of its first message goes out whole, with its length; only longer ones are streamed
 * X3 the caller's end (gone, or its deadline) reaches the handler at most once, and never after `end`
 */
import { type CancelTimer, type Clock, Fault, type FaultCode } from "@mecha/kit";
import { internalStatus } from "../grpc/helpers.ts";
import { statusOfFault } from "../grpc/status.ts";
import type { HttpBody, HttpExchange } from "../http.ts";
import { Metadata } from "../metadata.ts";
import { type CallHandler, type RpcStatus, type ServerCall, type ServerCallEvents, statusOk } from "../rpc.ts";

/** A piece of an answer's body. */
export type Chunk = Uint8Array | string;

/** How a call looks as an HTTP answer. One object for each call. */
export interface AnswerForm {
  /** Headers of an answer with messages. @throws Fault when the metadata cannot be headers. */
  headers(metadata: Metadata): Readonly<Record<string, string>>;
  /** @throws Fault when the bytes cannot be said in this form; the call then ends with it. */
  message(bytes: Uint8Array): Chunk;
  /** What follows the last message. `undefined`: the form has no words for this end, and the answer is broken off. */
  end(status: RpcStatus, trailers: Metadata): Chunk | undefined;
  /** The whole answer of a call that failed before its first message; without it `headers` and `end` are all there is. */
  refusal?(status: RpcStatus): { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Chunk };
}

/** What is known of a call before its handler is asked. */
export interface ExchangeCallSpec {
  readonly path: string;
  readonly metadata: Metadata;
  /** Monotonic ms. */
  readonly deadlineMs: number | undefined;
  readonly form: AnswerForm;
  readonly clock: Clock;
  /** Hears what a handler or form threw that is no Fault; the caller gets status 13 without detail. */
  readonly onError: (error: unknown) => void;
}

/** The request's messages, one by one; `undefined` after the last. @throws Fault: the call ends with it. */
export type NextMessage = () => Uint8Array | undefined;

/** Runs `handler` for a request whose body is here. */
export function runExchangeCall(exchange: HttpExchange, spec: ExchangeCallSpec, handler: CallHandler, next: NextMessage): void {
  new ExchangeCall(exchange, spec, next).begin(handler);
}

/** Answers a request that reaches no handler. */
export function endExchangeCall(exchange: HttpExchange, spec: ExchangeCallSpec, status: RpcStatus): void {
  new ExchangeCall(exchange, spec, () => undefined).end(status);
}

class ExchangeCall implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly deadlineMs: number | undefined;
  readonly peer: string;
  readonly #exchange: HttpExchange;
  readonly #spec: ExchangeCallSpec;
  readonly #next: NextMessage;
  #events: ServerCallEvents | undefined;
  #cancelDeadline: CancelTimer | undefined;
  #responseMetadata = Metadata.empty;
  /** Headers are asked for, or messages wait for the turn to end (X2). */
  #begun = false;
  #waiting: Chunk[] = [];
  #body: HttpBody | undefined;
  #paused = false;
  #pumping = false;
  #inputEnded = false;
  #over = false;

  constructor(exchange: HttpExchange, spec: ExchangeCallSpec, next: NextMessage) {
    this.#exchange = exchange;
    this.#spec = spec;
    this.#next = next;
    this.path = spec.path;
    this.metadata = spec.metadata;
    this.deadlineMs = spec.deadlineMs;
    this.peer = exchange.peer;
  }

  begin(handler: CallHandler): void {
    const { clock, deadlineMs } = this.#spec;
    try {
      this.#events = handler(this);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#over) return;
    this.#exchange.onClose(() => {
      this.#cancel("cancelled");
    });
    if (deadlineMs !== undefined) {
      this.#cancelDeadline = clock.after(Math.max(0, deadlineMs - clock.monotonic()), () => {
        this.#expire();
      });
    }
    this.#pump();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#pumping) queueMicrotask(() => this.#pump()); // keeps R1
  }

  /** Hands over what came, then its end. */
  #pump(): void {
    this.#pumping = true;
    try {
      while (!this.#paused && !this.#over && !this.#inputEnded) {
        const message = this.#next();
        if (message !== undefined) this.#events?.message(message);
        else {
          this.#inputEnded = true;
          this.#events?.halfClose?.();
        }
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#pumping = false;
    }
  }

  sendHeaders(metadata: Metadata = Metadata.empty): void {
    if (this.#over || this.#begun) return;
    this.#responseMetadata = metadata;
    this.#beginAfterThisTurn();
  }

  send(message: Uint8Array): boolean {
    if (this.#over) return true;
    let chunk: Chunk;
    try {
      chunk = this.#spec.form.message(message);
    } catch (error) {
      this.#failed(error);
      return true;
    }
    if (this.#body) return this.#body.write(chunk);
    this.#waiting.push(chunk);
    this.#beginAfterThisTurn();
    return true;
  }

  #beginAfterThisTurn(): void {
    if (this.#begun) return;
    this.#begun = true;
    queueMicrotask(() => {
      if (!this.#over) this.#stream();
    });
  }

  #stream(): void {
    try {
      const body = this.#exchange.stream(200, this.#headers());
      this.#body = body;
      body.onDrain(() => {
        if (!this.#over) this.#events?.drain?.();
      });
      for (const chunk of this.#waiting) body.write(chunk);
    } catch (error) {
      this.#failed(error);
    }
    this.#waiting = [];
  }

  end(status: RpcStatus = statusOk, trailers: Metadata = Metadata.empty): void {
    if (this.#over) return;
    this.#finish();
    if (this.#body) this.#endBody(this.#body, status, trailers);
    else this.#answerWhole(status, trailers);
  }

  #endBody(body: HttpBody, status: RpcStatus, trailers: Metadata): void {
    const last = this.#last(status, trailers);
    if (last === undefined) {
      body.abort();
      return;
    }
    if (last.length > 0) body.write(last);
    body.end();
  }

  /** keeps X2 */
  #answerWhole(status: RpcStatus, trailers: Metadata): void {
    const { form } = this.#spec;
    if (status.code !== 0 && this.#waiting.length === 0 && form.refusal) {
      const { status: httpStatus, headers, body } = form.refusal(status);
      this.#exchange.respond(httpStatus, headers, body);
      return;
    }
    const last = this.#last(status, trailers);
    let headers: Readonly<Record<string, string>>;
    try {
      headers = this.#headers();
    } catch (error) {
      this.#spec.onError(error);
      headers = form.headers(Metadata.empty);
    }
    if (last === undefined) this.#endBody(this.#exchange.stream(200, headers), status, trailers);
    else this.#exchange.respond(200, headers, joined([...this.#waiting, last]));
  }

  #headers(): Readonly<Record<string, string>> {
    return this.#spec.form.headers(this.#responseMetadata);
  }

  #last(status: RpcStatus, trailers: Metadata): Chunk | undefined {
    try {
      return this.#spec.form.end(status, trailers);
    } catch (error) {
      this.#spec.onError(error);
      return this.#spec.form.end(internalStatus, Metadata.empty);
    }
  }

  #expire(): void {
    if (this.#over) return;
    this.end({ code: 4, message: "the caller's deadline passed" });
    this.#tellCancelled("deadline");
  }

  #cancel(reason: FaultCode): void {
    if (this.#over) return;
    this.#finish();
    this.#tellCancelled(reason);
  }

  /** keeps X3: only ever called when `#over` has just become true. */
  #tellCancelled(reason: FaultCode): void {
    try {
      this.#events?.cancelled?.(reason);
    } catch (error) {
      this.#spec.onError(error);
    }
  }

  /** A handler or form threw: the caller hears of it, the handler that its call is over. */
  #failed(error: unknown): void {
    if (this.#over) return;
    if (!(error instanceof Fault)) this.#spec.onError(error);
    this.end(error instanceof Fault ? statusOfFault(error) : internalStatus);
    this.#tellLater();
  }

  /** keeps R1: `#failed` may run inside `send`. */
  #tellLater(): void {
    queueMicrotask(() => this.#tellCancelled("cancelled"));
  }

  #finish(): void {
    this.#over = true;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
  }
}

/** One body of several pieces. */
function joined(chunks: readonly Chunk[]): Chunk {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  if (chunks.every((chunk) => typeof chunk === "string")) return chunks.join("");
  return Buffer.concat(chunks.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk)));
}
