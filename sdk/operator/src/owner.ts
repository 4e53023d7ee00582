/** Ownership: what an owner's deletion takes along, and whose changes wake the owner's controller. */
import type { KubeObject, OwnerReference } from "@mecha/kinds";

/** The reference that makes `owner` the one manager of an object. @throws Error when `owner` is not stored yet. */
export function controllerReference(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata;
  if (uid === undefined) throw new Error(`${owner.kind} ${name} has no uid: only a stored object can own another`);
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true };
}
