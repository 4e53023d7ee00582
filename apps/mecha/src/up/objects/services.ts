/**
 * The controller of StatefulServices beside a running project: those of mecha.yaml are shown, those of anybody else are run. Decisions are plan.ts's, programs
 * packages/kinds', environments packages/lifecycle's; processes are the fleet's.
 *
 * V1 what runs is what the newest object says; ConfigMaps and Secrets are read when the function is started or changed, not later, as for a pod
 * V2 a start that failed is tried again after a while, or when something it depends on changed; the news it makes itself does not count
 * V3 an object that is being deleted is let go (its finalizer) only when its function was withdrawn and has ended
 */
import { explain, Fault } from "@mecha/kit";
import { type KubeObject, objectsAt } from "@mecha/kinds";
import { type ConfigRef, environmentNeeds } from "@mecha/lifecycle";
import {
  type ApiClient,
  cacheKey,
  type Controller,
  type EventRecorder,
  idOf,
  type Informer,
  isReason,
  type Manager,
  type ObjectId,
  type Outcome,
  type ReconcileContext,
  type ResourceRef,
  resourceRef,
  watchFor,
  type Watched,
} from "@mecha/machinery";
import type { Fleet } from "../fleet.ts";
import type { RunSettings } from "../settings.ts";
import { type Finding, finalizer, finalizersFor, functionFinding, stepFor } from "./plan.ts";
import { fleetFunction, fleetName, replicasNote, templateOf } from "./program.ts";
import { storeNameOf, storeProblem } from "./stores.ts";
import { statefulServices, statefulStores, wantedServices } from "./wanted.ts";
import { removeObject, writeFinding } from "./write.ts";

const configKinds = { ConfigMap: resourceRef("v1", "ConfigMap"), Secret: resourceRef("v1", "Secret") } as const;
/** A folder or program that is not there may come: look again after this long, ms. */
const lookAgainMs = 10_000;
/** Functions changed at once: a removal waits for calls under way, and others are not to wait with it. */
const workers = 8;

export interface ServicesPorts {
  readonly settings: RunSettings;
  readonly manager: Manager;
  readonly client: ApiClient;
  readonly recorder: EventRecorder;
  readonly fleet: Fleet;
  /** How long calls under way may take when a function is removed, ms. */
  readonly graceMs: number;
  /** What was found out about a function that is not of mecha.yaml; the same may be told again. */
  readonly found: (object: KubeObject, finding: Finding) => void;
}

/** Adds the controller. Every StatefulService is looked at when the manager runs, and when `enqueue` says so. */
export function addServices(ports: ServicesPorts): Controller {
  const services = new Services(ports);
  const { manager, settings } = ports;
  const controller = manager.add({ name: "mecha-up-statefulservices", workers, watches: services.watches, reconcile: services.reconcile });
  for (const object of wantedServices(settings)) controller.enqueue(idOf(object)); // those that are not there yet
  return controller;
}

/** Fields of an object that mistakes of a start are in. */
const whereSaid =
  "of a StatefulService: the container's command and workingDir, or the annotations mecha.dev/command and mecha.dev/directory";

interface FailedStart {
  /** What was to be started. */
  readonly wanted: string;
  readonly finding: Finding;
  readonly againMs: number;
}

class Services {
  readonly #ports: ServicesPorts;
  readonly #cache: Informer;
  readonly #stores: Informer;
  readonly #configs: Readonly<Record<ConfigRef["kind"], Informer>>;
  readonly #wanted: ReadonlyMap<string, KubeObject>;
  /** By key, what the function was started with: a change of it is a change of the function (V1). */
  readonly #started = new Map<string, string>();
  /** By key, the last start that failed (V2). */
  readonly #failed = new Map<string, FailedStart>();

  constructor(ports: ServicesPorts) {
    const { manager, settings } = ports;
    this.#ports = ports;
    this.#cache = manager.informer(statefulServices);
    this.#stores = manager.informer(statefulStores);
    this.#configs = { ConfigMap: manager.informer(configKinds.ConfigMap), Secret: manager.informer(configKinds.Secret) };
    this.#wanted = new Map(wantedServices(settings).map((object) => [cacheKey(idOf(object)), object]));
  }

  /** What a service asks for is news for it. */
  get watches(): readonly Watched[] {
    const asks = (resource: ResourceRef, does: (service: KubeObject, name: string) => boolean): Watched => ({
      resource,
      keysOf: ({ metadata }) =>
        this.#cache
          .list(metadata.namespace)
          .filter((one) => does(one, metadata.name))
          .map(idOf),
    });
    const reads = (kind: ConfigRef["kind"]): Watched =>
      asks(configKinds[kind], (service, name) =>
        objectsAt(service, "spec.containers").some((one) => environmentNeeds(one).some((ref) => ref.kind === kind && ref.name === name)),
      );
    return [
      watchFor(statefulServices),
      asks(statefulStores, (service, name) => storeNameOf(service) === name),
      reads("ConfigMap"),
      reads("Secret"),
    ];
  }

  readonly reconcile = async (id: ObjectId, context: ReconcileContext): Promise<Outcome | undefined> => {
    try {
      return await this.#look(id, context);
    } catch (error) {
      if (isReason(error, "NotFound")) return undefined; // deleted meanwhile: that news makes it look again
      if (error instanceof Fault && error.code === "cancelled") return undefined; // Mecha ends
      throw error;
    }
  };

