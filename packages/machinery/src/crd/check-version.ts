/** One version of a CRD: its schema, columns, subresources and selectable fields. */
import { dns1035Label, type FieldProblem } from "@mecha/kinds";
import { checkRules } from "../cel/check-rules.ts";
import { equal, isObject } from "../json.ts";
import { checkSchema } from "./check-schema.ts";
import type { CrdColumn, CrdVersion } from "./crd.ts";
import { fieldNames, parseJsonPath } from "./json-path.ts";
import { duplicate, invalidValue, required, tooMany } from "./problems.ts";
import type { JsonSchema } from "./schema.ts";

/** Where the server tells of what all versions have alike: of the definition, not of a version. `undefined` where versions differ. */
export interface Places {
  readonly schema: string | undefined;
  readonly subresources: string | undefined;
  readonly columns: string | undefined;
  readonly selectable: string | undefined;
}

export function placesOf(versions: readonly CrdVersion[]): Places {
  const [first] = versions;
  const alike = (part: (version: CrdVersion) => unknown, place: string): string | undefined =>
    first && versions.every((version) => equal(part(version) ?? null, part(first) ?? null)) ? place : undefined;
  return {
    schema: alike(({ schema }) => schema, "spec.validation"),
    subresources: alike(({ subresources }) => subresources, "spec.subresources"),
    columns: alike(({ additionalPrinterColumns }) => additionalPrinterColumns, "spec.additionalPrinterColumns"),
    selectable: alike(({ selectableFields }) => selectableFields, "spec.selectableFields"),
  };
}

export interface VersionContext {
  readonly places: Places;
  readonly isFirst: boolean;
  readonly checkRules: boolean;
}

/** What is told of the definition is told with its first version. */
export function* checkVersion(version: CrdVersion, path: string, context: VersionContext): Generator<FieldProblem> {
  const { places, isFirst } = context;
  const hasTurn = (place: string | undefined): boolean => place === undefined || isFirst;
  const complaints = dns1035Label(version.name);
  if (complaints.length > 0) {
    yield invalidValue(`${path}.name`, version.name, complaints.join(","));
    if (isFirst) yield invalidValue("spec.version", version.name, complaints.join(",")); // the server's own copy of the first
  }
  yield* checkDeprecation(version, path);
  if (hasTurn(places.schema)) yield* checkVersionSchema(version, places.schema ?? `${path}.schema`, context);
  if (hasTurn(places.columns))
    for (const [index, column] of (version.additionalPrinterColumns ?? []).entries())
      yield* checkColumn(column, `${places.columns ?? `${path}.additionalPrinterColumns`}[${String(index)}]`);
  if (hasTurn(places.subresources)) yield* checkScale(version, `${places.subresources ?? `${path}.subresources`}.scale`);
  if (hasTurn(places.selectable)) yield* checkSelectable(version, places.selectable ?? `${path}.selectableFields`);
}

function* checkVersionSchema(
  { schema, subresources }: CrdVersion,
  path: string,
  { checkRules: withRules }: VersionContext,
): Generator<FieldProblem> {
  const root = schema?.openAPIV3Schema;
  if (!root) return;
  const at = `${path}.openAPIV3Schema`;
  const problems = checkSchema(root, at, { hasStatus: subresources?.status !== undefined });
  yield* problems;
  if (problems.length === 0 && withRules) yield* checkRules(root, at, { perRule: true });
}

/** Characters of a warning that a version is deprecated. */
const maxWarning = 256;

function* checkDeprecation({ deprecated, deprecationWarning }: CrdVersion, path: string): Generator<FieldProblem> {
  if (deprecationWarning === undefined) return;
  const at = `${path}.deprecationWarning`;
  if (!deprecated) yield invalidValue(at, deprecationWarning, "can only be set for deprecated versions");
  else if (new TextEncoder().encode(deprecationWarning).length > maxWarning)
    yield invalidValue(at, deprecationWarning, `must be <= ${String(maxWarning)} characters long`);
  else if (deprecationWarning === "") yield invalidValue(at, deprecationWarning, "must not be an empty string");
  const control = Array.from(deprecationWarning).findIndex((char) => /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(char));
  if (deprecated && control >= 0)
    yield invalidValue(
      at,
      deprecationWarning,
      `must only contain printable UTF-8 characters; non-printable character found at index ${String(control)}`,
    );
}

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

