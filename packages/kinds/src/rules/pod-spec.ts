/** Rules of a pod: what its spec must say wherever it stands (a Pod, or a workload's template). Field by field; whether it can run is the node's business. */
import { isObject, listAt, mapAt, numberAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateContainer } from "./container.ts";
import { validateDns, validateHostAliases } from "./dns.ts";
import { dns1123Label, dns1123Subdomain, qualifiedName } from "./names.ts";
import { validateLabels } from "./object-meta.ts";
import { validateAffinity, validateSpreading, validateTolerations } from "./scheduling.ts";
import { validatePodSecurity } from "./security.ts";
import { validateVolumes } from "./volume.ts";

const restartPolicies = ["Always", "OnFailure", "Never"];
const dnsPolicies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const preemptionPolicies = ["PreemptLowerPriority", "Never"];
const systems = ["linux", "windows"];
const int32Max = 2_147_483_647;

/** Everything wrong with a PodSpec at `field` (`spec`, `spec.template.spec`). */
export function validatePodSpec(spec: JsonObject, field: string): FieldProblem[] {
  const volumes = objectsAt(spec, "volumes");
  const byName = new Map(volumes.map((volume) => [textAt(volume, "name"), volume]));
  const dns = textAt(spec, "dnsPolicy");
  const { dnsConfig } = spec;
  return [
    ...validateVolumes(volumes, `${field}.volumes`),
    ...validateClaims(objectsAt(spec, "resourceClaims"), `${field}.resourceClaims`),
    ...validateContainers(spec, byName, field),
    ...hostNetworkPorts(spec, field),
    ...oneOf(textAt(spec, "restartPolicy"), restartPolicies, `${field}.restartPolicy`),
    ...oneOf(dns, dnsPolicies, `${field}.dnsPolicy`),
    ...validateLabels(mapAt(spec, "nodeSelector"), `${field}.nodeSelector`),
    ...validatePodSecurity(objectAt(spec, "securityContext"), spec, `${field}.securityContext`),
    ...validateAffinity(objectAt(spec, "affinity"), `${field}.affinity`),
    ...validateDns(isObject(dnsConfig) ? dnsConfig : undefined, dns, `${field}.dnsConfig`),
    ...validateGates(spec, field),
    ...validateSpreading(objectsAt(spec, "topologySpreadConstraints"), `${field}.topologySpreadConstraints`),
    ...nameProblems(spec, "serviceAccountName", field, dns1123Subdomain),
    ...nameProblems(spec, "nodeName", field, dns1123Subdomain),
    ...validateDeadline(spec, field),
    ...nameProblems(spec, "hostname", field, dns1123Label),
    ...nameProblems(spec, "subdomain", field, dns1123Label),
    ...validateTolerations(objectsAt(spec, "tolerations"), `${field}.tolerations`),
    ...validateHostAliases(objectsAt(spec, "hostAliases"), `${field}.hostAliases`),
    ...nameProblems(spec, "priorityClassName", field, dns1123Subdomain),
    ...validateChoices(spec, field),
  ];
}

function validateDeadline(spec: JsonObject, field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (spec["terminationGracePeriodSeconds"] === undefined) problems.push(requiredValue(`${field}.terminationGracePeriodSeconds`));
  const deadline = spec["activeDeadlineSeconds"];
  if (typeof deadline === "number" && (deadline < 1 || deadline > int32Max))
    problems.push(invalidValue(`${field}.activeDeadlineSeconds`, deadline, `must be between 1 and ${int32Max}, inclusive`));
  return problems;
}

function validateChoices(spec: JsonObject, field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const preemption = textAt(spec, "preemptionPolicy");
  if (preemption !== "") problems.push(...oneOf(preemption, preemptionPolicies, `${field}.preemptionPolicy`));
  const system = textAt(spec, "os.name");
  if (system !== "") problems.push(...oneOf(system, systems, `${field}.os`));
  return problems;
}

