/**
 * What the worker knows of entities in memory: the last sequence of every one that is open, and of every one whose row in `entity` lags behind
 * its events (schema F4). As this process holds the file exclusively, a head decides a conditional append without a look at the disk (S3).
 *
 * H1 one address has at most one head, found by its key, so two handles share it
 * H2 a head stays while it has a handle or is dirty
 * H3 `dirty` is in the order of `dirtyFrom`, so the first one bounds `indexed_position`
 */

/** Four parts of the address joined with NUL, which none of them holds (E1): only a key in memory, never stored. */
export type EntityKey = string;

export interface Head {
  readonly key: EntityKey;
  readonly kind: "eventSourced" | "value" | "crdt";
  readonly shard: number;
  /** Row in `entity`; 0 until the first committed change. */
  row: number;
  /** Last event sequence, or the value's version. */
  sequence: number;
  lastPosition: number;
  handles: number;
  /** Position of its first event that its row does not show; 0 = none. */
  dirtyFrom: number;
}

export class Heads {
  readonly #byKey = new Map<EntityKey, Head>();
  readonly #byHandle = new Map<number, Head>();
  /** Handles through which a step failed. */
  readonly #lost = new Set<number>();
  /** By row. */
  readonly #dirty = new Map<number, Head>();

  find(key: EntityKey): Head | undefined {
    return this.#byKey.get(key);
  }

  at(handle: number): Head | undefined {
    return this.#byHandle.get(handle);
  }

  add(handle: number, head: Head): void {
    this.#byKey.set(head.key, head);
    this.#byHandle.set(handle, head);
    head.handles++;
  }

  /** A step through the handle failed: no later one is stored (S3). */
  lose(handle: number): void {
    this.#lost.add(handle);
  }

  isLost(handle: number): boolean {
    return this.#lost.size > 0 && this.#lost.has(handle);
  }

  /** The steps that lost these are judged again. */
  regain(handles: Iterable<number>): void {
    for (const handle of handles) this.#lost.delete(handle);
  }

  release(handle: number): void {
    const head = this.#byHandle.get(handle);
    if (!head) return;
    this.#lost.delete(handle);
    this.#byHandle.delete(handle);
    head.handles--;
    this.#forget(head);
  }

  /** `from`: position of the event that made it lag. */
  soil(head: Head, from: number): void {
    if (head.dirtyFrom !== 0) return;
    head.dirtyFrom = from;
    this.#dirty.set(head.row, head);
  }

  clean(head: Head): void {
    head.dirtyFrom = 0;
    this.#dirty.delete(head.row);
    this.#forget(head);
  }

  /** The dirty head of a row, when it lags. */
  lagging(row: number): Head | undefined {
    return this.#dirty.get(row);
  }

  /** The one that has lagged longest (H3). */
  get oldestDirty(): Head | undefined {
    return this.#dirty.values().next().value;
  }

  /** Dirty ones, longest first. Cleaning the current one while iterating is allowed. */
  dirty(): Iterable<Head> {
    return this.#dirty.values();
  }

  #forget(head: Head): void {
    if (head.handles === 0 && head.dirtyFrom === 0) this.#byKey.delete(head.key); // keeps H2
  }
}
