/**
 * The reference store: what the Store port means, in the fewest lines. Nothing survives the object. For tests, and for functions whose state
 * may be lost.
 *
 * M1 `commit` decides and applies without yielding, so call order is apply order (S2) and every read sees it (S6)
 * M2 entities are found by a key of four parts joined with NUL, which no part may hold (E1), so two addresses never share one
 */
export { openMemoryObjectLog } from "./object-log.ts";
import { assert, Fault } from "@mecha/kit";
import {
  checkAddress,
  type DeduplicationRecord,
  type EntityAddress,
  type EntityHandle,
  type EntityListing,
  type EntityRecord,
  eventsMax,
  eventsPageBytes,
  type FedStore,
  knownKeysBytes,
  type KnownKeys,
  knownKeysMax,
  listMax,
  noEntity,
  type OutboxChange,
  type OutboxQuery,
  type OutboxRow,
  type Payload,
  type ReplicaChange,
  type ReplicaId,
  type ReplicaRow,
  rowsMax,
  type Step,
  type Store,
  type StoredEvent,
  type TimerChange,
  type TimerQuery,
  type TimerRow,
  type Verdict,
} from "@mecha/state/store";
import { MemoryFeed } from "./feed.ts";

export { openMemoryTopics } from "./topics.ts";

type Kind = EntityListing["kind"];

interface Entity {
  readonly address: EntityAddress;
  readonly kind: Kind;
  readonly events: StoredEvent[];
  sequence: number;
  snapshot: { readonly sequence: number; readonly payload: Payload } | undefined;
  value: Payload | undefined;
  /** Rows of a CRDT by node and incarnation. */
  replicas: Map<string, ReplicaRow> | "deleted";
  /** In the order they were recorded. */
  readonly keys: Map<string, DeduplicationRecord>;
  readonly timers: Map<string, TimerRow>;
  /** False until the first committed change: until then it is not listed, and forgotten with its last handle. */
  stored: boolean;
  handles: number;
}

/** Opens an empty store. It never rejects with `dataLoss`, and its verdicts are `committed` or `conflict`. */
export function openMemoryStore(): FedStore {
  return new MemoryStore();
}

