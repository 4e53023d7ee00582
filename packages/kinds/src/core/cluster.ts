/** What belongs to the cluster's machines and accounts: Node, ServiceAccount, Endpoints, limits and quotas, replication controllers. */
import { isObject, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt, valueAt } from "../access.ts";
import { ageColumn, createdColumn, labelsText, nameColumn, none, templateColumns, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { invalidValue, requiredValue } from "../problem.ts";
import type { KindContext } from "../resource.ts";
import { notNegative, validateTemplate } from "../rules/workload.ts";
import { replicaColumns } from "../apps/shared.ts";
import { endpointsWarnings, nodeWarnings, quotaWarnings, serviceAccountWarnings } from "../warnings/cluster.ts";
import { replicationWarnings } from "../warnings/workloads.ts";
import { validateEndpoints, validateNode } from "./cluster-rules.ts";
import { validateLimitRange, validateResourceQuota } from "./limit-rules.ts";

const define = definer("", "v1");
const rolePrefix = "node-role.kubernetes.io/";

function nodeStatus(node: KubeObject): string {
  const ready = objectsAt(node, "status.conditions").find((condition) => textAt(condition, "type") === "Ready");
  const status = ready === undefined ? "Unknown" : textAt(ready, "status") === "True" ? "Ready" : "NotReady";
  return objectAt(node, "spec")["unschedulable"] === true ? `${status},SchedulingDisabled` : status;
}

function nodeRoles(node: KubeObject): string {
  const roles = Object.entries(mapAt(node, "metadata.labels")).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return key.slice(rolePrefix.length) || [];
    return key === "kubernetes.io/role" && value !== "" ? value : [];
  });
  return [...new Set(roles)].sort().join(",") || none;
}

const nodeAddress = (node: KubeObject, type: string): string =>
  textAt(
    objectsAt(node, "status.addresses").find((address) => textAt(address, "type") === type),
    "address",
  ) || none;

function kernel(node: KubeObject): string {
  const architecture = textAt(node, "status.nodeInfo.architecture");
  return (textAt(node, "status.nodeInfo.kernelVersion") || "<unknown>") + (architecture === "" ? "" : ` (${architecture})`);
}

export const node = define({
  kind: "Node",
  plural: "nodes",
  shortNames: ["no"],
  namespaced: false,
  status: true,
  statusOnCreate: true,
  prepare(object, old) {
    const spec = objectAt(object, "spec");
    if (!isObject(valueAt(old, "spec.configSource"))) delete spec["configSource"]; // of a time when nodes were configured through the API
    if (!old) delete objectAt(object, "status")["config"];
  },
  columns: [
    nameColumn,
    textColumn("Status", "Whether the node takes pods.", nodeStatus),
    textColumn("Roles", "What the node is for.", nodeRoles),
    ageColumn,
    textColumn("Version", "Version of the node's agent.", (object) => textAt(object, "status.nodeInfo.kubeletVersion")),
    textColumn("Internal-IP", "Address inside the cluster.", (object) => nodeAddress(object, "InternalIP"), 1),
    textColumn("External-IP", "Address outside the cluster.", (object) => nodeAddress(object, "ExternalIP"), 1),
    textColumn("OS-Image", "Operating system.", (object) => textAt(object, "status.nodeInfo.osImage") || "<unknown>", 1),
    textColumn("Kernel-Version", "Version of the kernel, and the machine's architecture.", kernel, 1),
    textColumn(
      "Container-Runtime",
      "What runs the containers.",
      (object) => textAt(object, "status.nodeInfo.containerRuntimeVersion") || "<unknown>",
      1,
    ),
  ],
  selectableFields: new Map([["spec.unschedulable", (object: KubeObject) => String(objectAt(object, "spec")["unschedulable"] === true)]]),
  validate: validateNode,
  warnings: nodeWarnings,
});

