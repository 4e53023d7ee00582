/** Small definitions for tests of the server: enough of two built-in kinds, and one that has everything. */
import { decodeByType, type KubeObject, type ResourceDefinition, type TypeRow } from "@mecha/kinds";

const metaRow: TypeRow = {
  name: "ObjectMeta",
  fields: [
    { name: "name", ref: { scalar: "string" } },
    { name: "generateName", ref: { scalar: "string" } },
    { name: "namespace", ref: { scalar: "string" } },
    { name: "uid", ref: { scalar: "string" } },
    { name: "resourceVersion", ref: { scalar: "string" } },
    { name: "generation", ref: { scalar: "int64" } },
    { name: "creationTimestamp", ref: { scalar: "time" } },
    { name: "deletionTimestamp", ref: { scalar: "time" } },
    { name: "deletionGracePeriodSeconds", ref: { scalar: "int64" } },
    { name: "labels", ref: { map: { scalar: "string" } } },
    { name: "annotations", ref: { map: { scalar: "string" } } },
    { name: "finalizers", ref: { list: { scalar: "string" }, listType: "set" } },
    { name: "ownerReferences", ref: { list: { type: "OwnerReference" }, listType: "map", mapKeys: ["uid"] } },
    { name: "managedFields", ref: { list: { scalar: "any" } } },
  ],
};

const ownerRow: TypeRow = {
  name: "OwnerReference",
  fields: [
    ...["apiVersion", "kind", "name", "uid"].map((name) => ({ name, ref: { scalar: "string" } as const })),
    { name: "controller", ref: { scalar: "bool" } },
    { name: "blockOwnerDeletion", ref: { scalar: "bool" } },
  ],
};

function typesWith(...rows: readonly TypeRow[]): ReadonlyMap<string, TypeRow> {
  return new Map([metaRow, ownerRow, ...rows].map((row) => [row.name, row]));
}

const common = { shortNames: [], categories: [], status: false, strategicPatch: true } as const;
const ownFields = [
  { name: "apiVersion", ref: { scalar: "string" } },
  { name: "kind", ref: { scalar: "string" } },
  { name: "metadata", ref: { type: "ObjectMeta" } },
] as const;

export const configMapDefinition: ResourceDefinition = {
  ...common,
  group: "",
  version: "v1",
  kind: "ConfigMap",
  listKind: "ConfigMapList",
  plural: "configmaps",
  singular: "configmap",
  shortNames: ["cm"],
  namespaced: true,
  types: typesWith({
    name: "ConfigMap",
    fields: [
      ...ownFields,
      { name: "data", ref: { map: { scalar: "string" } } },
      { name: "binaryData", ref: { map: { scalar: "bytes" } } },
      { name: "immutable", ref: { scalar: "bool" } },
    ],
  }),
  type: "ConfigMap",
};

export const namespaceDefinition: ResourceDefinition = {
  ...common,
  group: "",
  version: "v1",
  kind: "Namespace",
  listKind: "NamespaceList",
  plural: "namespaces",
  singular: "namespace",
  shortNames: ["ns"],
  namespaced: false,
  nameRule: "label",
  types: typesWith({
    name: "Namespace",
    fields: [...ownFields, { name: "spec", ref: { scalar: "any" } }, { name: "status", ref: { scalar: "any" } }],
  }),
  type: "Namespace",
};

const widgetTypes = typesWith(
  {
    name: "Widget",
    fields: [...ownFields, { name: "spec", ref: { type: "WidgetSpec" } }, { name: "status", ref: { type: "WidgetStatus" } }],
  },
  {
    name: "WidgetSpec",
    fields: [
      { name: "color", ref: { scalar: "string" } },
      { name: "replicas", ref: { scalar: "int32" } },
      { name: "parts", ref: { list: { type: "WidgetPart" } } },
    ],
  },
  { name: "WidgetPart", fields: [{ name: "size", ref: { scalar: "int32" }, required: true }] },
  {
    name: "WidgetStatus",
    fields: [
      { name: "replicas", ref: { scalar: "int32" } },
      { name: "selector", ref: { scalar: "string" } },
      { name: "note", ref: { scalar: "string" } },
    ],
  },
);

/** As a CRD's schema would. */
function pruneWidget(object: KubeObject): readonly string[] {
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object;
  const { object: known, unknown } = decodeByType(widgetTypes, "Widget", rest);
  for (const field of Object.keys(rest)) delete object[field];
  Object.assign(object, known);
  return unknown;
}

/** A namespaced kind with status, scale, generation and a field selector. */
export const widgetDefinition: ResourceDefinition = {
  ...common,
  group: "example.dev",
  version: "v1",
  kind: "Widget",
  listKind: "WidgetList",
  plural: "widgets",
  singular: "widget",
  shortNames: ["wd"],
  categories: ["all"],
  namespaced: true,
  status: true,
  generation: true,
  strategicPatch: false,
  versionedUpdate: true,
  scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
  selectableFields: new Map([["spec.color", ({ spec }) => String((spec as { color?: unknown } | undefined)?.color ?? "")]]),
  validate: ({ spec }) =>
    (spec as { color?: unknown } | undefined)?.color === "mauve"
      ? [
          {
            type: "FieldValueNotSupported",
            field: "spec.color",
            message: 'Unsupported value: "mauve": supported values: "blue", "red"',
          },
        ]
      : [],
  prune: pruneWidget,
  types: widgetTypes,
  type: "Widget",
};

export const testDefinitions = [namespaceDefinition, configMapDefinition, widgetDefinition] as const;
