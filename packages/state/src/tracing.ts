/** Spans of calls of functions: one for each command an entity's function works on, and one for each call of an action. */
import type { Span, Tracer } from "@mecha/kit";
import { describeOrigin, type Envelope, type Origin } from "./envelope.ts";
import type { CommandMetadata } from "./model.ts";

/** How a span ends whose stream was lost, or cut, with the command on it. */
export const withoutAnswer = { code: "unknown", message: "the function ended without an answer" } as const;

/** The span of a command at an entity's function. */
export function commandSpan(tracer: Tracer, { service, command, context, origin }: Envelope, entityId: string): Span {
  return tracer.start(`${service}/${command.name}`, "client", context.trace, {
    "rpc.system": "grpc",
    "rpc.service": service,
    "rpc.method": command.name,
    "mecha.entity": entityId,
    ...because(origin),
  });
}

/** The span of an action's call. */
export function actionSpan(tracer: Tracer, service: string, method: string, trace: string | undefined, origin: Origin | undefined): Span {
  const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method, ...because(origin) };
  return tracer.start(`${service}/${method}`, "client", trace, attributes);
}

/** Why an effect or a forward runs: "side effect of shop.Cart.AddItem". */
function because(origin: Origin | undefined): Record<string, string> {
  return origin === undefined ? {} : { "mecha.origin": describeOrigin(origin) };
}

/** The metadata with this span as the parent of whatever the function does (W3C Trace Context §3.2). */
export function withTraceparent(metadata: CommandMetadata | undefined, { traceparent }: Span): CommandMetadata {
  return [...(metadata ?? []).filter(([name]) => name !== "traceparent"), ["traceparent", traceparent]];
}

/** Ends the span of a command, if it has one, once. */
export function endSpan(envelope: Envelope, fault: Parameters<Span["end"]>[0]): void {
  envelope.span?.end(fault);
  envelope.span = undefined;
}
