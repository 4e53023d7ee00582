/** A map of CRDTs. */
import { shown } from "@mecha/wire/codec";
import { expect } from "../mistake.ts";
import type { Payload } from "../protocol/common.ts";
import { Draft, type DraftHome } from "./draft.ts";
import { decoded, type ElementCodec } from "./element.ts";
import { type DeltaInit, type Element, elementId, emptyHeld, type Held, type HeldMap, wholeDelta } from "./held.ts";
import type { BoundState } from "./state.ts";

/** An entry as this command sees it. */
interface Entry<V> {
  readonly key: Element;
  readonly draft: V;
  readonly held: Held;
}

/**
 * CRDTs by key. Keys are added and removed as in an ORSet. Of a change and a removal of one entry at the same time on two replicas, the change wins; what
 * was in the entry before the removal may come back with it.
 */
export class ORMap<K, V extends Draft> extends Draft implements Iterable<[K, V]> {
  readonly #held: HeldMap;
  readonly #keys: ElementCodec<K>;
  readonly #stateOf: (key: K) => BoundState;
  #cleared = false;
  readonly #removed = new Map<string, Payload>();
  /** Held entries that somebody looked at. */
  readonly #seen = new Map<string, Entry<V>>();
  readonly #added = new Map<string, Entry<V>>();

  /** @internal */
  constructor(held: HeldMap, keys: ElementCodec<K>, stateOf: (key: K) => BoundState, home: DraftHome) {
    super(home);
    this.#held = held;
    this.#keys = keys;
    this.#stateOf = stateOf;
  }

  /** Number of entries. */
  get size(): number {
    let size = 0;
    for (const _ of this.#ids()) size++;
    return size;
  }

  has(key: K): boolean {
    const { id } = this.#encode(key, "has");
    return this.#added.has(id) || this.#isHeld(id);
  }

  /** The value under `key`; `undefined`: none. */
  get(key: K): V | undefined {
    return this.#entry(this.#encode(key, "get").id)?.draft;
  }

  /** The value under `key`; an empty one is added when there is none. */
  getOrAdd(key: K): V {
    const { id, payload } = this.#encode(key, "getOrAdd");
    const found = this.#entry(id);
    if (found !== undefined) return found.draft;
    this.home.checkChange("getOrAdd");
    const state = this.#stateOf(key);
    const held = emptyHeld(state.type);
    const draft = state.draft(held, this.home) as V;
    this.#added.set(id, { key: { payload }, draft, held });
    return draft;
  }

  /** Takes an entry out. @returns Whether it was there. */
  delete(key: K): boolean {
    this.home.checkChange("delete");
    const { id, payload } = this.#encode(key, "delete");
    const wasAdded = this.#added.delete(id);
    const wasHeld = this.#isHeld(id);
    if (wasHeld) this.#removed.set(id, payload);
    this.#seen.delete(id);
    return wasAdded || wasHeld;
  }

  /** Takes all entries out that this replica knows. */
  clear(): void {
    this.home.checkChange("clear");
    if (this.size === 0) return;
    this.#cleared = true;
    this.#removed.clear();
    this.#seen.clear();
    this.#added.clear();
  }

  /** The keys, in no order to rely on. */
  *keys(): Generator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  *entries(): Generator<[K, V]> {
    for (const id of this.#ids()) {
      const { key, draft } = this.#entry(id) as Entry<V>;
      yield [decoded(this.#keys, key), draft];
    }
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  /** @internal */
  change(): DeltaInit | undefined {
    const { entries } = this.#held;
    const removed = [...this.#removed].flatMap(([id, payload]) => (entries.has(id) ? [payload] : []));
    const updated: { key: Payload; delta: DeltaInit }[] = [];
    const added: { key: Payload; delta: DeltaInit }[] = [];
    for (const [id, { key, draft, held }] of this.#seen) {
      const delta = entries.get(id)?.value === held ? draft.change() : undefined; // another command may have removed it meanwhile
      if (delta !== undefined) updated.push({ key: key.payload, delta });
    }
    for (const [id, { key, draft, held }] of this.#added) {
      const delta = draft.change();
      // another command may have added it meanwhile: then this is a change of that
      if (!this.#isHeld(id)) added.push({ key: key.payload, delta: delta ?? wholeDelta(held) });
      else if (delta !== undefined) updated.push({ key: key.payload, delta });
    }
    if (!this.#cleared && removed.length + updated.length + added.length === 0) return undefined;
    return { delta: { case: "ormap", value: { cleared: this.#cleared, removed, updated, added } } };
  }

  *#ids(): Generator<string> {
    if (!this.#cleared) for (const id of this.#held.entries.keys()) if (!this.#removed.has(id)) yield id;
    for (const id of this.#added.keys()) if (!this.#isHeld(id)) yield id;
  }

  #isHeld(id: string): boolean {
    return !this.#cleared && !this.#removed.has(id) && this.#held.entries.has(id);
  }

  #entry(id: string): Entry<V> | undefined {
    const own = this.#added.get(id);
    if (own !== undefined || !this.#isHeld(id)) return own;
    const { key, value: held } = this.#held.entries.get(id) as { key: Element; value: Held };
    const seen = this.#seen.get(id);
    if (seen?.held === held) return seen;
    const state = this.#stateOf(decoded(this.#keys, key));
    expect(
      state.type === held.type,
      () => `${this.home.where}: the entry ${shown(decoded(this.#keys, key))} is stored as ${held.type}, this code declares ${state.type}`,
    );
    const entry = { key, draft: state.draft(held, this.home) as V, held };
    this.#seen.set(id, entry);
    return entry;
  }

  #encode(key: K, method: string): { id: string; payload: Payload } {
    const payload = this.#keys.encode(key, `${this.home.where}: ${method}`);
    return { id: elementId(payload), payload };
  }
}
