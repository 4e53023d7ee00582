/** A CustomResourceDefinition as what the server serves: one ResourceDefinition for each of its served versions. */
import {
  ageOf,
  type FieldProblem,
  type JsonObject,
  type KubeObject,
  kubernetesTypes,
  type PrinterColumn,
  type ResourceDefinition,
} from "@mecha/kinds";
import { type CheckRules, rulesOf } from "../cel/rules.ts";
import { copy } from "../json.ts";
import { checkReplicas } from "./check-scale.ts";
import { checkEmbedded, checkLists } from "./check-structure.ts";
import { checkValue } from "./check-value.ts";
import { Correlation } from "./correlate.ts";
import { type Crd, type CrdColumn, type CrdVersion, servedVersions } from "./crd.ts";
import { fieldNames, findAll, type JsonPath, parseJsonPath } from "./json-path.ts";
import type { JsonSchema } from "./schema.ts";
import { prune, setDefaults } from "./shape-object.ts";
import { typesOfSchema } from "./types.ts";

/** A schema that takes any object: a version without one keeps every field. */
const anyObject: JsonSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

/** Definitions of the served versions, the CRD's order. The CRD has passed `validateCrd`. */
export function definitionOf(crd: Crd): ResourceDefinition[] {
  const storage = crd.spec.versions.find((version) => version.storage);
  return servedVersions(crd).map((version) => definitionOfVersion(crd, version, storage ?? version));
}

function definitionOfVersion({ spec }: Crd, version: CrdVersion, storage: CrdVersion): ResourceDefinition {
  const { group, names } = spec;
  const schema = schemaOf(version);
  const type = `${group.split(".").reverse().join(".")}.${version.name}.${names.kind}`;
  const rules = rulesOf(schema);
  const scale = version.subresources?.scale;
  const selectable = (version.selectableFields ?? []).map(({ jsonPath }) => selector(jsonPath));
  const apiVersion = `${group}/${version.name}`;
  return {
    group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: spec.scope === "Namespaced",
    types: typesOfSchema(type, schema, kubernetesTypes()),
    type,
    openAPISchema: schema as JsonObject,
    status: version.subresources?.status !== undefined,
    ...(version.deprecated && { deprecation: deprecationOf(spec, version) }),
    ...(scale && { scale }),
    strategicPatch: false,
    columns: columnsOf(version.additionalPrinterColumns),
    ...(selectable.length > 0 && { selectableFields: new Map(selectable) }),
    setDefaults: (object) => {
      setDefaults(schema, object);
    },
    prune: (object) => prune(schema, object),
    validate: (object, old) => [...validate(schema, rules, object, old), ...(scale ? checkReplicas(object, scale.specReplicasPath) : [])],
    generation: true,
    versionedUpdate: true,
    // All versions share their objects, kept in the storage version; conversion by strategy None changes the apiVersion only. With a webhook there is one.
    storedAs: {
      group,
      plural: names.plural,
      toStored: (object) => converted(object, `${group}/${storage.name}`, storage === version ? undefined : schemaOf(storage)),
      fromStored: (object) => {
        const read = copy(object);
        setDefaults(schemaOf(storage), read); // a default may have come after the object
        return converted(read, apiVersion, storage === version ? undefined : schema);
      },
    },
  };
}

const schemaOf = ({ schema }: CrdVersion): JsonSchema => schema?.openAPIV3Schema ?? anyObject;

/** In another version, where other fields may be known. */
function converted(object: KubeObject, apiVersion: string, schema: JsonSchema | undefined): KubeObject {
  if (!schema) return { ...object, apiVersion };
  const next = { ...copy(object), apiVersion };
  prune(schema, next);
  return next;
}

/** What who uses the version is told: the CRD's own words, or which one to use instead. */
function deprecationOf({ group, names, versions }: Crd["spec"], { name, deprecationWarning }: CrdVersion): string {
  if (deprecationWarning !== undefined) return deprecationWarning;
  const said = `${group}/${name} ${names.kind} is deprecated`;
  const [better] = versions
    .filter((other) => other.served && !other.deprecated && isNewer(other.name, name))
    .sort((a, b) => (isNewer(a.name, b.name) ? -1 : 1));
  return better ? `${said}; use ${group}/${better.name} ${names.kind}` : said;
}

/** Kubernetes' order of versions: v2, v1, v2beta1, v1beta2, v1alpha1. */
function isNewer(a: string, b: string): boolean {
  const [x, y] = [ageOfVersion(a), ageOfVersion(b)];
  const index = x.findIndex((part, at) => part !== y[at]);
  return index >= 0 && (x[index] ?? 0) > (y[index] ?? 0);
}

