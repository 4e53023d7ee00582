/** A store in memory whose answers a test holds back, changes or refuses. Only as strict as the engine's tests need; the contract's reference is store-memory. */
import { assert, type Fault } from "@mecha/kit";
import type { EntityAddress, Payload } from "../model.ts";
import type { EngineStore } from "../parts.ts";
import { laneKey } from "../outbox/lane.ts";
import {
  type DeduplicationRecord,
  type EntityHandle,
  type EntityRecord,
  type ReadBack,
  type KnownKeys,
  noEntity,
  type OutboxChange,
  type OutboxQuery,
  type OutboxRow,
  type Step,
  type StoredEvent,
  type TimerQuery,
  type TimerRow,
  type Verdict,
} from "../store.ts";
import { TimerRows } from "./timers.ts";

/** What is stored of one entity. */
export interface StoredEntity {
  readonly address: EntityAddress;
  readonly kind: "eventSourced" | "value";
  readonly events: StoredEvent[];
  sequence: number;
  snapshot: { readonly sequence: number; readonly payload: Payload } | undefined;
  value: Payload | undefined;
  /** In the order they were recorded. */
  readonly keys: Map<string, DeduplicationRecord>;
}

/** A commit the test holds back. */
export interface HeldGroup {
  readonly steps: readonly Step[];
  /** Applies the steps, in the order of the groups, and answers; `judge` may change or withhold verdicts. */
  answer(judge?: (step: Step) => Verdict | undefined): void;
  /** Applies nothing and rejects. */
  reject(cause: unknown): void;
}

/** See the file's header. */
export class ScriptedStore implements EngineStore {
  readonly entities = new Map<string, StoredEntity>();
  readonly timerRows = new TimerRows();
  /** Groups waiting for the test, while `holding`. */
  readonly held: HeldGroup[] = [];
  readonly groups: number[] = [];
  holding = false;
  /** Rejects `open` and `events` with this. */
  broken: Fault | undefined;
  /** Verdict for a step instead of applying it. */
  judge: ((step: Step) => Verdict | undefined) | undefined;
  opened = 0;
  /** What steps asked for and nobody has settled, by id. */
  readonly messages = new Map<number, OutboxRow>();
  /** Records an opened entity brings along; the rest only the store knows. */
  knownKeysMax = 1_000;
  /** Rejects `outbox` with this. */
  outboxBroken: Fault | undefined;
  #messageIds = 0;
  readonly #handles = new Map<EntityHandle, StoredEntity>();
  /** Handles through which a step failed (S3). */
  readonly #lost = new Set<EntityHandle>();
  #nextHandle = 1;
  #heldOpens: (() => void)[] | undefined;

  /** Handles not released. */
  get handles(): number {
    return this.#handles.size;
  }

  /** Texts of an entity's events. */
  texts(entityId: string): string[] {
    const decoder = new TextDecoder();
    for (const entity of this.entities.values()) {
      if (entity.address.entityId === entityId) return entity.events.map(({ payload }) => decoder.decode(payload.value));
    }
    return [];
  }

  /** From now on `open` waits for `releaseOpens`. */
  holdOpens(): void {
    this.#heldOpens ??= [];
  }
  releaseOpens(): void {
    const held = this.#heldOpens ?? [];
    this.#heldOpens = undefined;
    for (const open of held) open();
  }

