/**
 * What a Service gets from the cluster: its address, its ports on all nodes, and the fields that hang together with them. One family of addresses is
 * served; a Service that asks for two is told so.
 *
 * @see Kubernetes, "Service ClusterIP allocation", "Service Internal Traffic Policy", "IPv4/IPv6 dual-stack"
 */
import { listAt, numberAt, objectAt, objectsAt, sameJson, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { duplicateValue, invalidValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { AddressPools, FieldProblem } from "../resource.ts";
import { ipFamily } from "../values/ip.ts";

const families = ["IPv4", "IPv6"];
const policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const single = "SingleStack";

export const typeOf = (service: unknown): string => textAt(service, "spec.type");
export const isHeadless = (service: unknown): boolean => textsAt(service, "spec.clusterIPs")[0] === "None";

/** Reached by ports of the nodes. */
export function hasNodePorts(service: unknown): boolean {
  const type = typeOf(service);
  return type === "NodePort" || type === "LoadBalancer";
}

/** A load balancer asks each node whether it has pods of the Service, on a port for that. */
export function needsHealthPort(service: unknown): boolean {
  return typeOf(service) === "LoadBalancer" && textAt(service, "spec.externalTrafficPolicy") === "Local";
}

/** Reached from outside the cluster. */
export function isReachableOutside(service: unknown): boolean {
  return hasNodePorts(service) || (typeOf(service) === "ClusterIP" && textsAt(service, "spec.externalIPs").length > 0);
}

const namesAddress = (service: unknown): boolean => typeOf(service) !== "ExternalName";

/** Fills in what the body leaves out, takes what it asks for, drops what its type has no use for. In place. */
export function allocate(object: KubeObject, old: KubeObject | undefined, pools: AddressPools): readonly FieldProblem[] {
  const spec = objectAt(object, "spec");
  if (!namesAddress(object)) delete spec["internalTrafficPolicy"]; // nothing reaches an alias
  if (old) carryOver(object, old);
  bringInLine(spec, old && objectAt(old, "spec"));
  const problems = takeAddresses(object, old, pools);
  if (problems.length > 0) return problems;
  const refused = old ? changePorts(object, old, pools) : takePorts(object, pools);
  if (refused.length > 0) return refused;
  const health = takeHealthPort(object, old, pools);
  if (health.length === 0 && old) dropUnused(object, old);
  return health;
}

/** Whoever sends what they sent before need not know what was allocated for it. */
function carryOver(object: KubeObject, old: KubeObject): void {
  const [spec, before] = [objectAt(object, "spec"), objectAt(old, "spec")];
  if (namesAddress(old) && namesAddress(object)) {
    if (!spec["clusterIP"] && before["clusterIP"]) spec["clusterIP"] = before["clusterIP"];
    if (textsAt(spec, "clusterIPs").length === 0 && before["clusterIPs"]) spec["clusterIPs"] = [...textsAt(before, "clusterIPs")];
  }
  if (allocatesPorts(old) && allocatesPorts(object)) {
    const asked = new Set(nodePortsOf(object));
    const kept = new Set(nodePortsOf(old).filter((port) => asked.has(port)));
    const byName = new Map(objectsAt(before, "ports").map((port) => [textAt(port, "name"), numberAt(port, "nodePort")]));
    for (const port of objectsAt(spec, "ports")) {
      const known = byName.get(textAt(port, "name")) ?? 0;
      if (numberAt(port, "nodePort") === 0 && known !== 0 && !kept.has(known)) port["nodePort"] = known;
    }
  }
  if (needsHealthPort(old) && needsHealthPort(object) && numberAt(spec, "healthCheckNodePort") === 0)
    spec["healthCheckNodePort"] = before["healthCheckNodePort"];
}

function allocatesPorts(service: unknown): boolean {
  return (
    hasNodePorts(service) && !(typeOf(service) === "LoadBalancer" && objectAt(service, "spec")["allocateLoadBalancerNodePorts"] === false)
  );
}

/** clusterIP and clusterIPs say the same: who knows only the older one means both. */
function bringInLine(spec: JsonObject, old: JsonObject | undefined): void {
  const [one, all] = [textAt(spec, "clusterIP"), textsAt(spec, "clusterIPs")];
  if (!old) {
    if (one !== "" && all.length === 0) spec["clusterIPs"] = [one];
    return;
  }
  const before = textAt(old, "clusterIP");
  if (one === before) return;
  if (!sameJson(all, textsAt(old, "clusterIPs"))) return;
  if (one === "") delete spec["clusterIPs"];
  else spec["clusterIPs"] = [one];
}

function takeAddresses(object: KubeObject, old: KubeObject | undefined, pools: AddressPools): readonly FieldProblem[] {
  if (!namesAddress(object)) return [];
  const spec = objectAt(object, "spec");
  const problems = settleFamilies(spec, old, pools);
  if (problems.length > 0 || isHeadless(object)) return problems;
  if (old && namesAddress(old)) return [];
  const asked = [...textsAt(spec, "clusterIPs")];
  const [wanted] = asked;
  if (wanted === undefined) {
    const address = pools.nextAddress();
    spec["clusterIP"] = address;
    spec["clusterIPs"] = [address];
    return [];
  }
  const why = pools.takeAddress(wanted);
  return why === undefined ? [] : [invalidValue("spec.clusterIPs", asked, `failed to allocate IP ${wanted}: ${why}`)];
}

/** Which families a Service is of, and whether there are such addresses. */
function settleFamilies(spec: JsonObject, old: KubeObject | undefined, { family }: AddressPools): readonly FieldProblem[] {
  const headless = textAt(spec, "clusterIP") === "None";
  const anyEndpoints = headless && Object.keys(objectAt(spec, "selector")).length === 0;
  spec["ipFamilyPolicy"] ??= textAt(old, "spec.ipFamilyPolicy") || (anyEndpoints ? "RequireDualStack" : single);
  const loose = validateAddresses(spec);
  if (loose.length > 0) return loose;
  const policy = textAt(spec, "ipFamilyPolicy");
  const addresses = textsAt(spec, "clusterIPs");
  const asked = [...textsAt(spec, "ipFamilies")];
  const problems: FieldProblem[] = [];
  if (policy === single) {
    const mustBe = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
    if (addresses.length === 2) problems.push(invalidValue("spec.ipFamilyPolicy", policy, `${mustBe} cluster IPs are specified`));
    if (asked.length === 2) problems.push(invalidValue("spec.ipFamilyPolicy", policy, `${mustBe} IP families are specified`));
  }
  for (const [i, address] of (headless ? [] : addresses).entries()) {
    if (i < asked.length) continue;
    const found = ipFamily(address) ?? family;
    if (found === family) asked.push(found);
    else problems.push(invalidValue(`spec.clusterIPs[${i}]`, addresses, `${found} is not configured on this cluster`));
  }
  if (problems.length > 0) return problems;
  if (anyEndpoints) {
    // Whatever endpoints its user makes for it may be of any family.
    if (asked.length === 0) asked.push(family);
    if (asked.length === 1 && policy !== single) asked.push(asked[0] === "IPv4" ? "IPv6" : "IPv4");
    spec["ipFamilies"] = asked;
    return [];
  }
  if (policy === "RequireDualStack")
    problems.push(invalidValue("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"));
  for (const [i, one] of asked.entries())
    if (one !== family) problems.push(invalidValue(`spec.ipFamilies[${i}]`, one, "not configured on this cluster"));
  spec["ipFamilies"] = asked.length === 0 ? [family] : asked;
  return problems;
}

/** Everything wrong with addresses and families taken by themselves. */
export function validateAddresses(spec: JsonObject): FieldProblem[] {
  const field = "spec.clusterIPs";
  const [one, all, asked] = [textAt(spec, "clusterIP"), textsAt(spec, "clusterIPs"), textsAt(spec, "ipFamilies")];
  const problems: FieldProblem[] = [];
  if (one !== "" && all.length === 0) problems.push(requiredValue(field));
  else if (one !== "" && all[0] !== one) problems.push(invalidValue(field, all, "first value must match `clusterIP`"));
  else if (one === "" && all.length > 0) problems.push(invalidValue(field, all, "must be empty when `clusterIP` is not specified"));
  for (const [i, family] of asked.entries()) {
    if (!families.includes(family)) problems.push(unsupportedValue(`spec.ipFamilies[${i}]`, family, families));
    if (asked.indexOf(family) < i) problems.push(duplicateValue(`spec.ipFamilies[${i}]`, family));
  }
  const policy = textAt(spec, "ipFamilyPolicy");
  if (policy !== "" && !policies.includes(policy)) problems.push(unsupportedValue("spec.ipFamilyPolicy", policy, policies));
  const wrong = wrongAddresses(all);
  problems.push(...wrong);
  if (all.length > 2) problems.push(invalidValue(field, all, "may only hold up to 2 values"));
  if (wrong.length > 0) return problems;
  if (new Set(all.map(ipFamily)).size < all.length)
    problems.push(invalidValue(field, all, "may specify no more than one IP for each IP family"));
  if (all[0] === "None") return problems;
  for (const [i, address] of all.entries()) {
    const family = asked[i];
    if (family !== undefined && families.includes(family) && ipFamily(address) !== family)
      problems.push(invalidValue(`${field}[${i}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``));
  }
  return problems;
}

function wrongAddresses(all: readonly string[]): FieldProblem[] {
  const field = "spec.clusterIPs";
  return all.flatMap((address, i) => {
    if (i === 0 && address === "None") return all.length > 1 ? [invalidValue(field, all, "'None' must be the first and only value")] : [];
    return ipFamily(address) === undefined
      ? [invalidValue(`${field}[${i}]`, address, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
      : [];
  });
}

const nodePortsOf = (service: unknown): number[] =>
  objectsAt(service, "spec.ports")
    .map((port) => numberAt(port, "nodePort"))
    .filter((port) => port !== 0);

/** Everything a Service has taken: what is free again when it goes. */
export function takenBy(service: KubeObject): { readonly addresses: readonly string[]; readonly ports: readonly number[] } {
  const health = numberAt(service, "spec.healthCheckNodePort");
  const addresses = namesAddress(service) && !isHeadless(service) ? textsAt(service, "spec.clusterIPs") : [];
  const ports = hasNodePorts(service) ? [...new Set([...nodePortsOf(service), ...(health === 0 ? [] : [health])])] : [];
  return { addresses, ports };
}

/** Ports of the same number in several protocols share one on the nodes. */
function takePorts(object: KubeObject, pools: AddressPools): readonly FieldProblem[] {
  if (!hasNodePorts(object)) return [];
  const ports = objectsAt(object, "spec.ports");
  const given = new Map<number, number>();
  for (const [i, port] of ports.entries()) {
    const asked = numberAt(port, "nodePort");
    if (asked === 0 && !allocatesPorts(object)) continue;
    const number = numberAt(port, "port");
    const known = given.get(number);
    if (known !== undefined && asked === 0) port["nodePort"] = known;
    if (known !== undefined && (asked === 0 || asked === known)) continue;
    const wanted = asked || askedElsewhere(ports, number);
    const twice = wanted !== 0 && [...given.values()].includes(wanted);
    const why = wanted === 0 ? undefined : twice ? "provided port is already allocated" : pools.takePort(wanted);
    if (why !== undefined) return [invalidValue(`spec.ports[${i}].nodePort`, wanted, why)];
    const taken = wanted || pools.nextPort();
    port["nodePort"] = taken;
    if (known === undefined) given.set(number, taken);
  }
  return [];
}

function askedElsewhere(ports: readonly JsonObject[], number: number): number {
  const found = ports.find((port) => numberAt(port, "port") === number && numberAt(port, "nodePort") !== 0);
  return found ? numberAt(found, "nodePort") : 0;
}

function changePorts(object: KubeObject, old: KubeObject, pools: AddressPools): readonly FieldProblem[] {
  if (!hasNodePorts(object)) return [];
  const had = new Set(nodePortsOf(old));
  for (const [i, port] of objectsAt(object, "spec.ports").entries()) {
    const asked = numberAt(port, "nodePort");
    if (asked === 0) {
      if (allocatesPorts(object)) port["nodePort"] = pools.nextPort();
      continue;
    }
    if (had.has(asked)) continue;
    const why = pools.takePort(asked);
    if (why !== undefined) return [invalidValue(`spec.ports[${i}].nodePort`, asked, why)];
    had.add(asked);
  }
  return [];
}

function takeHealthPort(object: KubeObject, old: KubeObject | undefined, pools: AddressPools): readonly FieldProblem[] {
  if (!needsHealthPort(object) || (old && needsHealthPort(old))) return [];
  const spec = objectAt(object, "spec");
  const asked = numberAt(spec, "healthCheckNodePort");
  if (asked === 0) {
    spec["healthCheckNodePort"] = pools.nextPort();
    return [];
  }
  const why = pools.takePort(asked);
  return why === undefined ? [] : [invalidValue("spec.healthCheckNodePort", asked, why)];
}

/** A changed type drops what it has no use for, unless the change says something else of it: then validation speaks. */
function dropUnused(object: KubeObject, old: KubeObject): void {
  const [spec, before] = [objectAt(object, "spec"), objectAt(old, "spec")];
  const drop = (...names: readonly string[]): void => {
    for (const name of names) if (sameJson(spec[name], before[name])) delete spec[name];
  };
  if (namesAddress(old) && !namesAddress(object)) drop("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy");
  if (hasNodePorts(old) && !hasNodePorts(object)) {
    const had = new Set(nodePortsOf(old));
    if (nodePortsOf(object).every((port) => had.has(port))) for (const port of objectsAt(spec, "ports")) delete port["nodePort"];
  }
  if (needsHealthPort(old) && !needsHealthPort(object)) drop("healthCheckNodePort");
  if (typeOf(old) === "LoadBalancer" && typeOf(object) !== "LoadBalancer") drop("allocateLoadBalancerNodePorts", "loadBalancerClass");
  if (isReachableOutside(old) && !isReachableOutside(object)) drop("externalTrafficPolicy");
  if (typeOf(object) !== "LoadBalancer" && listAt(object, "status.loadBalancer.ingress").length > 0)
    object["status"] = { ...objectAt(object, "status"), loadBalancer: {} };
}
