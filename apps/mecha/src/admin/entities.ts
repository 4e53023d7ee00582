/** Entities as the admin API shows them: the store's records, read through handles of their own, with the engine's live figures beside them. */
import { createRegistry } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import {
  type ActiveEntity,
  type EntityListing,
  eventsMax,
  listMax,
  type Payload,
  type StateEngine,
  type Store,
  type StoredEvent,
} from "@mecha/state";
import { anyToJson, type DescriptorSet } from "@mecha/wire";
import { crdtJson } from "./crdts.ts";
import type { EntityDetailJson, EntityJson, EntityPageJson, EventJson, HistoryJson, PayloadJson } from "./model.ts";

/** What entities are read from. */
export interface EntitySource {
  readonly store: Store;
  readonly engine: StateEngine;
  /** Types of a service's function; `undefined` while no function serves it. */
  readonly descriptors: (service: string) => DescriptorSet | undefined;
  /** Name of the function that serves the service now. */
  readonly owner?: (service: string) => string | undefined;
}

/** Listings one search looks at before it answers with what it found and a `next` to go on: about 50 ms of SQLite. */
export const searchScanMax = 20_000;
/** Active entities looked at for live figures; the engine keeps at most 50,000. */
const activeMax = 50_000;
/** Largest page of entities or events. */
export const pageMax = 500;

/** Lists entities, those whose id contains `search` when one is given. */
export async function listEntities(
  source: EntitySource,
  query: { readonly service?: string; readonly search?: string; readonly after?: string; readonly limit: number },
): Promise<EntityPageJson> {
  const live = liveFigures(source);
  const found: EntityJson[] = [];
  let after = query.after === undefined ? undefined : cursorOf(query.after);
  for (let scanned = 0; scanned < searchScanMax;) {
    const limit = query.search === undefined ? Math.min(listMax, query.limit - found.length + 1) : listMax;
    const page = await source.store.list({
      limit,
      ...(query.service !== undefined && { service: query.service }),
      ...(after && { after }),
    });
    for (const listing of page) {
      if (query.search !== undefined && !listing.address.entityId.includes(query.search)) {
        after = listing.address;
        continue;
      }
      if (found.length === query.limit) return { entities: found, ...(after && { next: cursorText(after) }) };
      found.push(entityJson(listing, live));
      after = listing.address;
    }
    if (page.length < limit) return { entities: found };
    scanned += page.length;
  }
  return { entities: found, ...(after && { next: cursorText(after) }) };
}

/** @throws Fault("notFound") */
export async function entityDetail(source: EntitySource, service: string, id: string): Promise<EntityDetailJson> {
  const listing = await findEntity(source, service, id);
  const { address, kind } = listing;
  const record = await source.store.open(address, kind);
  source.store.release(record.handle);
  const decode = decoder(source.descriptors(service));
  return {
    ...entityJson({ ...listing, sequence: record.sequence }, liveFigures(source)),
    ...(record.snapshot && { snapshot: { sequence: record.snapshot.sequence, payload: decode(record.snapshot.payload) } }),
    ...(record.value && { value: decode(record.value) }),
    ...(kind === "crdt" && { crdt: crdtJson(record, decode) }),
  };
}

/** A page of an entity's events: behind `after`, or else the newest before `before`. @throws Fault("notFound") */
export async function entityHistory(
  source: EntitySource,
  query: { readonly service: string; readonly id: string; readonly after?: number; readonly before?: number; readonly limit: number },
): Promise<HistoryJson> {
  const { address, kind } = await findEntity(source, query.service, query.id);
  if (kind !== "eventSourced") return { events: [] };
  const { handle, sequence } = await source.store.open(address, kind);
  try {
    const end = Math.min(query.before ?? Infinity, sequence + 1);
    const start = query.after ?? Math.max(0, end - 1 - query.limit);
    const last = Math.min(end - 1, start + query.limit);
    const events = await readEvents(source.store, { handle, after: start, last });
    const decode = decoder(source.descriptors(query.service));
    return {
      events: events.map((event) => eventJson(event, decode)),
      ...(start > 0 && { before: start + 1 }),
      ...(last < sequence && { after: last }),
    };
  } finally {
    source.store.release(handle);
  }
}

