/** What the workload kinds share beside rules/workload.ts: how they are scaled and shown, and the rules of those that keep equal pods. */
import { numberAt, objectAt, sameJson } from "../access.ts";
import { numberColumn, textColumn } from "../columns.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { immutable } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { notNegative, validateNotOverAll, validateSelectorAndTemplate, validateShare, validateTemplate } from "../rules/workload.ts";

/** Paths kubectl scale reads and writes. */
export const replicaScale = {
  specReplicasPath: ".spec.replicas",
  statusReplicasPath: ".status.replicas",
  labelSelectorPath: ".spec.selector",
};

export const readyColumn = textColumn(
  "Ready",
  "Pods that take work, of those wanted.",
  (object) => `${numberAt(object, "status.readyReplicas")}/${numberAt(object, "spec.replicas")}`,
);

/** Desired, current and ready pods. */
export const replicaColumns = [
  numberColumn("Desired", "Pods wanted.", (object: KubeObject) => numberAt(object, "spec.replicas")),
  numberColumn("Current", "Pods there are.", (object: KubeObject) => numberAt(object, "status.replicas")),
  numberColumn("Ready", "Pods that take work.", (object: KubeObject) => numberAt(object, "status.readyReplicas")),
];

/** Words of the messages: what the selector is of, and whose template it is. */
export interface WorkloadWords {
  readonly selector: string;
  readonly template: string;
}

/** Numbers, selector and template of a kind whose pods are all alike. A selector cannot change: pods of the old one would belong to nobody. */
export function validateEqualPods(
  object: KubeObject,
  old: KubeObject | undefined,
  words: WorkloadWords,
  numbers: readonly string[],
): FieldProblem[] {
  const spec = objectAt(object, "spec");
  return [
    ...notNegative(spec, numbers),
    ...validateSelectorAndTemplate(spec, words.selector),
    ...validateTemplate(spec, words.template),
    ...(old ? selectorStays(spec, objectAt(old, "spec")) : []),
  ];
}

function selectorStays(spec: JsonObject, old: JsonObject): FieldProblem[] {
  return immutable("spec.selector", spec["selector"] ?? null, sameJson(spec["selector"], old["selector"]));
}

/** How many pods may be missing and how many too many while templates change. */
export function validateBounds({ maxUnavailable, maxSurge }: JsonObject, field: string): FieldProblem[] {
  return [
    ...validateShare(maxUnavailable, `${field}.maxUnavailable`),
    ...validateShare(maxSurge, `${field}.maxSurge`),
    ...validateNotOverAll(maxUnavailable, `${field}.maxUnavailable`),
  ];
}
