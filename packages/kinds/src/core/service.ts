/** Service: a name and an address for the pods a selector picks. */
import { listAt, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt, textsAt } from "../access.ts";
import { ageColumn, labelsText, nameColumn, none, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem, KindContext } from "../resource.ts";
import { validatePortRef } from "../rules/container.ts";
import { dns1123Label, dns1123Subdomain, portNumber, qualifiedName } from "../rules/names.ts";
import { validateLabels } from "../rules/object-meta.ts";

const define = definer("", "v1");
const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const protocols = ["SCTP", "TCP", "UDP"];
/** A day; longer than any client keeps to one endpoint. */
const affinityMaxSeconds = 86_400;

function validateService(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const type = textAt(spec, "type");
  const headless = textAt(spec, "clusterIP") === "None";
  const ports = objectsAt(spec, "ports");
  const problems: FieldProblem[] = [];
  if (ports.length === 0 && !headless && type !== "ExternalName") problems.push(requiredValue("spec.ports"));
  problems.push(...validateType(spec, type, headless), ...validatePorts(ports, type));
  problems.push(...validateLabels(mapAt(spec, "selector"), "spec.selector"), ...validateAffinity(spec));
  if (old && textAt(old, "spec.type") !== "ExternalName" && type !== "ExternalName")
    problems.push(...validateAddress(spec, objectAt(old, "spec")));
  return problems;
}

function validateType(spec: JsonObject, type: string, headless: boolean): FieldProblem[] {
  if (type === "") return [requiredValue("spec.type")];
  if (!types.includes(type)) return [unsupportedValue("spec.type", type, types)];
  if ((type === "LoadBalancer" || type === "NodePort") && headless)
    return [invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`)];
  if (type !== "ExternalName") return [];
  const name = textAt(spec, "externalName").replace(/\.$/, "");
  const addresses =
    listAt(spec, "clusterIPs").length > 0 ? [forbiddenValue("spec.clusterIPs", "may not be set for ExternalName services")] : [];
  return [
    ...addresses,
    ...(name === "" ? [requiredValue("spec.externalName")] : problemsOf("spec.externalName", name, dns1123Subdomain(name))),
  ];
}

function validatePorts(ports: readonly JsonObject[], type: string): FieldProblem[] {
  const names = new Set<string>();
  const numbers = new Set<string>();
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
    if (type === "ClusterIP" && numberAt(port, "nodePort") !== 0)
      problems.push(forbiddenValue(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
    const key = `${protocol}/${number}`;
    if (numbers.has(key)) problems.push(duplicateValue(field, { name: "", protocol, port: number }));
    names.add(name);
    numbers.add(key);
    return problems;
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

/** Once given, the first address stays. */
function validateAddress(spec: JsonObject, old: JsonObject): FieldProblem[] {
  const [before] = textsAt(old, "clusterIPs");
  const [now] = textsAt(spec, "clusterIPs");
  if (before === undefined || before === now) return [];
  return [invalidValue("spec.clusterIPs[0]", listAt(spec, "clusterIPs"), "may not change once set")];
}

/** Addresses are handed out on create and stay; `None` asks for none, ExternalName has none. */
function prepare(object: KubeObject, old: KubeObject | undefined, context: KindContext): void {
  const spec = objectAt(object, "spec");
  if (textAt(spec, "type") === "ExternalName") return;
  const wanted = textAt(spec, "clusterIP") || textAt(old, "spec.clusterIP") || context.newClusterIp?.() || "";
  if (wanted === "") return;
  spec["clusterIP"] = wanted;
  if (listAt(spec, "clusterIPs").length === 0) spec["clusterIPs"] = [wanted];
  if (listAt(spec, "ipFamilies").length === 0) spec["ipFamilies"] = [wanted.includes(":") ? "IPv6" : "IPv4"];
  spec["ipFamilyPolicy"] ??= "SingleStack";
  const given = mapAt(old, "spec");
  if (old && sameJson(spec["ports"], given["ports"])) return;
  if (textAt(spec, "type") === "ClusterIP") return;
  for (const port of objectsAt(spec, "ports"))
    if (numberAt(port, "nodePort") === 0 && context.newNodePort) port["nodePort"] = context.newNodePort();
}

function externalAddress(object: KubeObject): string {
  const type = textAt(object, "spec.type");
  if (type === "ExternalName") return textAt(object, "spec.externalName");
  const external = textsAt(object, "spec.externalIPs");
  if (type !== "LoadBalancer") return external.join(",") || none;
  const given = objectsAt(object, "status.loadBalancer.ingress").map((ingress) => textAt(ingress, "ip") || textAt(ingress, "hostname"));
  return [...given, ...external].join(",") || "<pending>";
}

function portsText(object: KubeObject): string {
  const texts = objectsAt(object, "spec.ports").map((port) => {
    const nodePort = numberAt(port, "nodePort");
    return `${numberAt(port, "port")}${nodePort > 0 ? `:${nodePort}` : ""}/${textAt(port, "protocol")}`;
  });
  return texts.join(",") || none;
}

export const service = define({
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  categories: ["all"],
  nameRule: "service",
  status: true,
  columns: [
    nameColumn,
    textColumn(
      "Type",
      "How the service is reached: inside only, by a port of each node, by a load balancer, or an alias of another name.",
      (object) => textAt(object, "spec.type"),
    ),
    textColumn(
      "Cluster-IP",
      "Address inside the cluster; None for a headless service.",
      (object) => textsAt(object, "spec.clusterIPs")[0] ?? none,
    ),
    textColumn("External-IP", "Addresses outside the cluster.", externalAddress),
    textColumn("Port(s)", "Ports, with the node's port after a colon.", portsText),
    ageColumn,
    textColumn("Selector", "Labels of the pods behind the service.", (object) => labelsText(mapAt(object, "spec.selector")), 1),
  ],
  selectableFields: new Map([
    ["spec.clusterIP", (object: KubeObject) => textAt(object, "spec.clusterIP")],
    ["spec.type", (object: KubeObject) => textAt(object, "spec.type")],
  ]),
  validate: validateService,
  prepare,
});