class MemoryStore implements FedStore {
  readonly feed = new MemoryFeed(() => this.#closed);
  readonly #byKey = new Map<string, Entity>();
  readonly #open = new Map<EntityHandle, Entity>();
  /** Handles through which a step failed (S3). */
  readonly #lost = new Set<EntityHandle>();
  readonly #outbox = new Map<number, OutboxRow>();
  #handles = 0;
  #outboxIds = 0;
  #timerIds = 0;
  #closed = false;

  async open(address: EntityAddress, kind: Kind, nowMs = 0): Promise<EntityRecord> {
    this.#mustBeOpen();
    checkAddress(address);
    const key = keyOf(address);
    let entity = this.#byKey.get(key);
    if (!entity) this.#byKey.set(key, (entity = newEntity(address, kind)));
    if (entity.kind !== kind) throw wrongKind(address, entity.kind, kind);
    const handle = ++this.#handles as EntityHandle;
    this.#open.set(handle, entity);
    entity.handles++;
    return record(handle, entity, nowMs);
  }

  /** Verdicts are certain and nobody else is there. */
  readBack(address: EntityAddress, kind: Kind, nowMs?: number): Promise<EntityRecord> {
    return this.open(address, kind, nowMs);
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
    for (const step of steps) checkStep(step, step.entity === noEntity ? undefined : this.#entity(step.entity).kind);
    return steps.map((step) => this.#carryOut(step)); // keeps M1
  }

  #carryOut(step: Step): Verdict {
    const entity = step.entity === noEntity ? undefined : this.#entity(step.entity);
    const verdict = this.#judge(step, entity);
    if (verdict.is !== "committed") this.#lost.add(step.entity); // keeps S3
    return verdict;
  }

  #judge(step: Step, entity: Entity | undefined): Verdict {
    const known = step.deduplication && entity?.keys.get(step.deduplication.key);
    if (known && known.expiresMs > step.timeMs) return { is: "duplicate", record: copyRecord(known) }; // keeps S8
    const sequence = entity?.sequence ?? 0;
    if (this.#lost.has(step.entity) || step.expectedSequence !== sequence) return { is: "conflict", actualSequence: sequence };
    if (entity) {
      apply(entity, step);
      this.#publish(entity, step);
      for (const change of step.timers ?? []) this.#changeTimer(entity, change);
    }
    const outboxId = this.#outboxIds + 1;
    for (const message of step.outbox ?? []) {
      const row = { ...copyMessage(message), id: ++this.#outboxIds, timeMs: step.timeMs, state: "waiting", attempts: 0, dueMs: 0 } as const;
      this.#outbox.set(row.id, entity ? { ...row, source: entity.address } : row);
    }
    return step.outbox?.length ? { is: "committed", outboxId } : { is: "committed" };
  }

  /** What subscribers will see of a step. */
  #publish({ address, sequence }: Entity, { events, timeMs, trace }: Step): void {
    const { entityId, persistenceId } = address;
    for (const [at, payload] of events.entries())
      this.feed.append(persistenceId, {
        ...{ entityId, sequence: sequence - events.length + 1 + at, payload: copy(payload), timeMs },
        ...(trace !== undefined && { trace }),
      });
  }

  #changeTimer(entity: Entity, change: TimerChange): void {
    const { name } = change;
    const before = entity.timers.get(name);
    if (change.do === "set") {
      const { do: _, ...timer } = change;
      const { address, kind } = entity;
      entity.timers.set(name, { ...copyMessage(timer), address, kind, id: before?.id ?? ++this.#timerIds, firings: 0 });
    } else if (change.do === "cancel") entity.timers.delete(name);
    else if (before?.dueMs === change.dueMs) {
      const after = movedOn(before, change);
      if (after) entity.timers.set(name, after);
      else entity.timers.delete(name);
    }
  }

  release(handle: EntityHandle): void {
    const entity = this.#open.get(handle);
    if (!entity) return;
    this.#open.delete(handle);
    this.#lost.delete(handle);
    if (--entity.handles === 0 && !entity.stored) this.#byKey.delete(keyOf(entity.address));
  }

  async list(query: Parameters<Store["list"]>[0]): Promise<readonly EntityListing[]> {
    this.#mustBeOpen();
    assert(query.limit >= 1 && query.limit <= listMax, `limit ${query.limit} of list is not 1 to ${listMax}`);
    const after = query.after && sortKey(query.after);
    return [...this.#byKey.values()]
      .filter((entity) => entity.stored && !(entity.kind === "value" && !entity.value) && entity.replicas !== "deleted")
      .filter((entity) => query.service === undefined || entity.address.service === query.service)
      .map((entity) => ({ entity, key: sortKey(entity.address) }))
      .filter(({ key }) => !after || comparePrefix(key, after) > 0)
      .sort((a, b) => comparePrefix(a.key, b.key))
      .slice(0, query.limit)
      .map(({ entity }) => listing(entity));
  }

  async outbox({ state, lane, afterId = 0, limit }: OutboxQuery): Promise<readonly OutboxRow[]> {
    this.#mustBeOpen();
    checkLimit("outbox", limit);
    const page: OutboxRow[] = [];
    let bytes = 0;
    for (const row of this.#outbox.values()) {
      if (row.id <= afterId || row.state !== state || (lane && laneOf(row) !== laneOf(lane))) continue;
      bytes += row.payload.value.length;
      if (page.length === limit || (page.length > 0 && bytes > eventsPageBytes)) break;
      page.push(copyMessage(row));
    }
    return page;
  }

  settle(changes: readonly OutboxChange[]): void {
    if (this.#closed) return;
    for (const change of changes) {
      const row = this.#outbox.get(change.id);
      if (!row) continue;
      if (change.to === "removed") {
        this.#outbox.delete(change.id);
        continue;
      }
      const { failure: _, ...kept } = row;
      const { attempts, failure } = change;
      const dueMs = change.to === "waiting" ? change.dueMs : 0;
      this.#outbox.set(change.id, { ...kept, state: change.to, attempts, dueMs, ...(failure !== undefined && { failure }) });
    }
  }

  async timersDue(nowMs: number, limit: number, after?: Pick<TimerRow, "dueMs" | "id">): Promise<readonly TimerRow[]> {
    this.#mustBeOpen();
    checkLimit("timersDue", limit);
    return this.#timers()
      .filter((timer) => !timer.parked && timer.dueMs <= nowMs && (!after || compareDue(timer, after) > 0))
      .sort(compareDue)
      .slice(0, limit)
      .map(copyMessage);
  }

  async timers({ service, entityId, afterId = 0, limit }: TimerQuery): Promise<readonly TimerRow[]> {
    this.#mustBeOpen();
    checkLimit("timers", limit);
    return this.#timers()
      .filter(
        ({ id, address }) =>
          id > afterId &&
          (service === undefined || address.service === service) &&
          (entityId === undefined || address.entityId === entityId),
      )
      .sort((a, b) => a.id - b.id)
      .slice(0, limit)
      .map(copyMessage);
  }

  async sweep(nowMs: number, limit: number): Promise<number> {
    this.#mustBeOpen();
    checkLimit("sweep", limit);
    let swept = 0;
    for (const { keys } of this.#byKey.values()) {
      for (const [key, { expiresMs }] of keys) {
        if (swept === limit || expiresMs > nowMs) break;
        keys.delete(key);
        swept++;
      }
    }
    return swept;
  }

  #timers(): TimerRow[] {
    return [...this.#byKey.values()].flatMap(({ timers }) => [...timers.values()]);
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
  const nothing = {
    events: [],
    sequence: 0,
    snapshot: undefined,
    value: undefined,
    replicas: new Map(),
    keys: new Map(),
    timers: new Map(),
  };
  return { address, kind, ...nothing, stored: false, handles: 0 };
}

function record(handle: EntityHandle, entity: Entity, nowMs: number): EntityRecord {
  const keys = knownKeys(entity, nowMs);
  return {
    handle,
    sequence: entity.sequence,
    ...(entity.snapshot && { snapshot: { sequence: entity.snapshot.sequence, payload: copy(entity.snapshot.payload) } }),
    ...(entity.value && { value: copy(entity.value) }),
    ...(entity.replicas === "deleted" && { replicas: "deleted" as const }),
    ...(entity.replicas !== "deleted" && entity.replicas.size > 0 && { replicas: [...entity.replicas.values()].map(copyReplica) }),
    ...(keys && { keys }),
  };
}

function knownKeys(entity: Entity, nowMs: number): KnownKeys | undefined {
  const live = [...entity.keys.values()].filter(({ expiresMs }) => expiresMs > nowMs).reverse();
  if (live.length === 0) return undefined;
  let bytes = 0;
  const fits = live.findIndex(({ answer }, at) => at === knownKeysMax || (bytes += answer.length) > knownKeysBytes);
  const newest = fits < 0 ? live : live.slice(0, fits);
  return { records: newest.reverse().map(copyRecord), complete: fits < 0 };
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

function checkLimit(what: string, limit: number): void {
  assert(limit >= 1 && limit <= rowsMax, `limit ${limit} of ${what} is not 1 to ${rowsMax}`);
}

function checkStep(step: Step, kind: Kind | undefined): void {
  if (!kind) {
    const bare = step.events.length === 0 && !step.snapshot && !step.value && !step.replicas && !step.deduplication && !step.timers;
    assert(bare && step.expectedSequence === 0, "a step of no entity has only an outbox");
    return;
  }
  const logs = step.events.length > 0 || step.snapshot !== undefined;
  const fits = (kind === "eventSourced" || !logs) && (kind === "value" || !step.value) && (kind === "crdt" || !step.replicas);
  assert(fits, `a step of a ${kind} entity changes what only another kind has`);
}

function apply(entity: Entity, step: Step): void {
  for (const payload of step.events) entity.events.push(stored(step, ++entity.sequence, payload));
  if (step.snapshot) entity.snapshot = { sequence: entity.sequence, payload: copy(step.snapshot) };
  if (step.value) {
    entity.sequence++;
    entity.value = step.value.do === "update" ? copy(step.value.value) : undefined;
  }
  if (step.replicas) {
    entity.sequence++;
    entity.replicas = replicasAfter(entity.replicas, step.replicas);
  }
  if (step.deduplication) {
    entity.keys.delete(step.deduplication.key); // an expired one, so that the new one is the newest
    entity.keys.set(step.deduplication.key, copyRecord(step.deduplication));
  }
  entity.stored ||= changes(step);
}

function changes({ events, snapshot, value, replicas, deduplication, outbox, timers }: Step): boolean {
  return events.length > 0 || !!snapshot || !!value || !!replicas || !!deduplication || !!outbox?.length || !!timers?.length;
}

function replicasAfter(before: Entity["replicas"], change: ReplicaChange): Entity["replicas"] {
  if (before === "deleted" || change.do === "delete") return "deleted";
  for (const row of change.rows) before.set(replicaKey(row.replica), copyReplica(row));
  for (const replica of change.gone) before.delete(replicaKey(replica));
  return before;
}

function replicaKey({ node, incarnation }: ReplicaId): string {
  return `${node}\0${incarnation}`;
}

function copyReplica({ replica, state }: ReplicaRow): ReplicaRow {
  return { replica, state: state.slice() };
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

function copyRecord(record: DeduplicationRecord): DeduplicationRecord {
  return { ...record, payloadHash: record.payloadHash.slice(), answer: record.answer.slice() };
}

/** Copies what has a payload and perhaps metadata. */
function copyMessage<T extends { readonly payload: Payload; readonly metadata?: OutboxRow["metadata"] }>(message: T): T {
  const { payload, metadata } = message;
  const copied = metadata?.map(([key, value]) => [key, typeof value === "string" ? value : value.slice()] as const);
  return { ...message, payload: copy(payload), ...(copied && { metadata: copied }) };
}

function laneOf({ source, service, entityId }: NonNullable<OutboxQuery["lane"]>): string {
  return [source ? keyOf(source) : "", service, entityId ?? ""].join("\0\0");
}

/** `undefined`: it was the last time. */
function movedOn({ failure: _, ...before }: TimerRow, change: Extract<TimerChange, { do: "fired" | "failed" }>): TimerRow | undefined {
  const next = change.nextDueMs === undefined ? undefined : { ...before, dueMs: change.nextDueMs, firings: before.firings + 1 };
  if (change.do === "fired") return next;
  return next ? { ...next, failure: change.failure } : { ...before, failure: change.failure, parked: true };
}

function compareDue(a: Pick<TimerRow, "dueMs" | "id">, b: Pick<TimerRow, "dueMs" | "id">): number {
  return a.dueMs - b.dueMs || a.id - b.id;
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
