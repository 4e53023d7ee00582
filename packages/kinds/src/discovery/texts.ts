/** Cells and rules of EndpointSlices. */
import { numberAt, objectsAt, textAt, textsAt, valueAt } from "../access.ts";
import { none } from "../columns.ts";
import type { KubeObject } from "../object.ts";
import { duplicateValue, immutable, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateAddress, validateLocalOrReachable } from "../rules/addresses.ts";
import { dns1123Label, dns1123Subdomain, qualifiedName } from "../rules/names.ts";
import { ipFamily, ipNumber, ipv6Text } from "../values/ip.ts";

/** Named before the rest is only counted. */
const shown = 3;
const protocols = ["SCTP", "TCP", "UDP"];
const addressTypes = ["FQDN", "IPv4", "IPv6"];

function shortened(list: readonly string[]): string {
  if (list.length === 0) return "<unset>";
  const rest = list.length - shown;
  return list.slice(0, shown).join(",") + (rest > 0 ? ` + ${rest} more...` : "");
}

/** Port numbers; the name where there is none. */
export function shownPorts(object: KubeObject): string {
  return shortened(
    objectsAt(object, "ports").map((port) =>
      valueAt(port, "port") === undefined ? textAt(port, "name") || none : String(numberAt(port, "port")),
    ),
  );
}

export function shownEndpoints(object: KubeObject): string {
  return shortened(objectsAt(object, "endpoints").flatMap((endpoint) => textsAt(endpoint, "addresses")));
}

/** A slice's address type is one of three and stays. */
export function immutableType(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const type = textAt(object, "addressType");
  if (type === "") return [requiredValue("addressType")];
  const problems = addressTypes.includes(type) ? validateEndpoints(object, type) : [unsupportedValue("addressType", type, addressTypes)];
  return old ? [...problems, ...immutable("addressType", type, textAt(old, "addressType") === type)] : problems;
}

function validateEndpoints(object: KubeObject, type: string): FieldProblem[] {
  const endpoints = objectsAt(object, "endpoints").flatMap((endpoint, i) => {
    const field = `endpoints[${i}]`;
    const addresses = textsAt(endpoint, "addresses");
    const [node, host] = [textAt(endpoint, "nodeName"), textAt(endpoint, "hostname")];
    return [
      ...(addresses.length === 0 ? [requiredValue(`${field}.addresses`, "must contain at least 1 address")] : []),
      ...addresses.flatMap((address, j) => validateEndpointAddress(address, type, `${field}.addresses`, j)),
      ...(node === "" ? [] : problemsOf(`${field}.nodeName`, node, dns1123Subdomain(node))),
      ...(host === "" ? [] : problemsOf(`${field}.hostname`, host, dns1123Label(host))),
    ];
  });
  return [...endpoints, ...validatePorts(object)];
}

function validateEndpointAddress(address: string, type: string, field: string, i: number): FieldProblem[] {
  const place = `${field}[${i}]`;
  if (type === "FQDN") return problemsOf(place, address, dns1123Subdomain(address));
  const family = ipFamily(address);
  const wrong = validateAddress(address, place);
  if (wrong.length > 0) return wrong;
  const form = type === "IPv6" && family === "IPv6" ? ipv6Text(ipNumber(address) ?? 0n) : address;
  if (form !== address) return [invalidValue(place, address, `must be in canonical form (${JSON.stringify(form)})`)];
  return family === type ? validateLocalOrReachable(address, place) : [invalidValue(field, address, `must be an ${type} address`)];
}

function validatePorts(object: KubeObject): FieldProblem[] {
  const seen = new Set<string>();
  return objectsAt(object, "ports").flatMap((port, i) => {
    const [name = "", protocol = "", application = ""] = ["name", "protocol", "appProtocol"].map((each) => textAt(port, each));
    const field = `ports[${i}]`;
    const problems = name === "" ? [] : problemsOf(`${field}.name`, name, dns1123Label(name));
    if (seen.has(name)) problems.push(duplicateValue(`${field}.name`, name));
    seen.add(name);
    if (protocol !== "" && !protocols.includes(protocol)) problems.push(unsupportedValue(`${field}.protocol`, protocol, protocols));
    return application === "" ? problems : [...problems, ...problemsOf(`${field}.appProtocol`, application, qualifiedName(application))];
  });
}
