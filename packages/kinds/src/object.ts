/** What every object of the API has, in the words of meta/v1. Plain JSON: objects are never classes, so that a patch, a log row and a wire body are one thing. */

/** Any JSON value as objects hold it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [field: string]: Json };

/** A JSON object that is being built or changed. */
export type JsonObject = { [field: string]: unknown };

/** Who owns an object; it is garbage when no owner is left. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  /** The one owner that manages it. */
  readonly controller?: boolean;
  /** Foreground deletion of the owner waits for this object. */
  readonly blockOwnerDeletion?: boolean;
}

/** What one manager set, as a set of field paths (server-side apply). */
export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** RFC 3339, whole seconds. */
  readonly time?: string;
  readonly fieldsType: "FieldsV1";
  readonly fieldsV1: JsonObject;
  /** `status`, `scale`; absent = the object itself. */
  readonly subresource?: string;
}

/** meta/v1 ObjectMeta. Fields the server owns (uid, resourceVersion, generation, timestamps) are absent until it stored the object. */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  /** Absent for cluster-scoped kinds. */
  namespace?: string;
  uid?: string;
  /** Opaque to clients; a decimal revision of the ObjectLog. */
  resourceVersion?: string;
  /** Raised by changes of the desired state, not by status or metadata. */
  generation?: number;
  /** RFC 3339, whole seconds. */
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFieldsEntry[];
}

/** An object of the API. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** Group and version; the core group is the empty text. */
export interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf({ group, version }: GroupVersion): string {
  return group === "" ? version : `${group}/${version}`;
}

/** The parts of an `apiVersion`. One without a slash is of the core group. */
export function groupVersionOf(apiVersion: string): GroupVersion {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? { group: "", version: apiVersion } : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}
