/** Applies objects of files through the server: finds their resource, says what became of them. */
import { isDeepStrictEqual } from "node:util";
import { Fault } from "@mecha/kit";
import { groupVersionOf, type KubeObject } from "@mecha/kinds";
import type { ApiClient, ObjectId, ServedResource } from "@mecha/machinery";
import type { Manifest } from "./read.ts";

/** Kinds of the server; asked again when one is not known, as a CRD applied before may have brought it. */
export class ServedKinds {
  readonly #client: ApiClient;
  #known: readonly ServedResource[] = [];

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** `undefined` when there is none. */
  async find({ apiVersion, kind }: KubeObject): Promise<ServedResource | undefined> {
    const find = (): ServedResource | undefined => this.#known.find((one) => one.kind === kind && one.apiVersion === apiVersion);
    const known = find();
    if (known) return known;
    this.#known = await this.#client.resources();
    return find();
  }

  /** @throws Fault("notFound") naming the place. */
  async of({ object, where }: Manifest): Promise<ServedResource> {
    const found = await this.find(object);
    if (found) return found;
    const { kind, apiVersion } = object;
    const why = notServed(apiVersion) ?? "is its CustomResourceDefinition applied?";
    throw new Fault("notFound", `${where}: the server has no kind ${kind} of ${apiVersion}; ${why}`);
  }
}

/** Of groups every cluster has and `mecha up` has not. */
const leftOut: Readonly<Record<string, string>> = {
  "admissionregistration.k8s.io": "mecha up calls no admission webhooks and evaluates no admission policies: leave the object out",
  "apiregistration.k8s.io": "mecha up hands no requests on to other API servers: leave the object out",
};

/** Why no CustomResourceDefinition would help; `undefined` where one might. */
export const notServed = (apiVersion: string): string | undefined => leftOut[groupVersionOf(apiVersion).group];

export function idFor(resource: ServedResource, namespace: string, name: string): ObjectId {
  return resource.namespaced ? { namespace, name } : { name };
}

export interface ApplyOptions {
  /** Of objects that name none. */
  readonly namespace: string;
  readonly force: boolean;
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export interface Applied {
  readonly resource: ServedResource;
  readonly object: KubeObject;
  readonly what: "created" | "configured" | "unchanged";
}

export async function applyManifest(
  client: ApiClient,
  resource: ServedResource,
  manifest: KubeObject,
  { namespace: fallback, force, dryRun = false, signal }: ApplyOptions,
): Promise<Applied> {
  const { namespace = fallback, name } = manifest.metadata;
  const placed = resource.namespaced ? { ...manifest, metadata: { ...manifest.metadata, namespace } } : manifest;
  const before = await client.find(resource, idFor(resource, namespace, name), signal);
  const object = await client.apply<KubeObject>(resource, placed, { force, dryRun, ...(signal && { signal }) });
  return { resource, object, what: !before ? "created" : isDeepStrictEqual(content(before), content(object)) ? "unchanged" : "configured" };
}

/** The object without what the server keeps account of; a dry run raises no version, so versions do not tell. */
function content({ metadata, ...rest }: KubeObject): object {
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
