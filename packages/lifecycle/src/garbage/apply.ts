/** Carries out what plan.ts decides about one object, against the server's newest version of it. */
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, idOf, isReason, orphanFinalizer, type ResourceRef } from "@mecha/machinery";
import { uidOf, type Vertex } from "./graph.ts";
import type { GarbageAction } from "./plan.ts";

/**
 * Does `action` to `vertex`. An object that is gone or another by now is nothing to do about; a conflict is thrown: the caller looks again.
 * @param resourceOf Of a dependent.
 */
export async function applyGarbage(
  client: ApiClient,
  { resource, object }: Vertex,
  action: GarbageAction,
  resourceOf: (object: KubeObject) => ResourceRef | undefined,
  signal: AbortSignal,
): Promise<void> {
  switch (action.do) {
    case "delete": {
      // The version too: an owner may have been added since.
      const { uid, resourceVersion } = object.metadata;
      const preconditions = { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) };
      await unlessGone(client.delete(resource, idOf(object), { propagationPolicy: action.propagationPolicy, preconditions }, signal));
      return;
    }
    case "dropOwners":
      return await dropOwners(client, resource, object, action.uids, signal);
    case "removeFinalizer":
      return await removeFinalizer(client, resource, object, action.finalizer, signal);
    case "orphan": {
      for (const dependent of action.dependents) {
        const kind = resourceOf(dependent);
        if (kind) await dropOwners(client, kind, dependent, [uidOf(object)], signal);
      }
      return await removeFinalizer(client, resource, object, orphanFinalizer, signal);
    }
    case "lookAt":
      return; // the collector's queue does
  }
}

async function dropOwners(
  client: ApiClient,
  resource: ResourceRef,
  { metadata }: KubeObject,
  uids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const ownerReferences = (metadata.ownerReferences ?? []).filter(({ uid }) => !uids.includes(uid));
  await patchMetadata(client, resource, metadata, { ownerReferences }, signal);
}

async function removeFinalizer(
  client: ApiClient,
  resource: ResourceRef,
  { metadata }: KubeObject,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  await patchMetadata(client, resource, metadata, { finalizers: (metadata.finalizers ?? []).filter((one) => one !== finalizer) }, signal);
}

async function patchMetadata(
  client: ApiClient,
  resource: ResourceRef,
  { namespace, name, uid, resourceVersion }: KubeObject["metadata"],
  change: Partial<KubeObject["metadata"]>,
  signal: AbortSignal,
): Promise<void> {
  // uid and version in the patch make it conditional: a change since then answers 409.
  const patch = { metadata: { uid, resourceVersion, ...change } };
  const id = namespace === undefined ? { name } : { namespace, name };
  await unlessGone(client.patch(resource, id, "merge", patch, { signal }));
}

async function unlessGone(request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!isReason(error, "NotFound")) throw error;
  });
}
