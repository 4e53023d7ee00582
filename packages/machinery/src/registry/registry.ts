/**
 * Which resources are served. Built-in kinds are registered at start, those of CRDs while the server runs; discovery, OpenAPI and the routes all
 * read from here.
 *
 * R1 one (group, version, plural) is one definition; all versions of a (group, plural) share their stored objects
 * R2 every change raises `generation`, so that whoever derives documents from the registry knows when they are stale
 */
import { apiVersionOf, type GroupVersion, type ResourceDefinition } from "@mecha/kinds";

/** Versions of a group, the preferred one first. */
export interface ServedGroup {
  readonly group: string;
  readonly versions: readonly ServedVersion[];
}

export interface ServedVersion {
  readonly version: string;
  readonly resources: readonly ResourceDefinition[];
}

export class Registry {
  readonly #byPath = new Map<string, ResourceDefinition>();
  #generation = 0;
  #groups: { readonly generation: number; readonly groups: readonly ServedGroup[] } | undefined;

  constructor(definitions: readonly ResourceDefinition[] = []) {
    for (const definition of definitions) this.register(definition);
  }

  /** Rises with each change (R2). */
  get generation(): number {
    return this.#generation;
  }

  /** Serves a resource from now on, or a new definition of it in place of the old one. */
  register(definition: ResourceDefinition): void {
    this.#byPath.set(pathKey(definition, definition.plural), definition);
    this.#generation++;
  }

  /** Stops serving it. Stored objects stay. */
  unregister(of: GroupVersion, plural: string): void {
    if (this.#byPath.delete(pathKey(of, plural))) this.#generation++;
  }

  find(of: GroupVersion, plural: string): ResourceDefinition | undefined {
    return this.#byPath.get(pathKey(of, plural));
  }

  /** By `apiVersion` and `kind`, as objects name themselves. */
  findKind(apiVersion: string, kind: string): ResourceDefinition | undefined {
    for (const definition of this.#byPath.values())
      if (definition.kind === kind && apiVersionOf(definition) === apiVersion) return definition;
    return undefined;
  }

  /** All, in the order of registration. */
  definitions(): Iterable<ResourceDefinition> {
    return this.#byPath.values();
  }

  /** The core group first, then in the order of registration; versions by the priority rules of Kubernetes (v2, v1, v1beta1). */
  groups(): readonly ServedGroup[] {
    if (this.#groups?.generation !== this.#generation)
      this.#groups = { generation: this.#generation, groups: grouped(this.#byPath.values()) };
    return this.#groups.groups;
  }
}

function pathKey({ group, version }: GroupVersion, plural: string): string {
  return `${group}/${version}/${plural}`;
}

function grouped(definitions: Iterable<ResourceDefinition>): ServedGroup[] {
  const groups = new Map<string, Map<string, ResourceDefinition[]>>([["", new Map()]]);
  for (const definition of definitions) {
    const versions = groups.get(definition.group) ?? new Map<string, ResourceDefinition[]>();
    groups.set(definition.group, versions);
    const resources = versions.get(definition.version) ?? [];
    versions.set(definition.version, resources);
    resources.push(definition);
  }
  return [...groups].flatMap(([group, versions]) =>
    versions.size === 0
      ? []
      : [
          {
            group,
            versions: [...versions]
              .sort(([a], [b]) => compareVersions(a, b))
              .map(([version, resources]) => ({ version, resources: [...resources].sort((a, b) => (a.plural < b.plural ? -1 : 1)) })),
          },
        ],
  );
}

/** Most stable first, then newest: v10, v2, v1, v2beta1, v1beta2, v1alpha1, then anything else by name. */
export function compareVersions(a: string, b: string): number {
  const left = parsedVersion(a);
  const right = parsedVersion(b);
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  return right.stability - left.stability || right.major - left.major || right.minor - left.minor;
}

function parsedVersion(version: string): { readonly stability: number; readonly major: number; readonly minor: number } | undefined {
  const found = /^v([1-9]\d{0,8})(?:(alpha|beta)([1-9]\d{0,8}))?$/u.exec(version);
  if (!found) return undefined;
  const [, major, stage, minor] = found;
  return { stability: stage === undefined ? 2 : stage === "beta" ? 1 : 0, major: Number(major), minor: Number(minor ?? 0) };
}
