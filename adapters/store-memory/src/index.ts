/**
 * The reference store: what the Store port means, in the fewest lines. Nothing survives the object. For tests, and for functions whose state
 * may be lost.
 *
 * M1 `commit` decides and applies without yielding, so call order is apply order (S2) and every read sees it (S6)
 * M2 entities are found by a key of four parts joined with NUL, which no part may hold (E1), so two addresses never share one
 */
import { assert, Fault } from "@mecha/kit";
import {
  checkAddress,
  type EntityAddress,
  type EntityHandle,
  type EntityListing,
  type EntityRecord,
  eventsMax,
  eventsPageBytes,
  listMax,
  type Payload,
  type Step,
  type Store,
  type StoredEvent,
  type Verdict,
} from "@mecha/state/store";

type Kind = EntityListing["kind"];

interface Entity {
  readonly address: EntityAddress;
  readonly kind: Kind;
  readonly events: StoredEvent[];
  sequence: number;
  snapshot: { readonly sequence: number; readonly payload: Payload } | undefined;
  value: Payload | undefined;
  /** False until the first committed change: until then it is not listed, and forgotten with its last handle. */
  stored: boolean;
  handles: number;
}

/** Opens an empty store. It never rejects with `dataLoss`, and its verdicts are `committed` or `conflict`. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly #byKey = new Map<string, Entity>();
  readonly #open = new Map<EntityHandle, Entity>();
  #handles = 0;
  #closed = false;

  async open(address: EntityAddress, kind: Kind): Promise<EntityRecord> {
    this.#mustBeOpen();
    checkAddress(address);
    const key = keyOf(address);
    let entity = this.#byKey.get(key);
    if (!entity) this.#byKey.set(key, (entity = newEntity(address, kind)));
    if (entity.kind !== kind) throw wrongKind(address, entity.kind, kind);
    const handle = ++this.#handles as EntityHandle;
    this.#open.set(handle, entity);
    entity.handles++;
    return record(handle, entity);
  }

  async events(handle: EntityHandle, afterSequence: number, limit: number): Promise<readonly StoredEvent[]> {
    this.#mustBeOpen();
    assert(limit >= 1 && limit <= eventsMax, `limit ${limit} of events is not 1 to ${eventsMax}`);
    const page: StoredEvent[] = [];
    let bytes = 0;
    for (const event of this.#entity(handle).events.slice(afterSequence, afterSequence + limit)) {
      bytes += event.payload.value.length;
      if (page.length > 0 && bytes > eventsPageBytes) break;
      page.push({ ...event, payload: copy(event.payload) });
    }
    return page;
  }

  async commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    this.#mustBeOpen();
    for (const step of steps) checkStep(step, this.#entity(step.entity).kind);
    return steps.map((step) => apply(this.#entity(step.entity), step)); // keeps M1
  }

  release(handle: EntityHandle): void {
    const entity = this.#open.get(handle);
    if (!entity) return;
    this.#open.delete(handle);
    if (--entity.handles === 0 && !entity.stored) this.#byKey.delete(keyOf(entity.address));
  }

  async list(query: Parameters<Store["list"]>[0]): Promise<readonly EntityListing[]> {
    this.#mustBeOpen();
    assert(query.limit >= 1 && query.limit <= listMax, `limit ${query.limit} of list is not 1 to ${listMax}`);
    const after = query.after && sortKey(query.after);
    return [...this.#byKey.values()]
      .filter((entity) => entity.stored && !(entity.kind === "value" && !entity.value))
      .filter((entity) => query.service === undefined || entity.address.service === query.service)
      .map((entity) => ({ entity, key: sortKey(entity.address) }))
      .filter(({ key }) => !after || comparePrefix(key, after) > 0)
      .sort((a, b) => comparePrefix(a.key, b.key))
      .slice(0, query.limit)
      .map(({ entity }) => listing(entity));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Fault("unavailable", "the store is closed");
  }

  #entity(handle: EntityHandle): Entity {
    const entity = this.#open.get(handle);
    assert(entity, `entity handle ${handle} is not open`);
    return entity;
  }
}

function keyOf(address: EntityAddress): string {
  return [address.service, address.entityId, address.persistenceId, address.namespace].join("\0"); // keeps M2
}

function newEntity(address: EntityAddress, kind: Kind): Entity {
  return { address, kind, events: [], sequence: 0, snapshot: undefined, value: undefined, stored: false, handles: 0 };
}

function record(handle: EntityHandle, entity: Entity): EntityRecord {
  return {
    handle,
    sequence: entity.sequence,
    ...(entity.snapshot && { snapshot: { sequence: entity.snapshot.sequence, payload: copy(entity.snapshot.payload) } }),
    ...(entity.value && { value: copy(entity.value) }),
  };
}

function listing(entity: Entity): EntityListing {
  return {
    address: entity.address,
    kind: entity.kind,
    sequence: entity.sequence,
    ...(entity.snapshot && { snapshotSequence: entity.snapshot.sequence }),
  };
}

function wrongKind(address: EntityAddress, stored: Kind, asked: Kind): Fault {
  const entity = `${address.service}/${address.entityId}`;
  return new Fault("precondition", `open ${entity}: it is stored as ${stored}, not ${asked}; give the new kind another persistence id`);
}

function checkStep(step: Step, kind: Kind): void {
  const fits = kind === "value" ? step.events.length === 0 && !step.snapshot : !step.value;
  assert(fits, `a step of a ${kind} entity changes what only the other kind has`);
}

function apply(entity: Entity, step: Step): Verdict {
  if (step.expectedSequence !== entity.sequence) return { is: "conflict", actualSequence: entity.sequence }; // keeps S3
  for (const payload of step.events) entity.events.push(stored(step, ++entity.sequence, payload));
  if (step.snapshot) entity.snapshot = { sequence: entity.sequence, payload: copy(step.snapshot) };
  if (step.value) {
    entity.sequence++;
    entity.value = step.value.do === "update" ? copy(step.value.value) : undefined;
  }
  entity.stored ||= step.events.length > 0 || !!step.snapshot || !!step.value;
  return { is: "committed" };
}

function stored(step: Step, sequence: number, payload: Payload): StoredEvent {
  return {
    sequence,
    payload: copy(payload),
    timeMs: step.timeMs,
    cause: step.cause,
    ...(step.commandId !== undefined && { commandId: step.commandId }),
    ...(step.trace !== undefined && { trace: step.trace }),
  };
}

function copy(payload: Payload): Payload {
  return { typeUrl: payload.typeUrl, value: payload.value.slice() }; // keeps S7
}

type SortKey = readonly Uint8Array[];
const utf8 = new TextEncoder();

function sortKey(address: Pick<EntityAddress, "service" | "entityId"> & Partial<EntityAddress>): SortKey {
  const { service, entityId, persistenceId, namespace } = address;
  return [service, entityId, persistenceId, namespace].filter((part) => part !== undefined).map((part) => utf8.encode(part));
}

/** Compares as many parts as `b` has, so a shorter `b` equals everything it is a prefix of. */
function comparePrefix(a: SortKey, b: SortKey): number {
  for (const [at, part] of b.entries()) {
    const order = Buffer.compare(a[at] ?? new Uint8Array(), part);
    if (order !== 0) return order;
  }
  return 0;
}
