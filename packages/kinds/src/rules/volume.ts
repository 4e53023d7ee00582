/** Rules of a pod's volumes: one source each, and what a source must say. */
import { isObject, numberAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateFieldRef, validateResourceFieldRef } from "./env.ts";
import { dns1123Label } from "./names.ts";
import { backsteps, unreservedPath } from "./paths.ts";

/** Largest permission bits: rwx for all. */
const modeMax = 0o777;
/** Shortest life of a token, ten minutes, and the longest, in seconds. */
const tokenSecondsMin = 600;
const tokenSecondsMax = 2 ** 32;

/** Fields a projected or mounted file may tell of its pod. */
const fileFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];
const pathTypes = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/** Everything wrong with the volumes at `field`. */
export function validateVolumes(volumes: readonly JsonObject[], field: string): FieldProblem[] {
  const seen = new Set<string>();
  return volumes.flatMap((volume, i) => {
    const name = textAt(volume, "name");
    const place = `${field}[${i}]`;
    const problems: FieldProblem[] = [];
    if (name === "") problems.push(requiredValue(`${place}.name`));
    else if (seen.has(name)) problems.push(duplicateValue(`${place}.name`, name));
    else problems.push(...problemsOf(`${place}.name`, name, dns1123Label(name)));
    seen.add(name);
    return [...problems, ...validateSources(volume, place)];
  });
}

type SourceRule = (source: JsonObject, field: string) => FieldProblem[];

/** A field that must not be empty. */
const needs =
  (name: string): SourceRule =>
  (source, field) =>
    textAt(source, name) === "" ? [requiredValue(`${field}.${name}`)] : [];

/** Rules of the sources people write; the first of them that is there counts, as the server asks them in this order. */
const sourceRules: Readonly<Record<string, SourceRule>> = {
  emptyDir: (source, field) =>
    textAt(source, "sizeLimit").startsWith("-")
      ? [forbiddenValue(`${field}.sizeLimit`, "SizeLimit field must be a valid resource quantity")]
      : [],
  hostPath,
  secret: (source, field) => [...needs("secretName")(source, field), ...validateMode(source, field), ...validateItems(source, field)],
  nfs,
  persistentVolumeClaim: needs("claimName"),
  downwardAPI: (source, field) => [
    ...validateMode(source, field),
    ...objectsAt(source, "items").flatMap((item) => validateDownwardFile(item, field)),
  ],
  configMap: (source, field) => [...needs("name")(source, field), ...validateMode(source, field), ...validateItems(source, field)],
  projected: (source, field) => [...validateMode(source, field), ...validateProjections(source, field)],
  csi: needs("driver"),
};

function validateSources(volume: JsonObject, field: string): FieldProblem[] {
  const said = Object.keys(volume).filter((name) => name !== "name" && isObject(volume[name]));
  if (said.length === 0) return [requiredValue(field, "must specify a volume type")];
  const known = Object.keys(sourceRules).filter((name) => said.includes(name));
  const [first = "", ...others] = [...known, ...said.filter((name) => !Object.hasOwn(sourceRules, name))];
  const problems = others.map((name) => forbiddenValue(`${field}.${name}`, "may not specify more than 1 volume type"));
  const source = volume[first];
  const rule = sourceRules[first];
  return rule && isObject(source) ? [...rule(source, `${field}.${first}`), ...problems] : problems;
}

function hostPath(source: JsonObject, field: string): FieldProblem[] {
  const path = textAt(source, "path");
  if (path === "") return [requiredValue(`${field}.path`)];
  const problems = backsteps(path, `${field}.path`);
  const type = textAt(source, "type");
  return pathTypes.includes(type) ? problems : [...problems, unsupportedValue(`${field}.type`, type, pathTypes)];
}

function nfs(source: JsonObject, field: string): FieldProblem[] {
  const problems = [...needs("server")(source, field), ...needs("path")(source, field)];
  const path = textAt(source, "path");
  if (!path.startsWith("/")) problems.push(invalidValue(`${field}.path`, path, "must be an absolute path"));
  return problems;
}

