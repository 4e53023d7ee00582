/**
 * Serves the kinds of CustomResourceDefinitions: names are accepted, kinds registered and unregistered while the server runs, objects cleaned up when
 * their definition goes. Works from what is stored, not from what happened: each round looks at all CRDs.
 *
 * Invariants
 * D1 a kind is registered exactly while its CRD is stored, Established and not gone
 * D2 a CRD that is being deleted goes when the last object of its kind has gone
 * D3 rounds follow one another; a change during a round means one more
 */
import type { KubeObject, ResourceDefinition } from "@mecha/kinds";
import { equal } from "../json.ts";
import { type ServerParts, serverManager } from "../server/context.ts";
import { remove } from "../server/remove.ts";
import { replace } from "../server/write.ts";
import { StatusError } from "../status.ts";
import type { Shelved } from "../watch/shelf.ts";
import { type Crd, type CrdCondition, type CrdNames, isTrue } from "./crd.ts";
import { cleanupFinalizer, crdGroup, crdPlural } from "./crd-kind.ts";
import { definitionOf } from "./definition.ts";
import { crdStatus, takenNames } from "./names.ts";

const deleteNow = { dryRun: false, gracePeriodSeconds: undefined, propagationPolicy: undefined, preconditions: {} };

interface ServedCrd {
  /** What the definitions were made from. */
  readonly spec: Crd["spec"];
  readonly names: CrdNames | undefined;
  readonly definitions: readonly ResourceDefinition[];
}

export class CrdServing implements Disposable {
  readonly #parts: ServerParts;
  readonly #served = new Map<string, ServedCrd>();
  /** `group/plural` of kinds whose CRD is being deleted. */
  readonly #ending = new Set<string>();
  readonly #stop: () => void;
  #round: Promise<void> = Promise.resolve();
  #again = false;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#stop = parts.cache.onChange((resource) => {
      if (resource === `${crdGroup}/${crdPlural}` || this.#ending.has(resource)) this.#look();
    });
    this.#look();
  }

  /** Resolves when what is stored is served. */
  async settled(): Promise<void> {
    for (let round; round !== this.#round;) await (round = this.#round);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #look(): void {
    if (this.#again) return; // keeps D3: the round that waits will see this change
    this.#again = true;
    this.#round = this.#round.then(async () => {
      this.#again = false;
      // A failing log fails every request too, and whoever owns it ends the process; the next change brings the next round.
      await this.#all().catch(() => undefined);
    });
  }

  async #all(): Promise<void> {
    const { cache, registry } = this.#parts;
    const definition = registry.find({ group: crdGroup, version: "v1" }, crdPlural);
    if (!definition) return;
    const entries = [...cache.shelf(`${crdGroup}/${crdPlural}`).list()];
    const crds = entries.map(({ object }) => object as Crd);
    const stored = new Set(crds.map(({ metadata }) => metadata.name));
    for (const name of [...this.#served.keys()]) if (!stored.has(name)) this.#serve(name, undefined); // keeps D1
    for (const entry of entries) await this.#one(definition, entry, crds);
  }

  async #one(definition: ResourceDefinition, entry: Shelved, crds: readonly Crd[]): Promise<void> {
    const crd = entry.object as Crd;
    const ending = crd.metadata.deletionTimestamp !== undefined;
    // The spec is shared and never changed: each round looks at all CRDs, and some are of a megabyte.
    const status = { ...crd.status, ...crdStatus(crd, takenNames(crd, crds), this.#parts.clock.wall()) };
    const next = { ...crd, metadata: { ...crd.metadata }, status };
    if (isTrue(next, "Established")) this.#serve(crd.metadata.name, next);
    if (ending) await this.#end(crd, next);
    if (equal(next.status, crd.status) && equal(next.metadata.finalizers, crd.metadata.finalizers)) return;
    this.#track(definition, crd, next);
    // When somebody else wrote first their change begins another round.
    await replace(this.#parts, { definition, namespace: "" }, entry, next, false);
  }

  /** Records who says all this. */
  #track(definition: ResourceDefinition, old: Crd, next: Crd): void {
    const managed = this.#parts.fields?.track({
      definition,
      old,
      next,
      manager: serverManager,
      subresource: "status",
      nowMs: this.#parts.clock.wall(),
    });
    if (managed) next.metadata.managedFields = [...managed];
  }

  /** Deletes the objects of the kind; without any left the CRD may go (keeps D2). */
  async #end(crd: Crd, next: Crd): Promise<void> {
    const resource = `${crd.spec.group}/${crd.spec.names.plural}`;
    this.#ending.add(resource);
    const [definition] = this.#served.get(crd.metadata.name)?.definitions ?? [];
    const shelf = this.#parts.cache.shelf(resource);
    if (definition)
      for (const { namespace, name, object } of [...shelf.list()])
        if (object.metadata.deletionTimestamp === undefined)
          await remove(this.#parts, { definition, namespace }, name, deleteNow).catch(ignoreGone);
    const left = shelf.size;
    const told: CrdCondition =
      left > 0
        ? { type: "Terminating", status: "True", reason: "InstanceDeletionInProgress", message: "CustomResource deletion is in progress" }
        : { type: "Terminating", status: "False", reason: "InstanceDeletionCompleted", message: "removed all instances" };
    const others = next.status?.conditions?.filter(({ type }) => type !== "Terminating") ?? [];
    const before = crd.status?.conditions?.find(({ type }) => type === "Terminating");
    const same = before?.status === told.status;
    (next as { status: Crd["status"] }).status = {
      ...next.status,
      conditions: [...others, same ? before : { ...told, lastTransitionTime: crd.metadata.deletionTimestamp ?? "" }],
    };
    if (left > 0) return;
    const finalizers = (next.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer);
    if (finalizers.length > 0) next.metadata.finalizers = finalizers;
    else delete next.metadata.finalizers;
    this.#ending.delete(resource);
  }

  /** Registers what the CRD defines in place of what it defined before; `undefined`: it defines nothing any more. */
  #serve(name: string, crd: Crd | undefined): void {
    const { registry } = this.#parts;
    const before = this.#served.get(name);
    const names = crd?.status?.acceptedNames;
    if (before && crd && equal(before.names, names) && (before.spec === crd.spec || equal(before.spec, crd.spec))) return;
    const definitions = crd ? definitionOf(withAcceptedNames(crd)) : [];
    for (const old of before?.definitions ?? [])
      if (!definitions.some(({ version }) => version === old.version)) registry.unregister(old, old.plural);
    for (const definition of definitions) registry.register(definition);
    if (crd) this.#served.set(name, { spec: crd.spec, names, definitions });
    else this.#served.delete(name);
  }
}

/** A kind goes by the names it got, not by those it asks for. */
function withAcceptedNames(crd: Crd): Crd {
  const names = crd.status?.acceptedNames;
  return names ? { ...crd, spec: { ...crd.spec, names } } : crd;
}

/** Somebody else deleted it meanwhile: that is what was wanted. */
function ignoreGone(error: unknown): KubeObject | undefined {
  if (error instanceof StatusError && error.reason === "NotFound") return undefined;
  throw error;
}
