/** Wrappers of calls and exchanges that pass everything on: what only wants to see a call, or to change one thing of it, says only that. */
import type { FaultCode } from "@mecha/kit";
import type { HttpExchange, Metadata, RpcStatus, ServerCall, ServerCallEvents } from "@mecha/wire";

/** A call that is another one. */
export class ForwardedCall implements ServerCall {
  readonly #call: ServerCall;

  constructor(call: ServerCall) {
    this.#call = call;
  }

  get path(): string {
    return this.#call.path;
  }
  get metadata(): Metadata {
    return this.#call.metadata;
  }
  get deadlineMs(): number | undefined {
    return this.#call.deadlineMs;
  }
  get peer(): string {
    return this.#call.peer;
  }
  get isNamed(): ServerCall["isNamed"] {
    return this.#call.isNamed;
  }
  pause(): void {
    this.#call.pause();
  }
  resume(): void {
    this.#call.resume();
  }
  sendHeaders(metadata?: Metadata): void {
    this.#call.sendHeaders(metadata);
  }
  send(message: Uint8Array): boolean {
    return this.#call.send(message);
  }
  end(status?: RpcStatus, trailers?: Metadata): void {
    this.#call.end(status, trailers);
  }
}

/** What a call tells, told on; `cancelled` hears of a caller that went away first. */
export class ForwardedEvents implements ServerCallEvents {
  readonly #events: ServerCallEvents;
  readonly #cancelled: (reason: FaultCode) => void;

  constructor(events: ServerCallEvents, cancelled: (reason: FaultCode) => void) {
    this.#events = events;
    this.#cancelled = cancelled;
  }
  message(bytes: Uint8Array): void {
    this.#events.message(bytes);
  }
  halfClose(): void {
    this.#events.halfClose?.();
  }
  drain(): void {
    this.#events.drain?.();
  }
  cancelled(reason: FaultCode): void {
    this.#cancelled(reason);
    this.#events.cancelled?.(reason);
  }
}

/** An exchange that is another one but for these members. */
export function forwardedExchange(exchange: HttpExchange, other: Partial<HttpExchange>): HttpExchange {
  const { method, path, query, headers, peer } = exchange;
  return {
    method,
    path,
    query,
    headers,
    peer,
    body: (maxBytes) => exchange.body(maxBytes),
    bodyNow: (maxBytes) => exchange.bodyNow?.(maxBytes),
    respond: (status, answer, body) => exchange.respond(status, answer, body),
    stream: (status, answer) => exchange.stream(status, answer),
    onClose: (closed) => exchange.onClose(closed),
    ...other,
  };
}
