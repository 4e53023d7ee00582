import type { AdminClient } from "../admin/client.ts";
import type { CrdtJson, CrdtValueJson, EntityDetailJson, EntityJson, EventJson, PayloadJson } from "../admin/model.ts";
import { type Io, printable, table } from "../io.ts";
import { ask, type ClientOptions, printJson } from "./client-options.ts";

/** Entities and events asked for at once; the API's largest page. */
const pageMax = 500;

interface ListOptions extends ClientOptions {
  readonly service?: string;
  readonly search?: string;
  readonly limit: number;
}

/** `mecha entities list` */
export async function entityList(io: Io, options: ListOptions): Promise<void> {
  const { entities, more } = await ask(io, options, (client) => gather(client, options));
  if (options.output === "json") printJson(io, { entities, more });
  else io.out(printable(listText(entities, more)));
}

async function gather(client: AdminClient, options: ListOptions): Promise<{ readonly entities: EntityJson[]; readonly more: boolean }> {
  const entities: EntityJson[] = [];
  let after: string | undefined;
  do {
    const limit = String(Math.min(pageMax, options.limit - entities.length));
    const page = await client.entities({ service: options.service, search: options.search, limit, after });
    entities.push(...page.entities);
    after = page.next;
  } while (after !== undefined && entities.length < options.limit);
  return { entities, more: after !== undefined };
}

function listText(entities: readonly EntityJson[], more: boolean): string {
  if (entities.length === 0) return "nothing is stored yet; call a method of an entity, and it will be listed here\n";
  const rows = entities.map((e) => [
    e.service,
    e.id,
    kindText(e),
    String(e.sequence),
    e.owner ?? "–",
    e.live?.phase ?? "–",
    e.live ? String(e.live.queued) : "–",
  ]);
  const list = table([["SERVICE", "ID", "KIND", "SEQUENCE", "OWNER", "ACTIVE", "QUEUED"], ...rows]);
  return more ? `${list}more are stored; --limit shows more, --service and --search show fewer\n` : list;
}

/** `mecha entities get` */
export async function entityGet(io: Io, options: ClientOptions, service: string, id: string): Promise<void> {
  const entity = await ask(io, options, (client) => client.entity(service, id));
  if (options.output === "json") printJson(io, entity);
  else io.out(printable(detailText(entity)));
}

function detailText(entity: EntityDetailJson): string {
  const rows = [
    ["service", entity.service],
    ["id", entity.id],
    ["kind", kindText(entity)],
    [entity.kind === "value" ? "version" : "sequence", String(entity.sequence)],
    ["persistence id", entity.persistenceId],
    ["owner", entity.owner ?? "no function serves it now"],
    ["active", entity.live ? `${entity.live.phase}, ${entity.live.queued} queued` : "no"],
  ];
  if (entity.value) rows.push(["value", payloadText(entity.value)]);
  if (entity.crdt) rows.push(...crdtRows(entity.crdt));
  if (entity.snapshot) rows.push([`snapshot at ${entity.snapshot.sequence}`, payloadText(entity.snapshot.payload)]);
  return table(rows);
}

function crdtRows({ deleted, type, value, replicas }: CrdtJson): string[][] {
  if (deleted) return [["state", "deleted, for good"]];
  const rows = replicas.map(({ node, incarnation, bytes }) => [`replica ${node}`, `${incarnation}, ${bytes} bytes`]);
  return [["type", type ?? "nobody has changed it yet"], ...(value === undefined ? [] : [["value", crdtText(value)]]), ...rows];
}

function crdtText(value: CrdtValueJson): string {
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (!("length" in value)) return payloadText(value);
  if (value.length === 0) return "empty";
  return value.map((one) => ("key" in one ? `${payloadText(one.key)} → ${crdtText(one.value)}` : payloadText(one))).join(", ");
}

/** `mecha entities history` */
export async function entityHistoryCommand(
  io: Io,
  options: ClientOptions & { readonly limit: number; readonly at?: number; readonly command?: string; readonly input?: string },
  service: string,
  id: string,
): Promise<void> {
  if (options.at !== undefined) return entityPastCommand(io, { ...options, at: options.at }, service, id);
  const { kind, events } = await ask(io, options, async (client) => ({
    kind: (await client.entity(service, id)).kind,
    events: await newest(client, { service, id, limit: options.limit }),
  }));
  if (options.output === "json") printJson(io, { events });
  else if (kind !== "eventSourced")
    io.out(`a ${kind === "crdt" ? "CRDT" : "value entity"} keeps its value, not its history; see \`mecha entities get\`\n`);
  else io.out(printable(table([["SEQUENCE", "TIME", "COMMAND", "EVENT"], ...events.map(eventRow)])));
}

/** `mecha entities history --at SEQUENCE` */
async function entityPastCommand(
  io: Io,
  options: ClientOptions & { readonly at: number; readonly command?: string; readonly input?: string },
  service: string,
  id: string,
): Promise<void> {
  const past = await ask(io, options, (client) => client.past(service, id, options.at, { command: options.command, input: options.input }));
  if (options.output === "json") printJson(io, past);
  else io.out(printable(`${past.command} at ${past.sequence}: ${payloadText(past.answer)}\n`));
}

/** The newest `limit` events, ascending, gathered page by page from the end. */
async function newest(
  client: AdminClient,
  of: { readonly service: string; readonly id: string; readonly limit: number },
): Promise<EventJson[]> {
  const pages: (readonly EventJson[])[] = [];
  let gathered = 0;
  let before: number | undefined;
  do {
    const limit = String(Math.min(pageMax, of.limit - gathered));
    const page = await client.history(of.service, of.id, { limit, before: before === undefined ? undefined : String(before) });
    pages.unshift(page.events);
    gathered += page.events.length;
    before = page.before;
  } while (before !== undefined && gathered < of.limit);
  return pages.flat();
}

function eventRow(event: EventJson): string[] {
  return [
    String(event.sequence),
    event.time,
    event.commandId === undefined ? event.cause : `${event.cause} (${event.commandId})`,
    payloadText(event.payload),
  ];
}

function payloadText(payload: PayloadJson): string {
  if (payload.json !== undefined) return `${payload.type} ${JSON.stringify(payload.json)}`;
  return `${payload.type} ${payload.base64 ?? ""} (${payload.problem ?? "not decoded"})`;
}

function kindText({ kind }: EntityJson): string {
  return kind === "eventSourced" ? "event sourced" : kind === "crdt" ? "CRDT" : "value";
}
