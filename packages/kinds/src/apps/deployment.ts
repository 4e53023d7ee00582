/** Deployment and ReplicaSet: the same pods many times over, replaced step by step when their template changes. */
import { isObject, numberAt, objectAt, textAt } from "../access.ts";
import { ageColumn, nameColumn, numberColumn, selectorColumn, templateColumns } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { isZeroShare } from "../rules/workload.ts";
import { equalPodsWarnings } from "../warnings/workloads.ts";
import { readyColumn, replicaColumns, replicaScale, validateBounds, validateCounts, validateEqualPods } from "./shared.ts";

const define = definer("apps", "v1");
function validateStrategy(strategy: JsonObject): FieldProblem[] {
  const type = textAt(strategy, "type");
  const rolling = strategy["rollingUpdate"];
  const field = "spec.strategy.rollingUpdate";
  if (type === "Recreate")
    return rolling === undefined ? [] : [forbiddenValue(field, "may not be specified when strategy `type` is 'Recreate'")];
  if (type !== "RollingUpdate") {
    // As the server shows its own form of a strategy.
    const shown = { Type: type, RollingUpdate: isObject(rolling) ? shownRolling(rolling) : null };
    return [unsupportedValue("spec.strategy", shown, ["Recreate", "RollingUpdate"])];
  }
  if (!isObject(rolling)) return [requiredValue(field, "this should be defaulted and never be nil")];
  const { maxUnavailable, maxSurge } = rolling;
  const none = isZeroShare(maxUnavailable) && isZeroShare(maxSurge);
  return [
    ...validateBounds(rolling, field),
    ...(none ? [invalidValue(`${field}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0")] : []),
  ];
}

const shownRolling = ({ maxUnavailable, maxSurge }: JsonObject): JsonObject => ({ MaxUnavailable: maxUnavailable, MaxSurge: maxSurge });

const words = { selector: "deployment", template: "ReplicaSet" };
const deploymentCounts = {
  counts: [
    ...["observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"],
    ...["terminatingReplicas", "collisionCount"],
  ],
  parts: ["updatedReplicas", "readyReplicas", "availableReplicas"],
  ready: "readyReplicas",
};
const replicaSetCounts = {
  counts: ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration", "terminatingReplicas"],
  parts: ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
  ready: "readyReplicas",
};
const deploymentNumbers = ["replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"];

function validateDeployment(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const deadline = spec["progressDeadlineSeconds"];
  const problems = [...validateEqualPods(object, old, words, deploymentNumbers), ...validateStrategy(objectAt(spec, "strategy"))];
  if (typeof deadline === "number" && deadline <= numberAt(spec, "minReadySeconds"))
    problems.push(invalidValue("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  return [...problems, ...validateCounts(object, old, deploymentCounts)];
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
    readyColumn,
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
  warnings: equalPodsWarnings,
});

export const replicaSet = define({
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  status: true,
  generation: true,
  scale: replicaScale,
  columns: [nameColumn, ...replicaColumns, ageColumn, ...templateColumns("spec.template"), selectorColumn],
  validate: (object, old) => [
    ...validateEqualPods(object, old, words, ["replicas", "minReadySeconds"]),
    ...validateCounts(object, old, replicaSetCounts),
  ],
  warnings: equalPodsWarnings,
});
