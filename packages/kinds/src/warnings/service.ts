/** What is told of Services that are taken all the same. */
import { mapAt, objectAt, objectsAt, textAt, textsAt } from "../access.ts";
import { isHeadless, typeOf } from "../core/service-addresses.ts";
import type { KubeObject } from "../object.ts";
import type { WarningContext } from "../resource.ts";
import { addressWarnings, rangeWarnings } from "./addresses.ts";

const hintsAnnotation = "service.kubernetes.io/topology-aware-hints";

export function serviceWarnings(object: KubeObject, { subresource }: WarningContext): string[] {
  if (subresource === "status") return balancerWarnings(object);
  const spec = objectAt(object, "spec");
  const external = textsAt(spec, "externalIPs");
  const balancer = textAt(spec, "loadBalancerIP");
  const addresses = isHeadless(object) ? [] : textsAt(spec, "clusterIPs");
  return [
    ...(hintsAnnotation in mapAt(object, "metadata.annotations")
      ? [`annotation ${hintsAnnotation} is deprecated, please use service.kubernetes.io/topology-mode instead`]
      : []),
    ...addresses.flatMap((address, i) => addressWarnings(address, `spec.clusterIPs[${i}]`)),
    ...ignoredWhenHeadless(object),
    ...external.flatMap((address, i) => addressWarnings(address, `spec.externalIPs[${i}]`)),
    ...(external.length > 0 && !isPlainHeadless(object) && typeOf(object) !== "ExternalName"
      ? ["spec.externalIPs is deprecated and may no longer be implemented in some clusters"]
      : []),
    ...(balancer === "" ? [] : addressWarnings(balancer, "spec.loadBalancerIP")),
    ...textsAt(spec, "loadBalancerSourceRanges").flatMap((range, i) => rangeWarnings(range, `spec.loadBalancerSourceRanges[${i}]`)),
    ...ignoredByType(object),
    ...(textAt(spec, "trafficDistribution") === "PreferClose"
      ? ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"']
      : []),
  ];
}

const isPlainHeadless = (service: KubeObject): boolean => typeOf(service) === "ClusterIP" && isHeadless(service);

function ignoredWhenHeadless(service: KubeObject): string[] {
  if (!isPlainHeadless(service)) return [];
  const spec = objectAt(service, "spec");
  const said = [
    ["loadBalancerIP", textAt(spec, "loadBalancerIP") !== ""],
    ["externalIPs", textsAt(spec, "externalIPs").length > 0],
    ["SessionAffinity", textAt(spec, "sessionAffinity") !== "None"],
  ] as const;
  return said.flatMap(([name, is]) => (is ? [`spec.${name} is ignored for headless services`] : []));
}

function ignoredByType(service: KubeObject): string[] {
  const outside = typeOf(service) === "ExternalName";
  if (outside && textsAt(service, "spec.externalIPs").length > 0) return ['spec.externalIPs is ignored when spec.type is "ExternalName"'];
  if (!outside && textAt(service, "spec.externalName") !== "") return ['spec.externalName is ignored when spec.type is not "ExternalName"'];
  return [];
}

/** Of a status: addresses a load balancer was given. */
export function balancerWarnings(object: KubeObject): string[] {
  return objectsAt(object, "status.loadBalancer.ingress").flatMap((ingress, i) =>
    addressWarnings(textAt(ingress, "ip"), `status.loadBalancer.ingress[${i}]`),
  );
}
