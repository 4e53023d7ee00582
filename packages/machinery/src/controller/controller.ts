/**
 * A controller: informers say which keys to look at, workers bring each to what it should be. A reconciler is given a key, not an event, and compares what is
 * with what should be; running it twice changes nothing.
 *
 * Invariants
 * C1 no reconciler runs before every informer it reads from has its first list
 * C2 the same key is never reconciled twice at once (work-queue.ts)
 * C3 a reconciler that throws is tried again after a growing wait, one that throws a TerminalError is not, until the object changes
 */
import { type Clock, deadlineSignal, explain, type Log, type Metrics, noMetrics } from "@mecha/kit";
import { groupVersionOf, type KubeObject } from "@mecha/kinds";
import { isReason, type ObjectId, type ResourceRef, type Selection } from "../api-client.ts";
import { cacheKey, idOfKey, type Informer } from "./informer.ts";
import { type RateLimits, rateLimitDefaults } from "./rate-limit.ts";
import { WorkQueue } from "./work-queue.ts";

/** What a reconciler may ask for when it succeeds. */
export interface Outcome {
  /** Look again after this many ms, without anything having changed. */
  readonly requeueAfterMs?: number;
}

/** What a reconciler is given besides the key. */
export interface ReconcileContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** Brings one object to what it should be. The object may be gone: look it up. */
export type Reconcile = (id: ObjectId, context: ReconcileContext) => Promise<Outcome | undefined>;

/** A failure that trying again will not mend, such as a spec that makes no sense: logged and counted, not tried again until the object changes. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
}

/** A resource a controller looks at, and which keys each of its changes concerns. */
export interface Watched {
  readonly resource: ResourceRef;
  readonly selection?: Selection;
  /** Keys to look at when `object` changed. */
  readonly keysOf: (object: KubeObject) => readonly ObjectId[];
  /** `false`: this update is no news. Creations and deletions always are. */
  readonly isNews?: (object: KubeObject, old: KubeObject) => boolean;
}

export interface ControllerSpec {
  /** In logs, metrics and as the name of what it writes. */
  readonly name: string;
  readonly watches: readonly Watched[];
  readonly reconcile: Reconcile;
  /** Keys reconciled at once. Default 1. */
  readonly workers?: number;
  /** A reconcile that takes longer is ended through its signal and tried again. Default 2 minutes. */
  readonly timeoutMs?: number;
  readonly limits?: RateLimits;
}

const defaults = { workers: 1, timeoutMs: 120_000 };

/** The objects of `resource` themselves. Changes of their status alone are news too unless `isNews` is `generationChanged`. */
export function watchFor(resource: ResourceRef, more: Pick<Watched, "selection" | "isNews"> = {}): Watched {
  return { resource, keysOf: ({ metadata }) => [metadata], ...more };
}

/** Objects that an object of `owner` controls: their changes concern the owner. */
export function watchOwned(resource: ResourceRef, owner: ResourceRef, more: Pick<Watched, "selection" | "isNews"> = {}): Watched {
  const group = groupOf(owner.apiVersion);
  return {
    resource,
    keysOf: ({ metadata }) =>
      (metadata.ownerReferences ?? [])
        .filter((reference) => reference.controller === true && reference.kind === owner.kind && groupOf(reference.apiVersion) === group)
        .map(({ name }) => (owner.namespaced && metadata.namespace !== undefined ? { namespace: metadata.namespace, name } : { name })),
    ...more,
  };
}

const groupOf = (apiVersion: string): string => groupVersionOf(apiVersion).group;

/** The desired state changed, not only status or metadata. */
export function generationChanged(object: KubeObject, old: KubeObject): boolean {
  return object.metadata.generation !== old.metadata.generation || object.metadata.deletionTimestamp !== old.metadata.deletionTimestamp;
}

/** Labels changed. */
export function labelsChanged(object: KubeObject, old: KubeObject): boolean {
  return JSON.stringify(object.metadata.labels ?? {}) !== JSON.stringify(old.metadata.labels ?? {});
}

export interface ControllerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Metrics;
}

/** Runs one controller. `manager.ts` gives it informers and a life. */
export class Controller {
  readonly name: string;
  readonly #spec: ControllerSpec;
  readonly #ports: ControllerPorts;
  readonly #queue: WorkQueue;
  readonly #meters: ReturnType<typeof meters>;

