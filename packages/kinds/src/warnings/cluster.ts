/** What is told of volumes, nodes, accounts, quotas, ingresses, endpoints and policies that are taken all the same. */
import { isObject, mapAt, objectAt, objectsAt, textAt, textsAt, valueAt } from "../access.ts";
import type { KubeObject } from "../object.ts";
import type { WarningContext } from "../resource.ts";
import { compareQuantities, parseQuantity } from "../values/quantity.ts";
import { addressWarnings, rangeWarnings } from "./addresses.ts";
import { nodeTermWarnings } from "./labels.ts";
import { balancerWarnings } from "./service.ts";
import { claimWarnings } from "./sizes.ts";
import { volumeSourceWarnings } from "./volumes.ts";

const classAnnotation = "volume.beta.kubernetes.io/storage-class";
const volumeAnnotations: readonly (readonly [key: string, why: string])[] = [
  [classAnnotation, 'deprecated since v1.8; use "storageClassName" attribute instead'],
  ["volume.beta.kubernetes.io/mount-options", 'deprecated since v1.31; use "mountOptions" attribute instead'],
];

function annotated(object: KubeObject, known: typeof volumeAnnotations): string[] {
  const annotations = mapAt(object, "metadata.annotations");
  return known.flatMap(([key, why]) => (key in annotations ? [`metadata.annotations[${key}]: ${why}`] : []));
}

export function persistentVolumeWarnings(object: KubeObject, { subresource }: WarningContext): string[] {
  if (subresource === "status") return [];
  const spec = objectAt(object, "spec");
  const terms = objectsAt(spec, "nodeAffinity.required.nodeSelectorTerms");
  return [
    ...annotated(object, volumeAnnotations),
    ...(textAt(spec, "persistentVolumeReclaimPolicy") === "Recycle"
      ? [
          "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
        ]
      : []),
    ...terms.flatMap((term, i) => nodeTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`)),
    ...volumeSourceWarnings(spec, "spec"),
  ];
}

export function persistentVolumeClaimWarnings(object: KubeObject, { subresource }: WarningContext): string[] {
  if (subresource === "status") return [];
  return [...annotated(object, volumeAnnotations.slice(0, 1)), ...claimWarnings(objectAt(object, "spec"), "spec")];
}

export function nodeWarnings(object: KubeObject, { subresource }: WarningContext): string[] {
  if (subresource === "status") return [];
  const spec = objectAt(object, "spec");
  return [
    ...(isObject(spec["configSource"]) ? ["spec.configSource: the feature is removed"] : []),
    ...(textAt(spec, "externalID") === "" ? [] : ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]),
    ...textsAt(spec, "podCIDRs").flatMap((range, i) => rangeWarnings(range, `spec.podCIDRs[${i}]`)),
  ];
}

const mountableAnnotation = "kubernetes.io/enforce-mountable-secrets";

/** Told to whoever sets it, not again at every change. */
export function serviceAccountWarnings(object: KubeObject, { old }: WarningContext): string[] {
  const has = (account: KubeObject | undefined): boolean => mountableAnnotation in mapAt(account, "metadata.annotations");
  const why = "deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets";
  return has(object) && !has(old) ? [`metadata.annotations[${mountableAnnotation}]: ${why}`] : [];
}

/** More asked for than may be used can never be had. */
export function quotaWarnings(object: KubeObject, { old }: WarningContext): string[] {
  if (old) return [];
  const hard = mapAt(object, "spec.hard");
  return ["cpu", "memory", "storage", "ephemeral-storage"].flatMap((name) => {
    const bare = name === "cpu" || name === "memory" ? [name] : [];
    const request = [`requests.${name}`, ...bare].find((key) => key in hard);
    const limit = `limits.${name}`;
    const [wanted, most] = [hard[request ?? ""], hard[limit]];
    if (request === undefined || wanted === undefined || most === undefined || !isMore(wanted, most)) return [];
    return [`ResourceQuota ${request} (${wanted}) should be less than ${limit} (${most})`];
  });
}

function isMore(a: string, b: string): boolean {
  try {
    return compareQuantities(parseQuantity(a), parseQuantity(b)) > 0;
  } catch {
    return false; // no quantities: refused elsewhere
  }
}

const ingressClassAnnotation = "kubernetes.io/ingress.class";

export function ingressWarnings(object: KubeObject, { old, subresource }: WarningContext): string[] {
  if (subresource === "status") return balancerWarnings(object);
  const said = ingressClassAnnotation in mapAt(object, "metadata.annotations") && valueAt(object, "spec.ingressClassName") === undefined;
  return !old && said ? [`annotation "${ingressClassAnnotation}" is deprecated, please use 'spec.ingressClassName' instead`] : [];
}

export function networkPolicyWarnings(object: KubeObject): string[] {
  const directions = [
    ["ingress", "from"],
    ["egress", "to"],
  ] as const;
  return directions.flatMap(([direction, peers]) =>
    objectsAt(object, `spec.${direction}`).flatMap((rule, i) =>
      objectsAt(rule, peers).flatMap(({ ipBlock }, j) => {
        if (!isObject(ipBlock)) return [];
        const field = `spec.${direction}[${i}].${peers}[${j}].ipBlock`;
        const except = textsAt(ipBlock, "except").flatMap((range, k) => rangeWarnings(range, `${field}.except[${k}]`));
        return [...rangeWarnings(textAt(ipBlock, "cidr"), `${field}.cidr`), ...except];
      }),
    ),
  );
}

export function endpointsWarnings(object: KubeObject): string[] {
  return objectsAt(object, "subsets").flatMap((subset, i) =>
    ["addresses", "notReadyAddresses"].flatMap((list) =>
      objectsAt(subset, list).flatMap((address, j) => addressWarnings(textAt(address, "ip"), `subsets[${i}].${list}[${j}].ip`)),
    ),
  );
}

export function endpointSliceWarnings(object: KubeObject, { old }: WarningContext): string[] {
  return [
    ...(!old && textAt(object, "addressType") === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : []),
    ...objectsAt(object, "endpoints").flatMap((endpoint, i) =>
      textsAt(endpoint, "addresses").flatMap((address, j) => addressWarnings(address, `endpoints[${i}].addresses[${j}]`)),
    ),
  ];
}

/** A pod's status names its addresses; its spec is looked at on create only, as pods are changed by programs. */
export function podStatusWarnings(object: KubeObject): string[] {
  return ["podIPs", "hostIPs"].flatMap((list) =>
    objectsAt(object, `status.${list}`).flatMap((address, i) => addressWarnings(textAt(address, "ip"), `status.${list}[${i}].ip`)),
  );
}
