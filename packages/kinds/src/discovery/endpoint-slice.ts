/** EndpointSlice: addresses behind a Service, a hundred or so in a slice. */
import { immutableType, shownEndpoints, shownPorts } from "./texts.ts";
import { textAt } from "../access.ts";
import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import { endpointSliceWarnings } from "../warnings/cluster.ts";

export const endpointSlice = definer(
  "discovery.k8s.io",
  "v1",
)({
  kind: "EndpointSlice",
  plural: "endpointslices",
  generation: "labels",
  columns: [
    nameColumn,
    textColumn("AddressType", "IPv4, IPv6 or FQDN.", (object) => textAt(object, "addressType")),
    textColumn("Ports", "Ports of every endpoint.", shownPorts),
    textColumn("Endpoints", "Addresses.", shownEndpoints),
    ageColumn,
  ],
  validate: immutableType,
  warnings: endpointSliceWarnings,
});
