/**
 * Applies the objects of a project's folder at the start of `mecha up`.
 *
 * D1 nothing is applied before a dry run of everything found no mistake; what a dry run cannot know before namespaces and CRDs of the folder are there is
 *    checked when they are, and nothing else is applied before that
 * D2 the order is that of what needs what: namespaces, CRDs (until established), what others refer to, the rest; within each that of the files
 * D3 what was applied before and left the folder is said, and deleted only when asked for (`--prune`), and only as the object it was
 */
import { type Clock, explain, Fault, sleep } from "@mecha/kit";
import { groupVersionOf, type KubeObject, objectsAt, textAt } from "@mecha/kinds";
import { type ApiClient, idOf, isReason, type ObjectId, type ResourceRef, resourceRef, type ServedResource } from "@mecha/machinery";
import { UsageError } from "../../exit.ts";
import { applyManifest, notServed, ServedKinds } from "../../manifests/apply.ts";
import type { Manifest } from "../../manifests/read.ts";
import { projectNamespace } from "./wanted.ts";

/** Field manager of what comes from files. */
export const filesManager = "mecha-up-files";
/** Names what was applied, so that what left the folder is known. */
const inventory = { namespace: projectNamespace, name: "mecha-up-files" } as const;
const configMaps = resourceRef("v1", "ConfigMap");
const namespaces = resourceRef("v1", "Namespace", { namespaced: false });
/** A CRD is established before its apply returns; this is for the servers where it is not. */
const establishTriesMax = 100;
const establishPauseMs = 100;

export interface DirectoryPorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A line for people. */
  readonly say: (text: string) => void;
  /** Delete what left the folder. */
  readonly prune: boolean;
}

/** @returns The objects as they are now. @throws UsageError listing what is wrong, each with file and line. */
export async function applyDirectory(manifests: readonly Manifest[], ports: DirectoryPorts): Promise<readonly KubeObject[]> {
  const ordered = inOrder(manifests);
  const twice = ordered.find((one, at) => ordered.findIndex((other) => keyOf(other.object) === keyOf(one.object)) !== at);
  if (twice) throw new UsageError(`${twice.where}: ${nameOf(twice.object)} is in these files twice; take one out`);
  const run = new DirectoryRun(ports);
  await run.check(ordered, "possible");
  const first = ordered.filter(({ object }) => rankOf(object) <= crdRank);
  const applied = await run.apply(first);
  if (first.length > 0) await run.remember(applied);
  const rest = ordered.filter(({ object }) => rankOf(object) > crdRank);
  await run.check(rest, "all");
  applied.push(...(await run.apply(rest)));
  await run.account(applied);
  return applied;
}

const crdRank = 1;
const ranks: readonly (readonly string[])[] = [
  ["Namespace"],
  ["CustomResourceDefinition"],
  ["ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"],
  ["ConfigMap", "Secret", "PersistentVolumeClaim", "StatefulStore"],
];

function rankOf({ kind }: KubeObject): number {
  const rank = ranks.findIndex((kinds) => kinds.includes(kind));
  return rank < 0 ? ranks.length : rank;
}

/** keeps D2 */
export function inOrder(manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests.toSorted((a, b) => rankOf(a.object) - rankOf(b.object));
}

function keyOf({ apiVersion, kind, metadata: { namespace = projectNamespace, name } }: KubeObject): string {
  return JSON.stringify([groupVersionOf(apiVersion).group, kind, namespace, name]);
}

/** `statefulservice/cart` */
export function nameOf({ kind, metadata }: Pick<KubeObject, "kind" | "metadata">): string {
  const { namespace = projectNamespace, name } = metadata;
  return `${kind.toLowerCase()}/${namespace === projectNamespace ? "" : `${namespace}/`}${name}`;
}

class DirectoryRun {
  readonly #ports: DirectoryPorts;
  readonly #kinds: ServedKinds;

  constructor(ports: DirectoryPorts) {
    this.#ports = ports;
    this.#kinds = new ServedKinds(ports.client);
  }

