/** Rules of a template of pods beside those of its spec: labels, and annotations that mean something. A Pod's annotations are under the same ones. */
import { isObject, mapAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { forbiddenValue, invalidValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateAnnotations, validateLabels } from "./object-meta.ts";
import { descendingPath } from "./paths.ts";
import { validatePodSpec } from "./pod-spec.ts";

const deletionCost = "controller.kubernetes.io/pod-deletion-cost";
const mirror = "kubernetes.io/config.mirror";
export const seccompPod = "seccomp.security.alpha.kubernetes.io/pod";
export const seccompContainer = "container.seccomp.security.alpha.kubernetes.io/";
export const appArmorContainer = "container.apparmor.security.beta.kubernetes.io/";
const int32 = { from: -2_147_483_648, to: 2_147_483_647 } as const;

/** @param field Of the template: `spec.template`. The server names its labels and annotations without `metadata`. */
export function validatePodTemplate(template: JsonObject, field: string): FieldProblem[] {
  const annotations = mapAt(template, "metadata.annotations");
  const spec = objectAt(template, "spec");
  return [
    ...validateLabels(mapAt(template, "metadata.labels"), `${field}.labels`),
    ...validateAnnotations(annotations, `${field}.annotations`),
    ...validatePodAnnotations(annotations, spec, `${field}.annotations`),
    ...validatePodSpec(spec, `${field}.spec`),
    ...validateProfiles(annotations, spec, `${field}.spec`),
    ...(objectsAt(spec, "ephemeralContainers").length > 0
      ? [forbiddenValue(`${field}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template")]
      : []),
  ];
}

/** Annotations of a pod that something reads. */
export function validatePodAnnotations(annotations: Readonly<Record<string, string>>, spec: JsonObject, field: string): FieldProblem[] {
  const keys = Object.keys(annotations).sort();
  const names = new Set(lists.flatMap((list) => objectsAt(spec, list).map((container) => textAt(container, "name"))));
  const texts = (key: string): string => annotations[key] ?? "";
  const problems: FieldProblem[] = [];
  if (mirror in annotations && textAt(spec, "nodeName") === "")
    problems.push(invalidValue(`${field}[${mirror}]`, texts(mirror), "must set spec.nodeName if mirror pod annotation is set"));
  if (deletionCost in annotations && !isCost(texts(deletionCost)))
    problems.push(invalidValue(`${field}[${deletionCost}]`, texts(deletionCost), "must be a 32bit integer"));
  for (const key of keys.filter((each) => each === seccompPod || each.startsWith(seccompContainer)))
    problems.push(...validateSeccomp(texts(key), `${field}.${key}`));
  for (const key of keys.filter((each) => each.startsWith(appArmorContainer))) {
    const container = key.slice(appArmorContainer.length);
    if (!names.has(container)) problems.push(invalidValue(`${field}[${key}]`, container, "container not found"));
    const profile = texts(key);
    if (!["", "runtime/default", "unconfined"].includes(profile) && !profile.startsWith("localhost/"))
      problems.push(invalidValue(`${field}[${key}]`, profile, `invalid AppArmor profile name: ${JSON.stringify(profile)}`));
  }
  return problems;
}

const lists = ["initContainers", "containers", "ephemeralContainers"];

/** A whole number of 32 bits. Zeros before it are taken after a minus only. */
const isCost = (text: string): boolean => /^(?:0|[1-9]\d*|-\d+)$/u.test(text) && Number(text) >= int32.from && Number(text) <= int32.to;

function validateSeccomp(profile: string, field: string): FieldProblem[] {
  if (["runtime/default", "docker/default", "unconfined"].includes(profile)) return [];
  if (!profile.startsWith("localhost/")) return [invalidValue(field, profile, "must be a valid seccomp profile")];
  return descendingPath(profile.slice("localhost/".length), field);
}

/** What a container's annotation says of AppArmor, and what its field, or its pod's, says must be one. */
function validateProfiles(annotations: Readonly<Record<string, string>>, spec: JsonObject, field: string): FieldProblem[] {
  if (textAt(spec, "os.name") === "windows") return [];
  const shared = objectAt(spec, "securityContext")["appArmorProfile"];
  return lists.flatMap((list) =>
    objectsAt(spec, list).flatMap((container, i) => {
      const profile = objectAt(container, "securityContext")["appArmorProfile"] ?? shared;
      const note = annotations[appArmorContainer + textAt(container, "name")];
      const place = `${field}.${list}[${i}].securityContext.appArmorProfile`;
      return isObject(profile) && typeof note === "string" ? validateSameProfile(note, profile, place) : [];
    }),
  );
}

/** What the annotation says for the type of a profile, or begins with. */
const profileStarts: ReadonlyMap<string, string> = new Map([
  ["Unconfined", "unconfined"],
  ["RuntimeDefault", "runtime/default"],
  ["Localhost", "localhost/"],
]);

function validateSameProfile(note: string, profile: JsonObject, field: string): FieldProblem[] {
  const type = textAt(profile, "type");
  const wanted = profileStarts.get(type);
  if (wanted === undefined) return [];
  if (type === "Localhost" ? !note.startsWith(wanted) : note !== wanted)
    return [forbiddenValue(`${field}.type`, "apparmor type in annotation and field must match")];
  const same = type !== "Localhost" || note.slice(wanted.length) === profile["localhostProfile"];
  return same ? [] : [forbiddenValue(`${field}.localhostProfile`, "apparmor profile in annotation and field must match")];
}
