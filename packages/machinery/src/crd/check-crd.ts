/** Is a CustomResourceDefinition one this server can serve? In the words of the server. */
import { dns1035Label, dns1123Subdomain, type FieldProblem, type KubeObject } from "@mecha/kinds";
import { equal, isObject } from "../json.ts";
import { checkConversion } from "./check-conversion.ts";
import { checkVersion, placesOf } from "./check-version.ts";
import type { Crd, CrdNames, CrdVersion } from "./crd.ts";
import { isTrue } from "./crd.ts";
import { invalidValue, notSupported, required } from "./problems.ts";

/** Everything wrong with the CRD. `old` is set on update: the rules of a version whose schema is as before are not checked again. */
export function validateCrd(object: KubeObject, old: KubeObject | undefined): FieldProblem[] {
  return [...problemsOf(object as Crd, old as Crd | undefined)];
}

function* problemsOf(crd: Crd, old: Crd | undefined): Generator<FieldProblem> {
  const { spec, metadata } = crd;
  // A change of the status, which leaves the spec as it is, may say of stored versions what it likes: what is wrong with them is told to who changes the spec.
  if (old && crd.status?.acceptedNames && equal(spec, old.spec) && !equal(crd.status, old.status)) {
    yield* checkNames(crd.status.acceptedNames, "status.acceptedNames", false);
    return;
  }
  if (!isObject(spec) || !isObject(spec.names)) {
    yield required(isObject(spec) ? "spec.names" : "spec");
    return;
  }
  if (!old && metadata.name !== `${spec.names.plural}.${spec.group}`)
    yield invalidValue("metadata.name", metadata.name, `must be spec.names.plural+"."+spec.group`);
  yield* checkGroup(spec.group);
  if (spec.scope !== "Namespaced" && spec.scope !== "Cluster")
    yield notSupportedOrRequired("spec.scope", spec.scope, ["Cluster", "Namespaced"]);
  const versions: readonly CrdVersion[] = Array.isArray(spec.versions) ? spec.versions : [];
  yield* checkVersions(versions, Array.isArray(spec.versions));
  yield* checkNames(spec.names);
  yield* checkConversion({
    ...crd,
    spec: { ...spec, versions },
    ...((crd.status ?? old?.status) && { status: crd.status ?? old?.status }),
  } as Crd);
  yield* checkUnknownFields(spec.preserveUnknownFields);
  if (!old) yield* checkApproval(crd);
  const places = placesOf(versions);
  const isHoisted = places.schema !== undefined;
  for (const [index, version] of versions.entries()) {
    const before = old?.spec.versions.find(({ name }) => name === version.name);
    const unchanged = before !== undefined && equal(version.schema?.openAPIV3Schema, before.schema?.openAPIV3Schema);
    // A schema all versions have is told of once.
    yield* checkVersion(version, `spec.versions[${String(index)}]`, {
      places,
      isFirst: index === 0,
      checkRules: !unchanged && (!isHoisted || index === 0),
    });
  }
  if (old) yield* checkUpdate(crd, old);
  yield* checkStored(old && (crd.status ?? old.status), versions);
}