function* checkColumn(column: CrdColumn, path: string): Generator<FieldProblem> {
  const types = `must be one of ${columnTypes.join(",")}`;
  if (!column.name) yield required(`${path}.name`);
  if (!column.type) yield required(`${path}.type`, types);
  else if (!columnTypes.includes(column.type)) yield invalidValue(`${path}.type`, column.type, types);
  if (column.format && !columnFormats.includes(column.format))
    yield invalidValue(`${path}.format`, column.format, `must be one of ${columnFormats.join(",")}`);
  if (!column.jsonPath) yield required(`${path}.JSONPath`);
  else if (!column.jsonPath.startsWith("."))
    yield invalidValue(`${path}.JSONPath`, column.jsonPath, "must be a simple json path starting with .");
}

/** Fields a path goes through, `undefined` for one with brackets, `null` for none at all. */
function namesOf(text: string): readonly string[] | undefined | null {
  try {
    return fieldNames(parseJsonPath(text));
  } catch {
    return null;
  }
}

function* checkScale({ subresources }: CrdVersion, path: string): Generator<FieldProblem> {
  const scale = subresources?.scale;
  if (!scale) return;
  const check = (field: string, value: string | undefined, under: readonly string[], detail: string): FieldProblem[] => {
    if (!value) return [required(`${path}.${field}`)];
    if (!value.startsWith(".")) return [invalidValue(`${path}.${field}`, value, "must be a simple json path starting with .")];
    const names = namesOf(value);
    return names && names.length > 1 && under.includes(names[0] ?? "") ? [] : [invalidValue(`${path}.${field}`, value, detail)];
  };
  yield* check("specReplicasPath", scale.specReplicasPath, ["spec"], "should be a json path under .spec");
  yield* check("statusReplicasPath", scale.statusReplicasPath, ["status"], "should be a json path under .status");
  if (scale.labelSelectorPath)
    yield* check("labelSelectorPath", scale.labelSelectorPath, ["spec", "status"], "should be a json path under either .spec or .status");
}

/** Selectable fields of one version; the server's limit. */
const maxSelectable = 8;

function* checkSelectable({ selectableFields = [], schema }: CrdVersion, path: string): Generator<FieldProblem> {
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of selectableFields.entries()) {
    const at = `${path}[${String(index)}].jsonPath`;
    if (!jsonPath) {
      yield required(at);
      continue;
    }
    const target = schema?.openAPIV3Schema && selectableTarget(jsonPath, schema.openAPIV3Schema);
    if (typeof target === "string") {
      yield invalidValue(at, jsonPath, `is an invalid path: ${target}`);
      continue;
    }
    if (/^\.metadata(\.|$)/u.test(jsonPath)) yield invalidValue(at, jsonPath, "must not point to fields in metadata");
    if (!target || !["string", "boolean", "integer"].includes(target.type ?? ""))
      yield invalidValue(
        at,
        jsonPath,
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
      );
    if (seen.has(jsonPath)) yield duplicate(at, jsonPath);
    seen.add(jsonPath);
  }
  if (seen.size > maxSelectable) yield tooMany(path, seen.size, maxSelectable);
}

/** The schema of the field, or why there is none. */
function selectableTarget(jsonPath: string, root: JsonSchema): JsonSchema | string {
  const steps = jsonPath.match(/[.[\]]|[^.[\]]+/gu) ?? [];
  let at: JsonSchema = root;
  for (let index = 0; index < steps.length; index += 2) {
    const [dot = "", name] = steps.slice(index, index + 2);
    if (dot === "[") return "array notation is not allowed";
    if (dot !== ".") return `expected [ or . but got: ${dot}`;
    if (name === undefined) return "unexpected end of JSON path";
    const values = isObject(at.additionalProperties) ? (at.additionalProperties as JsonSchema) : undefined;
    const next = at.properties ? at.properties[name] : values;
    if (!next) return "does not refer to a valid field";
    at = next;
  }
  return at;
}
