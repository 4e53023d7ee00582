/** Rules of Endpoints and Nodes. */
import { numberAt, objectAt, objectsAt, sameJson, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { duplicateValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateAddress, validateLocalOrReachable, validateRange } from "../rules/addresses.ts";
import { dns1123Label, dns1123Subdomain, labelValue, portNumber, qualifiedName } from "../rules/names.ts";
import { ipFamily } from "../values/ip.ts";

const protocols = ["SCTP", "TCP", "UDP"];
const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/** What stays as it was is nobody's fault now. */
export function validateEndpoints(object: KubeObject, old?: KubeObject): FieldProblem[] {
  if (old && sameJson(object["subsets"], old["subsets"])) return [];
  return objectsAt(object, "subsets").flatMap((subset, i) => {
    const field = `subsets[${i}]`;
    const lists = ["addresses", "notReadyAddresses"].map((name) => [name, objectsAt(subset, name)] as const);
    const none = lists.every(([, addresses]) => addresses.length === 0);
    const ports = objectsAt(subset, "ports");
    return [
      ...(none ? [requiredValue(field, "must specify `addresses` or `notReadyAddresses`")] : []),
      ...lists.flatMap(([name, addresses]) => addresses.flatMap((address, j) => validateEndpoint(address, `${field}.${name}[${j}]`))),
      ...ports.flatMap((port, j) => validateEndpointPort(port, ports.length > 1, `${field}.ports[${j}]`)),
    ];
  });
}

function validateEndpoint(endpoint: JsonObject, field: string): FieldProblem[] {
  const [ip = "", host = "", node = ""] = ["ip", "hostname", "nodeName"].map((name) => textAt(endpoint, name));
  const problems = validateAddress(ip, `${field}.ip`);
  if (ipFamily(ip) === undefined) problems.push(invalidValue(`${field}.ip`, ip, "must be a valid IP address")); // the server says it twice
  if (host !== "") problems.push(...problemsOf(`${field}.hostname`, host, dns1123Label(host)));
  if (node !== "") problems.push(...problemsOf(`${field}.nodeName`, node, dns1123Subdomain(node)));
  return [...problems, ...validateLocalOrReachable(ip, `${field}.ip`)];
}

function validateEndpointPort(port: JsonObject, named: boolean, field: string): FieldProblem[] {
  const [name = "", protocol = "", application = ""] = ["name", "protocol", "appProtocol"].map((each) => textAt(port, each));
  const number = numberAt(port, "port");
  const problems = named && name === "" ? [requiredValue(`${field}.name`)] : [];
  if (name !== "") problems.push(...problemsOf(`${field}.name`, name, dns1123Label(name)));
  problems.push(...problemsOf(`${field}.port`, number, portNumber(number)));
  if (protocol === "") problems.push(requiredValue(`${field}.protocol`));
  else if (!protocols.includes(protocol)) problems.push(unsupportedValue(`${field}.protocol`, protocol, protocols));
  return application === "" ? problems : [...problems, ...problemsOf(`${field}.appProtocol`, application, qualifiedName(application))];
}

export function validateNode(object: KubeObject): FieldProblem[] {
  const ranges = textsAt(object, "spec.podCIDRs").flatMap((range, i) => validateRange(range, `spec.podCIDRs[${i}]`));
  // The server names taints under metadata.
  return [...validateTaints(objectsAt(objectAt(object, "spec"), "taints"), "metadata.taints"), ...ranges];
}

function validateTaints(taints: readonly JsonObject[], field: string): FieldProblem[] {
  const seen = new Set<string>();
  return taints.flatMap((taint, i) => {
    const [key = "", value = "", effect = ""] = ["key", "value", "effect"].map((name) => textAt(taint, name));
    const place = `${field}[${i}]`;
    const problems = [...problemsOf(`${place}.key`, key, qualifiedName(key)), ...problemsOf(`${place}.value`, value, labelValue(value))];
    if (effect === "") problems.push(requiredValue(`${place}.effect`));
    else if (!effects.includes(effect)) problems.push(unsupportedValue(`${place}.effect`, effect, effects));
    const pair = `${effect}:${key}`;
    if (seen.has(pair)) problems.push(taintTwice(place, { Key: key, Value: value, Effect: effect, TimeAdded: taint["timeAdded"] ?? null }));
    seen.add(pair);
    return problems;
  });
}

function taintTwice(field: string, shown: JsonObject): FieldProblem {
  const problem = duplicateValue(field, shown);
  return { ...problem, message: `${problem.message}: taints must be unique by key and effect pair` };
}
