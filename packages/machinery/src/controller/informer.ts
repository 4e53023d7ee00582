/**
 * A cache of a resource kept current by list and watch, and the news of its changes. Level-triggered: what happened while the watch was down shows as the
 * difference between the cache and the next list, so a deletion is never missed.
 *
 * Invariants
 * I1 the cache holds, of each object, the newest version seen; listeners are told each change of the cache once, in order
 * I2 `synced` resolves after the first whole list is in the cache and its listeners were told
 * I3 after a failure the next try waits 0.8 to 30 s, longer each time; a list or an event ends the row of failures
 */
import { type Clock, explain, Fault, type Log, type Random, sleep } from "@mecha/kit";
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, isReason, type ObjectId, type ResourceRef, type Selection, statusErrorOfBody } from "../api-client.ts";
import { StatusError } from "../status.ts";

/** Told after the cache changed. Must not throw. */
export interface InformerListener {
  /** `first`: part of the first list, not news. */
  added?(object: KubeObject, first: boolean): void;
  updated?(object: KubeObject, old: KubeObject): void;
  /** `object` is the last version seen. */
  deleted?(object: KubeObject): void;
}

export interface InformerPorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** First and longest wait after a failure, ms: client-go's reflector. */
const backOff = { baseMs: 800, maxMs: 30_000, resetAfterMs: 120_000 };
/** Seconds a watch lasts before the server ends it and it is begun again; the real one is up to twice as long, so that many do not end at once. */
const watchSeconds = 300;

export class Informer {
  readonly resource: ResourceRef;
  readonly #selection: Selection;
  readonly #ports: InformerPorts;
  readonly #objects = new Map<string, KubeObject>();
  readonly #listeners: InformerListener[] = [];
  readonly #indexes = new Map<string, Index>();
  readonly #synced = Promise.withResolvers<undefined>();
  #isSynced = false;
  #failures = 0;
  #lastFailureMs = 0;

  constructor(resource: ResourceRef, selection: Selection, ports: InformerPorts) {
    this.resource = resource;
    this.#selection = selection;
    this.#ports = ports;
    this.#synced.promise.catch(() => undefined); // nobody may be waiting when it is ended before its first list
  }

