/** Rules of volumes and of claims for them. */
import { isObject, mapAt, objectAt, objectsAt, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1123Label, dns1123Subdomain } from "../rules/names.ts";
import { validateSelector } from "../rules/selector.ts";
import { parseQuantity } from "../values/quantity.ts";

const accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const volumeModes = ["Block", "Filesystem"];
const reclaimPolicies = ["Delete", "Recycle", "Retain"];
const oncePod = "ReadWriteOncePod";
/** Where a volume can come from; one of them. */
const sources = [
  ...["hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs", "iscsi"],
  ...["cinder", "fc", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO", "local"],
  ...["storageos", "csi"],
];

function validateModes(spec: JsonObject, field: string, missing: string): FieldProblem[] {
  const said = textsAt(spec, "accessModes");
  if (said.length === 0) return [requiredValue(field, missing)];
  const unknown = said.filter((mode) => !accessModes.includes(mode)).map((mode) => unsupportedValue(field, mode, accessModes));
  if (!said.includes(oncePod) || said.length === 1) return unknown;
  return [...unknown, forbiddenValue(field, "may not use ReadWriteOncePod with other access modes")];
}

/** Class and volume mode, where they are said. */
function validateClassAndMode(spec: JsonObject, field: string): FieldProblem[] {
  const [name, mode] = [textAt(spec, "storageClassName"), textAt(spec, "volumeMode")];
  return [
    ...(name === "" ? [] : problemsOf(`${field}.storageClassName`, name, dns1123Subdomain(name))),
    ...(mode === "" || volumeModes.includes(mode) ? [] : [unsupportedValue(`${field}.volumeMode`, mode, volumeModes)]),
  ];
}

/** The spec of a claim, of its own or in a template. */
export function validateClaimSpec(spec: JsonObject, field: string): FieldProblem[] {
  const size = mapAt(spec, "resources.requests")["storage"];
  const place = `${field}.resources[storage]`;
  const problems = [
    ...validateModes(spec, `${field}.accessModes`, "at least 1 access mode is required"),
    ...validateSelector(spec["selector"], `${field}.selector`),
  ];
  if (size === undefined) problems.push(requiredValue(place));
  else if (parseQuantity(size).nanos <= 0n) problems.push(invalidValue(place, size, "must be greater than zero"));
  const attributes = textAt(spec, "volumeAttributesClassName");
  return [
    ...problems,
    ...validateClassAndMode(spec, field),
    ...validateDataSources(spec, field),
    ...(attributes === "" ? [] : problemsOf(`${field}.volumeAttributesClassName`, attributes, dns1123Subdomain(attributes))),
  ];
}

/** What a claim is filled with: both fields must say the same, where the newer one names no other namespace. */
function validateDataSources(spec: JsonObject, field: string): FieldProblem[] {
  const { dataSource, dataSourceRef } = spec;
  const problems = ["dataSource", "dataSourceRef"].flatMap((name) => {
    const source = spec[name];
    return isObject(source) ? validateDataSource(source, `${field}.${name}`) : [];
  });
  if (!isObject(dataSource) || !isObject(dataSourceRef)) return problems;
  // As the server shows it: a path where a value should be.
  if (textAt(dataSourceRef, "namespace") !== "")
    return [...problems, invalidValue(field, {}, "may not be specified when dataSourceRef.namespace is specified")];
  const same = ["apiGroup", "kind", "name"].every((name) => textAt(dataSource, name) === textAt(dataSourceRef, name));
  return same ? problems : [...problems, invalidValue(field, {}, "must match dataSourceRef")];
}

function validateDataSource(source: JsonObject, field: string): FieldProblem[] {
  const [name, kind, group, namespace] = ["name", "kind", "apiGroup", "namespace"].map((each) => textAt(source, each)) as [
    string,
    string,
    string,
    string,
  ];
  const problems: FieldProblem[] = [];
  if (name === "") problems.push(requiredValue(`${field}.name`));
  if (kind === "") problems.push(requiredValue(`${field}.kind`));
  if (group === "" && kind !== "PersistentVolumeClaim")
    problems.push(invalidValue(field, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (group !== "") problems.push(...problemsOf(`${field}.apiGroup`, group, dns1123Subdomain(group)));
  return namespace === "" ? problems : [...problems, ...problemsOf(`${field}.namespace`, namespace, dns1123Label(namespace))];
}

export function validateVolume(object: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  return [
    ...validateModes(spec, "spec.accessModes", ""),
    ...validateCapacity(mapAt(spec, "capacity")),
    ...validateReclaim(spec),
    ...validateSources(spec),
    ...validateClassAndMode(spec, "spec"),
    ...validateMountOptions(object, spec),
  ];
}

/** Sources that are mounted with options. */
const mounted = [
  ...["gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "nfs", "rbd", "quobyte", "iscsi", "cinder", "cephfs", "azureFile"],
  ...["vsphereVolume", "azureDisk", "photonPersistentDisk"],
];
const mountOptions = "volume.beta.kubernetes.io/mount-options";

function validateMountOptions(object: KubeObject, spec: JsonObject): FieldProblem[] {
  if (!(mountOptions in mapAt(object, "metadata.annotations")) || mounted.some((name) => isObject(spec[name]))) return [];
  return [forbiddenValue(`metadata.annotations.${mountOptions}`, "may not specify mount options for this volume type")];
}

function validateCapacity(capacity: Readonly<Record<string, string>>): FieldProblem[] {
  const field = "spec.capacity";
  const names = Object.keys(capacity);
  const problems = names.length === 0 ? [requiredValue(field)] : [];
  if (capacity["storage"] === undefined || names.length > 1)
    problems.push(unsupportedValue(field, names.length === 0 ? null : sortedByKey(capacity), ["storage"]));
  for (const [name, text] of Object.entries(capacity)) {
    const { nanos } = parseQuantity(text);
    const place = `${field}[${name}]`;
    // Part of a number counts as the next whole one away from zero.
    if (nanos < 0n) problems.push(invalidValue(place, Math.floor(Number(nanos) / 1e9), "must be a valid resource quantity"));
    if (nanos <= 0n) problems.push(invalidValue(place, text, "must be greater than zero"));
  }
  return problems;
}

const sortedByKey = (map: Readonly<Record<string, string>>): object =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

function validateReclaim(spec: JsonObject): FieldProblem[] {
  const policy = textAt(spec, "persistentVolumeReclaimPolicy");
  const field = "spec.persistentVolumeReclaimPolicy";
  if (policy !== "" && !reclaimPolicies.includes(policy)) return [unsupportedValue(field, policy, reclaimPolicies)];
  if (policy === "Recycle" && textAt(spec, "hostPath.path") === "/")
    return [forbiddenValue(field, "may not be 'recycle' for a hostPath mount of '/'")];
  return [];
}

function validateSources(spec: JsonObject): FieldProblem[] {
  const said = sources.filter((name) => isObject(spec[name]));
  if (said.length === 0) return [requiredValue("spec", "must specify a volume type")];
  const more = said.slice(1).map((name) => forbiddenValue(`spec.${name}`, "may not specify more than 1 volume type"));
  const placed = objectsAt(spec, "nodeAffinity.required.nodeSelectorTerms").length > 0;
  if (said[0] !== "local" || placed) return more;
  return [...more, requiredValue("spec.nodeAffinity", "Local volume requires node affinity")];
}

const isClaim = (source: JsonObject): boolean => !source["apiGroup"] && source["kind"] === "PersistentVolumeClaim";
const isSnapshot = (source: JsonObject): boolean => source["apiGroup"] === "snapshot.storage.k8s.io" && source["kind"] === "VolumeSnapshot";

/** What a claim is filled with, in its older and its newer field: each follows the other, and the older knows claims and snapshots only. In place. */
export function settleDataSources(spec: JsonObject): void {
  const { dataSource, dataSourceRef } = spec;
  if (isObject(dataSource) && !isObject(dataSourceRef)) {
    if (isClaim(dataSource) || isSnapshot(dataSource)) spec["dataSourceRef"] = { ...dataSource };
    else delete spec["dataSource"];
  } else if (isObject(dataSourceRef) && !isObject(dataSource) && !textAt(dataSourceRef, "namespace"))
    spec["dataSource"] = { ...dataSourceRef };
}