function ageOfVersion(name: string): number[] {
  const [, major, stage, minor] = /^v(\d+)(?:(alpha|beta)(\d+))?$/u.exec(name) ?? [];
  if (major === undefined) return [-1, 0, 0];
  return [stage === undefined ? 2 : stage === "beta" ? 1 : 0, Number(major), Number(minor ?? 0)];
}

/** What an update leaves as it was is let pass: a schema may become stricter without locking up what is stored (ratcheting). */
function validate(
  schema: JsonSchema,
  rules: CheckRules | undefined,
  object: KubeObject,
  old: KubeObject | undefined,
): readonly FieldProblem[] {
  const checked = withoutMetadata(schema);
  const origin = old && new Correlation(checked, object, old);
  const listsWereFine = !old || checkLists(schema, old).length === 0;
  const problems = [
    ...checkValue(checked, object, "", origin),
    ...checkEmbedded(schema, object),
    ...(listsWereFine ? checkLists(schema, object) : []),
  ];
  if (!rules) return problems.map(ofWhole);
  if (problems.some(({ type }) => blocking.has(type))) return [...problems.map(ofWhole), notAllChecked];
  return [...problems, ...rules(object, old, old && new Correlation(schema, object, old))].map(ofWhole);
}

/** The object as a whole has no name among fields. */
const ofWhole = (problem: FieldProblem): FieldProblem => (problem.field === "" ? { ...problem, field: "<nil>" } : problem);

/** Rules only run on objects that fit their schema: a rule may rely on that. */
const blocking = new Set([
  "FieldValueNotSupported",
  "FieldValueTypeInvalid",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
]);
const notAllChecked: FieldProblem = {
  type: "FieldValueInvalid",
  field: "<nil>",
  message:
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};

const withoutMeta = new WeakMap<JsonSchema, JsonSchema>();

/** The metadata of a resource is the server's to check; a CRD may only narrow its names. */
function withoutMetadata(schema: JsonSchema): JsonSchema {
  const known = withoutMeta.get(schema);
  if (known) return known;
  const { metadata, ...properties } = schema.properties ?? {};
  const names = metadata?.properties ? { metadata: { properties: metadata.properties } } : {};
  const result = { ...schema, properties: { ...properties, ...names } };
  withoutMeta.set(schema, result);
  return result;
}

const nameColumn: PrinterColumn = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name of the object, unique among its kind in its namespace.",
  priority: 0,
  cell: ({ metadata }) => metadata.name,
};
const ageColumn: CrdColumn = {
  name: "Age",
  type: "date",
  description: "Time since the server stored the object first.",
  jsonPath: ".metadata.creationTimestamp",
};

function columnsOf(columns: readonly CrdColumn[] | undefined): readonly PrinterColumn[] {
  return [nameColumn, ...(columns && columns.length > 0 ? columns : [ageColumn]).map(columnOf)];
}

function columnOf(column: CrdColumn): PrinterColumn {
  const path = pathOrNothing(column.jsonPath);
  return {
    name: column.name,
    type: column.type as PrinterColumn["type"],
    ...(column.format !== undefined && { format: column.format }),
    description: column.description || `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
    priority: column.priority ?? 0,
    cell: (object, nowMs) => (path ? cellOf(column.type, findAll(path, object)[0], nowMs) : undefined),
  };
}

/** A path this server does not know shows an empty column; the others stay of use. */
function pathOrNothing(text: string): JsonPath | undefined {
  try {
    return parseJsonPath(text);
  } catch {
    return undefined;
  }
}

function cellOf(type: string, value: unknown, nowMs: number): string | number | boolean | undefined {
  if (value === undefined || value === null) return undefined;
  switch (type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : undefined;
    case "number":
      return typeof value === "number" ? value : undefined;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "date":
      return typeof value !== "string" ? undefined : Number.isNaN(Date.parse(value)) ? "<invalid>" : ageOf(value, nowMs);
    default:
      return typeof value === "string" ? value : JSON.stringify(value);
  }
}

/** `.spec.color` → the field selector's name `spec.color` and how to read it. */
function selector(jsonPath: string): [string, (object: KubeObject) => string] {
  const path = parseJsonPath(jsonPath);
  return [
    (fieldNames(path) ?? []).join("."),
    (object) => {
      const [value] = findAll(path, object);
      return value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
    },
  ];
}
