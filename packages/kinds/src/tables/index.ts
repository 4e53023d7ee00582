/**
 * The types of the kinds Kubernetes has, read from the imported rows. Reading all of them takes about 2 ms, so that it is done once, when the first
 * definition asks.
 *
 * A row is `[name, fields, options?]`, a field `[name, number, type, options?]`; scripts/import-k8s writes them. A type is a scalar's name, a type's
 * name (`file/Name` when it is another file's), with `[]` (list), `[+]` (list that is a message in the Protobuf form) or `{}` (map) before it.
 * Options of a field: r required, o omitted when empty, z written when empty, n written as null when absent, i inline, s patch strategy, k merge key, l list type, m map keys, t map type, d default,
 * e enumeration.
 */
import type { FieldRow, ListType, ScalarName, TypeRef, TypeRow, TypeTable, Union } from "../type-table.ts";
import * as apiextensions from "./gen/apiextensions_v1.ts";
import * as apps from "./gen/apps_v1.ts";
import * as authentication from "./gen/authentication_v1.ts";
import * as authorization from "./gen/authorization_v1.ts";
import * as autoscalingV1 from "./gen/autoscaling_v1.ts";
import * as autoscalingV2 from "./gen/autoscaling_v2.ts";
import * as batch from "./gen/batch_v1.ts";
import * as coordination from "./gen/coordination_v1.ts";
import * as core from "./gen/core_v1.ts";
import * as discovery from "./gen/discovery_v1.ts";
import * as events from "./gen/events_v1.ts";
import * as meta from "./gen/meta_v1.ts";
import * as networking from "./gen/networking_v1.ts";
import * as policy from "./gen/policy_v1.ts";
import * as rbac from "./gen/rbac_v1.ts";
import * as scheduling from "./gen/scheduling_v1.ts";
import { version } from "./gen/version.ts";

/** The Kubernetes whose types these are, and whose behaviour is served: what `kubectl version` shows. */
export const kubernetesVersion = version;

interface ImportedFile {
  /** Put before each type's name: `io.k8s.api.core.v1.`. */
  readonly prefix: string;
  /** A line of JSON for each type. */
  readonly rows: string;
}

const files: Readonly<Record<string, ImportedFile>> = {
  apiextensions_v1: apiextensions,
  apps_v1: apps,
  authentication_v1: authentication,
  authorization_v1: authorization,
  autoscaling_v1: autoscalingV1,
  autoscaling_v2: autoscalingV2,
  batch_v1: batch,
  coordination_v1: coordination,
  core_v1: core,
  discovery_v1: discovery,
  events_v1: events,
  meta_v1: meta,
  networking_v1: networking,
  policy_v1: policy,
  rbac_v1: rbac,
  scheduling_v1: scheduling,
};

interface ImportedOptions {
  readonly r?: 1;
  readonly o?: 1;
  readonly z?: 1;
  readonly n?: 1;
  readonly i?: 1;
  readonly s?: string;
  readonly k?: string;
  readonly l?: ListType;
  readonly m?: readonly string[];
  readonly t?: "granular" | "atomic";
  readonly d?: unknown;
  readonly e?: readonly string[];
}

type ImportedField = readonly [name: string, number: number, type: string, options?: ImportedOptions];
type ImportedRow = readonly [
  name: string,
  fields: readonly ImportedField[],
  options?: { readonly mapType?: "granular" | "atomic"; readonly union?: Union },
];

let table: TypeTable | undefined;

/** Every imported type, by the name OpenAPI documents give it: `io.k8s.api.apps.v1.Deployment`. */
export function kubernetesTypes(): TypeTable {
  return (table ??= new Map(Object.values(files).flatMap((file) => [...rowsOf(file)].map((row) => [row.name, row] as const))));
}

function* rowsOf(file: ImportedFile): Iterable<TypeRow> {
  for (const line of file.rows.split("\n")) {
    if (line === "") continue;
    const [name, fields, options] = JSON.parse(line) as ImportedRow;
    yield { name: file.prefix + name, fields: fields.map((field) => fieldOf(field, file)), ...options };
  }
}

function fieldOf([name, number, type, options = {}]: ImportedField, file: ImportedFile): FieldRow {
  return {
    name,
    ...(number > 0 && { number }),
    ref: withMerge(refOf(type, file), options),
    ...(options.r && { required: true }),
    ...(options.o && { omitEmpty: true }),
    ...(options.z && { writeEmpty: true }),
    ...(options.n && { writeEmpty: "null" }),
    ...(options.i && { inline: true }),
    ...(options.s !== undefined && { patchStrategy: options.s }),
    ...(options.k !== undefined && { patchMergeKey: options.k }),
    ...("d" in options && { default: options.d }),
    ...(options.e && { enum: options.e }),
  };
}

function refOf(type: string, file: ImportedFile): TypeRef {
  if (type.startsWith("[]")) return { list: refOf(type.slice(2), file) };
  if (type.startsWith("[+]")) return { list: refOf(type.slice(3), file), message: true };
  if (type.startsWith("{}")) return { map: refOf(type.slice(2), file) };
  if (/^[a-z]\w*$/.test(type)) return { scalar: type as ScalarName };
  if (type.startsWith("any:")) return { scalar: "any", named: type.slice("any:".length) };
  const slash = type.indexOf("/");
  const owner = slash < 0 ? file : files[type.slice(0, slash)];
  if (!owner) throw new Error(`type table: ${type} names a file that is not imported`);
  return { type: owner.prefix + type.slice(slash + 1) };
}

function withMerge(ref: TypeRef, options: ImportedOptions): TypeRef {
  if ("list" in ref) return { ...ref, ...(options.l && { listType: options.l }), ...(options.m && { mapKeys: options.m }) };
  if ("map" in ref) return { ...ref, ...(options.t && { mapType: options.t }) };
  if ("type" in ref) return { ...ref, ...(options.t && { mapType: options.t }) };
  return ref;
}
