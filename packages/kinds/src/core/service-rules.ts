/** What a Service has to be like. */
import { listAt, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateAddress, validateRange, validateReachable } from "../rules/addresses.ts";
import { validatePortRef } from "../rules/container.ts";
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from "../rules/names.ts";
import { validateLabels } from "../rules/object-meta.ts";
import { isHeadless, isReachableOutside, needsHealthPort, typeOf, validateAddresses } from "./service-addresses.ts";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const protocols = ["SCTP", "TCP", "UDP"];
const trafficPolicies = ["Cluster", "Local"];
const distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];
/** A day; longer than any client keeps to one endpoint. */
const affinityMaxSeconds = 86_400;

export function validateService(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const type = typeOf(object);
  const ports = objectsAt(spec, "ports");
  const problems: FieldProblem[] = old ? validateChange(object, old) : [];
  if (ports.length === 0 && !isHeadless(object) && type !== "ExternalName") problems.push(requiredValue("spec.ports"));
  problems.push(...validateType(spec, type, isHeadless(object)), ...validatePorts(ports));
  problems.push(...validateLabels(mapAt(spec, "selector"), "spec.selector"), ...validateAffinity(spec));
  if (type !== "ExternalName") problems.push(...validateAddresses(spec));
  for (const [i, address] of textsAt(spec, "externalIPs").entries())
    problems.push(...validateAddress(address, `spec.externalIPs[${i}]`), ...validateReachable(address, `spec.externalIPs[${i}]`));
  if (type === "") problems.push(requiredValue("spec.type"));
  else if (!types.includes(type)) problems.push(unsupportedValue("spec.type", type, types));
  return [
    ...problems,
    ...validateNodePorts(ports, type),
    ...validateDuplicates(ports),
    ...validateBalancer(spec, type),
    ...validateTraffic(object),
  ];
}

