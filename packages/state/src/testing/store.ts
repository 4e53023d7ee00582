/** A store in memory whose answers a test holds back, changes or refuses. Only as strict as the engine's tests need; the contract's reference is store-memory. */
import { assert, type Fault } from "@mecha/kit";
import type { EntityAddress, Payload } from "../model.ts";
import type { EngineStore } from "../parts.ts";
import type { EntityHandle, EntityRecord, Step, StoredEvent, Verdict } from "../store.ts";

/** What is stored of one entity. */
export interface StoredEntity {
  readonly address: EntityAddress;
  readonly kind: "eventSourced" | "value";
  readonly events: StoredEvent[];
  sequence: number;
  snapshot: { readonly sequence: number; readonly payload: Payload } | undefined;
  value: Payload | undefined;
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
  /** Groups waiting for the test, while `holding`. */
  readonly held: HeldGroup[] = [];
  readonly groups: number[] = [];
  holding = false;
  /** Rejects `open` and `events` with this. */
  broken: Fault | undefined;
  /** Verdict for a step instead of applying it. */
  judge: ((step: Step) => Verdict | undefined) | undefined;
  opened = 0;
  readonly #handles = new Map<EntityHandle, StoredEntity>();
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
    };
  }

  /** The record of an address, made when there is none. */
  entity(address: EntityAddress, kind: "eventSourced" | "value"): StoredEntity {
    const key = JSON.stringify([address.service, address.persistenceId, address.entityId]);
    let entity = this.entities.get(key);
    if (entity === undefined) {
      entity = { address, kind, events: [], sequence: 0, snapshot: undefined, value: undefined };
      this.entities.set(key, entity);
    }
    return entity;
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
    const entity = this.#of(step.entity);
    if (step.expectedSequence !== entity.sequence) return { is: "conflict", actualSequence: entity.sequence };
    for (const payload of step.events) {
      const { timeMs, cause } = step;
      entity.events.push({ sequence: ++entity.sequence, payload, timeMs, cause });
    }
    if (step.snapshot !== undefined) entity.snapshot = { sequence: entity.sequence, payload: step.snapshot };
    if (step.value !== undefined) {
      entity.sequence++;
      entity.value = step.value.do === "update" ? step.value.value : undefined;
    }
    return { is: "committed" };
  }

  #of(handle: EntityHandle): StoredEntity {
    const entity = this.#handles.get(handle);
    assert(entity, `handle ${handle} is not open`);
    return entity;
  }

  release(handle: EntityHandle): void {
    assert(this.#handles.delete(handle), `handle ${handle} released twice`);
  }
}
