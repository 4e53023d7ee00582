/** Deployment and ReplicaSet: the same pods many times over, replaced step by step when their template changes. */
import { isObject, numberAt, objectAt, sameJson, textAt } from "../access.ts";
import { ageColumn, nameColumn, numberColumn, selectorColumn, templateColumns, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, immutable, invalidValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import {
  isZeroShare,
  notNegative,
  validateNotOverAll,
  validateSelectorAndTemplate,
  validateShare,
  validateTemplate,
} from "../rules/workload.ts";

const define = definer("apps", "v1");
/** Paths kubectl scale reads and writes. */
export const replicaScale = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".spec.selector",
};

function validateStrategy(strategy: JsonObject): FieldProblem[] {
  const type = textAt(strategy, "type");
  const rolling = strategy["rollingUpdate"];
  const field = "spec.strategy.rollingUpdate";
  if (type === "Recreate")
    return rolling === undefined ? [] : [forbiddenValue(field, "may not be specified when strategy `type` is 'Recreate'")];
  if (type !== "RollingUpdate") return [unsupportedValue("spec.strategy", strategy, ["Recreate", "RollingUpdate"])];
  if (!isObject(rolling)) return [requiredValue(field, "this should be defaulted and never be nil")];
  const { maxUnavailable, maxSurge } = rolling;
  const problems = [...validateShare(maxUnavailable, `${field}.maxUnavailable`), ...validateShare(maxSurge, `${field}.maxSurge`)];
  if (isZeroShare(maxUnavailable) && isZeroShare(maxSurge))
    problems.push(invalidValue(`${field}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
  return [...problems, ...validateNotOverAll(maxUnavailable, `${field}.maxUnavailable`)];
}

function validateDeployment(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const deadline = spec["progressDeadlineSeconds"];
  const problems = [
    ...notNegative(spec, ["replicas"]),
    ...validateSelectorAndTemplate(spec, "deployment"),
    ...validateTemplate(spec, "ReplicaSet"),
    ...validateStrategy(objectAt(spec, "strategy")),
    ...notNegative(spec, ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"]),
  ];
  if (typeof deadline === "number" && deadline <= numberAt(spec, "minReadySeconds"))
    problems.push(invalidValue("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  return old ? [...problems, ...selectorStays(spec, objectAt(old, "spec"))] : problems;
}

/** A selector cannot change: pods of the old one would belong to nobody. */
export function selectorStays(spec: JsonObject, old: JsonObject): FieldProblem[] {
  return immutable("spec.selector", spec["selector"] ?? null, sameJson(spec["selector"], old["selector"]));
}

export const deployment = define({
  kind: "Deployment",
  plural: "deployments",
  statusKeeps: ["metadata.labels"],
  annotationsCount: true,
  shortNames: ["deploy"],
  categories: ["all"],
  status: true,
  generation: true,
  scale: replicaScale,
  columns: [
    nameColumn,
    textColumn(
      "Ready",
      "Pods that take work, of those wanted.",
      (object) => `${numberAt(object, "status.readyReplicas")}/${numberAt(object, "spec.replicas")}`,
    ),
    numberColumn("Up-to-date", "Pods made of the newest template.", (object) => numberAt(object, "status.updatedReplicas"), "string"),
    numberColumn(
      "Available",
      "Pods that have taken work for long enough.",
      (object) => numberAt(object, "status.availableReplicas"),
      "string",
    ),
    ageColumn,
    ...templateColumns("spec.template"),
    selectorColumn,
  ],
  validate: validateDeployment,
});

function validateReplicaSet(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const problems = [
    ...notNegative(spec, ["replicas", "minReadySeconds"]),
    ...validateSelectorAndTemplate(spec, "deployment"),
    ...validateTemplate(spec, "ReplicaSet"),
  ];
  return old ? [...problems, ...selectorStays(spec, objectAt(old, "spec"))] : problems;
}

/** Desired, current and ready pods. */
export const replicaColumns = [
  numberColumn("Desired", "Pods wanted.", (object: KubeObject) => numberAt(object, "spec.replicas")),
  numberColumn("Current", "Pods there are.", (object: KubeObject) => numberAt(object, "status.replicas")),
  numberColumn("Ready", "Pods that take work.", (object: KubeObject) => numberAt(object, "status.readyReplicas")),
];

export const replicaSet = define({
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  status: true,
  generation: true,
  scale: replicaScale,
  columns: [nameColumn, ...replicaColumns, ageColumn, ...templateColumns("spec.template"), selectorColumn],
  selectableFields: new Map([["status.replicas", (object: KubeObject) => String(numberAt(object, "status.replicas"))]]),
  validate: validateReplicaSet,
});
