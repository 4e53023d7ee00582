/** Table answers (meta/v1): the server decides the columns `kubectl get` shows. */
import { ageOf, type KubeObject, type PrinterColumn, type ResourceDefinition } from "@mecha/kinds";

export interface TableOptions {
  readonly version: "v1" | "v1beta1";
  readonly includeObject: "None" | "Metadata" | "Object";
  readonly nowMs: number;
  /** Columns stand only in the first event of a watch. */
  readonly columns?: boolean;
}

/** What of a kind decides how its objects are shown. */
export type Shown = Pick<ResourceDefinition, "columns" | "fieldAnnotations">;

const defaultColumns: readonly PrinterColumn[] = [
  {
    name: "Name",
    type: "string",
    format: "name",
    description: "Name, unique within the namespace.",
    priority: 0,
    cell: ({ metadata }) => metadata.name,
  },
  {
    name: "Age",
    type: "string",
    description: "How long ago it was created.",
    priority: 0,
    cell: ({ metadata }, nowMs) => ageOf(metadata.creationTimestamp, nowMs),
  },
];

/** @param metadata Of the list; empty for one object. */
export function tableOf(
  definition: Shown,
  objects: readonly KubeObject[],
  metadata: Readonly<Record<string, unknown>>,
  options: TableOptions,
): Record<string, unknown> {
  const columns = definition.columns ?? defaultColumns;
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata,
    columnDefinitions: options.columns === false ? null : columns.map(columnDefinition),
    rows: objects.map((object) => rowOf({ ...definition, columns }, object, options)),
  };
}

function columnDefinition({ name, type, format = "", description, priority }: PrinterColumn): Record<string, unknown> {
  return { name, type, format, description, priority };
}

function rowOf(
  definition: Shown & { readonly columns: readonly PrinterColumn[] },
  object: KubeObject,
  { version, includeObject, nowMs }: TableOptions,
): Record<string, unknown> {
  // A bookmark has no name.
  const cells = definition.columns.map(({ cell, format }) => cell(object, nowMs) ?? (format === "name" ? "" : null));
  if (includeObject === "None") return { cells, object: null };
  return { cells, object: includeObject === "Object" ? object : partialOf(object, version, definition) };
}

/** Only the metadata (meta/v1 PartialObjectMetadata): without what the version at hand keeps there for want of fields. */
export function partialOf(object: KubeObject, version: "v1" | "v1beta1", { fieldAnnotations = [] }: Shown): Record<string, unknown> {
  const partial = { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${version}` };
  const { annotations, ...metadata } = object.metadata;
  if (!annotations || fieldAnnotations.every((name) => annotations[name] === undefined)) return { ...partial, metadata: object.metadata };
  const left = Object.entries(annotations).filter(([name]) => !fieldAnnotations.includes(name));
  return { ...partial, metadata: { ...metadata, ...(left.length > 0 && { annotations: Object.fromEntries(left) }) } };
}
