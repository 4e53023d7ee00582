/**
 * Rules of ObjectMeta: what the server fills in and what callers may not change; what is well-formed is validateMeta's (@mecha/kinds). Pure.
 *
 * M1 uid, creationTimestamp, deletionTimestamp and generation are the server's: what a body says of them is overwritten
 */
import type { JsonObject, KubeObject, ResourceDefinition } from "@mecha/kinds";
import { copy, equal, isObject } from "../json.ts";
import { badRequest } from "./options.ts";

/** Of an object that has to say which one it is. */
export const unnamed = (name: string): string => `the name of the object (${name} based on URL) was undeterminable: name must be provided`;

/** RFC 3339 in whole seconds, as meta/v1 Time is written. */
export function timeText(ms: number): string {
  return new Date(Math.floor(ms / 1_000) * 1_000).toISOString().replace(".000Z", "Z");
}

/** Fills the fields of the server in on create (M1), in place. */
export function stampNew(object: KubeObject, definition: ResourceDefinition, uid: string, nowMs: number): void {
  const { metadata } = object;
  metadata.uid = uid;
  metadata.creationTimestamp = timeText(nowMs);
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  if (!metadata.resourceVersion) delete metadata.resourceVersion; // what a dry run says stays
  delete (metadata as { selfLink?: unknown }).selfLink;
  if (definition.generation) metadata.generation = 1;
  else if (!((metadata.generation ?? 0) < 0)) delete metadata.generation; // less than nothing is refused
}

/** Carries the fields of the server over on update (M1), in place. Returns `next`. */
export function stampUpdated(next: KubeObject, old: KubeObject): void {
  const { metadata } = next;
  const kept = old.metadata;
  if (!metadata.uid && kept.uid !== undefined) metadata.uid = kept.uid; // another one is refused
  for (const field of ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"] as const) {
    if (kept[field] === undefined) delete metadata[field];
    else (metadata as unknown as Record<string, unknown>)[field] = kept[field];
  }
  delete (metadata as { selfLink?: unknown }).selfLink;
  if (metadata.generateName === undefined && kept.generateName !== undefined) metadata.generateName = kept.generateName;
}

/** Raises the generation when something outside metadata and status changed, in place. */
export function stampGeneration(next: KubeObject, old: KubeObject, definition: ResourceDefinition): void {
  const { generation } = definition;
  if (!generation) return;
  if (!equal(desired(next, definition), desired(old, definition))) next.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

/** The object without its metadata and, where status is a subresource, without status. */
function desired(object: KubeObject, definition: ResourceDefinition): Record<string, unknown> {
  const { metadata, apiVersion: _apiVersion, ...rest } = object;
  if (definition.status) delete (rest as { status?: unknown }).status;
  return {
    ...rest,
    ...(definition.annotationsCount && { annotations: metadata.annotations ?? {} }),
    ...(definition.generation === "labels" && { labels: metadata.labels ?? {} }),
  };
}

/**
 * What a change through `/status` may say: of a CRD's kind status only; of a built-in kind everything but spec and what the kind keeps besides, so
 * labels and annotations too.
 */
export function onlyStatus(next: KubeObject, old: KubeObject, definition: ResourceDefinition): KubeObject {
  if (!definition.strategicPatch) return withStatusOf(next, old);
  for (const path of ["spec", ...(definition.statusKeeps ?? [])]) keep(next, old, path.split("."));
  return next;
}

function keep(next: JsonObject, old: JsonObject, [field = "", ...rest]: readonly string[]): void {
  const before = old[field];
  if (rest.length > 0) {
    if (isObject(next[field])) keep(next[field], isObject(before) ? before : {}, rest);
  } else if (before === undefined) delete next[field];
  else next[field] = copy(before);
}

function withStatusOf(next: KubeObject, old: KubeObject): KubeObject {
  const merged = copy(old);
  if (next.status === undefined) delete merged.status;
  else merged.status = next.status;
  if (next.metadata.resourceVersion !== undefined) merged.metadata.resourceVersion = next.metadata.resourceVersion;
  if (next.metadata.managedFields) merged.metadata.managedFields = next.metadata.managedFields;
  return merged;
}

/** `metadata` as an object with texts where texts belong. @throws StatusError BadRequest */
export function mustHaveMetadata(value: Record<string, unknown>): KubeObject {
  value.metadata ??= {};
  const { metadata } = value;
  if (!isObject(metadata)) throw badRequest("metadata must be an object");
  for (const field of ["name", "namespace", "generateName", "uid", "resourceVersion"])
    if (metadata[field] === null) delete metadata[field];
    else if (metadata[field] !== undefined && typeof metadata[field] !== "string") throw badRequest(`metadata.${field} must be a string`);
  for (const field of ["labels", "annotations"]) textMap(metadata, field);
  const { finalizers, ownerReferences } = metadata;
  if (finalizers !== undefined && !(Array.isArray(finalizers) && finalizers.every((one) => typeof one === "string")))
    throw badRequest("metadata.finalizers must be a list of strings");
  if (ownerReferences !== undefined && !(Array.isArray(ownerReferences) && ownerReferences.every(isObject)))
    throw badRequest("metadata.ownerReferences must be a list of objects");
  if (finalizers?.length === 0) delete metadata.finalizers;
  return value as KubeObject;
}

function textMap(metadata: Record<string, unknown>, field: string): void {
  const map = metadata[field];
  if (map === null || map === undefined) {
    delete metadata[field];
    return;
  }
  if (!isObject(map)) throw badRequest(`metadata.${field} must be an object`);
  for (const [key, value] of Object.entries(map))
    if (value === null) map[key] = "";
    else if (typeof value !== "string")
      throw badRequest(`metadata.${field}[${key}]: json: cannot unmarshal ${typeof value} into a value of type string`);
}
