/**
 * Everything the API serves, in memory: one shelf for each (group, plural), fed by the ObjectLog.
 *
 * C4 keys are `/group/plural/namespace/name`; the stored JSON has no resourceVersion, the object on the shelf has
 */
import { assert } from "@mecha/kit";
import type { KubeObject } from "@mecha/kinds";
import type { ObjectChange, ObjectLog, ObjectWrite } from "../object-log.ts";
import { ringMax, Shelf, type Shelved } from "./shelf.ts";

/** Changes the log keeps, over all resources: what watchers can go on from after a restart. Compacted every `compactEvery` writes. */
const logKeeps = ringMax;
const compactEvery = 1_000;
/** Changes read at once from the log at start: a few MiB. */
const refillPage = 1_000;

export class WatchCache {
  readonly #log: ObjectLog;
  readonly #shelves = new Map<string, Shelf>();
  readonly #everywhere = new Set<(resource: string, revision: number) => void>();
  readonly #fatal: (error: unknown) => void;
  #startRevision = 0;
  #revision = 0;

  private constructor(log: ObjectLog, fatal: (error: unknown) => void) {
    this.#log = log;
    this.#fatal = fatal;
  }

  /**
   * Reads the log: objects, and the changes it still has, so that watchers can go on where they were.
   * @param fatal Hears of a write the log could not take.
   */
  static async open(log: ObjectLog, fatal: (error: unknown) => void = () => undefined): Promise<WatchCache> {
    const cache = new WatchCache(log, fatal);
    const { revision, objects } = await log.load();
    cache.#startRevision = log.compactedRevision;
    cache.#revision = revision;
    for (const { key, value, revision: of } of objects) {
      const { resource, entry } = shelvedOf(key, value, of);
      cache.shelf(resource).fill(entry);
    }
    for (let after = log.compactedRevision; after < revision;) {
      const page = await log.changesAfter(after, refillPage);
      for (const change of page) cache.#remember(change);
      after = page.at(-1)?.revision ?? revision;
    }
    log.onCommit((change) => cache.#committed(change));
    return cache;
  }

  /** Of the last committed write. */
  get revision(): number {
    return this.#revision;
  }

  /** The shelf of `group/plural`; empty when nothing was ever stored there. */
  shelf(resource: string): Shelf {
    let shelf = this.#shelves.get(resource);
    if (!shelf) {
      shelf = new Shelf(this.#startRevision);
      this.#shelves.set(resource, shelf);
    }
    return shelf;
  }

  /** Names of the resources that have objects, `group/plural`. */
  resources(): Iterable<string> {
    return this.#shelves.keys();
  }

  /** Called after each commit of any resource. */
  onChange(listener: (resource: string, revision: number) => void): () => void {
    this.#everywhere.add(listener);
    return () => this.#everywhere.delete(listener);
  }

  /** Writes through the log; the cache has it when this resolves. */
  async write(write: ObjectWrite): ReturnType<ObjectLog["write"]> {
    try {
      return await this.#log.write(write);
    } catch (error) {
      this.#fatal(error);
      throw error;
    }
  }

  #remember(change: ObjectChange): void {
    const previous = change.previous === undefined ? undefined : shelvedOf(change.key, change.previous, change.previousRevision).entry;
    const { resource, key } = parsedKey(change.key);
    if (change.value === undefined) {
      if (!previous) return; // a deletion always has a state before
      this.shelf(resource).remember({ revision: change.revision, entry: atRevision(previous, change.revision), deleted: true, previous });
      return;
    }
    const { entry } = shelvedOf(change.key, change.value, change.revision);
    assert(entry.key === key, "one key, one entry");
    this.shelf(resource).remember({ revision: change.revision, entry, deleted: false, previous });
  }

  #committed({ key, value, revision }: ObjectChange): void {
    this.#revision = revision;
    const { resource, key: shelfKey } = parsedKey(key);
    const entry = value === undefined ? undefined : shelvedOf(key, value, revision).entry;
    this.shelf(resource).apply(shelfKey, revision, entry, (last) => atRevision(last, revision));
    for (const listener of this.#everywhere) listener(resource, revision);
    // A failure to compact is a failure to write, and the next write says so.
    if (revision % compactEvery === 0) void this.#log.compact(revision - logKeeps).catch(() => undefined);
  }
}

/** `/apps/deployments/shop/cart`; the core group is empty: `//pods/shop/cart`. */
export function logKey(group: string, plural: string, namespace: string, name: string): string {
  return `/${group}/${plural}/${namespace}/${name}`;
}

function parsedKey(key: string): { readonly resource: string; readonly key: string; readonly namespace: string; readonly name: string } {
  const [, group, plural, namespace, name, ...more] = key.split("/");
  assert(name !== undefined && more.length === 0, `a log key has four parts: ${key}`);
  return { resource: `${group ?? ""}/${plural ?? ""}`, key: `${namespace ?? ""}/${name}`, namespace: namespace ?? "", name };
}

function shelvedOf(logKeyText: string, value: string, revision: number): { readonly resource: string; readonly entry: Shelved } {
  const { resource, key, namespace, name } = parsedKey(logKeyText);
  const object = JSON.parse(value) as KubeObject;
  object.metadata.resourceVersion = String(revision);
  return { resource, entry: { key, namespace, name, object, revision, weight: value.length } };
}

/** The last state of a deleted object carries the revision of its deletion. */
function atRevision(last: Shelved, revision: number): Shelved {
  return { ...last, revision, object: { ...last.object, metadata: { ...last.object.metadata, resourceVersion: String(revision) } } };
}