  /** Resolves when the first list is in the cache. Rejects when the informer ends before that. */
  get synced(): Promise<unknown> {
    return this.#synced.promise;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Objects in the cache. Never change them. */
  list(namespace?: string): readonly KubeObject[] {
    const all = [...this.#objects.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  get(id: ObjectId): KubeObject | undefined {
    return this.#objects.get(cacheKey(id));
  }

  /** Tells `listener` of what is in the cache now (as first) and of every change from now on. */
  listen(listener: InformerListener): void {
    this.#listeners.push(listener);
    for (const object of this.#objects.values()) listener.added?.(object, true);
  }

  /**
   * Makes objects findable by `values(object)`. Declared before or after the start; declaring a name twice is a mistake.
   * @returns Looks up by value.
   */
  index(name: string, values: (object: KubeObject) => readonly string[]): (value: string) => readonly KubeObject[] {
    if (this.#indexes.has(name)) throw new Error(`index ${name} of ${this.resource.plural} is declared twice`);
    const index = new Index(values);
    for (const [key, object] of this.#objects) index.set(key, object);
    this.#indexes.set(name, index);
    return (value) =>
      index
        .keys(value)
        .map((key) => this.#objects.get(key))
        .filter((object) => object !== undefined);
  }

  /** Lists and watches until `signal` aborts. Never rejects: failures are logged and tried again (I3). */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#synced.reject(new Fault("cancelled", `${this.resource.plural}: informer ended`)), {
      once: true,
    });
    let resourceVersion: string | undefined;
    while (!signal.aborted) {
      try {
        resourceVersion ??= await this.#relist(signal);
        resourceVersion = await this.#watch(resourceVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        // Too old to go on from (410), or unknown what was missed: begin with a list.
        if (isReason(error, "Expired") || isReason(error, "Gone") || error instanceof StatusError) resourceVersion = undefined;
        await this.#wait(error, signal);
      }
    }
  }

  async #wait(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#ports;
    const nowMs = clock.monotonic();
    if (nowMs - this.#lastFailureMs > backOff.resetAfterMs) this.#failures = 0;
    this.#lastFailureMs = nowMs;
    // An expired version is nobody's failure: the list follows at once the first time.
    if (isReason(error, "Expired") && this.#failures === 0) {
      this.#failures++;
      return;
    }
    const waitMs = Math.min(backOff.maxMs, backOff.baseMs * 2 ** Math.min(this.#failures, 10)) * (1 + random.below(1_000) / 1_000);
    this.#failures++;
    log.warn("watch failed", { resource: this.resource.plural, cause: explain(error), waitMs: Math.round(waitMs) });
    await sleep(clock, waitMs, signal).catch(() => undefined); // the loop looks at the signal
  }

  async #relist(signal: AbortSignal): Promise<string> {
    const { items, resourceVersion } = await this.#ports.client.listAll(this.resource, this.#selection, signal);
    const first = !this.#isSynced;
    const gone = new Set(this.#objects.keys());
    for (const object of items) {
      gone.delete(cacheKey(object.metadata));
      this.#set(object, first);
    }
    for (const key of gone) this.#remove(key);
    if (first) {
      this.#isSynced = true;
      this.#synced.resolve(undefined);
    }
    return resourceVersion;
  }

  /** @returns The version to go on from when the server ended the watch. */
  async #watch(from: string, signal: AbortSignal): Promise<string> {
    const timeoutSeconds = watchSeconds + this.#ports.random.below(watchSeconds);
    let resourceVersion = from;
    const events = await this.#ports.client.watch(this.resource, { ...this.#selection, resourceVersion, timeoutSeconds }, signal);
    for await (const { type, object } of events) {
      if (type === "ERROR") throw statusErrorOfBody(object);
      const known = object as KubeObject;
      resourceVersion = known.metadata.resourceVersion ?? resourceVersion;
      this.#failures = 0;
      if (type === "DELETED") this.#remove(cacheKey(known.metadata), known);
      else if (type !== "BOOKMARK") this.#set(known, false);
    }
    return resourceVersion;
  }

  #set(object: KubeObject, first: boolean): void {
    const key = cacheKey(object.metadata);
    const old = this.#objects.get(key);
    if (old?.metadata.resourceVersion !== undefined && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) index.set(key, object);
    // The same name with another uid is another object: one went while nobody looked, one came.
    if (old && old.metadata.uid !== object.metadata.uid) {
      for (const listener of this.#listeners) listener.deleted?.(old);
      for (const listener of this.#listeners) listener.added?.(object, first);
      return;
    }
    for (const listener of this.#listeners) {
      if (old) listener.updated?.(object, old);
      else listener.added?.(object, first);
    }
  }

  #remove(key: string, last?: KubeObject): void {
    const old = this.#objects.get(key);
    if (!old) return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.remove(key);
    for (const listener of this.#listeners) listener.deleted?.(last ?? old);
  }
}

/** Values → keys of objects that have them. */
class Index {
  readonly #values: (object: KubeObject) => readonly string[];
  readonly #keys = new Map<string, Set<string>>();
  readonly #byKey = new Map<string, readonly string[]>();

  constructor(values: (object: KubeObject) => readonly string[]) {
    this.#values = values;
  }

  keys(value: string): readonly string[] {
    return [...(this.#keys.get(value) ?? [])];
  }

  set(key: string, object: KubeObject): void {
    this.remove(key);
    const values = this.#values(object);
    this.#byKey.set(key, values);
    for (const value of values) {
      const keys = this.#keys.get(value) ?? new Set();
      keys.add(key);
      this.#keys.set(value, keys);
    }
  }

  remove(key: string): void {
    for (const value of this.#byKey.get(key) ?? []) {
      const keys = this.#keys.get(value);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(value);
    }
    this.#byKey.delete(key);
  }
}

/** `namespace/name`, or `name` without a namespace: also a work queue's key. */
export function cacheKey({ namespace, name }: ObjectId): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The parts of a `cacheKey`. Names and namespaces hold no `/`. */
export function idOfKey(key: string): ObjectId {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
