/** What the workload kinds share beside rules/workload.ts: how they are scaled and shown, and the rules of those that keep equal pods. */
import { numberAt, objectAt, sameJson } from "../access.ts";
import { numberColumn, textColumn } from "../columns.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { immutable, invalidValue } from "../problem.ts";
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

/** Counts of a status, in the order they are looked at. */
export interface StatusCounts {
  readonly counts: readonly string[];
  /** Those that are part of `replicas`. */
  readonly parts: readonly string[];
  /** What the message calls the ready ones, of which the available are a part. Absent: not compared. */
  readonly ready?: string;
}

/** A status that changes has to add up. One that stays as it was is nobody's fault now. */
export function validateCounts(object: KubeObject, old: KubeObject | undefined, { counts, parts, ready }: StatusCounts): FieldProblem[] {
  const status = objectAt(object, "status");
  if (!old || sameJson(status, objectAt(old, "status"))) return [];
  const at = (name: string): number => numberAt(status, name);
  const tooMany = parts
    .filter((name) => at(name) > at("replicas"))
    .map((name) => invalidValue(`status.${name}`, at(name), "cannot be greater than status.replicas"));
  const unready = ready !== undefined && at("availableReplicas") > at("readyReplicas");
  return [
    ...notNegative(status, counts, "status"),
    ...tooMany,
    ...(unready ? [invalidValue("status.availableReplicas", at("availableReplicas"), `cannot be greater than ${ready}`)] : []),
  ];
}
