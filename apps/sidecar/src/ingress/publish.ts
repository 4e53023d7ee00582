/**
 * Topics from outside: CloudEvents over HTTP, `POST /_mecha/topics/<name>`, in binary, structured or batch mode.
 *
 * T1 only topics somebody listed are open, and about the others nothing is said but that
 * T2 200 means that all events of the request are durable; after anything else the same request may be sent again: what was appended is known by
 *    source and id
 */
import { Fault, faultCodes, type Tracer } from "@mecha/kit";
import { faultAnswer, type HttpExchange, HttpFault } from "@mecha/wire";
import { type CloudEvent, readHttpEvents } from "@mecha/wire/cloudevents";
import { traceOf } from "./headers.ts";
import type { IngressMeters } from "./meters.ts";

/**
 * Appends events to a topic, durably. @returns how many were not there before.
 * @throws Fault("invalid") naming what is wrong; Fault("exhausted") while too much is on its way already.
 */
export type Publish = (topic: string, events: readonly CloudEvent[], trace: string | undefined) => Promise<number>;

export interface PublishDeps {
  readonly open: readonly string[];
  readonly publish: Publish;
  readonly meters: IngressMeters;
  readonly tracer: Tracer | undefined;
  /** @throws HttpFault when it is too large. */
  readonly readBody: (exchange: HttpExchange) => Promise<Uint8Array>;
}

const prefix = "/_mecha/topics/";

/** Whether a path is one of ours; no component has such. */
export function isTopicPath(path: string): boolean {
  return path.startsWith(prefix);
}

/** Seconds after which a caller who was refused for too much at once may try again: the log takes what waits in less. */
const retryAfterS = 1;

/** Takes a request to a topic's path. @throws Faults for the caller. */
export async function publishFrom(exchange: HttpExchange, deps: PublishDeps): Promise<void> {
  const topic = openTopic(exchange.path, deps.open);
  const validation = validated(exchange);
  if (validation !== undefined) return exchange.respond(200, validation);
  if (exchange.method !== "POST")
    throw new HttpFault(405, new Fault("unimplemented", `events are published with POST, not ${exchange.method}`), { allow: "POST" });
  const body = await deps.readBody(exchange);
  const events = readHttpEvents(exchange.headers, body);
  const meter = deps.meters.topic(topic);
  const startMs = meter.start();
  const span = deps.tracer?.start(`publish ${topic}`, "server", exchange.headers["traceparent"], {
    "messaging.system": "mecha",
    "messaging.operation.type": "send",
    "messaging.destination.name": topic,
    "messaging.batch.message_count": events.length,
  });
  try {
    const published = await deps.publish(topic, events, span?.traceparent ?? traceOf(exchange.headers["traceparent"]));
    span?.end();
    meter.ended(0, startMs);
    const answer = JSON.stringify({ published, known: events.length - published });
    exchange.respond(200, { "content-type": "application/json" }, answer); // keeps T2
  } catch (error) {
    const fault = Fault.from(error, `publish to ${topic}`, "internal");
    span?.end(fault);
    meter.ended(faultCodes[fault.code].grpc, startMs);
    if (!(error instanceof Fault)) throw error; // a mistake of ours: for the log
    const { status, headers, body: text } = faultAnswer(fault.code === "exhausted" ? later(fault) : fault);
    exchange.respond(status, headers, text);
  }
}

function later(fault: Fault): HttpFault {
  return new HttpFault(faultCodes[fault.code].http, fault, { "retry-after": String(retryAfterS) });
}

/**
 * Senders that ask whether they may deliver here, before they do (spec "HTTP 1.1 Web Hooks for Event Delivery", §4): whoever listed the topic said yes.
 * `undefined`: the request is something else.
 */
function validated({ method, headers }: HttpExchange): Record<string, string> | undefined {
  const sender = headers["webhook-request-origin"];
  if (method !== "OPTIONS" || sender === undefined) return undefined;
  return { allow: "POST", "webhook-allowed-origin": sender, "webhook-allowed-rate": "*" };
}

/** keeps T1 */
function openTopic(path: string, open: readonly string[]): string {
  const topic = decoded(path.slice(prefix.length));
  if (open.includes(topic)) return topic;
  const name = JSON.stringify(topic.slice(0, 100));
  throw new Fault(
    "denied",
    `the topic ${name} is not open to callers; list it to open it (spec.ingress.topics, MECHA_ALLOWED_TOPICS, --allow-topic)`,
  );
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new Fault("invalid", `the topic ${JSON.stringify(name.slice(0, 100))} is not percent-encoded UTF-8`);
  }
}
