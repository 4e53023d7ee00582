/** StatefulSet (pods with names and storage of their own), DaemonSet (one pod on each node), ControllerRevision (what a set's template was). */
import { isObject, listAt, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt, valueAt } from "../access.ts";
import { ageColumn, labelsText, nameColumn, none, numberColumn, selectorColumn, templateColumns, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, immutable, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validateClaimSpec } from "../core/storage-rules.ts";
import { dns1123Label } from "../rules/names.ts";
import { templateGeneration } from "../rules/defaults.ts";
import { isZeroShare, notNegative, validateSelectorAndTemplate, validateTemplate } from "../rules/workload.ts";
import { daemonSetWarnings, statefulSetWarnings } from "../warnings/workloads.ts";
import { readyColumn, replicaScale, validateBounds, validateCounts, validateEqualPods } from "./shared.ts";

const define = definer("apps", "v1");
const changeable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];
const changeableText =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

const statefulCounts = {
  counts: ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration", "collisionCount"],
  parts: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
  ready: "status.readyReplicas",
};
const daemonCounts = {
  counts: [
    ...["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "observedGeneration"],
    ...["updatedNumberScheduled", "numberAvailable", "numberUnavailable", "collisionCount"],
  ],
  parts: [],
};

function validateStatefulSet(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const policy = textAt(spec, "podManagementPolicy");
  const problems: FieldProblem[] = [];
  if (policy !== "OrderedReady" && policy !== "Parallel")
    problems.push(invalidValue("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"));
  problems.push(
    ...validateUpdateStrategy(objectAt(spec, "updateStrategy")),
    ...validateRetention(objectAt(spec, "persistentVolumeClaimRetentionPolicy")),
    ...notNegative(spec, ["replicas", "minReadySeconds"]),
    ...notNegative(objectAt(spec, "ordinals"), ["start"], "spec.ordinals"),
  );
  if (!old) problems.push(...validateClaimTemplates(spec));
  problems.push(...validateSelectorAndTemplate(spec, "statefulset"), ...validateStatefulTemplate(spec));
  if (!old) return problems;
  problems.push(...validateCounts(object, old, statefulCounts));
  const fixed = (value: JsonObject): JsonObject => Object.fromEntries(Object.entries(value).filter(([name]) => !changeable.includes(name)));
  const same = sameJson(fixed(spec), fixed(objectAt(old, "spec")));
  return same ? problems : [...problems, forbiddenValue("spec", changeableText)];
}

const retentions = ["Retain", "Delete"];

/** What becomes of the claims when their pods go. */
function validateRetention(policy: JsonObject): FieldProblem[] {
  return ["whenDeleted", "whenScaled"].flatMap((name) => {
    const value = textAt(policy, name);
    const known = value === "" || retentions.includes(value);
    return known ? [] : [unsupportedValue(`spec.persistentVolumeClaimRetentionPolicy.${name}`, value, retentions)];
  });
}

/** Claims and the service's name; neither changes later. */
function validateClaimTemplates(spec: JsonObject): FieldProblem[] {
  const name = textAt(spec, "serviceName");
  return [
    ...(name === "" ? [] : problemsOf("spec.serviceName", name, dns1123Label(name))),
    ...objectsAt(spec, "volumeClaimTemplates").flatMap((claim, i) =>
      validateClaimSpec(objectAt(claim, "spec"), `spec.volumeClaimTemplates[${i}].spec`),
    ),
  ];
}

/** Volumes made from claim templates count as declared; one of the same name takes the place of what the template declares. */
function validateStatefulTemplate(spec: JsonObject): FieldProblem[] {
  const pod = objectAt(spec, "template.spec");
  const declared = listAt(pod, "volumes");
  const names = new Set(declared.map((volume) => textAt(volume, "name")));
  const claims = new Set(listAt(spec, "volumeClaimTemplates").map((claim) => textAt(claim, "metadata.name")));
  const made = [...claims].filter((name) => !names.has(name)).map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const volumes = [...declared, ...made];
  const template = { ...objectAt(spec, "template"), spec: { ...pod, ...(volumes.length > 0 && { volumes }) } };
  return validateTemplate({ ...spec, template }, "StatefulSet");
}

/** As the server shows its own form of it. */
const shownPartition = (rolling: unknown): unknown =>
  isObject(rolling) ? { Partition: numberAt(rolling, "partition"), MaxUnavailable: rolling["maxUnavailable"] ?? null } : null;

function validateUpdateStrategy(strategy: JsonObject): FieldProblem[] {
  const type = textAt(strategy, "type");
  const rolling = strategy["rollingUpdate"];
  if (type === "OnDelete")
    return rolling === undefined
      ? []
      : [invalidValue("spec.updateStrategy.rollingUpdate", shownPartition(rolling), "only allowed for updateStrategy 'RollingUpdate'")];
  if (type !== "RollingUpdate")
    return [
      invalidValue("spec.updateStrategy", { Type: type, RollingUpdate: shownPartition(rolling) }, "must be 'RollingUpdate' or 'OnDelete'"),
    ];
  return isObject(rolling) ? notNegative(rolling, ["partition"], "spec.updateStrategy.rollingUpdate") : [];
}

export const statefulSet = define({
  kind: "StatefulSet",
  plural: "statefulsets",
  nameRule: "label",
  shortNames: ["sts"],
  categories: ["all"],
  status: true,
  generation: true,
  scale: replicaScale,
  columns: [nameColumn, readyColumn, ageColumn, ...templateColumns("spec.template")],
  validate: validateStatefulSet,
  warnings: statefulSetWarnings,
});

function validateDaemonStrategy(strategy: JsonObject): FieldProblem[] {
  const type = textAt(strategy, "type");
  if (type === "OnDelete") return [];
  if (type !== "RollingUpdate") {
    const { rollingUpdate } = strategy;
    const shown = isObject(rollingUpdate) ? { MaxUnavailable: rollingUpdate["maxUnavailable"], MaxSurge: rollingUpdate["maxSurge"] } : null;
    return [unsupportedValue("spec.updateStrategy", { Type: type, RollingUpdate: shown }, ["RollingUpdate", "OnDelete"])];
  }
  const field = "spec.updateStrategy.rollingUpdate";
  const rolling = strategy["rollingUpdate"];
  if (!isObject(rolling)) return [requiredValue(field)];
  const { maxUnavailable, maxSurge } = rolling;
  const problems = validateBounds(rolling, field);
  if (isZeroShare(maxUnavailable) && isZeroShare(maxSurge))
    problems.push(requiredValue(`${field}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  if (!isZeroShare(maxUnavailable) && !isZeroShare(maxSurge))
    problems.push(invalidValue(`${field}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"));
  return problems;
}

export const daemonSet = define({
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  status: true,
  generation: true,
  fieldAnnotations: [templateGeneration],
  columns: [
    nameColumn,
    numberColumn("Desired", "Nodes that should run the pod.", (object) => numberAt(object, "status.desiredNumberScheduled")),
    numberColumn("Current", "Nodes that run it.", (object) => numberAt(object, "status.currentNumberScheduled")),
    numberColumn("Ready", "Nodes whose pod takes work.", (object) => numberAt(object, "status.numberReady")),
    numberColumn("Up-to-date", "Nodes whose pod is made of the newest template.", (object) =>
      numberAt(object, "status.updatedNumberScheduled"),
    ),
    numberColumn("Available", "Nodes whose pod has taken work for long enough.", (object) => numberAt(object, "status.numberAvailable")),
    textColumn("Node Selector", "Labels of the nodes meant.", (object) => labelsText(mapAt(object, "spec.template.spec.nodeSelector"))),
    ageColumn,
    ...templateColumns("spec.template"),
    selectorColumn,
  ],
  prepare(object, old) {
    const before = Number(mapAt(old, "metadata.annotations")[templateGeneration] ?? 0);
    const same = old && sameJson(valueAt(object, "spec.template"), valueAt(old, "spec.template"));
    const { metadata } = object;
    metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(same ? before : before + 1) };
  },
  validate: (object, old) => [
    ...validateEqualPods(object, old, { selector: "daemonset", template: "DaemonSet" }, ["minReadySeconds", "revisionHistoryLimit"]),
    ...validateDaemonStrategy(objectAt(object, "spec.updateStrategy")),
    ...validateCounts(object, old, daemonCounts),
  ],
  warnings: daemonSetWarnings,
});

function controllerOf(object: KubeObject): string {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (!owner) return none;
  const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.slice(0, owner.apiVersion.indexOf("/"))}` : "";
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}

export const controllerRevision = define({
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  columns: [
    nameColumn,
    textColumn("Controller", "Owner of the revision.", controllerOf),
    numberColumn("Revision", "Its number.", (object) => numberAt(object, "revision"), "string"),
    ageColumn,
  ],
  validate(object, old) {
    const revision = numberAt(object, "revision");
    const negative = revision < 0 ? [invalidValue("revision", revision, "must be greater than or equal to 0")] : [];
    const data = object["data"] ?? null;
    if (!old) return data === null ? [requiredValue("data", "data is mandatory"), ...negative] : negative;
    return [...negative, ...immutable("data", data, sameJson(object["data"], old["data"]))];
  },
});
