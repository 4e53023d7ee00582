/**
 * A span for each request. What comes behind it sees the request with our span as its parent: the header `traceparent` is exchanged at the door, so
 * that commands, events and functions get the right one without knowing of tracing.
 */
import { Fault, faultCodeOfGrpc, type FaultCode, type Span, type Tracer } from "@mecha/kit";
import { type CallHandler, type HttpExchange, Metadata, type RpcStatus, type ServerCall, type ServerCallEvents } from "@mecha/wire";
import type { Way } from "./meters.ts";
import type { Target } from "./table.ts";

/** The span of a request for `target`. */
export function requestSpan(tracer: Tracer, { component, method }: Target, way: Way, traceparent: string | undefined): Span {
  return tracer.start(`${component.service}/${method.name}`, "server", traceparent, {
    "rpc.system": "grpc",
    "rpc.service": component.service,
    "rpc.method": method.name,
    "mecha.way": way,
  });
}

/** `exchange` as sent by our span. */
export function exchangeUnder(span: Span, exchange: HttpExchange): HttpExchange {
  const { method, path, query, peer } = exchange;
  return {
    method,
    path,
    query,
    peer,
    headers: { ...exchange.headers, traceparent: span.traceparent },
    body: (maxBytes) => exchange.body(maxBytes),
    respond: (status, headers, body) => exchange.respond(status, headers, body),
    stream: (status, headers) => exchange.stream(status, headers),
    onClose: (closed) => exchange.onClose(closed),
  };
}

/** `handler` with a span around each of its calls. */
export function traced(handler: CallHandler, tracer: Tracer, target: Target, way: Way): CallHandler {
  return (call) => {
    const span = requestSpan(tracer, target, way, call.metadata.get("traceparent"));
    const under = new TracedCall(call, span);
    const events = handler(under);
    const told: ServerCallEvents = {
      message: (bytes) => events.message(bytes),
      halfClose: () => events.halfClose?.(),
      drain: () => events.drain?.(),
      cancelled: (reason: FaultCode) => {
        span.end(new Fault(reason, "the caller went away, or its deadline passed"));
        events.cancelled?.(reason);
      },
    };
    return told;
  };
}

class TracedCall implements ServerCall {
  readonly metadata: Metadata;
  readonly #call: ServerCall;
  readonly #span: Span;

  constructor(call: ServerCall, span: Span) {
    this.#call = call;
    this.#span = span;
    const others = call.metadata.entries.filter(([name]) => name !== "traceparent");
    this.metadata = new Metadata([...others, ["traceparent", span.traceparent]]);
  }

  get path(): string {
    return this.#call.path;
  }
  get deadlineMs(): number | undefined {
    return this.#call.deadlineMs;
  }
  get peer(): string {
    return this.#call.peer;
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
    const failed = status !== undefined && status.code !== 0;
    this.#span.end(failed ? new Fault(faultCodeOfGrpc(status.code), status.message) : undefined);
    this.#call.end(status, trailers);
  }
}
