/** Rules of metadata, the same for every kind. Names are checked by the kind's own rule. */
import { mapAt, sameJson } from "../access.ts";
import type { KubeObject, ObjectMeta } from "../object.ts";
import { forbiddenValue, immutable, invalidValue, problemsOf, requiredValue, tooLongValue } from "../problem.ts";
import type { FieldProblem, ResourceDefinition } from "../resource.ts";
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, pathSegment, qualifiedName } from "./names.ts";

/** All keys and values of an object's annotations together. */
const annotationsMaxBytes = 256 * 1024;

const nameRules = { subdomain: dns1123Subdomain, label: dns1123Label, service: dns1035Label, path: pathSegment } as const;

/** Everything wrong with an object's metadata. `old` is set on update: what the server owns must not change then. */
export function validateMeta(
  definition: Pick<ResourceDefinition, "namespaced" | "nameRule" | "anyGenerateName" | "strategicPatch">,
  object: KubeObject,
  old?: KubeObject,
): FieldProblem[] {
  const meta = object.metadata;
  const shared = [
    ...validateLabels(mapAt(object, "metadata.labels"), "metadata.labels"),
    ...validateAnnotations(mapAt(object, "metadata.annotations"), "metadata.annotations"),
    ...validateOwners(meta),
    ...validateFinalizers(meta.finalizers ?? []),
  ];
  if (old) return [...validateChange(meta, old.metadata), ...shared];
  return [
    ...validateName(definition, meta),
    ...validateNamespace(definition.namespaced, meta),
    ...validateGeneration(meta),
    ...shared,
    ...(definition.strategicPatch ? validateStandardFinalizers(meta.finalizers ?? []) : []),
  ];
}

function validateName(
  { nameRule = "subdomain", anyGenerateName }: Pick<ResourceDefinition, "nameRule" | "anyGenerateName">,
  meta: ObjectMeta,
): FieldProblem[] {
  const check = nameRules[nameRule];
  const problems: FieldProblem[] = [];
  if (meta.generateName && !anyGenerateName) {
    // A trailing dash is followed by random letters, so it stands for one.
    problems.push(...problemsOf("metadata.generateName", meta.generateName, check(meta.generateName.replace(/-$/, "a"))));
  }
  if (!meta.name) problems.push(requiredValue("metadata.name", "name or generateName is required"));
  else problems.push(...problemsOf("metadata.name", meta.name, check(meta.name)));
  return problems;
}

function validateGeneration({ generation = 0 }: ObjectMeta): FieldProblem[] {
  return generation < 0 ? [invalidValue("metadata.generation", generation, "must be greater than or equal to 0")] : [];
}

function validateNamespace(namespaced: boolean, meta: ObjectMeta): FieldProblem[] {
  if (!namespaced) return meta.namespace ? [forbiddenValue("metadata.namespace", "not allowed on this type")] : [];
  if (!meta.namespace) return [requiredValue("metadata.namespace")];
  return problemsOf("metadata.namespace", meta.namespace, dns1123Label(meta.namespace));
}

/** Keys and values of labels. */
export function validateLabels(labels: Readonly<Record<string, unknown>>, field: string): FieldProblem[] {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([key, value]) => [
    ...problemsOf(field, key, qualifiedName(key)),
    ...problemsOf(field, value, labelValue(typeof value === "string" ? value : "")),
  ]);
}

export function validateAnnotations(annotations: Readonly<Record<string, string>>, field: string): FieldProblem[] {
  const entries = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
  const problems = entries.flatMap(([key]) => problemsOf(field, key, qualifiedName(key.toLowerCase())));
  const bytes = entries.reduce((sum, [key, value]) => sum + utf8Length(key) + utf8Length(value), 0);
  return bytes > annotationsMaxBytes ? [...problems, tooLongValue(field, annotationsMaxBytes)] : problems;
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) bytes++;
    if (unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff)) bytes++; // half of a pair: 2 bytes, 4 for both
  }
  return bytes;
}

function validateOwners(meta: ObjectMeta): FieldProblem[] {
  const field = "metadata.ownerReferences";
  const problems: FieldProblem[] = [];
  let controller: string | undefined;
  for (const owner of meta.ownerReferences ?? []) {
    if (!hasVersion(owner.apiVersion))
      problems.push(invalidValue(`${field}.apiVersion`, owner.apiVersion ?? "", "version must not be empty"));
    for (const name of ["kind", "name", "uid"] as const) {
      if (!owner[name]) problems.push(invalidValue(`${field}.${name}`, owner[name] ?? "", "must not be empty"));
    }
    if (owner.apiVersion === "v1" && owner.kind === "Event")
      problems.push(invalidValue(field, owner, "/v1, Kind=Event is disallowed from being an owner"));
    if (!owner.controller) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller !== undefined) {
      const why = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      problems.push(invalidValue(field, meta.ownerReferences, why));
    }
    controller ??= name;
  }
  return problems;
}

/** `v1` and `apps/v1` have one. */
function hasVersion(apiVersion: string | undefined): boolean {
  const parts = (apiVersion ?? "").split("/");
  return parts.length <= 2 && parts.at(-1) !== "";
}

const standardFinalizers: ReadonlySet<string> = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

const isKnownFinalizer = (name: string): boolean => name.includes("/") || standardFinalizers.has(name);
const unknownFinalizer = "name is neither a standard finalizer name nor is it fully qualified";

/** A finalizer of what an object holds, as Namespaces have them. */
export function validateFinalizer(name: string, field: string): FieldProblem[] {
  return [
    ...problemsOf(field, name, qualifiedName(name)),
    ...(isKnownFinalizer(name) ? [] : [invalidValue(field, name, unknownFinalizer)]),
  ];
}

/** New objects of built-in kinds: a finalizer without a prefix must be one the API itself knows. */
function validateStandardFinalizers(finalizers: readonly string[]): FieldProblem[] {
  return finalizers.flatMap((name, i) =>
    isKnownFinalizer(name) ? [] : [invalidValue(`metadata.finalizers[${i}]`, name, unknownFinalizer)],
  );
}

function validateFinalizers(finalizers: readonly string[]): FieldProblem[] {
  const field = "metadata.finalizers";
  const problems = finalizers.flatMap((name) => problemsOf(field, name, qualifiedName(name)));
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion"))
    problems.push(invalidValue(field, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"));
  return problems;
}

function validateChange(meta: ObjectMeta, old: ObjectMeta): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const added = (meta.finalizers ?? []).filter((name) => !(old.finalizers ?? []).includes(name));
  if (old.deletionTimestamp && added.length > 0) {
    const names = added.sort().map((name) => JSON.stringify(name));
    const why = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${names.join(", ")}}`;
    problems.push(forbiddenValue("metadata.finalizers", why));
  }
  const owned = ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] as const;
  for (const name of owned) problems.push(...immutable(`metadata.${name}`, meta[name] ?? null, sameJson(meta[name], old[name])));
  return problems;
}