  async open(address: EntityAddress, kind: "eventSourced" | "value"): Promise<EntityRecord> {
    this.opened++;
    const held = this.#heldOpens;
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve));
    if (this.broken !== undefined) throw this.broken;
    const entity = this.entity(address, kind);
    const handle = this.#nextHandle++ as EntityHandle;
    this.#handles.set(handle, entity);
    return {
      handle,
      sequence: entity.sequence,
      ...(entity.snapshot === undefined ? {} : { snapshot: entity.snapshot }),
      ...(entity.value === undefined ? {} : { value: entity.value }),
      ...(entity.keys.size === 0 ? {} : { keys: this.#knownKeys(entity) }),
    };
  }

  #knownKeys({ keys }: StoredEntity): KnownKeys {
    return { records: [...keys.values()].slice(-this.knownKeysMax), complete: keys.size <= this.knownKeysMax };
  }

  /** The record of an address, made when there is none. */
  entity(address: EntityAddress, kind: "eventSourced" | "value"): StoredEntity {
    const key = JSON.stringify([address.service, address.persistenceId, address.entityId]);
    let entity = this.entities.get(key);
    if (entity === undefined) {
      entity = { address, kind, events: [], sequence: 0, snapshot: undefined, value: undefined, keys: new Map() };
      this.entities.set(key, entity);
    }
    return entity;
  }

  /** Of `readBack`: somebody else has owned the entities meanwhile. */
  fenced = false;

  async readBack(address: EntityAddress, kind: "eventSourced" | "value"): Promise<ReadBack> {
    const record = await this.open(address, kind);
    return this.fenced ? { ...record, fenced: true } : record;
  }

  async events(handle: EntityHandle, afterSequence: number, limit: number): Promise<readonly StoredEvent[]> {
    if (this.broken !== undefined) throw this.broken;
    return this.#of(handle)
      .events.filter(({ sequence }) => sequence > afterSequence)
      .slice(0, limit);
  }

  commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    this.groups.push(steps.length);
    if (!this.holding) return Promise.resolve(steps.map((step) => this.judge?.(step) ?? this.#apply(step)));
    return new Promise((resolve, reject) => {
      this.held.push({
        steps,
        answer: (judge) => resolve(steps.map((step) => judge?.(step) ?? this.#apply(step))),
        reject,
      });
    });
  }

  /** Applies one step, as `commit` would: for verdicts that lie. */
  apply(step: Step): Verdict {
    return this.#apply(step);
  }

  #apply(step: Step): Verdict {
    if (step.entity === noEntity) return this.#sent(step, undefined);
    const verdict = this.#judged(step, this.#of(step.entity));
    if (verdict.is !== "committed") this.#lost.add(step.entity);
    return verdict;
  }

  #judged(step: Step, entity: StoredEntity): Verdict {
    const known = step.deduplication && entity.keys.get(step.deduplication.key);
    if (known && known.expiresMs > step.timeMs) return { is: "duplicate", record: known };
    const lost = this.#lost.has(step.entity);
    if (lost || step.expectedSequence !== entity.sequence) return { is: "conflict", actualSequence: entity.sequence };
    for (const payload of step.events) {
      const { timeMs, cause } = step;
      entity.events.push({ sequence: ++entity.sequence, payload, timeMs, cause });
    }
    if (step.snapshot !== undefined) entity.snapshot = { sequence: entity.sequence, payload: step.snapshot };
    if (step.value !== undefined) {
      entity.sequence++;
      entity.value = step.value.do === "update" ? step.value.value : undefined;
    }
    if (step.deduplication) entity.keys.set(step.deduplication.key, step.deduplication);
    this.timerRows.change(entity.address, entity.kind, step.timers ?? []);
    return this.#sent(step, entity.address);
  }

  #sent({ outbox, timeMs }: Step, source: EntityAddress | undefined): Verdict {
    if (outbox === undefined || outbox.length === 0) return { is: "committed" };
    const outboxId = this.#messageIds + 1;
    for (const message of outbox) {
      const row = { ...message, id: ++this.#messageIds, timeMs, state: "waiting", attempts: 0, dueMs: 0 } as const;
      this.messages.set(row.id, source === undefined ? row : { ...row, source });
    }
    return { is: "committed", outboxId };
  }

  async outbox({ state, lane, afterId = 0, limit }: OutboxQuery): Promise<readonly OutboxRow[]> {
    if (this.outboxBroken !== undefined) throw this.outboxBroken;
    return [...this.messages.values()]
      .filter((row) => row.id > afterId && row.state === state && (lane === undefined || laneKey(row) === laneKey(lane)))
      .slice(0, limit);
  }

  settle(changes: readonly OutboxChange[]): void {
    for (const change of changes) {
      const row = this.messages.get(change.id);
      if (row === undefined) continue;
      if (change.to === "removed") this.messages.delete(change.id);
      else {
        const { failure, ...rest } = { failure: undefined, dueMs: 0, ...change };
        const { failure: _, ...kept } = row;
        this.messages.set(change.id, { ...kept, ...rest, state: change.to, ...(failure !== undefined && { failure }) });
      }
    }
  }

  async timersDue(nowMs: number, limit: number, after?: Pick<TimerRow, "dueMs" | "id">): Promise<readonly TimerRow[]> {
    if (this.broken !== undefined) throw this.broken;
    return this.timerRows.due(nowMs, limit, after);
  }
  async timers(query: TimerQuery): Promise<readonly TimerRow[]> {
    return this.timerRows.list(query);
  }

  async sweep(nowMs: number): Promise<number> {
    let swept = 0;
    for (const { keys } of this.entities.values())
      for (const [key, { expiresMs }] of keys) if (expiresMs <= nowMs && keys.delete(key)) swept++;
    return swept;
  }

  #of(handle: EntityHandle): StoredEntity {
    const entity = this.#handles.get(handle);
    assert(entity, `handle ${handle} is not open`);
    return entity;
  }

  release(handle: EntityHandle): void {
    this.#lost.delete(handle);
    assert(this.#handles.delete(handle), `handle ${handle} released twice`);
  }
}
