/** Spans of calls of functions: one for each command an entity's function works on, and one for each call of an action. */
import type { Span, Tracer } from "@mecha/kit";
import { describeOrigin, type Envelope, type Origin } from "./envelope.ts";
import type { CallContext, CommandMetadata } from "./model.ts";

/** How a span ends whose stream was lost, or cut, with the command on it. */
export const withoutAnswer = { code: "unknown", message: "the function ended without an answer" } as const;

/** The span of a command at an entity's function. */
export function commandSpan(tracer: Tracer, { service, command, context, origin }: Envelope, entityId: string): Span {
  const event = command.event === true ? command.metadata : undefined;
  return tracer.start(`${service}/${command.name}`, "client", context.trace, {
    "rpc.system": "grpc",
    "rpc.service": service,
    "rpc.method": command.name,
    "mecha.entity": entityId,
    ...because(origin),
    ...aboutEvent(event),
  });
}

/** What is known of an action's call. */
interface CalledAction {
  readonly component: { readonly service: string };
  readonly method: { readonly name: string };
  readonly context: CallContext;
  readonly origin: Origin | undefined;
  /** Attributes of the event it is about. */
  readonly event?: CommandMetadata | undefined;
}

/** The span of an action's call. */
export function actionSpan(tracer: Tracer, { component: { service }, method: { name }, context, origin, event }: CalledAction): Span {
  const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": name, ...because(origin), ...aboutEvent(event) };
  return tracer.start(`${service}/${name}`, "client", context.trace, attributes);
}

/** Attributes of CloudEvents, and what OpenTelemetry's semantic conventions call them (registry, "CloudEvents"). */
const eventAttributes: ReadonlyMap<string, string> = new Map([
  ["ce-id", "cloudevents.event_id"],
  ["ce-source", "cloudevents.event_source"],
  ["ce-type", "cloudevents.event_type"],
  ["ce-subject", "cloudevents.event_subject"],
]);

/** Which event a command is about. */
function aboutEvent(metadata: CommandMetadata | undefined): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, value] of metadata ?? []) {
    const name = eventAttributes.get(key.toLowerCase());
    if (name !== undefined && typeof value === "string") found[name] = value;
  }
  return found;
}

/** Why an effect or a forward runs: "side effect of shop.Cart.AddItem". */
function because(origin: Origin | undefined): Record<string, string> {
  return origin === undefined ? {} : { "mecha.origin": describeOrigin(origin) };
}

/** The metadata with this traceparent as the parent of whatever the function does (W3C Trace Context §3.2). */
export function withTraceparent(metadata: CommandMetadata | undefined, traceparent: string): CommandMetadata {
  return [...(metadata ?? []).filter(([name]) => name !== "traceparent"), ["traceparent", traceparent]];
}

/** Ends the span of a command, if it has one, once. */
export function endSpan(envelope: Envelope, fault: Parameters<Span["end"]>[0]): void {
  envelope.span?.end(fault);
  envelope.span = undefined;
}
