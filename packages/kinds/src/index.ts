/** Kinds of the Kubernetes API: what their objects look like, their defaults and their rules. Semantics of requests are packages/machinery's. */
export {
  apiVersionOf,
  type GroupVersion,
  groupVersionOf,
  type Json,
  type JsonObject,
  type KubeObject,
  type ManagedFieldsEntry,
  type ObjectMeta,
  type OwnerReference,
} from "./object.ts";
export type { FieldProblem, KindContext, PrinterColumn, ResourceDefinition, ScalePaths } from "./resource.ts";
export type { FieldRow, ListType, ScalarName, TypeRef, TypeRow, TypeTable } from "./type-table.ts";
