/** Empties a namespace and reports what is left. */
import { explain } from "@mecha/kit";
import { groupVersionOf, type KubeObject } from "@mecha/kinds";
import { type ApiClient, isReason, qualifiedResource, type ResourceRef } from "@mecha/machinery";
import type { Contents, NamespacePlan, Remaining } from "./plan.ts";

export const namespaces: ResourceRef = { apiVersion: "v1", kind: "Namespace", plural: "namespaces", namespaced: false };

/** Asks for the deletion of everything in `namespace`, then looks what is still there. */
export async function emptyNamespace(client: ApiClient, namespace: string, signal: AbortSignal): Promise<Contents> {
  let resources;
  try {
    resources = (await client.resources(signal)).filter(
      ({ namespaced, verbs }) => namespaced && verbs.includes("delete") && verbs.includes("list"),
    );
  } catch (error) {
    return { remaining: [], failures: [], discoveryFailure: explain(error) };
  }
  const remaining: Remaining[] = [];
  const failures: string[] = [];
  // One after the other: a namespace that goes is in no hurry, and requests of others are.
  for (const resource of resources) {
    try {
      const left = await emptyResource(client, resource, namespace, signal);
      if (left) remaining.push(left);
    } catch (error) {
      if (isReason(error, "NotFound")) continue; // the kind went meanwhile
      failures.push(`${resource.plural}: ${explain(error)}`);
    }
  }
  return { remaining, failures };
}

async function emptyResource(
  client: ApiClient,
  resource: ResourceRef,
  namespace: string,
  signal: AbortSignal,
): Promise<Remaining | undefined> {
  const selection = { namespace, metadataOnly: true };
  const before = await client.listAll(resource, selection, signal);
  if (before.items.length === 0) return undefined;
  await client.deleteCollection(resource, { namespace }, { propagationPolicy: "Background" }, signal);
  const { items } = await client.listAll(resource, selection, signal);
  if (items.length === 0) return undefined;
  const { group } = groupVersionOf(resource.apiVersion);
  return { resource: qualifiedResource(resource.plural, group), count: items.length, finalizers: countFinalizers(items) };
}

function countFinalizers(items: readonly KubeObject[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { metadata } of items) for (const name of metadata.finalizers ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Carries out the plan for `namespace`. */
export async function applyNamespace(client: ApiClient, namespace: KubeObject, plan: NamespacePlan, signal: AbortSignal): Promise<void> {
  if (plan.do === "finish") {
    const spec = { ...(namespace["spec"] as object), finalizers: plan.finalizers };
    await client.update(namespaces, { ...namespace, spec }, { subresource: "finalize", signal });
  }
  if (plan.do === "wait" && plan.changed) {
    const status = { ...(namespace["status"] as object | undefined), phase: "Terminating", conditions: plan.conditions };
    await client.update(namespaces, { ...namespace, status }, { subresource: "status", signal });
  }
}
