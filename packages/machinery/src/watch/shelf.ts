/**
 * The watch cache of one resource: every object in memory, the newest changes in a ring, and whoever watches.
 *
 * C1 the shelf changes only by what the ObjectLog committed, in its order; a list after an acknowledged write sees it
 * C2 objects on the shelf are never changed: whoever wants another one makes a copy first
 * C3 a change is told to each watcher once, in order; the ring serves those that come later, back to `forgotten`
 */
import type { KubeObject } from "@mecha/kinds";

/** Changes a resource keeps for watchers that come back. Past it they get 410 and list again, as with the real server's watch cache. */
export const ringMax = 10_000;

/** An object as it stands on the shelf. */
export interface Shelved {
  /** `namespace/name`, or `/name` without a namespace: the order of lists. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** With `metadata.resourceVersion`. */
  readonly object: KubeObject;
  readonly revision: number;
  /** Length of its JSON: what it weighs in a watcher's queue. */
  readonly weight: number;
}

/** One change. */
export interface ShelfChange {
  readonly revision: number;
  /** After the change; for a deletion the last state, with the deletion's revision. */
  readonly entry: Shelved;
  readonly deleted: boolean;
  /** Before the change; absent = created. */
  readonly previous: Shelved | undefined;
}

export class Shelf {
  readonly #entries = new Map<string, Shelved>();
  /** By key, ascending. */
  readonly #sorted: Shelved[] = [];
  /** Oldest first from `#ringStart`. */
  #ring: ShelfChange[] = [];
  #ringStart = 0;
  readonly #listeners = new Set<(change: ShelfChange) => void>();
  readonly #ringMax: number;
  /** Changes up to and including this revision are not in the ring. */
  forgotten: number;

  constructor(forgotten: number, max = ringMax) {
    this.forgotten = forgotten;
    this.#ringMax = max;
  }

  get size(): number {
    return this.#sorted.length;
  }

  get(namespace: string, name: string): Shelved | undefined {
    return this.#entries.get(`${namespace}/${name}`);
  }

  /** In key order; of one namespace when one is named. */
  list(namespace?: string): readonly Shelved[] {
    if (namespace === undefined) return this.#sorted;
    // '0' follows '/' in the order of keys
    return this.#sorted.slice(lowerBound(this.#sorted, `${namespace}/`), lowerBound(this.#sorted, `${namespace}0`));
  }

  /**
   * As it was at a revision: the present, with later changes undone.
   * @returns `undefined` when the ring does not reach back that far.
   */
  listAt(revision: number, namespace?: string): readonly Shelved[] | undefined {
    if (revision < this.forgotten) return undefined;
    const undone = new Map<string, Shelved | undefined>();
    for (const change of this.#newestFirst()) {
      if (change.revision <= revision) break;
      undone.set(change.entry.key, change.previous);
    }
    const present = this.list(namespace);
    if (undone.size === 0) return present;
    const kept = present.filter(({ key }) => !undone.has(key));
    for (const entry of undone.values()) if (entry && (namespace === undefined || entry.namespace === namespace)) kept.push(entry);
    return kept.sort(byKey);
  }

  /** Changes after a revision, oldest first. @returns `undefined` when some of them are forgotten. */
  changesAfter(revision: number): readonly ShelfChange[] | undefined {
    if (revision < this.forgotten) return undefined;
    let from = this.#ring.length;
    while (from > this.#ringStart && (this.#ring[from - 1]?.revision ?? 0) > revision) from--;
    return this.#ring.slice(from);
  }

  /** Calls `listener` for each change from now on. */
  subscribe(listener: (change: ShelfChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Puts an object in place without telling anybody: what is there at start. */
  fill(entry: Shelved): void {
    this.#put(entry);
  }

  /** Remembers a change of before the start, so that watchers can resume behind it. Oldest first. */
  remember(change: ShelfChange): void {
    this.#ring.push(change);
    this.#trim();
  }

  /** Applies a commit: `entry` is the new state, `undefined` a deletion. Tells watchers (C3). */
  apply(key: string, revision: number, entry: Shelved | undefined, gone: (last: Shelved) => Shelved): void {
    const previous = this.#entries.get(key);
    if (!entry && !previous) return; // deleted twice: the log would not have taken it
    if (entry) this.#put(entry);
    else this.#remove(key);
    const change: ShelfChange = entry
      ? { revision, entry, deleted: false, previous }
      : { revision, entry: gone(previous as Shelved), deleted: true, previous };
    this.remember(change);
    for (const listener of this.#listeners) listener(change);
  }

  *#newestFirst(): Iterable<ShelfChange> {
    for (let i = this.#ring.length - 1; i >= this.#ringStart; i--) yield this.#ring[i] as ShelfChange;
  }

  #put(entry: Shelved): void {
    const at = lowerBound(this.#sorted, entry.key);
    this.#sorted.splice(at, this.#entries.has(entry.key) ? 1 : 0, entry);
    this.#entries.set(entry.key, entry);
  }

  #remove(key: string): void {
    this.#sorted.splice(lowerBound(this.#sorted, key), 1);
    this.#entries.delete(key);
  }

  #trim(): void {
    while (this.#ring.length - this.#ringStart > this.#ringMax) {
      this.forgotten = Math.max(this.forgotten, this.#ring[this.#ringStart]?.revision ?? 0);
      this.#ringStart++;
    }
    // The array's dead front is dropped when it is half of it: each change is moved once on average.
    if (this.#ringStart > this.#ringMax) {
      this.#ring = this.#ring.slice(this.#ringStart);
      this.#ringStart = 0;
    }
  }
}

const byKey = (a: Shelved, b: Shelved): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

function lowerBound(sorted: readonly Shelved[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as Shelved).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
