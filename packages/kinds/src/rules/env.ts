/** Rules of a container's environment, and of references to fields of its pod. */
import { isObject, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dataKey, dns1123Subdomain, envName, qualifiedName } from "./names.ts";

/** Everything wrong with environment variables at `field`. */
function validateEnv(vars: readonly JsonObject[], field: string): FieldProblem[] {
  return vars.flatMap((variable, i) => {
    const place = `${field}[${i}]`;
    const name = textAt(variable, "name");
    const problems = name === "" ? [requiredValue(`${place}.name`)] : problemsOf(`${place}.name`, name, envName(name));
    const from = variable["valueFrom"];
    return isObject(from) ? [...problems, ...validateValueFrom(variable, from, `${place}.valueFrom`)] : problems;
  });
}

function validateValueFrom(variable: JsonObject, from: JsonObject, field: string): FieldProblem[] {
  const sources = Object.keys(from).filter((name) => isObject(from[name]));
  if (sources.length === 0)
    return [
      invalidValue(field, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"),
    ];
  const problems: FieldProblem[] = [];
  const { fieldRef, resourceFieldRef } = from;
  if (isObject(fieldRef)) problems.push(...validateFieldRef(fieldRef, envFields, `${field}.fieldRef`));
  if (isObject(resourceFieldRef)) problems.push(...validateResourceFieldRef(resourceFieldRef, `${field}.resourceFieldRef`));
  for (const source of ["configMapKeyRef", "secretKeyRef"]) {
    const ref = from[source];
    if (!isObject(ref)) continue;
    const key = textAt(ref, "key");
    problems.push(
      ...validateSourceName(ref, `${field}.${source}`),
      ...(key === "" ? [requiredValue(`${field}.${source}.key`)] : problemsOf(`${field}.${source}.key`, key, dataKey(key))),
    );
  }
  if (textAt(variable, "value") !== "") problems.push(invalidValue(field, "", "may not be specified when `value` is not empty"));
  else if (sources.length > 1) problems.push(invalidValue(field, "", "may not have more than one field specified at a time"));
  return problems;
}

function validateSourceName(ref: JsonObject, field: string): FieldProblem[] {
  const name = textAt(ref, "name");
  return problemsOf(`${field}.name`, name, dns1123Subdomain(name));
}

/** ConfigMaps and Secrets whose keys all become variables. The server names the list where a source is missing. */
function validateEnvFrom(sources: readonly JsonObject[], field: string): FieldProblem[] {
  return sources.flatMap((source, i) => {
    const place = `${field}[${i}]`;
    const prefix = textAt(source, "prefix");
    const problems = prefix === "" ? [] : problemsOf(`${place}.prefix`, prefix, envName(prefix));
    let used = 0;
    for (const name of ["configMapRef", "secretRef"]) {
      const ref = source[name];
      if (!isObject(ref)) continue;
      used++;
      problems.push(...validateSourceName(ref, `${place}.${name}`));
    }
    if (used === 0) problems.push(invalidValue(field, "", "must specify one of: `configMapRef` or `secretRef`"));
    if (used > 1) problems.push(invalidValue(field, "", "may not have more than one field specified at a time"));
    return problems;
  });
}

/** Fields a variable may tell of its pod. */
const envFields = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
/** Fields that are known, wherever they are allowed. */
const knownFields = new Set([
  ...envFields,
  "metadata.annotations",
  "metadata.labels",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.host",
  "status.phase",
]);

/** A field of the pod: `metadata.name`, `metadata.labels['app']`. */
export function validateFieldRef(ref: JsonObject, allowed: readonly string[], field: string): FieldProblem[] {
  const path = textAt(ref, "fieldPath");
  if (path === "") return [requiredValue(`${field}.fieldPath`)];
  const [, map = "", key = ""] = /^([^[]+)\['(.*)'\]$/su.exec(path) ?? [];
  if (map === "metadata.labels") return problemsOf(field, key, qualifiedName(key));
  if (map === "metadata.annotations") return problemsOf(field, key.toLowerCase(), qualifiedName(key.toLowerCase()));
  if (!knownFields.has(path))
    return [invalidValue(`${field}.fieldPath`, path, `error converting fieldPath: field label not supported: ${path}`)];
  const meant = path === "spec.host" ? "spec.nodeName" : path;
  return allowed.includes(meant) ? [] : [unsupportedValue(`${field}.fieldPath`, meant, allowed)];
}

const resourceFields = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];

/** How much a container may have or asked for. */
export function validateResourceFieldRef(ref: JsonObject, field: string): FieldProblem[] {
  const resource = textAt(ref, "resource");
  if (resource === "") return [requiredValue(`${field}.resource`)];
  if (resourceFields.includes(resource) || /^(limits|requests)\.hugepages-/u.test(resource)) return [];
  return [unsupportedValue(`${field}.resource`, resource, resourceFields)];
}

/** Everything wrong with the environment of a container at `field`. */
export const validateEnvironment = (container: JsonObject, field: string): FieldProblem[] => [
  ...validateEnv(objectsAt(container, "env"), `${field}.env`),
  ...validateEnvFrom(objectsAt(container, "envFrom"), `${field}.envFrom`),
];
