/** CustomResourceDefinition: how users add kinds. Its names and versions are checked here; its schemas by packages/machinery's crd. */
import { isObject, objectAt, objectsAt, textAt, textsAt } from "../access.ts";
import { createdColumn, nameColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { immutable, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1035Label, dns1123Subdomain } from "../rules/names.ts";

const scopes = ["Cluster", "Namespaced"];

function validateNames(object: KubeObject): FieldProblem[] {
  const names = objectAt(object, "spec.names");
  const problems: FieldProblem[] = [];
  for (const name of ["plural", "singular", "kind", "listKind"]) {
    const value = textAt(names, name);
    const field = `spec.names.${name}`;
    if (value === "") problems.push(requiredValue(field));
    else problems.push(...problemsOf(field, value, dns1035Label(name === "kind" || name === "listKind" ? value.toLowerCase() : value)));
  }
  for (const [i, short] of textsAt(names, "shortNames").entries())
    problems.push(...problemsOf(`spec.names.shortNames[${i}]`, short, dns1035Label(short)));
  return problems;
}

function validateVersions(object: KubeObject): FieldProblem[] {
  const versions = objectsAt(object, "spec.versions");
  if (versions.length === 0) return [invalidValue("spec.versions", versions, "must have exactly one version marked as storage version")];
  const problems = versions.flatMap((version, i) => {
    const name = textAt(version, "name");
    const complaints = problemsOf(`spec.versions[${i}].name`, name, dns1035Label(name));
    const schema = isObject(objectAt(version, "schema")["openAPIV3Schema"])
      ? []
      : [requiredValue(`spec.versions[${i}].schema.openAPIV3Schema`, "schemas are required")];
    return [...complaints, ...schema];
  });
  if (versions.filter((version) => version["storage"] === true).length !== 1)
    problems.push(invalidValue("spec.versions", versions, "must have exactly one version marked as storage version"));
  return problems;
}

function validate(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const group = textAt(object, "spec.group");
  const plural = textAt(object, "spec.names.plural");
  const scope = textAt(object, "spec.scope");
  const problems: FieldProblem[] = [];
  if (object.metadata.name !== `${plural}.${group}`)
    problems.push(invalidValue("metadata.name", object.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  if (group === "") problems.push(requiredValue("spec.group"));
  else
    problems.push(
      ...problemsOf("spec.group", group, group.includes(".") ? dns1123Subdomain(group) : ["should be a domain with at least one dot"]),
    );
  if (!scopes.includes(scope)) problems.push(scope === "" ? requiredValue("spec.scope") : unsupportedValue("spec.scope", scope, scopes));
  if (textAt(object, "spec.conversion.strategy") === "Webhook")
    problems.push(unsupportedValue("spec.conversion.strategy", "Webhook", ["None"]));
  problems.push(...validateNames(object), ...validateVersions(object));
  if (!old) return problems;
  const stays = (path: string): FieldProblem[] => immutable(path, textAt(object, path), textAt(object, path) === textAt(old, path));
  return [...problems, ...stays("spec.group"), ...stays("spec.scope"), ...stays("spec.names.plural"), ...stays("spec.names.kind")];
}

/** Versions objects may be stored in: those there were, and the storage version of now. */
const withAll = (stored: readonly string[], storage: readonly string[]): string[] => [...new Set([...stored, ...storage])];

export const customResourceDefinition = definer(
  "apiextensions.k8s.io",
  "v1",
  "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.",
)({
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  versionedUpdate: true,
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  namespaced: false,
  status: true,
  generation: true,
  columns: [nameColumn, createdColumn],
  validate,
  prepare(object, old, { subresource }) {
    if (subresource !== undefined) return;
    const versions = objectsAt(object, "spec.versions").filter((version) => version["storage"] === true);
    const storage = versions.map((version) => textAt(version, "name"));
    if (!old) object["status"] = { conditions: null, acceptedNames: { plural: "", kind: "" }, storedVersions: storage };
    else object["status"] = { ...objectAt(object, "status"), storedVersions: withAll(textsAt(object, "status.storedVersions"), storage) };
  },
});