function validateMode(source: JsonObject, field: string, name = "defaultMode"): FieldProblem[] {
  const mode = source[name];
  if (typeof mode !== "number" || (mode >= 0 && mode <= modeMax)) return [];
  return [invalidValue(`${field}.${name}`, mode, "must be a number between 0 and 0777 (octal), both inclusive")];
}

/** Keys that become files. */
function validateItems(source: JsonObject, field: string): FieldProblem[] {
  return objectsAt(source, "items").flatMap((item, i) => {
    const place = `${field}.items[${i}]`;
    const path = textAt(item, "path");
    return [
      ...needs("key")(item, place),
      ...(path === "" ? [requiredValue(`${place}.path`)] : unreservedPath(path, `${place}.path`)),
      ...validateMode(item, place, "mode"),
    ];
  });
}

/** A file that tells something of its pod. The server names the volume, not the file. */
function validateDownwardFile(item: JsonObject, field: string): FieldProblem[] {
  const path = textAt(item, "path");
  const problems = path === "" ? [requiredValue(`${field}.path`)] : unreservedPath(path, `${field}.path`);
  const { fieldRef, resourceFieldRef } = item;
  if (isObject(fieldRef)) {
    problems.push(...validateFieldRef(fieldRef, fileFields, `${field}.fieldRef`));
    if (isObject(resourceFieldRef))
      problems.push(invalidValue(field, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  } else if (isObject(resourceFieldRef)) {
    if (textAt(resourceFieldRef, "containerName") === "") problems.push(requiredValue(`${field}.resourceFieldRef.containerName`));
    else problems.push(...validateResourceFieldRef(resourceFieldRef, `${field}.resourceFieldRef`));
  } else problems.push(requiredValue(field, "one of fieldRef and resourceFieldRef is required"));
  return [...problems, ...validateMode(item, field, "mode")];
}

const projections = ["secret", "configMap", "downwardAPI", "serviceAccountToken", "clusterTrustBundle", "podCertificate"];

/** Several sources in one folder; a path may be written once. */
function validateProjections(projected: JsonObject, field: string): FieldProblem[] {
  const paths = new Set<string>();
  /** @returns Whether it was taken before; an empty one never is. */
  const taken = (path: string): boolean => {
    const was = path !== "" && paths.has(path);
    paths.add(path);
    return was;
  };
  return objectsAt(projected, "sources").flatMap((source, i) => {
    const place = `${field}.sources[${i}]`;
    const used = projections.filter((name) => isObject(source[name]));
    const problems = used.flatMap((name) => {
      const projection = source[name];
      return isObject(projection) ? validateProjection(name, projection, field, `${place}.${name}`, taken) : [];
    });
    if (used.length > 1) problems.push(forbiddenValue(place, "may not specify more than 1 volume type"));
    return problems;
  });
}

function validateProjection(
  kind: string,
  projection: JsonObject,
  volume: string,
  field: string,
  taken: (path: string) => boolean,
): FieldProblem[] {
  const items = objectsAt(projection, "items");
  const twice = (named: (path: string) => string): FieldProblem[] =>
    items
      .map((item) => textAt(item, "path"))
      .filter(taken)
      .map((path) => invalidValue(volume, named(path), "conflicting duplicate paths"));
  switch (kind) {
    case "secret":
    case "configMap":
      return [...needs("name")(projection, field), ...validateItems(projection, field), ...twice(() => textAt(projection, "name"))];
    case "downwardAPI":
      return [...items.flatMap((item) => validateDownwardFile(item, field)), ...twice((path) => path)];
    case "serviceAccountToken":
      return validateToken(projection, volume, field);
    default:
      return [];
  }
}

function validateToken(token: JsonObject, volume: string, field: string): FieldProblem[] {
  const seconds = numberAt(token, "expirationSeconds");
  const said = typeof token["expirationSeconds"] === "number";
  const problems: FieldProblem[] = [];
  if (said && seconds < tokenSecondsMin)
    problems.push(invalidValue(`${field}.expirationSeconds`, seconds, "may not specify a duration less than 10 minutes"));
  if (said && seconds > tokenSecondsMax)
    problems.push(invalidValue(`${field}.expirationSeconds`, seconds, "may not specify a duration larger than 2^32 seconds"));
  if (textAt(token, "path") === "") problems.push(requiredValue(`${volume}.path`));
  return problems;
}
