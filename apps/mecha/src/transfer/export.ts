/**
 * What is stored, as lines of an export. Read a page at a time, so memory does not grow with the store.
 *
 * X1 an entity's timers stand in its last record, because they are stored with it: a record that is there has its timers (import.ts, I3)
 * X2 of one entity, record and timers are of the same moment: it is read again while it changed in between, a few times
 * X3 the export as a whole is not of one moment; entities change while others are read. `mecha backup` is
 */
import { createRegistry } from "@bufbuild/protobuf";
import {
  type EntityListing,
  type EntityRecord,
  joinedState,
  listMax,
  type Payload,
  rowsMax,
  type Store,
  type StoredEvent,
  type TimerRow,
} from "@mecha/state";
import { anyToExactJson } from "@mecha/wire";
import type { EntitySource } from "../admin/entities.ts";
import { exportVersion, type FileEntity, type FileLine, fileMetadata, type FilePayload, type FileRecord, type FileTimer } from "./line.ts";

/** What to export. */
export interface ExportQuery {
  readonly service?: string;
  /** Payloads as bytes throughout: for a place whose functions do not know the types. */
  readonly base64: boolean;
}

/** Events read at once; the store ends a page at about 1 MiB too. */
const pageEvents = 512;
/** Attempts to see an entity and its timers at one moment (X2). */
const steadyAttemptsMax = 5;

/** The lines, in (service, id) order: start, records, end. */
export async function* exportLines(
  source: Pick<EntitySource, "store" | "descriptors">,
  query: ExportQuery,
  start: { readonly project: string; readonly time: string },
): AsyncGenerator<FileLine> {
  yield { record: "export", version: exportVersion, ...start };
  let records = 0;
  for await (const record of recordsOf(source, query)) {
    records++;
    yield record;
  }
  yield { record: "end", records };
}

async function* recordsOf(source: Pick<EntitySource, "store" | "descriptors">, query: ExportQuery): AsyncGenerator<FileRecord> {
  const writer = new PayloadWriter(source, query.base64);
  for await (const listing of listings(source.store, query.service)) yield* entityRecords(source.store, listing, writer);
  yield* timersAlone(source.store, query.service, writer);
}

async function* listings(store: Store, service: string | undefined): AsyncGenerator<EntityListing> {
  for (let after: EntityListing["address"] | undefined; ;) {
    const page = await store.list({ limit: listMax, ...(service !== undefined && { service }), ...(after && { after }) });
    yield* page;
    after = page.at(-1)?.address;
    if (page.length < listMax) return;
  }
}

async function* entityRecords(store: Store, listing: EntityListing, writer: PayloadWriter): AsyncGenerator<FileRecord> {
  const { address, kind } = listing;
  const { record, timers } = await steady(store, listing);
  try {
    const payload = (given: Payload): FilePayload => writer.write(address.service, given);
    const entity = fileEntity(address);
    const last = timers.length > 0 ? { timers: timers.map((timer) => fileTimer(timer, payload)) } : {};
    if (kind === "eventSourced") yield* eventRecords(store, record, { entity, last, payload });
    else if (kind === "value" && record.value)
      yield { record: "value", ...entity, version: record.sequence, payload: payload(record.value), ...last }; // prettier-ignore
    else if (Array.isArray(record.replicas)) {
      const state = joinedState(record.replicas);
      if (state) yield { record: "crdt", ...entity, state: Buffer.from(state).toString("base64"), ...last };
    }
  } finally {
    store.release(record.handle);
  }
}

/** keeps X2 */
async function steady(store: Store, { address, kind }: EntityListing): Promise<{ record: EntityRecord; timers: readonly TimerRow[] }> {
  for (let attempt = 1; ; attempt++) {
    const record = await store.open(address, kind);
    const timers = await timersOf(store, address);
    const again = await store.open(address, kind);
    store.release(again.handle);
    if (again.sequence === record.sequence || attempt === steadyAttemptsMax) return { record, timers };
    store.release(record.handle);
  }
}

