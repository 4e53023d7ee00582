/**
 * How a namespace that is being deleted comes to its end: its contents go, then its finalizer `kubernetes`, then the server deletes it
 * (Kubernetes, "Namespaces"; the conditions are those kubectl and people know from there).
 */
import type { KubeObject } from "@mecha/kinds";

/** In `spec.finalizers`, put there by the server at creation. */
export const namespaceFinalizer = "kubernetes";

/** What is left of one resource in the namespace. */
export interface Remaining {
  /** `pods`, `deployments.apps`. */
  readonly resource: string;
  readonly count: number;
  /** Finalizers its objects wait for, with how many objects wait. */
  readonly finalizers: ReadonlyMap<string, number>;
}

/** What was found in the namespace. */
export interface Contents {
  readonly remaining: readonly Remaining[];
  /** Requests to delete or list that failed, as texts. */
  readonly failures: readonly string[];
  /** The list of resources could not be read, as text: what is left is then unknown. */
  readonly discoveryFailure?: string;
}

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

export type NamespacePlan =
  | { readonly do: "nothing" }
  | { readonly do: "finish"; readonly finalizers: readonly string[] }
  /** Tell what is left and look again. */
  | { readonly do: "wait"; readonly conditions: readonly Condition[]; readonly changed: boolean };

interface NamespaceSpec {
  readonly finalizers?: readonly string[];
}

/** This controller has something to do for the namespace. */
export function isTerminating(namespace: KubeObject): boolean {
  const finalizers = (namespace["spec"] as NamespaceSpec | undefined)?.finalizers ?? [];
  return namespace.metadata.deletionTimestamp !== undefined && finalizers.includes(namespaceFinalizer);
}

export function planNamespace(namespace: KubeObject, contents: Contents, nowMs: number): NamespacePlan {
  if (!isTerminating(namespace)) return { do: "nothing" };
  const { remaining, failures, discoveryFailure } = contents;
  if (remaining.length === 0 && failures.length === 0 && discoveryFailure === undefined) {
    const finalizers = (namespace["spec"] as NamespaceSpec).finalizers ?? [];
    return { do: "finish", finalizers: finalizers.filter((one) => one !== namespaceFinalizer) };
  }
  const old = (namespace["status"] as { readonly conditions?: readonly Condition[] } | undefined)?.conditions ?? [];
  const conditions = conditionsOf(contents).map((condition) => withTime(condition, old, nowMs));
  return { do: "wait", conditions, changed: JSON.stringify(conditions) !== JSON.stringify(old) };
}

type Finding = Omit<Condition, "lastTransitionTime">;

function conditionsOf({ remaining, failures, discoveryFailure }: Contents): readonly Finding[] {
  const finalizers = new Map<string, number>();
  for (const { finalizers: some } of remaining) for (const [name, count] of some) finalizers.set(name, (finalizers.get(name) ?? 0) + count);
  return [
    finding(
      "NamespaceDeletionDiscoveryFailure",
      "DiscoveryFailed",
      discoveryFailure,
      "ResourcesDiscovered",
      "All resources successfully discovered",
    ),
    finding(
      "NamespaceDeletionContentFailure",
      "ContentDeletionFailed",
      listOf(failures),
      "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization",
    ),
    finding(
      "NamespaceContentRemaining",
      "SomeResourcesRemain",
      listOf(
        remaining.map(({ resource, count }) => `${resource} has ${String(count)} resource instances`),
        "Some resources are remaining: ",
      ),
      "ContentRemoved",
      "All content successfully removed",
    ),
    finding(
      "NamespaceFinalizersRemaining",
      "SomeFinalizersRemain",
      listOf(
        [...finalizers].map(([name, count]) => `${name} in ${String(count)} resource instances`),
        "Some content in the namespace has finalizers remaining: ",
      ),
      "ContentHasNoFinalizers",
      "All content-preserving finalizers finished",
    ),
  ];
}

const listOf = (texts: readonly string[], head = ""): string | undefined =>
  texts.length === 0 ? undefined : head + texts.toSorted().join(", ");

function finding(type: string, badReason: string, bad: string | undefined, goodReason: string, good: string): Finding {
  return bad === undefined
    ? { type, status: "False", reason: goodReason, message: good }
    : { type, status: "True", reason: badReason, message: bad };
}

/** The time changes only when the status flips. */
function withTime(found: Finding, old: readonly Condition[], nowMs: number): Condition {
  const before = old.find(({ type }) => type === found.type);
  const now = new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, "Z");
  return { ...found, lastTransitionTime: before?.status === found.status ? before.lastTransitionTime : now };
}
