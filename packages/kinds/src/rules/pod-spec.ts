/** Rules of a pod: what its spec must say wherever it stands (a Pod, or a workload's template). Field by field; whether it can run is the node's business. */
import { isObject, listAt, mapAt, numberAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { duplicateValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateContainer } from "./container.ts";
import { dns1123Label, dns1123Subdomain } from "./names.ts";
import { validateLabels } from "./object-meta.ts";

const restartPolicies = ["Always", "OnFailure", "Never"];
const dnsPolicies = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
const int32Max = 2_147_483_647;

/** Everything wrong with a PodSpec at `field` (`spec`, `spec.template.spec`). */
export function validatePodSpec(spec: JsonObject, field: string): FieldProblem[] {
  const volumes = objectsAt(spec, "volumes");
  const names = new Set(volumes.map((volume) => textAt(volume, "name")));
  const problems = [
    ...validateVolumes(volumes, `${field}.volumes`),
    ...validateContainers(spec, names, field),
    ...oneOf(textAt(spec, "restartPolicy"), restartPolicies, `${field}.restartPolicy`),
    ...oneOf(textAt(spec, "dnsPolicy"), dnsPolicies, `${field}.dnsPolicy`),
    ...validateLabels(mapAt(spec, "nodeSelector"), `${field}.nodeSelector`),
    ...nameProblems(spec, "serviceAccountName", field, dns1123Subdomain),
    ...nameProblems(spec, "nodeName", field, dns1123Subdomain),
    ...nameProblems(spec, "hostname", field, dns1123Label),
    ...nameProblems(spec, "subdomain", field, dns1123Label),
    ...nameProblems(spec, "priorityClassName", field, dns1123Subdomain),
    ...validateTolerations(spec, `${field}.tolerations`),
  ];
  if (spec["terminationGracePeriodSeconds"] === undefined) problems.push(requiredValue(`${field}.terminationGracePeriodSeconds`));
  const deadline = spec["activeDeadlineSeconds"];
  if (typeof deadline === "number" && (deadline < 1 || deadline > int32Max))
    problems.push(invalidValue(`${field}.activeDeadlineSeconds`, deadline, `must be between 1 and ${int32Max}, inclusive`));
  return problems;
}

function nameProblems(spec: JsonObject, name: string, field: string, check: (value: string) => string[]): FieldProblem[] {
  const value = textAt(spec, name);
  return value === "" ? [] : problemsOf(`${field}.${name}`, value, check(value));
}

/** A text that must be one of a few; "" is one that was not said. */
export function oneOf(value: string, supported: readonly string[], field: string): FieldProblem[] {
  if (value === "") return [requiredValue(field)];
  return supported.includes(value) ? [] : [unsupportedValue(field, value, supported)];
}

function validateVolumes(volumes: readonly JsonObject[], field: string): FieldProblem[] {
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

/** Fields whose emptiness the server refuses, of the sources people write. */
const sourceFields: Readonly<Record<string, string>> = {
  configMap: "name",
  secret: "secretName",
  hostPath: "path",
  persistentVolumeClaim: "claimName",
};

function validateSources(volume: JsonObject, field: string): FieldProblem[] {
  const sources = Object.keys(volume).filter((name) => name !== "name" && isObject(volume[name]));
  if (sources.length === 0) return [requiredValue(field, "must specify a volume type")];
  const [first = "", ...others] = sources;
  const problems: FieldProblem[] = others.map((name) => ({
    type: "FieldValueForbidden",
    field: `${field}.${name}`,
    message: "Forbidden: may not specify more than 1 volume type",
  }));
  const needed = sourceFields[first];
  if (needed !== undefined && textAt(volume[first], needed) === "") problems.push(requiredValue(`${field}.${first}.${needed}`));
  return problems;
}

function validateContainers(spec: JsonObject, volumes: ReadonlySet<string>, field: string): FieldProblem[] {
  const containers = objectsAt(spec, "containers");
  const problems: FieldProblem[] = containers.length === 0 ? [requiredValue(`${field}.containers`)] : [];
  const seen = new Set<string>();
  for (const list of ["containers", "initContainers"]) {
    for (const [i, container] of objectsAt(spec, list).entries()) {
      const place = `${field}.${list}[${i}]`;
      problems.push(...validateContainer(container, volumes, place, list === "initContainers"));
      const name = textAt(container, "name");
      if (seen.has(name)) problems.push(duplicateValue(`${place}.name`, name));
      seen.add(name);
    }
  }
  return [...problems, ...hostPortConflicts(containers, `${field}.containers`)];
}

/** Two containers of one pod cannot both have a port of the host. */
function hostPortConflicts(containers: readonly JsonObject[], field: string): FieldProblem[] {
  const seen = new Set<string>();
  return containers.flatMap((container, i) =>
    objectsAt(container, "ports").flatMap((port, j) => {
      const hostPort = numberAt(port, "hostPort");
      if (hostPort === 0) return [];
      const key = `${hostPort}/${textAt(port, "hostIP")}/${textAt(port, "protocol")}`;
      if (seen.has(key)) return [duplicateValue(`${field}[${i}].ports[${j}].hostPort`, key)];
      seen.add(key);
      return [];
    }),
  );
}

const tolerationOperators = ["Equal", "Exists", ""];
const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function validateTolerations(spec: JsonObject, field: string): FieldProblem[] {
  return objectsAt(spec, "tolerations").flatMap((toleration, i) => {
    const place = `${field}[${i}]`;
    const problems: FieldProblem[] = [];
    const operator = textAt(toleration, "operator");
    const effect = textAt(toleration, "effect");
    if (textAt(toleration, "key") === "" && operator !== "Exists")
      problems.push(
        invalidValue(
          `${place}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (!tolerationOperators.includes(operator)) problems.push(unsupportedValue(`${place}.operator`, operator, ["Equal", "Exists"]));
    if (effect !== "" && !effects.includes(effect)) problems.push(unsupportedValue(`${place}.effect`, effect, effects));
    return problems;
  });
}

/** Whether two PodSpecs differ in more than what may change on a running Pod: images, deadline, added tolerations. */
export function withoutChangeable(spec: JsonObject): JsonObject {
  const images = (list: string): unknown[] =>
    listAt(spec, list).map((container) => (isObject(container) ? { ...container, image: "" } : container));
  const kept: JsonObject = { ...spec, containers: images("containers") };
  if (spec["initContainers"] !== undefined) kept["initContainers"] = images("initContainers");
  for (const name of ["activeDeadlineSeconds", "tolerations", "schedulingGates"]) delete kept[name];
  return kept;
}
