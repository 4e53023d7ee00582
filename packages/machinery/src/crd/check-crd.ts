/** Is a CustomResourceDefinition one this server can serve? In the words of the server. What it cannot do at all (conversion webhooks) is refused plainly. */
import { dns1035Label, dns1123Subdomain, type FieldProblem, type KubeObject } from "@mecha/kinds";
import { compileRules } from "../cel/rules.ts";
import { equal } from "../json.ts";
import { checkSchema } from "./check-schema.ts";
import type { Crd, CrdColumn, CrdNames, CrdVersion } from "./crd.ts";
import { fieldNames, parseJsonPath } from "./json-path.ts";
import { duplicate, forbidden, invalidValue, notSupported, required } from "./problems.ts";
import { fieldSchema, type JsonSchema } from "./schema.ts";

/** Everything wrong with the CRD. `old` is set on update: its rules are not compiled again when its schema is as before. */
export function validateCrd(object: KubeObject, old: KubeObject | undefined): FieldProblem[] {
  return [...problemsOf(object as Crd, old as Crd | undefined)];
}

function* problemsOf(crd: Crd, old: Crd | undefined): Generator<FieldProblem> {
  const { spec, metadata } = crd;
  yield* checkGroup(spec.group);
  yield* checkNames(spec.names);
  if (spec.names.plural && spec.group && metadata.name !== `${spec.names.plural}.${spec.group}`)
    yield invalidValue("metadata.name", metadata.name, `must be spec.names.plural+"."+spec.group`);
  if (spec.scope !== "Namespaced" && spec.scope !== "Cluster")
    yield notSupportedOrRequired("spec.scope", spec.scope, ["Cluster", "Namespaced"]);
  const strategy = spec.conversion?.strategy ?? "None";
  if (strategy === "Webhook")
    yield forbidden(
      "spec.conversion.strategy",
      "conversion webhooks are not supported by this server: serve versions of one form with strategy None",
    );
  else if (strategy !== "None") yield notSupported("spec.conversion.strategy", strategy, ["None", "Webhook"]);
  if (spec.preserveUnknownFields === true)
    yield invalidValue(
      "spec.preserveUnknownFields",
      true,
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    );
  yield* checkVersions(spec.versions);
  for (const [index, version] of spec.versions.entries()) {
    const before = old?.spec.versions.find(({ name }) => name === version.name);
    yield* checkVersion(version, `spec.versions[${String(index)}]`, before);
  }
  if (old) yield* checkUpdate(crd, old);
}

function notSupportedOrRequired(field: string, value: unknown, supported: readonly string[]): FieldProblem {
  return value === undefined || value === "" ? required(field) : notSupported(field, value, supported);
}

function* checkGroup(group: string): Generator<FieldProblem> {
  if (!group) yield required("spec.group");
  else if (dns1123Subdomain(group).length > 0) yield invalidValue("spec.group", group, dns1123Subdomain(group).join(","));
  else if (!group.includes(".")) yield invalidValue("spec.group", group, "should be a domain with at least one dot");
}

function* checkNames({ plural, singular, kind, listKind, shortNames, categories }: CrdNames): Generator<FieldProblem> {
  const label = (field: string, value: string | undefined, prefix = ""): FieldProblem[] => {
    const complaints = value === undefined || value === "" ? [] : dns1035Label(prefix === "" ? value : value.toLowerCase());
    return complaints.length > 0 ? [invalidValue(`spec.names.${field}`, value, prefix + complaints.join(","))] : [];
  };
  if (!plural) yield required("spec.names.plural");
  if (!kind) yield required("spec.names.kind");
  const mixed = "may have mixed case, but should otherwise match: ";
  yield* [...label("plural", plural), ...label("singular", singular), ...label("kind", kind, mixed), ...label("listKind", listKind, mixed)];
  for (const [index, name] of (shortNames ?? []).entries()) yield* label(`shortNames[${String(index)}]`, name);
  for (const [index, name] of (categories ?? []).entries()) yield* label(`categories[${String(index)}]`, name);
  if (kind && kind === listKind) yield invalidValue("spec.names.listKind", listKind, "kind and listKind may not be the same");
}

function* checkVersions(versions: readonly CrdVersion[]): Generator<FieldProblem> {
  const names = versions.map(({ name }) => name);
  if (new Set(names).size < names.length) yield invalidValue("spec.versions", names, "must contain unique version names");
  if (versions.filter(({ storage }) => storage).length !== 1)
    yield invalidValue("spec.versions", names, "must have exactly one version marked as storage version");
}

