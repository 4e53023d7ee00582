/** Writes what was found out about an object of ours: its status, and an Event when there is news. */
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, type EventRecorder, idOf, type ResourceRef } from "@mecha/machinery";
import { type Finding, newsOf, statusFor } from "./plan.ts";

export interface Writers {
  readonly client: ApiClient;
  readonly recorder: EventRecorder;
}

/** Does nothing when the object says it already. */
export async function writeFinding(
  { client, recorder }: Writers,
  resource: ResourceRef,
  object: KubeObject,
  finding: Finding,
  { signal, nowMs }: { readonly signal: AbortSignal; readonly nowMs: number },
): Promise<void> {
  const status = statusFor(object, finding, nowMs);
  if (!status) return;
  const news = newsOf(object, finding);
  await client.apply(resource, { ...bare(object), status }, { subresource: "status", signal });
  if (news) await recorder.record(object, news.type, finding.reason, news.message);
}

export async function removeObject(client: ApiClient, resource: ResourceRef, object: KubeObject, signal: AbortSignal): Promise<void> {
  const { uid } = object.metadata;
  await client.delete(resource, idOf(object), uid === undefined ? {} : { preconditions: { uid } }, signal);
}

/** Who the object is, without what it holds: an apply owns what it names. */
function bare({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}