/** Versions objects may be stored in; on create those are the storage version. */
function* checkStored(status: Crd["status"], versions: readonly CrdVersion[]): Generator<FieldProblem> {
  const storages = versions.filter(({ storage }) => storage).map(({ name }) => name);
  const stored = status?.storedVersions ?? storages.slice(0, 1);
  if (stored.length === 0) yield invalidValue("status.storedVersions", null, "must have at least one stored version");
  const names = versions.map(({ name }) => name);
  if (!status && storages.length > 1)
    for (const name of storages.slice(1)) yield invalidValue("status.storedVersions", stored, `must have the storage version ${name}`);
  for (const [index, version] of stored.entries()) {
    if (names.includes(version)) continue;
    const why = `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
    yield invalidValue(`status.storedVersions[${String(index)}]`, version, why);
  }
}

function notSupportedOrRequired(field: string, value: unknown, supported: readonly string[]): FieldProblem {
  return value === undefined || value === "" ? required(field) : notSupported(field, value, supported);
}

function* checkGroup(group: string): Generator<FieldProblem> {
  if (!group) yield required("spec.group");
  else if (dns1123Subdomain(group).length > 0) yield invalidValue("spec.group", group, dns1123Subdomain(group).join(","));
  else if (!group.includes(".")) yield invalidValue("spec.group", group, "should be a domain with at least one dot");
}

/** @param needed Names a definition has to have; the server gives them one by one. */
function* checkNames(names: CrdNames, at = "spec.names", needed = true): Generator<FieldProblem> {
  const { plural, singular, kind, listKind, shortNames, categories } = names;
  const label = (field: string, value: string | undefined, prefix = ""): FieldProblem[] => {
    const complaints = value === undefined || value === "" ? [] : dns1035Label(prefix === "" ? value : value.toLowerCase());
    return complaints.length > 0 ? [invalidValue(`${at}.${field}`, value, prefix + complaints.join(","))] : [];
  };
  if (needed) {
    for (const name of ["plural", "singular", "kind"] as const) if (!names[name]) yield required(`${at}.${name}`);
    if (!listKind || (!kind && listKind === "List")) yield required(`${at}.listKind`);
  }
  const mixed = "may have mixed case, but should otherwise match: ";
  yield* [...label("plural", plural), ...label("singular", singular), ...label("kind", kind, mixed), ...label("listKind", listKind, mixed)];
  for (const [index, name] of (shortNames ?? []).entries()) yield* label(`shortNames[${String(index)}]`, name);
  for (const [index, name] of (categories ?? []).entries()) yield* label(`categories[${String(index)}]`, name);
  if (kind && kind === listKind) yield invalidValue(`${at}.listKind`, listKind, "kind and listKind may not be the same");
}

function* checkUnknownFields(preserve: boolean | undefined): Generator<FieldProblem> {
  if (preserve === true)
    yield invalidValue(
      "spec.preserveUnknownFields",
      true,
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    );
}

/** Groups of the project itself: who defines a kind in one says that it was agreed on. */
const protectedGroup = /(^|\.)(k8s|kubernetes)\.io$/u;
const approval = "api-approved.kubernetes.io";

function* checkApproval({ spec, metadata }: Crd): Generator<FieldProblem> {
  if (!protectedGroup.test(spec.group)) return;
  const said = metadata.annotations?.[approval] ?? "";
  const field = `metadata.annotations[${approval}]`;
  const see = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (said === "") yield required(field, `protected groups must have approval annotation ${JSON.stringify(approval)}, ${see}`);
  else if (!said.startsWith("unapproved") && !URL.canParse(said))
    yield invalidValue(
      field,
      said,
      `protected groups must have approval annotation ${JSON.stringify(approval)} with either a URL or a reason starting with "unapproved", ${see}`,
    );
}

/** Versions as the server shows them, without what they hold. */
function shownVersions(versions: readonly CrdVersion[]): unknown {
  return versions.map(({ name, served, storage, deprecated = false, deprecationWarning = null }) => ({
    Name: name,
    Served: served,
    Storage: storage,
    Deprecated: deprecated,
    DeprecationWarning: deprecationWarning,
    Schema: null,
    Subresources: null,
    AdditionalPrinterColumns: null,
    SelectableFields: null,
  }));
}

function* checkVersions(versions: readonly CrdVersion[], areThere: boolean): Generator<FieldProblem> {
  const names = versions.map(({ name }) => name);
  if (new Set(names).size < names.length) yield invalidValue("spec.versions", shownVersions(versions), "must contain unique version names");
  if (versions.filter(({ storage }) => storage).length !== 1)
    yield invalidValue(
      "spec.versions",
      areThere ? shownVersions(versions) : null,
      "must have exactly one version marked as storage version",
    );
  if (versions.every(({ schema }) => schema?.openAPIV3Schema)) return;
  for (const [index, { schema }] of versions.entries())
    if (!schema?.openAPIV3Schema) yield required(`spec.versions[${String(index)}].schema.openAPIV3Schema`);
}

/** What must stay: names always, the kind's and the scope's once it is served. */
function* checkUpdate(crd: Crd, old: Crd): Generator<FieldProblem> {
  const always = [
    ["spec.group", crd.spec.group, old.spec.group],
    ["spec.names.plural", crd.spec.names.plural, old.spec.names.plural],
  ] as const;
  const onceServed = [
    ["spec.scope", crd.spec.scope, old.spec.scope],
    ["spec.names.kind", crd.spec.names.kind, old.spec.names.kind],
  ] as const;
  for (const [field, now, before] of [...always, ...(isTrue(old, "Established") ? onceServed : [])])
    if (now !== before) yield invalidValue(field, now, "field is immutable");
}