  /** keeps D1. `possible`: passes over those whose kind or namespace is yet to come from the same files. @throws UsageError */
  async check(manifests: readonly Manifest[], which: "possible" | "all"): Promise<void> {
    const problems: string[] = [];
    for (const { object, where } of manifests) {
      const resource = await this.#kinds.find(object);
      const isToCome = which === "possible" && manifests.some((one) => brings(one.object, object));
      if (!resource && !isToCome) problems.push(noKind(object, where));
      if (!resource || (isToCome && (await this.#isNamespaceMissing(resource, object)))) continue;
      await this.#apply(resource, object, true).catch((error: unknown) => {
        this.#ports.signal.throwIfAborted();
        problems.push(`${where}: ${nameOf(object)}: ${refusal(error)}`);
      });
    }
    if (problems.length > 0)
      throw new UsageError(`nothing was ${which === "all" ? "applied but namespaces and CRDs" : "applied"}:\n  ${problems.join("\n  ")}`);
  }

  async apply(manifests: readonly Manifest[]): Promise<KubeObject[]> {
    const applied: KubeObject[] = [];
    for (const { object, where } of manifests) {
      try {
        const resource = await this.#kinds.of({ object, where });
        const { object: stored, what } = await this.#apply(resource, object, false);
        applied.push(stored);
        if (what !== "unchanged") this.#ports.say(`${nameOf(stored)} ${what}`);
        if (object.kind === "CustomResourceDefinition") await this.#established(resource, idOf(stored), where);
      } catch (error) {
        throw error instanceof UsageError ? error : new Fault("precondition", `apply ${nameOf(object)} (${where})`, { cause: error });
      }
    }
    return applied;
  }

  /** What was applied so far, should the rest fail. */
  async remember(applied: readonly KubeObject[]): Promise<void> {
    const before = await this.#remembered();
    const known = new Set(before.map((one) => one.uid));
    await this.#write([...before, ...applied.map(entryOf).filter(({ uid }) => !known.has(uid))]);
  }

  /** Remembers what was applied, and looks after what was applied before and is no more in the files. keeps D3 */
  async account(applied: readonly KubeObject[]): Promise<void> {
    const before = await this.#remembered();
    const keys = new Set(applied.map(keyOf));
    const kept: Entry[] = [];
    for (const entry of before) if (!keys.has(keyOf({ ...entry, metadata: entry })) && (await this.#isLeft(entry))) kept.push(entry);
    if (applied.length > 0 || before.length > 0) await this.#write([...applied.map(entryOf), ...kept]);
  }

  async #remembered(): Promise<readonly Entry[]> {
    const { client, signal } = this.#ports;
    return entriesOf(textAt(await client.find(configMaps, inventory, signal), "data.objects"));
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    const { client, signal } = this.#ports;
    const map: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { ...inventory }, data: { objects: JSON.stringify(entries) } };
    await client.apply(configMaps, map, { signal });
  }

  /** Whether the object is still there, and has to be remembered. */
  async #isLeft(entry: Entry): Promise<boolean> {
    const { client, signal, say, prune } = this.#ports;
    const resource = await this.#kinds.find({ apiVersion: entry.apiVersion, kind: entry.kind, metadata: { name: entry.name } });
    if (!resource) return false;
    const id: ObjectId = entry.namespace === undefined ? { name: entry.name } : { namespace: entry.namespace, name: entry.name };
    const found = await client.find(resource, id, signal);
    if (found?.metadata.uid !== entry.uid) return false; // somebody deleted it, or made another
    const name = nameOf({ kind: entry.kind, metadata: id });
    if (!prune) {
      say(`${name} is in no file any more, and stays; mecha up --prune deletes it`);
      return true;
    }
    await client
      .delete(resource, id, { propagationPolicy: "Background", preconditions: { uid: entry.uid } }, signal)
      .catch((error: unknown) => {
        if (!isReason(error, "NotFound")) throw error;
      });
    say(`${name} deleted: it is in no file any more`);
    return false;
  }

  async #isNamespaceMissing(resource: ServedResource, { metadata }: KubeObject): Promise<boolean> {
    const { namespace = projectNamespace } = metadata;
    if (!resource.namespaced || namespace === projectNamespace) return false;
    return (await this.#ports.client.find(namespaces, { name: namespace }, this.#ports.signal)) === undefined;
  }

  #apply(resource: ServedResource, object: KubeObject, dryRun: boolean): ReturnType<typeof applyManifest> {
    const { client, signal } = this.#ports;
    return applyManifest(client, resource, object, { namespace: projectNamespace, force: true, dryRun, signal });
  }

  async #established(crds: ResourceRef, id: ObjectId, where: string): Promise<void> {
    const { client, clock, signal } = this.#ports;
    for (let tries = 0; tries < establishTriesMax; tries++) {
      const crd = await client.get(crds, id, signal);
      const condition = (type: string): string =>
        textAt(
          objectsAt(crd, "status.conditions").find((one) => one["type"] === type),
          "status",
        );
      if (condition("Established") === "True") return;
      if (condition("NamesAccepted") === "False") break;
      await sleep(clock, establishPauseMs, signal);
    }
    throw new UsageError(`${where}: the kinds of ${id.name} are not served; see mecha describe crd ${id.name}`);
  }
}

/** What is remembered of an object. */
interface Entry {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
}

function entryOf({ apiVersion, kind, metadata: { namespace, name, uid = "" } }: KubeObject): Entry {
  return { apiVersion, kind, ...(namespace !== undefined && { namespace }), name, uid };
}

/** Nothing when somebody wrote something else there. */
function entriesOf(text: string): readonly Entry[] {
  try {
    const value: unknown = JSON.parse(text === "" ? "[]" : text);
    return Array.isArray(value) ? value.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is Entry {
  return ["apiVersion", "kind", "name", "uid"].every((field) => textAt(value, field) !== "");
}

/** `one` is the kind or the namespace of the other. */
function brings(one: KubeObject, { apiVersion, kind, metadata }: KubeObject): boolean {
  if (one.kind === "Namespace") return one.metadata.name === metadata.namespace;
  const isCrd = one.kind === "CustomResourceDefinition" && textAt(one, "spec.group") === groupVersionOf(apiVersion).group;
  return isCrd && textAt(one, "spec.names.kind") === kind;
}

function noKind({ apiVersion, kind }: KubeObject, where: string): string {
  const why = notServed(apiVersion) ?? "no file brings its CustomResourceDefinition";
  return `${where}: the server has no kind ${kind} of ${apiVersion}; ${why}`;
}

function refusal(error: unknown): string {
  if (isReason(error, "NotFound")) return `${explain(error)}; is its namespace there?`;
  return explain(error);
}