function* checkVersion(version: CrdVersion, path: string, before: CrdVersion | undefined): Generator<FieldProblem> {
  const complaints = dns1035Label(version.name);
  if (complaints.length > 0) yield invalidValue(`${path}.name`, version.name, complaints.join(","));
  const schema = version.schema?.openAPIV3Schema;
  const at = `${path}.schema.openAPIV3Schema`;
  if (!schema) yield required(at, "schemas are required");
  else {
    const problems = checkSchema(schema, at, { hasStatus: version.subresources?.status !== undefined });
    yield* problems;
    if (problems.length === 0 && !equal(schema, before?.schema?.openAPIV3Schema)) yield* compileRules(schema, at).problems;
  }
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries())
    yield* checkColumn(column, `${path}.additionalPrinterColumns[${String(index)}]`);
  yield* checkScale(version, `${path}.subresources.scale`);
  yield* checkSelectable(version, `${path}.selectableFields`);
}

const columnTypes = ["boolean", "date", "integer", "number", "string"];
const columnFormats = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];

function* checkColumn(column: CrdColumn, path: string): Generator<FieldProblem> {
  if (!column.name) yield required(`${path}.name`);
  if (!column.type) yield required(`${path}.type`, `must be one of ${columnTypes.join(",")}`);
  else if (!columnTypes.includes(column.type)) yield invalidValue(`${path}.type`, column.type, `must be one of ${columnTypes.join(",")}`);
  if (column.format && !columnFormats.includes(column.format))
    yield invalidValue(`${path}.format`, column.format, `must be one of ${columnFormats.join(",")}`);
  if (!column.jsonPath) yield required(`${path}.jsonPath`);
  else yield* checkPath(column.jsonPath, `${path}.jsonPath`);
}

function* checkPath(text: string, path: string): Generator<FieldProblem> {
  if (!text.startsWith(".")) yield invalidValue(path, text, "must be a simple json path starting with .");
  else if (namesOf(text) === null)
    yield invalidValue(path, text, "is an invalid path: this server knows .field, ['field'], [0], [*] and [?(@.field==value)]");
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
    const names = value.startsWith(".") ? namesOf(value) : null;
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
  if (selectableFields.length > maxSelectable)
    yield {
      type: "FieldValueTooMany",
      field: path,
      message: `Too many: ${String(selectableFields.length)}: must have at most ${String(maxSelectable)} items`,
    };
  const seen = new Set<string>();
  for (const [index, { jsonPath }] of selectableFields.entries()) {
    const at = `${path}[${String(index)}].jsonPath`;
    const names = jsonPath ? namesOf(jsonPath) : null;
    if (!jsonPath) yield required(at);
    else if (!names) yield invalidValue(at, jsonPath, "is an invalid path: must be a simple path such as .spec.color");
    else if (names[0] === "metadata") yield invalidValue(at, jsonPath, "must not point to fields in metadata");
    else if (
      !isSelectable(names.reduce<JsonSchema | undefined>((below, name) => below && fieldSchema(below, name), schema?.openAPIV3Schema))
    )
      yield invalidValue(
        at,
        jsonPath,
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
      );
    if (seen.has(jsonPath)) yield duplicate(at, jsonPath);
    seen.add(jsonPath);
  }
}

function isSelectable(schema: JsonSchema | undefined): boolean {
  return schema !== undefined && ["string", "boolean", "integer"].includes(schema.type ?? "");
}

/** What must stay while there may be objects. */
function* checkUpdate(crd: Crd, old: Crd): Generator<FieldProblem> {
  for (const [field, now, before] of [
    ["spec.group", crd.spec.group, old.spec.group],
    ["spec.names.plural", crd.spec.names.plural, old.spec.names.plural],
    ["spec.names.kind", crd.spec.names.kind, old.spec.names.kind],
    ["spec.scope", crd.spec.scope, old.spec.scope],
  ] as const)
    if (now !== before) yield invalidValue(field, now, "field is immutable");
  const names = crd.spec.versions.map(({ name }) => name);
  for (const [index, version] of (old.status?.storedVersions ?? []).entries()) {
    if (names.includes(version)) continue;
    const why = `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
    yield invalidValue(`status.storedVersions[${String(index)}]`, version, why);
  }
}
