/** Where objects can be made: in namespaces that exist (the admission rule NamespaceLifecycle), of kinds that stay. */
import type { ResourceDefinition } from "@mecha/kinds";
import { notFound, qualifiedResource, StatusError } from "../status.ts";
import { crdGroup, crdPlural } from "../crd/crd-kind.ts";
import type { ServerParts } from "./context.ts";

/** There from the start, as on every cluster. */
export const initialNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

/** A kind whose CRD is being deleted takes no more objects: what is there is being removed, and the CRD goes with the last. @throws StatusError */
export function admitKind({ cache }: ServerParts, { group, plural }: ResourceDefinition): void {
  const crd = cache.shelf(`${crdGroup}/${crdPlural}`).get("", `${plural}.${group}`);
  if (crd?.object.metadata.deletionTimestamp === undefined) return;
  const why = "create not allowed while custom resource definition is terminating";
  throw new StatusError("MethodNotAllowed", why, { ...(group !== "" && { group }), kind: plural });
}

/** Namespaces nobody can delete. */
const lasting: ReadonlySet<string> = new Set(["default", "kube-system", "kube-public"]);

/** @throws StatusError Forbidden for a namespace that stays. */
export function admitRemoval({ group, plural }: ResourceDefinition, name: string): void {
  if (group !== "" || plural !== "namespaces" || !lasting.has(name)) return;
  throw new StatusError("Forbidden", `namespaces ${JSON.stringify(name)} is forbidden: this namespace may not be deleted`, {
    name,
    kind: plural,
  });
}

/**
 * @param name Of the object that is to be made, or what its name begins with.
 * @throws StatusError NotFound when the namespace is missing, Forbidden when it is being deleted.
 */
export function admitNew({ cache }: ServerParts, definition: ResourceDefinition, namespace: string, name: string): void {
  if (!definition.namespaced) return;
  const found = cache.shelf("/namespaces").get("", namespace);
  if (!found) throw notFound("namespaces", "", namespace);
  if (found.object.metadata.deletionTimestamp === undefined) return;
  const { plural, group } = definition;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  throw new StatusError("Forbidden", `${qualifiedResource(plural, group)} ${JSON.stringify(name)} is forbidden: ${why}`, {
    name,
    ...(group !== "" && { group }),
    kind: plural,
    causes: [{ reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" }],
  });
}