/** What a pod waits for before it is ready, and before it is given a node. */
function validateGates(spec: JsonObject, field: string): FieldProblem[] {
  const problems = objectsAt(spec, "readinessGates").flatMap((gate, i) => {
    const type = textAt(gate, "conditionType");
    return problemsOf(`${field}.readinessGates[${i}].conditionType`, type, qualifiedName(type));
  });
  const seen = new Set<string>();
  for (const [i, gate] of objectsAt(spec, "schedulingGates").entries()) {
    const name = textAt(gate, "name");
    const place = `${field}.schedulingGates[${i}]`;
    problems.push(...problemsOf(place, name, qualifiedName(name)));
    if (seen.has(name)) problems.push(duplicateValue(place, name));
    seen.add(name);
  }
  return problems;
}

/** Devices a pod claims: each by name, of one of two sorts. */
function validateClaims(claims: readonly JsonObject[], field: string): FieldProblem[] {
  const seen = new Set<string>();
  return claims.flatMap((claim, i) => {
    const name = textAt(claim, "name");
    const place = `${field}[${i}]`;
    const { resourceClaimName, resourceClaimTemplateName } = claim;
    const problems: FieldProblem[] = [];
    if (name === "") problems.push(requiredValue(`${place}.name`));
    else if (seen.has(name)) problems.push(duplicateValue(`${place}.name`, name));
    else problems.push(...problemsOf(`${place}.name`, name, dns1123Label(name)));
    seen.add(name);
    const shown = {
      Name: name,
      ResourceClaimName: resourceClaimName ?? null,
      ResourceClaimTemplateName: resourceClaimTemplateName ?? null,
    };
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      problems.push(invalidValue(place, shown, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"));
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined)
      problems.push(invalidValue(place, shown, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"));
    return problems;
  });
}

/** On the host's network a port of the container is the same port of the host. A template may leave that to its pods. */
function hostNetworkPorts(spec: JsonObject, field: string): FieldProblem[] {
  if (spec["hostNetwork"] !== true) return [];
  return ["containers", "initContainers"].flatMap((list) =>
    objectsAt(spec, list).flatMap((container, i) =>
      objectsAt(container, "ports").flatMap((port, j) => {
        const hostPort = numberAt(port, "hostPort");
        if (hostPort === 0 || hostPort === numberAt(port, "containerPort")) return [];
        const why = "must match `containerPort` when `hostNetwork` is true";
        return [invalidValue(`${field}.${list}[${i}].ports[${j}].hostPort`, hostPort, why)];
      }),
    ),
  );
}

/** What only a Pod is asked, not a template. `old` is set on update. */
export function validatePodOnly(spec: JsonObject, old: JsonObject | undefined, field: string): FieldProblem[] {
  const problems = ["containers", "initContainers"].flatMap((list) =>
    objectsAt(spec, list).flatMap((container, i) => {
      const image = textAt(container, "image");
      if (image === image.trim()) return [];
      return [invalidValue(`${field}.${list}[${i}].image`, image, "must not have leading or trailing whitespace")];
    }),
  );
  if (!old && listAt(spec, "ephemeralContainers").length > 0)
    problems.push(forbiddenValue(`${field}.ephemeralContainers`, "cannot be set on create"));
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

function validateContainers(spec: JsonObject, volumes: ReadonlyMap<string, JsonObject>, field: string): FieldProblem[] {
  const containers = objectsAt(spec, "containers");
  const problems: FieldProblem[] = containers.length === 0 ? [requiredValue(`${field}.containers`)] : [];
  const seen = new Set<string>();
  for (const list of ["containers", "initContainers"]) {
    for (const [i, container] of objectsAt(spec, list).entries()) {
      problems.push(...validateContainer(container, volumes, seen, `${field}.${list}[${i}]`, list === "initContainers"));
      seen.add(textAt(container, "name"));
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
      const key = `${textAt(port, "protocol")}/${textAt(port, "hostIP")}/${hostPort}`;
      if (seen.has(key)) return [duplicateValue(`${field}[${i}].ports[${j}].hostPort`, key)];
      seen.add(key);
      return [];
    }),
  );
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
