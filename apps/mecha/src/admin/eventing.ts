/** Consumer groups, parked events and topics as the admin API shows them, and what people may do about them. */
import { createRegistry, type Registry } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import type { Eventing, GroupRetention, ParkedShown } from "@mecha/sidecar";
import { anyToJson, type HttpExchange } from "@mecha/wire";
import { readHttpEvents } from "@mecha/wire/cloudevents";
import type { EntitySource } from "./entities.ts";
import type { ParkedEventJson, ParkedPageJson, PublishedJson, SubscriptionJson, TopicJson, TopicRetentionJson } from "./model.ts";

/** What events are read from; `eventing` is absent where nothing is delivered. */
export interface EventingSource extends Pick<EntitySource, "descriptors"> {
  readonly eventing?: Eventing | undefined;
}

/** Largest body of events to publish: what a gRPC message may be too. */
const bodyMaxBytes = 4 << 20;

function eventingOf({ eventing }: EventingSource): Eventing {
  if (eventing) return eventing;
  throw new Fault("precondition", "this Mecha delivers no events");
}

export function listSubscriptions(source: EventingSource): { readonly subscriptions: readonly SubscriptionJson[] } {
  const subscriptions = eventingOf(source)
    .groups()
    .map(({ group, from, name, methods, lag, position, sending, connected, retention }) => ({
      ...{ group, source: { [from]: name } as SubscriptionJson["source"], methods, sending, connected },
      ...(lag !== undefined && { lag }),
      ...(position !== undefined && { cursor: position }),
      ...(retention !== undefined && { retention: retentionJson(retention) }),
    }));
  return { subscriptions };
}

function retentionJson({ used, soon, lost, lostMs }: GroupRetention): NonNullable<SubscriptionJson["retention"]> {
  return { used: Math.round(used * 1_000) / 1_000, soon, lost, ...(lostMs !== undefined && { lostTime: new Date(lostMs).toISOString() }) };
}

export async function listParked(
  source: EventingSource,
  query: { readonly after?: string; readonly limit: number },
): Promise<ParkedPageJson> {
  const { events, next } = await eventingOf(source).parked(query);
  return { events: events.map((event) => parkedJson(event, registryOf(source, event))), ...(next !== undefined && { next }) };
}

/** Types of whoever consumes it. */
function registryOf(source: EventingSource, { subscriber }: ParkedShown): Registry {
  const group = eventingOf(source)
    .groups()
    .find((one) => one.subscriber === subscriber);
  const service = group?.methods[0]?.replace(/\.[^.]+$/u, "");
  return (service === undefined ? undefined : source.descriptors(service)?.registry) ?? createRegistry();
}

function parkedJson(event: ParkedShown, registry: Registry): ParkedEventJson {
  const { id, subscriber, attempts, failure, timeMs, attributes, payload } = event;
  const [group = "", , name = ""] = subscriber.split("/").map(decodeURIComponent);
  const texts = attributes.flatMap(([key, value]) => (typeof value === "string" ? [[key, value] as const] : []));
  return {
    ...{ id, group, source: { [id.startsWith("l") ? "eventLog" : "topic"]: name } as ParkedEventJson["source"] },
    ...{
      attempts,
      failure,
      time: new Date(timeMs).toISOString(),
      attributes: Object.fromEntries(texts),
      payload: anyToJson(payload, registry),
    },
  };
}

/** @throws Fault("notFound"), or what the delivery failed with. */
export async function retryParked(source: EventingSource, id: string): Promise<{ readonly delivered: true }> {
  await eventingOf(source).retryParked(id);
  return { delivered: true };
}

/** @throws Fault("notFound") */
export async function skipParked(source: EventingSource, id: string): Promise<{ readonly skipped: true }> {
  await eventingOf(source).skipParked(id);
  return { skipped: true };
}

export async function listTopics(
  source: EventingSource,
): Promise<{ readonly topics: readonly TopicJson[]; readonly retention: TopicRetentionJson }> {
  const topics = (await eventingOf(source).topics()).map(({ oldestMs, newestMs, ...rest }) => ({
    ...rest,
    oldest: new Date(oldestMs).toISOString(),
    newest: new Date(newestMs).toISOString(),
  }));
  const { maxAgeMs, maxBytes } = eventingOf(source).topicRetention;
  return { topics, retention: { maxAgeMs, maxBytes } };
}

/** Where events are published to. */
export const topicPath = /^\/v1\/topics\/([^/]+)$/u;

/** Takes CloudEvents over HTTP: binary, structured or a batch. @throws Fault("invalid") naming what is wrong; nothing is published then. */
export async function publishTo(source: EventingSource, exchange: HttpExchange): Promise<PublishedJson> {
  const topic = decodeURIComponent(topicPath.exec(exchange.path)?.[1] ?? "");
  const events = readHttpEvents(exchange.headers, await exchange.body(bodyMaxBytes));
  const published = await eventingOf(source).publish(topic, events);
  return { published, known: events.length - published };
}
