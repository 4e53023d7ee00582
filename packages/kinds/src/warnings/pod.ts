/** What is told of a pod, or of a template of pods, that is taken all the same. */
import { isObject, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt, textsAt, valueAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { appArmorContainer, seccompContainer, seccompPod } from "../rules/pod-template.ts";
import { addressWarnings } from "./addresses.ts";
import { containersOf, environmentWarnings, type Placed, portWarnings, resourceWarnings } from "./containers.ts";
import { labelAdvice, nodeTermWarnings } from "./labels.ts";
import { fractionWarnings } from "./sizes.ts";
import { volumeWarnings } from "./volumes.ts";

const deprecatedAnnotations: readonly (readonly [key: string, why: string])[] = [
  ["scheduler.alpha.kubernetes.io/critical-pod", 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ["security.alpha.kubernetes.io/sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
  ["security.alpha.kubernetes.io/unsafe-sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'],
];
const seccompWhy = 'non-functional in v1.27+; use the "seccompProfile" field instead';

/** @param template With `metadata` and `spec`. @param field Where it is: `spec.template`; empty for a pod itself. */
export function podWarnings(template: unknown, field: string): string[] {
  const spec = objectAt(template, "spec");
  const annotations = mapAt(template, "metadata.annotations");
  const [specAt, notesAt] = ["spec", "metadata.annotations"].map((name) => (field === "" ? name : `${field}.${name}`)) as [string, string];
  const containers = containersOf(spec, specAt);
  return [
    ...placementWarnings(spec, specAt),
    ...deprecatedAnnotations.flatMap(([key, why]) => (key in annotations ? [`${notesAt}[${key}]: ${why}`] : [])),
    ...volumeWarnings(objectsAt(spec, "volumes"), `${specAt}.volumes`),
    ...twice(objectsAt(spec, "hostAliases"), "ip", `${specAt}.hostAliases`),
    ...pullSecretWarnings(spec, `${specAt}.imagePullSecrets`),
    ...fractionWarnings(mapAt(spec, "overhead"), ["memory", "ephemeral-storage"], `${specAt}.overhead`),
    ...(seccompPod in annotations && !isObject(valueAt(spec, "securityContext.seccompProfile"))
      ? [`${notesAt}[${seccompPod}]: ${seccompWhy}`]
      : []),
    ...containers.flatMap((placed) => [
      ...profileWarnings(placed, { annotations, notesAt, spec, isTemplate: field !== "" }),
      ...resourceWarnings(placed),
      ...environmentWarnings(placed),
    ]),
    ...portWarnings(containers),
    ...(numberAt(spec, "terminationGracePeriodSeconds") < 0
      ? [`${specAt}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec, `${specAt}.affinity`),
    ...textsAt(spec, "dnsConfig.nameservers").flatMap((text, i) => addressWarnings(text, `${specAt}.dnsConfig.nameservers[${i}]`)),
    ...objectsAt(spec, "hostAliases").flatMap((alias, i) => addressWarnings(textAt(alias, "ip"), `${specAt}.hostAliases[${i}].ip`)),
  ];
}

/** Where the pod may run: labels of nodes with newer names, and spreading that counts no pod. */
function placementWarnings(spec: JsonObject, field: string): string[] {
  const affinity = objectAt(spec, "affinity.nodeAffinity");
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const at = `${field}.affinity.nodeAffinity`;
  return [
    ...Object.keys(mapAt(spec, "nodeSelector"))
      .sort()
      .flatMap((key) => {
        const advice = labelAdvice(key);
        return advice === undefined ? [] : [`${field}.nodeSelector[${key}]: ${advice}`];
      }),
    ...objectsAt(affinity, `${required}.nodeSelectorTerms`).flatMap((term, i) =>
      nodeTermWarnings(term, `${at}.${required}.nodeSelectorTerms[${i}]`),
    ),
    ...objectsAt(affinity, preferred).flatMap((term, i) =>
      nodeTermWarnings(objectAt(term, "preference"), `${at}.${preferred}[${i}].preference`, true),
    ),
    ...objectsAt(spec, "topologySpreadConstraints").flatMap((spread, i) =>
      spreadWarnings(spread, `${field}.topologySpreadConstraints[${i}]`),
    ),
  ];
}

function spreadWarnings(spread: JsonObject, field: string): string[] {
  const key = textAt(spread, "topologyKey");
  const advice = labelAdvice(key);
  return [...(advice === undefined ? [] : [`${field}.topologyKey: ${key} is ${advice}`]), ...unselective(spread, `${field}.labelSelector`)];
}

const unselective = (owner: JsonObject, field: string): string[] =>
  isObject(owner["labelSelector"]) ? [] : [`${field}: a null labelSelector results in matching no pod`];

function affinityWarnings(spec: JsonObject, field: string): string[] {
  return ["podAffinity", "podAntiAffinity"].flatMap((name) => {
    const affinity = objectAt(spec, `affinity.${name}`);
    const [required, preferred] = ["required", "preferred"].map((how) => `${how}DuringSchedulingIgnoredDuringExecution`) as [
      string,
      string,
    ];
    return [
      ...objectsAt(affinity, required).flatMap((term, i) => unselective(term, `${field}.${name}.${required}[${i}].labelSelector`)),
      ...objectsAt(affinity, preferred).flatMap((term, i) =>
        unselective(objectAt(term, "podAffinityTerm"), `${field}.${name}.${preferred}[${i}].podAffinityTerm.labelSelector`),
      ),
    ];
  });
}

/** Elements whose `name` another one has already. */
function twice(list: readonly JsonObject[], name: string, field: string): string[] {
  const seen = new Set<string>();
  return list.flatMap((element, i) => {
    const value = textAt(element, name);
    const known = seen.has(value);
    seen.add(value);
    return known ? [`${field}[${i}].${name}: duplicate ${name} ${JSON.stringify(value)}`] : [];
  });
}

function pullSecretWarnings(spec: JsonObject, field: string): string[] {
  const secrets = objectsAt(spec, "imagePullSecrets");
  const empty = secrets.flatMap((secret, i) => (textAt(secret, "name") === "" ? [`${field}[${i}].name: invalid empty name ""`] : []));
  return [...twice(secrets, "name", field), ...empty];
}

interface Notes {
  readonly annotations: Readonly<Record<string, string>>;
  readonly notesAt: string;
  readonly spec: JsonObject;
  /** Of a pod itself its annotation has become the field by now. */
  readonly isTemplate: boolean;
}

/** Annotations that once held what fields of a container hold now. */
function profileWarnings({ container }: Placed, { annotations, notesAt, spec, isTemplate }: Notes): string[] {
  const security = objectAt(container, "securityContext");
  const [seccomp, appArmor] = [seccompContainer, appArmorContainer].map((prefix) => prefix + textAt(container, "name")) as [string, string];
  const profile = annotations[appArmor];
  const told = isTemplate && profile !== undefined && !isObject(security["appArmorProfile"]);
  const samePod = told && sameJson(valueAt(spec, "securityContext.appArmorProfile"), profileOf(profile));
  return [
    ...(seccomp in annotations && !isObject(security["seccompProfile"]) ? [`${notesAt}[${seccomp}]: ${seccompWhy}`] : []),
    ...(told && !samePod ? [`${notesAt}[${appArmor}]: deprecated since v1.30; use the "appArmorProfile" field instead`] : []),
  ];
}

/** The field an AppArmor annotation stands for; `null` when it stands for none. */
function profileOf(annotation: string): JsonObject | null {
  if (annotation === "unconfined") return { type: "Unconfined" };
  if (annotation === "runtime/default") return { type: "RuntimeDefault" };
  const [, localhostProfile] = /^localhost\/(.+)$/su.exec(annotation) ?? [];
  return localhostProfile === undefined ? null : { type: "Localhost", localhostProfile };
}
