/**
 * A span for each request. What comes behind it sees the request with our span as its parent: the header `traceparent` is exchanged at the door, so
 * that commands, events and functions get the right one without knowing of tracing.
 */
import { Fault, faultCodeOfGrpc, type Span, type Tracer } from "@mecha/kit";
import { type CallHandler, type HttpExchange, Metadata, type RpcStatus, type ServerCall } from "@mecha/wire";
import { ForwardedCall, ForwardedEvents, forwardedExchange } from "./forwarding.ts";
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
  return forwardedExchange(exchange, { headers: { ...exchange.headers, traceparent: span.traceparent } });
}

/** `handler` with a span around each of its calls. */
export function traced(handler: CallHandler, tracer: Tracer, target: Target, way: Way): CallHandler {
  return (call) => {
    const span = requestSpan(tracer, target, way, call.metadata.get("traceparent"));
    return new ForwardedEvents(handler(new TracedCall(call, span)), (reason) => {
      span.end(new Fault(reason, "the caller went away, or its deadline passed"));
    });
  };
}

/** Comes from our span, and ends it. */
class TracedCall extends ForwardedCall {
  readonly #metadata: Metadata;
  readonly #span: Span;

  constructor(call: ServerCall, span: Span) {
    super(call);
    this.#span = span;
    const others = call.metadata.entries.filter(([name]) => name !== "traceparent");
    this.#metadata = new Metadata([...others, ["traceparent", span.traceparent]]);
  }

  override get metadata(): Metadata {
    return this.#metadata;
  }
  override end(status?: RpcStatus, trailers?: Metadata): void {
    const failed = status !== undefined && status.code !== 0;
    this.#span.end(failed ? new Fault(faultCodeOfGrpc(status.code), status.message) : undefined);
    super.end(status, trailers);
  }
}
