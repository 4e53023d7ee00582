/**
 * The garbage collector: deletes what no owner is left of, lets owners go that wait for their dependents, and makes dependents forget owners that orphan them.
 * Looks at every resource the server has, those of CRDs too; asks again which there are every 30 s.
 */
import { type Clock, explain, Fault, type Log, type Random, sleep } from "@mecha/kit";
import { groupVersionOf, type KubeObject, type OwnerReference } from "@mecha/kinds";
import { type ApiClient, idOf, Informer, isReason, type ObjectId, type ResourceRef, WorkQueue } from "@mecha/machinery";
import { applyGarbage } from "./apply.ts";
import { OwnerGraph, uidOf, type Vertex } from "./graph.ts";
import { goesInForeground, goesOrphaning, type OwnerFate, planGarbage } from "./plan.ts";

export interface GarbagePorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Between two looks at which resources there are. */
const discoveryEveryMs = 30_000;
/** Objects looked at at once: kube-controller-manager has 20; our server is one process. */
const workersCount = 4;
/** Owners known to be gone, so that a thousand orphans do not ask a thousand times. */
const absentMax = 500;

export class GarbageCollector {
  readonly #ports: GarbagePorts;
  readonly #graph = new OwnerGraph();
  readonly #queue: WorkQueue;
  readonly #watched = new Map<string, { readonly resource: ResourceRef; readonly stop: AbortController; readonly informer: Informer }>();
  /** Uids, oldest first. */
  readonly #absent = new Set<string>();

  constructor(ports: GarbagePorts) {
    this.#ports = { ...ports, log: ports.log.with({ controller: "garbage-collector" }) };
    this.#queue = new WorkQueue(ports.clock);
  }

  /** Works until `signal` aborts and what was under way has ended. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#queue.close(), { once: true });
    const workers = Array.from({ length: workersCount }, () => this.#work(signal));
    while (!signal.aborted) {
      await this.#discover(signal).catch((error: unknown) => {
        if (!signal.aborted) this.#ports.log.warn("discovery failed", { cause: explain(error) });
      });
      await sleep(this.#ports.clock, discoveryEveryMs, signal).catch(() => undefined); // the loop looks at the signal
    }
    for (const { stop } of this.#watched.values()) stop.abort(new Fault("cancelled", "the garbage collector ends"));
    await Promise.all(workers);
  }

  /** Starts watching new resources, stops watching those that are gone. */
  async #discover(signal: AbortSignal): Promise<void> {
    const resources = await this.#ports.client.resources(signal);
    const wanted = new Map(resources.filter(isCollected).map((resource) => [keyOf(resource), resource]));
    for (const [key, { stop, informer, resource }] of this.#watched) {
      if (wanted.has(key)) continue;
      stop.abort(new Fault("cancelled", `${resource.plural} are no longer served`));
      this.#watched.delete(key);
      for (const object of informer.list()) this.#gone(object);
    }
    const started: Promise<unknown>[] = [];
    for (const [key, resource] of wanted) {
      if (!this.#watched.has(key)) started.push(this.#watch(key, resource).synced);
    }
    await Promise.allSettled(started);
  }

  #watch(key: string, resource: ResourceRef): Informer {
    const informer = new Informer(resource, { metadataOnly: true }, this.#ports);
    informer.listen({
      added: (object) => this.#seen({ resource, object }),
      updated: (object) => this.#seen({ resource, object }),
      deleted: (object) => this.#gone(object),
    });
    const stop = new AbortController();
    this.#watched.set(key, { resource, stop, informer });
    void informer.run(stop.signal); // never rejects; ended through `stop`
    return informer;
  }

  #seen(vertex: Vertex): void {
    this.#graph.set(vertex);
    const { object } = vertex;
    this.#absent.delete(uidOf(object));
    if ((object.metadata.ownerReferences?.length ?? 0) > 0 || goesInForeground(object) || goesOrphaning(object))
      this.#queue.add(uidOf(object));
    // Its dependents may have been seen first, or it now waits for them.
    if (goesInForeground(object)) for (const dependent of this.#graph.dependentsOf(uidOf(object))) this.#queue.add(uidOf(dependent.object));
  }

