/** Which groups, versions and resources there are: the aggregated form (apidiscovery.k8s.io v2) and the old one list by list. Pure. */
import { apiVersionOf, type ResourceDefinition } from "@mecha/kinds";
import type { Registry, ServedGroup } from "../registry/registry.ts";

/** Verbs of a resource whose definition names none, in the order discovery lists them. */
export const allVerbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"] as const;

/** Of CRDs' kinds, in their order. */
const customVerbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"] as const;

const verbsOf = ({ verbs, openAPISchema }: ResourceDefinition): readonly string[] => verbs ?? (openAPISchema ? customVerbs : allVerbs);

const subresourceVerbs = ["get", "patch", "update"] as const;

/** A subresource discovery mentions, such as `pods/log`. */
export interface ServedSubresource {
  readonly name: string;
  readonly verbs: readonly string[];
  /** What it answers with. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Sorted by name; CRDs have status before scale. */
export function subresourcesOf(definition: ResourceDefinition): ServedSubresource[] {
  const { group, version, kind } = definition;
  const all = [
    ...(definition.status ? [{ name: "status", verbs: subresourceVerbs, group, version, kind }] : []),
    ...(definition.scale ? [{ name: "scale", verbs: subresourceVerbs, group: "autoscaling", version: "v1", kind: "Scale" }] : []),
    ...(definition.creates ?? []).map((created) => ({ ...created, verbs: ["create"] })),
    ...(definition.plural === "namespaces" && group === "" ? [{ name: "finalize", verbs: ["update"], group, version, kind }] : []),
  ];
  return definition.openAPISchema ? all : all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** As discovery says what comes back: built-in kinds leave out group and version where they are the resource's own. */
function responseKind(
  definition: ResourceDefinition,
  of: { readonly group: string; readonly version: string; readonly kind: string },
): object {
  const own = !definition.openAPISchema && of.group === definition.group && of.version === definition.version;
  return { group: own ? "" : of.group, version: own ? "" : of.version, kind: of.kind };
}

/** `/api` (only the core group) and `/apis` (all others) in the aggregated form. */
export function aggregatedDiscovery(registry: Registry, core: boolean): Record<string, unknown> {
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: registry
      .groups()
      .filter(({ group }) => (group === "") === core)
      .map(({ group, versions }) => ({
        metadata: { ...(group !== "" && { name: group }), creationTimestamp: null },
        versions: versions.map((served) => ({
          version: served.version,
          resources: served.resources.map(aggregatedResource),
          freshness: "Current",
        })),
      })),
  };
}

function aggregatedResource(definition: ResourceDefinition): Record<string, unknown> {
  const { plural, singular, namespaced, shortNames, categories } = definition;
  const subresources = subresourcesOf(definition);
  return {
    resource: plural,
    responseKind: responseKind(definition, definition),
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: verbsOf(definition),
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    ...(subresources.length > 0 && {
      subresources: subresources.map((below) => ({
        subresource: below.name,
        responseKind: responseKind(definition, below),
        verbs: below.verbs,
      })),
    }),
  };
}

/** `/api`: versions of the core group. */
export function coreVersions(registry: Registry, address: string): Record<string, unknown> {
  const core = registry.groups().find(({ group }) => group === "");
  return {
    kind: "APIVersions",
    versions: (core?.versions ?? []).map(({ version }) => version),
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: address }],
  };
}

/** `/apis`: all other groups. */
export function groupList(registry: Registry): Record<string, unknown> {
  const groups = registry.groups().filter(({ group }) => group !== "");
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map((group) => apiGroup(group)) };
}

/** `/apis/GROUP`. @returns `undefined` when there is no such group. */
export function groupOf(registry: Registry, name: string): Record<string, unknown> | undefined {
  const group = registry.groups().find((one) => one.group === name && name !== "");
  return group && { kind: "APIGroup", apiVersion: "v1", ...apiGroup(group) };
}

function apiGroup({ group, versions }: ServedGroup): Record<string, unknown> {
  const listed = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: listed, preferredVersion: listed[0] };
}

/** `/api/v1`, `/apis/GROUP/VERSION`. @returns `undefined` when there is no such version. */
export function resourceList(registry: Registry, group: string, version: string): Record<string, unknown> | undefined {
  const served = registry
    .groups()
    .find((one) => one.group === group)
    ?.versions.find((one) => one.version === version);
  if (!served) return undefined;
  return {
    kind: "APIResourceList",
    ...(group !== "" && { apiVersion: "v1" }),
    groupVersion: apiVersionOf({ group, version }),
    resources: served.resources.flatMap(listedResource),
  };
}

function listedResource(definition: ResourceDefinition): Record<string, unknown>[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = definition;
  const own = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs: verbsOf(definition),
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  };
  const below = subresourcesOf(definition).map(({ name, verbs, ...response }) => ({
    name: `${plural}/${name}`,
    singularName: "",
    namespaced,
    ...((response.group !== definition.group || response.version !== definition.version) && {
      group: response.group,
      version: response.version,
    }),
    kind: response.kind,
    verbs,
  }));
  return [own, ...below];
}