async function timersOf(store: Store, address: EntityListing["address"]): Promise<readonly TimerRow[]> {
  const found: TimerRow[] = [];
  for (let afterId = 0; ;) {
    const page = await store.timers({ service: address.service, entityId: address.entityId, afterId, limit: rowsMax });
    found.push(...page.filter((row) => row.address.persistenceId === address.persistenceId && row.address.namespace === address.namespace));
    afterId = page.at(-1)?.id ?? 0;
    if (page.length < rowsMax) return found;
  }
}

interface Writing {
  readonly entity: FileEntity;
  /** What goes into the last record (X1). */
  readonly last: { readonly timers?: readonly FileTimer[] };
  readonly payload: (payload: Payload) => FilePayload;
}

async function* eventRecords(store: Store, { handle, sequence, snapshot }: EntityRecord, writing: Writing): AsyncGenerator<FileRecord> {
  for (let after = 0; after < sequence;) {
    const page = await store.events(handle, after, Math.min(pageEvents, sequence - after));
    const final = page.at(-1);
    if (!final) return;
    for (const event of page) {
      const here = snapshot?.sequence === event.sequence ? { snapshot: writing.payload(snapshot.payload) } : {};
      yield { ...eventRecord(event, writing), ...here, ...(event.sequence === sequence && writing.last) };
    }
    after = final.sequence;
  }
}

function eventRecord({ sequence, timeMs, cause, commandId, trace, payload }: StoredEvent, writing: Writing): FileRecord {
  return {
    record: "event",
    ...writing.entity,
    sequence,
    time: new Date(timeMs).toISOString(),
    cause,
    ...(commandId !== undefined && { commandId }),
    ...(trace !== undefined && { trace }),
    payload: writing.payload(payload),
  };
}

/** Timers of entities that no listing shows: nothing else of them is stored, or they were deleted. */
async function* timersAlone(store: Store, service: string | undefined, writer: PayloadWriter): AsyncGenerator<FileRecord> {
  for (let afterId = 0; ;) {
    const page = await store.timers({ afterId, limit: rowsMax, ...(service !== undefined && { service }) });
    for (const row of page) {
      if (await isListed(store, row)) continue;
      const timer = fileTimer(row, (payload) => writer.write(row.address.service, payload));
      yield { record: "timers", ...fileEntity(row.address), kind: row.kind, timers: [timer] };
    }
    afterId = page.at(-1)?.id ?? 0;
    if (page.length < rowsMax) return;
  }
}

async function isListed(store: Store, { address, kind }: TimerRow): Promise<boolean> {
  const record = await store.open(address, kind);
  store.release(record.handle);
  return record.sequence > 0 && (kind === "eventSourced" || record.value !== undefined || Array.isArray(record.replicas));
}

function fileEntity({ namespace, service, persistenceId, entityId }: EntityListing["address"]): FileEntity {
  return { ...(namespace !== "default" && { namespace }), service, persistenceId, id: entityId };
}

function fileTimer(row: TimerRow, write: (payload: Payload) => FilePayload): FileTimer {
  const { name, dueMs, schedule, command, payload, metadata, parked, failure = "" } = row;
  return {
    name,
    due: new Date(dueMs).toISOString(),
    schedule,
    command,
    payload: write(payload),
    ...(parked && { parked: failure }),
    ...(metadata && { metadata: fileMetadata(metadata) }),
  };
}

class PayloadWriter {
  readonly #source: Pick<EntitySource, "descriptors">;
  readonly #base64: boolean;
  readonly #none = createRegistry();

  constructor(source: Pick<EntitySource, "descriptors">, base64: boolean) {
    this.#source = source;
    this.#base64 = base64;
  }

  write(service: string, payload: Payload): FilePayload {
    const registry = this.#source.descriptors(service)?.registry ?? this.#none;
    const json = this.#base64 ? undefined : anyToExactJson(payload, registry);
    const type = payload.typeUrl;
    return json === undefined ? { type, base64: Buffer.from(payload.value).toString("base64") } : { type, json };
  }
}
