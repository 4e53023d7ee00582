/** Service: a name and an address for the pods a selector picks. Its addresses are service-addresses.ts, its rules service-rules.ts. */
import { mapAt, numberAt, objectsAt, textAt, textsAt } from "../access.ts";
import { ageColumn, labelsText, nameColumn, none, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { allocate } from "./service-addresses.ts";
import { validateService } from "./service-rules.ts";
import { serviceWarnings } from "../warnings/service.ts";

const define = definer("", "v1");

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
  nameRule: "label",
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
  createOnUpdate: true,
  allocate,
  validate: validateService,
  warnings: serviceWarnings,
});