function validateType(spec: JsonObject, type: string, headless: boolean): FieldProblem[] {
  if ((type === "LoadBalancer" || type === "NodePort") && headless)
    return [invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`)];
  if (type !== "ExternalName") return [];
  const name = textAt(spec, "externalName").replace(/\.$/, "");
  const unfit = ["clusterIPs", "ipFamilies", "ipFamilyPolicy"].filter((field) =>
    Array.isArray(spec[field]) ? listAt(spec, field).length > 0 : spec[field] !== undefined,
  );
  return [
    ...unfit.map((field) => forbiddenValue(`spec.${field}`, "may not be set for ExternalName services")),
    ...(name === "" ? [requiredValue("spec.externalName")] : problemsOf("spec.externalName", name, dns1123Subdomain(name))),
  ];
}

function validatePorts(ports: readonly JsonObject[]): FieldProblem[] {
  const names = new Set<string>();
  return ports.flatMap((port, i) => {
    const field = `spec.ports[${i}]`;
    const name = textAt(port, "name");
    const protocol = textAt(port, "protocol");
    const number = numberAt(port, "port");
    const problems: FieldProblem[] = [];
    if (name === "" && ports.length > 1) problems.push(requiredValue(`${field}.name`));
    else if (name !== "") problems.push(...problemsOf(`${field}.name`, name, dns1123Label(name)));
    if (name !== "" && names.has(name)) problems.push(duplicateValue(`${field}.name`, name));
    problems.push(...problemsOf(`${field}.port`, number, portNumber(number)));
    if (!protocols.includes(protocol)) problems.push(unsupportedValue(`${field}.protocol`, protocol, protocols));
    problems.push(...validatePortRef(port["targetPort"], `${field}.targetPort`));
    const application = textAt(port, "appProtocol");
    if (application !== "") problems.push(...problemsOf(`${field}.appProtocol`, application, qualifiedName(application)));
    names.add(name);
    return problems;
  });
}

function validateNodePorts(ports: readonly JsonObject[], type: string): FieldProblem[] {
  const seen = new Set<string>();
  const unfit = ports.flatMap((port, i) =>
    type === "ClusterIP" && numberAt(port, "nodePort") !== 0
      ? [forbiddenValue(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'")]
      : [],
  );
  const twice = ports.flatMap((port, i) => {
    const number = numberAt(port, "nodePort");
    const key = `${textAt(port, "protocol")}/${number}`;
    if (number === 0) return [];
    const known = seen.has(key);
    seen.add(key);
    return known ? [duplicateValue(`spec.ports[${i}].nodePort`, number)] : [];
  });
  return [...unfit, ...twice];
}

function validateDuplicates(ports: readonly JsonObject[]): FieldProblem[] {
  const seen = new Set<string>();
  return ports.flatMap((port, i) => {
    const [protocol, number] = [textAt(port, "protocol"), numberAt(port, "port")];
    const key = `${protocol}/${number}`;
    const known = seen.has(key);
    seen.add(key);
    // As the server shows its own form of a port.
    const shown = { Name: "", Protocol: protocol, AppProtocol: null, Port: number, TargetPort: 0, NodePort: 0 };
    return known ? [duplicateValue(`spec.ports[${i}]`, shown)] : [];
  });
}

function validateAffinity(spec: JsonObject): FieldProblem[] {
  const affinity = textAt(spec, "sessionAffinity");
  if (affinity !== "None" && affinity !== "ClientIP") return [unsupportedValue("spec.sessionAffinity", affinity, ["ClientIP", "None"])];
  if (affinity === "None") return [];
  const seconds = numberAt(spec, "sessionAffinityConfig.clientIP.timeoutSeconds");
  if (seconds > 0 && seconds <= affinityMaxSeconds) return [];
  const why = `must be greater than 0 and less than ${affinityMaxSeconds}`;
  return [invalidValue("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds, why)];
}

function validateBalancer(spec: JsonObject, type: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const only = "may only be used when `type` is 'LoadBalancer'";
  const name = textAt(spec, "loadBalancerClass");
  const ranges = textsAt(spec, "loadBalancerSourceRanges");
  if (type === "LoadBalancer")
    return [
      ...ranges.flatMap((range, i) => validateRange(range.trim(), `spec.LoadBalancerSourceRanges[${i}]`)),
      ...(name === "" ? [] : problemsOf("spec.loadBalancerClass", name, qualifiedName(name))),
    ];
  if (ranges.length > 0) problems.push(forbiddenValue("spec.LoadBalancerSourceRanges", only));
  if (spec["allocateLoadBalancerNodePorts"] !== undefined) problems.push(forbiddenValue("spec.allocateLoadBalancerNodePorts", only));
  if (spec["loadBalancerClass"] !== undefined) problems.push(forbiddenValue("spec.loadBalancerClass", only));
  return problems;
}

/** Where traffic goes: to every node's pods, or only to those of the node it arrives at. */
function validateTraffic(object: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const [outside, inside, distribution] = ["externalTrafficPolicy", "internalTrafficPolicy", "trafficDistribution"].map((name) =>
    textAt(spec, name),
  );
  const problems: FieldProblem[] = [];
  const health = numberAt(spec, "healthCheckNodePort");
  if (!isReachableOutside(object)) {
    if (outside) problems.push(invalidValue("spec.externalTrafficPolicy", outside, "may only be set for externally-accessible services"));
  } else if (!outside) problems.push(requiredValue("spec.externalTrafficPolicy"));
  else if (!trafficPolicies.includes(outside)) problems.push(unsupportedValue("spec.externalTrafficPolicy", outside, trafficPolicies));
  if (needsHealthPort(object)) {
    if (health === 0) problems.push(requiredValue("spec.healthCheckNodePort"));
    else problems.push(...problemsOf("spec.healthCheckNodePort", health, portNumber(health)));
  } else if (health !== 0) {
    const why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    problems.push(invalidValue("spec.healthCheckNodePort", health, why));
  }
  if (inside && !trafficPolicies.includes(inside)) problems.push(unsupportedValue("spec.internalTrafficPolicy", inside, trafficPolicies));
  if (distribution && !distributions.includes(distribution))
    problems.push(unsupportedValue("spec.trafficDistribution", distribution, distributions));
  return problems;
}

/** Once given, an address stays; so do the load balancer's class and the port it asks after health. */
function validateChange(object: KubeObject, old: KubeObject): FieldProblem[] {
  if (typeOf(object) === "ExternalName" || typeOf(old) === "ExternalName") return [];
  const [spec, before] = [objectAt(object, "spec"), objectAt(old, "spec")];
  const problems: FieldProblem[] = [];
  const [now, then] = [textsAt(spec, "clusterIPs"), textsAt(before, "clusterIPs")];
  if (!(isHeadless(object) && isHeadless(old)) && then[0] !== undefined && now[0] !== then[0]) {
    const why = now.length === 0 ? "primary clusterIP can not be unset" : "may not change once set";
    problems.push(invalidValue("spec.clusterIPs[0]", now, why));
  }
  const [family, familyBefore] = [textsAt(spec, "ipFamilies"), textsAt(before, "ipFamilies")];
  if (!(isHeadless(object) && isHeadless(old)) && familyBefore[0] !== undefined && family[0] !== familyBefore[0])
    problems.push(invalidValue("spec.ipFamilies[0]", family, "may not change once set"));
  if (
    typeOf(object) === "LoadBalancer" &&
    typeOf(old) === "LoadBalancer" &&
    !sameJson(spec["loadBalancerClass"], before["loadBalancerClass"])
  )
    problems.push(invalidValue("spec.loadBalancerClass", spec["loadBalancerClass"], "may not change once set"));
  if (needsHealthPort(object) && needsHealthPort(old) && numberAt(spec, "healthCheckNodePort") !== numberAt(before, "healthCheckNodePort"))
    problems.push(forbiddenValue("spec.healthCheckNodePort", "field is immutable"));
  return problems;
}