/** Events `after` < sequence ≤ `last`; the store pages by bytes too. */
async function readEvents(
  store: Store,
  range: { readonly handle: Parameters<Store["events"]>[0]; readonly after: number; readonly last: number },
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let after = range.after; after < range.last;) {
    const page = await store.events(range.handle, after, Math.min(eventsMax, range.last - after));
    const final = page.at(-1);
    if (!final) break;
    events.push(...page);
    after = final.sequence;
  }
  return events;
}

/** The record of (service, id). The persistence id comes from the component; for a service nobody serves now, from a search of the store. */
async function findEntity(source: EntitySource, service: string, id: string): Promise<EntityListing> {
  const component = source.engine.component(service);
  if (component?.kind === "action") throw new Fault("invalid", `${service} is an action; actions have no entities`);
  if (component) {
    const address = { namespace: "default", service, persistenceId: component.persistenceId, entityId: id };
    const record = await source.store.open(address, component.kind);
    source.store.release(record.handle);
    if (record.sequence > 0)
      return {
        address,
        kind: component.kind,
        sequence: record.sequence,
        ...(record.snapshot && { snapshotSequence: record.snapshot.sequence }),
      };
    throw new Fault("notFound", `nothing is stored for ${service} ${JSON.stringify(id)}; \`mecha entities list\` shows what is`);
  }
  for (let after: EntityListing["address"] | undefined, scanned = 0; scanned < searchScanMax; scanned += listMax) {
    const page = await source.store.list({ service, limit: listMax, ...(after && { after }) });
    const found = page.find((listing) => listing.address.entityId === id);
    if (found) return found;
    after = page.at(-1)?.address;
    if (page.length < listMax) break;
  }
  throw new Fault("notFound", `nothing is stored for ${service} ${JSON.stringify(id)}, and no function serves that service now`);
}

/** What is known of entities beside what is stored. */
interface Now {
  readonly active: ReadonlyMap<string, ActiveEntity>;
  readonly owner: EntitySource["owner"];
}

function liveFigures({ engine, owner }: EntitySource): Now {
  return { active: new Map(engine.active(activeMax).map((entity) => [`${entity.service}\0${entity.entityId}`, entity])), owner };
}

function entityJson(listing: EntityListing, now: Now): EntityJson {
  const { namespace, service, persistenceId, entityId: id } = listing.address;
  const active = now.active.get(`${service}\0${id}`);
  const owner = now.owner?.(service);
  return {
    namespace,
    service,
    persistenceId,
    id,
    kind: listing.kind,
    sequence: listing.sequence,
    ...(listing.snapshotSequence !== undefined && { snapshotSequence: listing.snapshotSequence }),
    ...(owner !== undefined && { owner }),
    ...(active && { live: { phase: active.phase, queued: active.queued } }),
  };
}

function eventJson(event: StoredEvent, decode: (payload: Payload) => PayloadJson): EventJson {
  return {
    sequence: event.sequence,
    time: new Date(event.timeMs).toISOString(),
    cause: event.cause,
    ...(event.commandId !== undefined && { commandId: event.commandId }),
    ...(event.trace !== undefined && { trace: event.trace }),
    payload: decode(event.payload),
  };
}

function decoder(descriptors: DescriptorSet | undefined): (payload: Payload) => PayloadJson {
  const registry = descriptors?.registry ?? createRegistry();
  return (payload) => anyToJson(payload, registry);
}

/** A cursor is the last address, so that it stays right while entities come and go. */
function cursorText(address: EntityListing["address"]): string {
  return Buffer.from(JSON.stringify([address.service, address.entityId, address.persistenceId, address.namespace])).toString("base64url");
}

function cursorOf(text: string): EntityListing["address"] {
  try {
    const [service, entityId, persistenceId, namespace, ...rest] = JSON.parse(Buffer.from(text, "base64url").toString()) as unknown[];
    if (rest.length === 0 && [service, entityId, persistenceId, namespace].every((part) => typeof part === "string"))
      return { service, entityId, persistenceId, namespace } as EntityListing["address"];
  } catch {
    // falls through to the one message
  }
  throw new Fault("invalid", "`after` is not a `next` of an earlier page");
}
