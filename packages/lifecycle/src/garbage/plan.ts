/**
 * Which objects are garbage, decided from ownerReferences and the two deletion finalizers (Kubernetes, "Garbage Collection"; facts: platform §6.5).
 *
 * Invariants
 * G1 an object is deleted only when every owner it names is absent or goes in the foreground, and it named at least one
 * G2 an owner that goes in the foreground is let go when nothing is left that blocks it
 * G3 an owner that orphans is let go only after no dependent names it any more
 */
import type { KubeObject } from "@mecha/kinds";
import { foregroundFinalizer, orphanFinalizer } from "@mecha/machinery";

/** What became of an owner: there, gone (or another object under its name), or being deleted after its dependents. */
export type OwnerFate = "present" | "absent" | "waiting";

export type GarbageAction =
  | { readonly do: "delete"; readonly propagationPolicy: "Background" | "Foreground" | "Orphan" }
  /** Take these owners' references off: the object has others. */
  | { readonly do: "dropOwners"; readonly uids: readonly string[] }
  | { readonly do: "removeFinalizer"; readonly finalizer: string }
  /** Make dependents forget this object, then let it go. */
  | { readonly do: "orphan"; readonly dependents: readonly KubeObject[] }
  /** These dependents are to go first. */
  | { readonly do: "lookAt"; readonly dependents: readonly KubeObject[] };

const hasFinalizer = ({ metadata }: KubeObject, finalizer: string): boolean => metadata.finalizers?.includes(finalizer) ?? false;
export const isGoing = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined;
/** Is being deleted after its dependents. */
export const goesInForeground = (object: KubeObject): boolean => isGoing(object) && hasFinalizer(object, foregroundFinalizer);
/** Is being deleted and leaves its dependents. */
export const goesOrphaning = (object: KubeObject): boolean => isGoing(object) && hasFinalizer(object, orphanFinalizer);

/**
 * What to do about `object`. @param fateOf What became of the owner with this uid.
 * @param dependents Objects that name this one as an owner.
 */
export function planGarbage(
  object: KubeObject,
  fateOf: (uid: string) => OwnerFate,
  dependents: readonly KubeObject[],
): GarbageAction | undefined {
  if (goesOrphaning(object)) return { do: "orphan", dependents };
  if (goesInForeground(object)) return planForeground(object, dependents);
  if (isGoing(object)) return undefined; // somebody else's finalizer, or its grace period: not ours to hurry
  return planDependent(object, fateOf, dependents.length > 0);
}

function planForeground({ metadata }: KubeObject, dependents: readonly KubeObject[]): GarbageAction {
  const blocking = dependents.filter((dependent) =>
    dependent.metadata.ownerReferences?.some(({ uid, blockOwnerDeletion }) => uid === metadata.uid && blockOwnerDeletion === true),
  );
  if (blocking.length === 0) return { do: "removeFinalizer", finalizer: foregroundFinalizer }; // keeps G2
  return { do: "lookAt", dependents: blocking.filter((dependent) => !isGoing(dependent)) };
}

function planDependent(object: KubeObject, fateOf: (uid: string) => OwnerFate, hasDependents: boolean): GarbageAction | undefined {
  const owners = object.metadata.ownerReferences ?? [];
  if (owners.length === 0) return undefined;
  const fates = owners.map(({ uid }) => ({ uid, fate: fateOf(uid) }));
  const lost = fates.filter(({ fate }) => fate !== "present").map(({ uid }) => uid);
  if (lost.length === 0) return undefined;
  if (lost.length < owners.length) return { do: "dropOwners", uids: lost }; // keeps G1
  // What is awaited must itself wait for what hangs on it.
  if (hasDependents && fates.some(({ fate }) => fate === "waiting")) return { do: "delete", propagationPolicy: "Foreground" };
  if (hasFinalizer(object, orphanFinalizer)) return { do: "delete", propagationPolicy: "Orphan" };
  if (hasFinalizer(object, foregroundFinalizer)) return { do: "delete", propagationPolicy: "Foreground" };
  return { do: "delete", propagationPolicy: "Background" };
}