  async #look(id: ObjectId, context: ReconcileContext): Promise<Outcome | undefined> {
    const { client } = this.#ports;
    const wanted = this.#wanted.get(cacheKey(id));
    const cached = this.#cache.get(id);
    switch (stepFor(wanted, cached)) {
      case "apply": {
        const object = await client.apply(statefulServices, wanted as KubeObject, { signal: context.signal });
        return this.#show(object, this.#running(object), context);
      }
      case "delete":
        await removeObject(client, statefulServices, cached as KubeObject, context.signal);
        return undefined;
      case "end":
        return this.#end(id, cached, context, wanted !== undefined);
      case "run":
        return this.#run(cached as KubeObject, context);
    }
  }

  async #end(id: ObjectId, object: KubeObject | undefined, { signal }: ReconcileContext, isWanted: boolean): Promise<undefined> {
    const { client, fleet, graceMs, recorder } = this.#ports;
    const name = fleetName(id);
    if (!isWanted) {
      this.#started.delete(cacheKey(id));
      this.#failed.delete(cacheKey(id));
      if (object && fleet.has(name)) await recorder.record(object, "Normal", "Stopping", "the function is withdrawn and ended");
      await fleet.remove(name, graceMs);
    }
    if (object?.metadata.finalizers?.includes(finalizer) === true) await this.#writeFinalizers(client, object, false, signal); // keeps V3
    return undefined;
  }

  /** One that is not of mecha.yaml: it runs as it says. */
  async #run(object: KubeObject, context: ReconcileContext): Promise<Outcome | undefined> {
    const { client } = this.#ports;
    const { signal } = context;
    if (object.metadata.finalizers?.includes(finalizer) !== true) await this.#writeFinalizers(client, object, true, signal);
    const problem = await this.#start(object, context.nowMs);
    await this.#show(object, (problem && this.#meanwhile(object, problem)) ?? this.#running(object), context);
    const failed = this.#failed.get(cacheKey(idOf(object)));
    return failed && { requeueAfterMs: Math.max(1, failed.againMs - context.nowMs) };
  }

  /** Has the fleet run what the object says; what is in the way. */
  async #start(object: KubeObject, nowMs: number): Promise<Finding | undefined> {
    const { fleet, settings, graceMs } = this.#ports;
    const id = idOf(object);
    const [key, name] = [cacheKey(id), fleetName(id)];
    const template = templateOf(object);
    const failed = this.#failed.get(key);
    this.#failed.delete(key);
    if ("finding" in template) {
      // What runs keeps running as long as nothing else can: but not when nothing is to run.
      if (template.stop) {
        this.#started.delete(key);
        await fleet.remove(name, graceMs);
      }
      return template.finding;
    }
    const storeName = storeNameOf(object);
    const { namespace = "" } = object.metadata;
    const unusable =
      storeName === undefined ? undefined : storeProblem(storeName, this.#stores.get({ namespace, name: storeName }), settings);
    const fingerprint = JSON.stringify(template);
    if (fleet.has(name) && this.#started.get(key) === fingerprint) return unusable; // keeps V1
    if (unusable) return unusable;
    const spec = fleetFunction(template, object, {
      folder: settings.folder,
      config: ({ kind, name: of }) => this.#configs[kind].get({ namespace, name: of }),
    });
    if ("finding" in spec) return spec.finding;
    const wanted = JSON.stringify(spec);
    if (failed && failed.wanted === wanted && nowMs < failed.againMs) {
      this.#failed.set(key, failed); // keeps V2
      return failed.finding;
    }
    try {
      await fleet.set(spec);
      this.#started.set(key, fingerprint);
      return undefined;
    } catch (error) {
      if (error instanceof Fault && error.code === "cancelled") throw error;
      const finding = { ready: false, reason: "CannotStart", message: `${explain(error)} (${whereSaid})`, replicas: 0 };
      this.#failed.set(key, { wanted, finding, againMs: nowMs + lookAgainMs });
      return finding;
    }
  }

  /** What is asked for cannot run; something else of the same name may. */
  #meanwhile(object: KubeObject, problem: Finding): Finding {
    const { fleet } = this.#ports;
    if (fleet.process(fleetName(object.metadata))?.state.is !== "running") return problem;
    return { ...problem, message: `${problem.message}; what ran before goes on`, replicas: 1 };
  }

  #running(object: KubeObject): Finding | undefined {
    const status = this.#ports.fleet.status(fleetName(object.metadata));
    const finding = status && functionFinding(status);
    return finding && { ...finding, message: finding.message + replicasNote(object) };
  }

  async #show(object: KubeObject, finding: Finding | undefined, { signal, nowMs }: ReconcileContext): Promise<undefined> {
    const { client, recorder, found } = this.#ports;
    if (finding && !this.#wanted.has(cacheKey(idOf(object)))) found(object, finding);
    if (finding) await writeFinding({ client, recorder }, statefulServices, object, finding, { signal, nowMs });
    return undefined;
  }

  async #writeFinalizers(client: ApiClient, object: KubeObject, held: boolean, signal: AbortSignal): Promise<void> {
    const { resourceVersion } = object.metadata;
    const metadata = { finalizers: finalizersFor(object, held), ...(resourceVersion !== undefined && { resourceVersion }) };
    await client.patch(statefulServices, idOf(object), "merge", { metadata }, { signal });
  }
}