  constructor(spec: ControllerSpec, ports: ControllerPorts) {
    this.name = spec.name;
    this.#spec = spec;
    this.#ports = { ...ports, log: ports.log.with({ controller: spec.name }) };
    this.#queue = new WorkQueue(ports.clock, spec.limits ?? rateLimitDefaults);
    this.#meters = meters(ports.metrics ?? noMetrics);
  }

  /** Listens to `informerOf` each watched resource. Call before `run`. */
  attach(informerOf: (resource: ResourceRef, selection: Selection) => Informer): readonly Informer[] {
    return this.#spec.watches.map((watched) => {
      const informer = informerOf(watched.resource, watched.selection ?? {});
      const add = (objects: readonly KubeObject[], first = false): void => {
        // A key named by several is one: the first add may already have gone to a worker.
        const keys = new Set(objects.flatMap((object) => watched.keysOf(object).map(cacheKey)));
        for (const key of keys) this.#queue.add(key, first ? "low" : "normal");
      };
      informer.listen({
        added: (object, first) => add([object], first),
        // What the object no longer points to is concerned as well: an owner that lost a child.
        updated: (object, old) => {
          if (watched.isNews?.(object, old) !== false) add([old, object]);
        },
        deleted: (object) => add([object]),
      });
      return informer;
    });
  }

  /** Looks at `id` soon, for news that is not of the API. */
  enqueue(id: ObjectId): void {
    this.#queue.add(cacheKey(id));
  }

  /** Works until `signal` aborts and what was running has ended. Call when the informers have synced (C1). */
  async run(signal: AbortSignal): Promise<void> {
    const close = (): void => this.#queue.close();
    if (signal.aborted) close();
    else signal.addEventListener("abort", close, { once: true });
    await Promise.all(Array.from({ length: this.#spec.workers ?? defaults.workers }, () => this.#work(signal)));
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.take();
      this.#meters.depth.set(this.#queue.depth, this.name);
      if (key === undefined) return;
      try {
        await this.#reconcile(key, signal);
      } finally {
        this.#queue.done(key);
      }
    }
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    const startMs = clock.monotonic();
    using deadline = deadlineSignal(clock, this.#spec.timeoutMs ?? defaults.timeoutMs, `${this.name} ${key}`, signal);
    let result = "success";
    try {
      const context = { signal: deadline.signal, log: log.with({ key }), nowMs: clock.wall() };
      const outcome = await this.#spec.reconcile(idOfKey(key), context);
      this.#queue.forget(key);
      if (outcome?.requeueAfterMs !== undefined) {
        result = "requeue_after";
        this.#queue.addAfter(key, outcome.requeueAfterMs);
      }
    } catch (error) {
      result = "error";
      if (!signal.aborted) this.#failed(key, error);
    }
    this.#meters.total.add(1, this.name, result);
    this.#meters.seconds.observe((clock.monotonic() - startMs) / 1000, this.name);
  }

  #failed(key: string, error: unknown): void {
    this.#meters.errors.add(1, this.name);
    if (error instanceof TerminalError) {
      this.#queue.forget(key);
      this.#ports.log.error("reconcile failed for good", { key, cause: explain(error) });
      return;
    }
    const waitMs = this.#queue.addRateLimited(key);
    // Somebody else wrote first, or the cache is a moment behind: the next look mends it, nobody need read of it.
    const level = isReason(error, "Conflict") ? "debug" : "warn";
    this.#ports.log[level]("reconcile failed", { key, cause: explain(error), attempts: this.#queue.failures(key), waitMs });
  }
}

/** Names as controller-runtime has them, so that dashboards made for it show ours. */
function meters(metrics: Metrics) {
  return {
    total: metrics.counter("controller_runtime_reconcile_total", "Reconciliations by result.", ["controller", "result"]),
    errors: metrics.counter("controller_runtime_reconcile_errors_total", "Reconciliations that failed.", ["controller"]),
    seconds: metrics.histogram(
      "controller_runtime_reconcile_time_seconds",
      "How long a reconciliation took.",
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      ["controller"],
    ),
    depth: metrics.gauge("workqueue_depth", "Keys that wait for a worker.", ["name"]),
  };
}
