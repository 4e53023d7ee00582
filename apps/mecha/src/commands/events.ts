/** `mecha events`: consumer groups, parked events, topics. */
import { Fault, uuid } from "@mecha/kit";
import type { AdminClient } from "../admin/client.ts";
import type { EventSourceJson, ParkedEventJson, SubscriptionJson } from "../admin/model.ts";
import { type Io, printable, table } from "../io.ts";
import { ask, type ClientOptions, printJson } from "./client-options.ts";

/** Events asked for at once; the API's largest page. */
const pageMax = 500;

interface ParkedOptions extends ClientOptions {
  readonly limit: number;
}

interface ChangeOptions extends ClientOptions {
  readonly all?: true;
}

interface PublishOptions extends ClientOptions {
  readonly type: string;
  readonly id?: string;
  readonly source: string;
  readonly subject?: string;
  readonly contentType: string;
}

/** `mecha events list` */
export async function eventsList(io: Io, options: ClientOptions): Promise<void> {
  const subscriptions = await ask(io, options, (client) => client.subscriptions());
  if (options.output === "json") printJson(io, { subscriptions });
  else if (subscriptions.length === 0) io.out("nobody consumes events\n");
  else {
    const rows = subscriptions.map(({ group, source, methods, lag, connected, retention }) => [
      ...[group, sourceText(source), lag === undefined ? "–" : String(lag), retention === undefined ? "–" : String(retention.lost)],
      ...[connected ? "connected" : "waits for its function", methods.join(", ")],
    ]);
    io.out(printable(table([["GROUP", "SOURCE", "BEHIND", "LOST", "STATE", "METHODS"], ...rows])));
    for (const one of subscriptions) io.out(printable(retentionText(one)));
  }
}

/** What a person has to know of a group and its topic's retention; empty when there is nothing. */
function retentionText({ group, source, retention }: SubscriptionJson): string {
  if (retention === undefined) return "";
  const { used, soon, lost, lostTime } = retention;
  const who = `${group} of ${sourceText(source)}`;
  const warning = `${who} is about to lose messages: the oldest it has not had is ${Math.floor(used * 100)} % on its way out (MECHA_TOPIC_AGE, MECHA_TOPIC_BYTES)\n`;
  const gone = `${who} lost ${lost} ${lost === 1 ? "message" : "messages"} that the topic did not keep long enough, the last at ${lostTime}\n`;
  return `${soon ? warning : ""}${lost > 0 ? gone : ""}`;
}

/** `mecha events topics` */
export async function eventsTopics(io: Io, options: ClientOptions): Promise<void> {
  const topics = await ask(io, options, (client) => client.topics());
  if (options.output === "json") printJson(io, { topics });
  else if (topics.length === 0) io.out("no topic holds anything\n");
  else {
    const rows = topics.map(({ topic, messages, bytes, oldest, newest }) => [topic, String(messages), String(bytes), oldest, newest]);
    io.out(printable(table([["TOPIC", "MESSAGES", "BYTES", "OLDEST", "NEWEST"], ...rows])));
  }
}

/** `mecha events parked` */
export async function eventsParked(io: Io, options: ParkedOptions): Promise<void> {
  const { events, more } = await ask(io, options, (client) => gather(client, options.limit));
  if (options.output === "json") printJson(io, { events, more });
  else if (events.length === 0) io.out("no event is parked\n");
  else {
    const rows = events.map((event) => [
      ...[event.id, event.group, sourceText(event.source), event.attributes["ce-id"] ?? "–", event.time, String(event.attempts)],
      event.failure,
    ]);
    const list = table([["EVENT", "GROUP", "SOURCE", "ID", "PARKED", "ATTEMPTS", "LAST FAILURE"], ...rows]);
    io.out(printable(more ? `${list}there are more; --limit shows more\n` : list));
  }
}

async function gather(client: AdminClient, limit: number): Promise<{ readonly events: ParkedEventJson[]; readonly more: boolean }> {
  const events: ParkedEventJson[] = [];
  let after: string | undefined;
  do {
    const page = await client.parked({ limit: String(Math.min(pageMax, limit - events.length)), after });
    events.push(...page.events);
    after = page.next;
  } while (after !== undefined && events.length < limit);
  return { events, more: after !== undefined };
}

function sourceText(source: EventSourceJson): string {
  return "topic" in source ? `topic ${source.topic}` : `log ${source.eventLog}`;
}

/** `mecha events retry` */
export async function eventsRetry(io: Io, options: ChangeOptions, ids: readonly string[]): Promise<void> {
  const changed = await change(io, options, ids, (client, id) => client.retryParked(id));
  if (options.output === "json") printJson(io, { delivered: changed });
  else io.out(`${countText(changed)} delivered\n`);
}

/** `mecha events skip` */
export async function eventsSkip(io: Io, options: ChangeOptions, ids: readonly string[]): Promise<void> {
  const changed = await change(io, options, ids, (client, id) => client.skipParked(id));
  if (options.output === "json") printJson(io, { skipped: changed });
  else io.out(`${countText(changed)} skipped\n`);
}

/** @returns the events changed. With `--all`: every one that is parked. */
async function change(
  io: Io,
  options: ChangeOptions,
  ids: readonly string[],
  one: (client: AdminClient, id: string) => Promise<unknown>,
): Promise<readonly string[]> {
  if ((options.all === true) === ids.length > 0) throw new Fault("invalid", "give the names of parked events, such as l7, or --all");
  return ask(io, options, async (client) => {
    const chosen = options.all === true ? (await gather(client, Infinity)).events.map(({ id }) => id) : ids;
    for (const id of chosen) await one(client, id);
    return chosen;
  });
}

function countText(ids: readonly string[]): string {
  return ids.length === 1 ? `event ${ids[0]} is` : `${ids.length} events are`;
}

/** `mecha events publish` */
export async function eventsPublish(io: Io, options: PublishOptions, topic: string, data: string): Promise<void> {
  const { type, source, subject, contentType: datacontenttype, id = uuid(io.random) } = options;
  const json = /^application\/json$|\+json$/u.test(datacontenttype);
  const event = {
    specversion: "1.0",
    id,
    source,
    type,
    datacontenttype,
    data: json ? parsed(data) : data,
    ...(subject !== undefined && { subject }),
  };
  const answer = await ask(io, options, (client) => client.publish(topic, JSON.stringify(event)));
  if (options.output === "json") printJson(io, { id, ...answer });
  else io.out(answer.published === 1 ? `published ${id}\n` : `${id} of ${source} is in the topic already\n`);
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch (cause) {
    throw new Fault("invalid", "the data is no JSON; give JSON, or say what it is with --content-type", { cause });
  }
}
