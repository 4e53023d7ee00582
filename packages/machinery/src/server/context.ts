/** What every verb works with: the parts of the server, and what one request is about. */
import type { Clock, Random } from "@mecha/kit";
import type { KubeObject, ManagedFieldsEntry, ResourceDefinition } from "@mecha/kinds";
import type { Registry } from "../registry/registry.ts";
import type { WatchCache } from "../watch/cache.ts";
import type { Shelf, Shelved } from "../watch/shelf.ts";
import type { ServiceAddresses } from "./addresses.ts";

export interface ServerParts {
  readonly cache: WatchCache;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly fields: FieldTracker | undefined;
  readonly addresses: ServiceAddresses;
}

/** Keeps `metadata.managedFields`: who set which field. */
export interface FieldTracker {
  /** The entries after `next` was made out of `old` (`undefined`: created); `undefined` when nobody manages anything. */
  track(change: FieldChange): readonly ManagedFieldsEntry[] | undefined;
  /** Can it be read by the types of its kind? Of what cannot, the server records nobody. */
  fits?(definition: ResourceDefinition, object: KubeObject): boolean;
}

/** Under which name the server itself writes, in managedFields. */
export const serverManager = "mecha-apiserver";

export interface FieldChange {
  readonly definition: ResourceDefinition;
  readonly old: KubeObject | undefined;
  /** With the managedFields the request brought, if any. */
  readonly next: KubeObject;
  readonly manager: string;
  readonly subresource: string | undefined;
  readonly nowMs: number;
}

/** The resource a request is about. */
export interface Target {
  readonly definition: ResourceDefinition;
  /** Empty for cluster-scoped resources and lists over all namespaces. */
  readonly namespace: string;
}

/** The resource a kind's objects are kept as: its own, or the one it shares them with. */
export function storedResource({ group, plural, storedAs }: ResourceDefinition): { readonly group: string; readonly plural: string } {
  return storedAs ?? { group, plural };
}

export function shelfOf(parts: ServerParts, definition: ResourceDefinition): Shelf {
  const { group, plural } = storedResource(definition);
  return parts.cache.shelf(`${group}/${plural}`);
}

/** JSON of an object as it is kept: in the form all versions and names of the kind share. */
export function storedText(object: KubeObject, { storedAs }: ResourceDefinition): string {
  return JSON.stringify(storedAs ? storedAs.toStored(object) : object);
}

/** What `presented` made of a stored object last; lists are asked for again and again in the same version. */
const presentations = new WeakMap<KubeObject, { readonly definition: ResourceDefinition; readonly object: KubeObject }>();

/** The object in the version that was asked for: all versions of a kind are stored as one. Never changes the shelf's (C2). */
export function presented({ object }: Shelved, definition: ResourceDefinition): KubeObject {
  if (definition.storedAs) {
    const known = presentations.get(object);
    if (known?.definition === definition) return known.object;
    const made = definition.storedAs.fromStored(object);
    presentations.set(object, { definition, object: made });
    return made;
  }
  const apiVersion = definition.group === "" ? definition.version : `${definition.group}/${definition.version}`;
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}