export const serviceAccount = define({
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  shortNames: ["sa"],
  creates: [{ name: "token", group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" }],
  columns: [nameColumn, ageColumn],
  warnings: serviceAccountWarnings,
});

/** Endpoints shown before the rest is only counted. */
const endpointsShown = 3;

/** A list of which the first few are named. */
export function shortened(list: readonly string[], shown: number, separator = ","): string {
  if (list.length === 0) return none;
  const rest = list.length - shown;
  return list.slice(0, shown).join(separator) + (rest > 0 ? ` + ${rest} more...` : "");
}

/** `1.2.3.4:80`; IPv6 in brackets. */
const hostPort = (ip: string, port: number): string => (ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`);

function endpointsText(object: KubeObject): string {
  const all = objectsAt(object, "subsets").flatMap((subset) => {
    const addresses = objectsAt(subset, "addresses").map((address) => textAt(address, "ip"));
    const ports = objectsAt(subset, "ports");
    if (ports.length === 0) return addresses;
    return ports.flatMap((port) => addresses.map((ip) => hostPort(ip, numberAt(port, "port"))));
  });
  return shortened(all, endpointsShown);
}

export const endpoints = define({
  kind: "Endpoints",
  plural: "endpoints",
  deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
  createOnUpdate: true,
  singular: "endpoints",
  shortNames: ["ep"],
  columns: [nameColumn, textColumn("Endpoints", "Addresses and ports behind the service of the same name.", endpointsText), ageColumn],
  validate: validateEndpoints,
  warnings: endpointsWarnings,
});

/** One without a name gets one. */
function nameUnnamed({ metadata }: KubeObject, old: KubeObject | undefined, { newUid }: KindContext): void {
  if (!old) metadata.name ||= newUid();
}

export const limitRange = define({
  kind: "LimitRange",
  plural: "limitranges",
  createOnUpdate: true,
  shortNames: ["limits"],
  prepare: nameUnnamed,
  columns: [nameColumn, createdColumn],
  validate: validateLimitRange,
});

function quotaText(object: KubeObject, limits: boolean): string {
  const used = mapAt(object, "status.used");
  return Object.entries(mapAt(object, "status.hard"))
    .filter(([name]) => name.startsWith("limits.") === limits)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${used[name] ?? "0"}/${hard}`)
    .join(", ");
}

export const resourceQuota = define({
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  status: true,
  columns: [
    nameColumn,
    textColumn("Request", "Used of what may be asked for.", (object) => quotaText(object, false)),
    textColumn("Limit", "Used of what limits may add up to.", (object) => quotaText(object, true)),
    ageColumn,
  ],
  validate: validateResourceQuota,
  warnings: quotaWarnings,
});

export const replicationController = define({
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  anyGenerateName: true,
  orphansByDefault: {},
  shortNames: ["rc"],
  categories: ["all"],
  status: true,
  generation: true,
  scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".spec.selector" },
  columns: [
    nameColumn,
    ...replicaColumns,
    ageColumn,
    ...templateColumns("spec.template"),
    textColumn("Selector", "Labels of the pods that belong to the object.", (object) => labelsText(mapAt(object, "spec.selector")), 1),
  ],
  selectableFields: new Map([["status.replicas", (object: KubeObject) => String(numberAt(object, "status.replicas"))]]),
  validate(object) {
    const spec = objectAt(object, "spec");
    const selector = mapAt(spec, "selector");
    const problems = notNegative(spec, ["minReadySeconds", "replicas"]);
    if (Object.keys(selector).length === 0) problems.push(requiredValue("spec.selector"));
    if (!isObject(spec["template"])) return [...problems, requiredValue("spec.template")];
    const labels = mapAt(spec, "template.metadata.labels");
    const shown = Object.keys(labels).length === 0 ? null : labels;
    const chosen = Object.fromEntries(Object.keys(selector).map((key) => [key, labels[key]]));
    const mismatch = sameJson(chosen, selector)
      ? []
      : [invalidValue("spec.template.metadata.labels", shown, "`selector` does not match template `labels`")];
    return [...problems, ...mismatch, ...validateTemplate(spec, "ReplicationController")];
  },
  warnings: replicationWarnings,
});