  #gone(object: KubeObject): void {
    const uid = uidOf(object);
    this.#graph.remove(uid);
    this.#isAbsent(uid);
    for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(uidOf(dependent.object));
    for (const owner of object.metadata.ownerReferences ?? []) {
      const vertex = this.#graph.get(owner.uid);
      if (vertex && goesInForeground(vertex.object)) this.#queue.add(owner.uid);
    }
  }

  #isAbsent(uid: string): void {
    this.#absent.add(uid);
    if (this.#absent.size > absentMax) for (const oldest of this.#absent.values().take(1)) this.#absent.delete(oldest);
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const uid = await this.#queue.take();
      if (uid === undefined) return;
      try {
        await this.#look(uid, signal);
        this.#queue.forget(uid);
      } catch (error) {
        if (!signal.aborted) this.#failed(uid, error);
      } finally {
        this.#queue.done(uid);
      }
    }
  }

  #failed(uid: string, error: unknown): void {
    const waitMs = this.#queue.addRateLimited(uid);
    const vertex = this.#graph.get(uid);
    const level = isReason(error, "Conflict") ? "debug" : "warn";
    this.#ports.log[level]("garbage not collected", {
      resource: vertex?.resource.plural,
      ...(vertex && idOf(vertex.object)),
      cause: explain(error),
      waitMs,
    });
  }

  /** The cache may be behind: what is decided is decided about the server's own version. */
  async #look(uid: string, signal: AbortSignal): Promise<void> {
    const known = this.#graph.get(uid);
    if (!known) return;
    const object = await this.#ports.client.find(known.resource, idOf(known.object), signal);
    if (!object || uidOf(object) !== uid) {
      this.#gone(known.object);
      return;
    }
    const fates = new Map<string, OwnerFate>();
    for (const owner of object.metadata.ownerReferences ?? []) fates.set(owner.uid, await this.#fateOf(owner, object, signal));
    const dependents = this.#graph.dependentsOf(uid);
    const action = planGarbage(
      object,
      (owner) => fates.get(owner) ?? "present",
      dependents.map((dependent) => dependent.object),
    );
    if (!action) return;
    const resources = new Map(dependents.map((dependent) => [uidOf(dependent.object), dependent.resource]));
    await applyGarbage(
      this.#ports.client,
      { resource: known.resource, object },
      action,
      (dependent) => resources.get(uidOf(dependent)),
      signal,
    );
    if (action.do === "lookAt") for (const dependent of action.dependents) this.#queue.add(uidOf(dependent));
  }

  /** @throws Fault("unavailable") when the owner's kind is not served: it may be one day, so nothing is decided. */
  async #fateOf(owner: OwnerReference, dependent: KubeObject, signal: AbortSignal): Promise<OwnerFate> {
    const known = this.#graph.get(owner.uid);
    const waits = known !== undefined && goesInForeground(known.object);
    if (known) return waits ? "waiting" : "present";
    if (this.#absent.has(owner.uid)) return "absent";
    // Not in the graph: perhaps not seen yet. The server is asked by name.
    const resource = this.#resourceOf(owner);
    const { namespace } = dependent.metadata;
    if (resource.namespaced && namespace === undefined) return this.#absentNow(owner.uid); // a cluster's object cannot be owned by a namespace's
    const id: ObjectId = resource.namespaced && namespace !== undefined ? { namespace, name: owner.name } : { name: owner.name };
    const found = await this.#ports.client.find(resource, id, signal);
    if (found?.metadata.uid !== owner.uid) return this.#absentNow(owner.uid);
    return goesInForeground(found) ? "waiting" : "present";
  }

  #absentNow(uid: string): OwnerFate {
    this.#isAbsent(uid);
    return "absent";
  }

  #resourceOf({ apiVersion, kind }: OwnerReference): ResourceRef {
    const group = groupOf(apiVersion);
    for (const { resource } of this.#watched.values())
      if (resource.kind === kind && groupOf(resource.apiVersion) === group) return resource;
    throw new Fault("unavailable", `owner kind ${kind} of ${apiVersion} is not served`);
  }
}

const groupOf = (apiVersion: string): string => groupVersionOf(apiVersion).group;

/** Events are many, own nothing and go by age. */
function isCollected({ kind, verbs }: ResourceRef & { readonly verbs: readonly string[] }): boolean {
  return kind !== "Event" && ["list", "watch", "delete"].every((verb) => verbs.includes(verb));
}

const keyOf = ({ apiVersion, plural }: ResourceRef): string => `${groupOf(apiVersion)}/${plural}`;
