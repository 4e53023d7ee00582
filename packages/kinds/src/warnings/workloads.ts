/** What is told of kinds that make pods: of their templates, when these are new or changed, and of names the pods cannot bear well. */
import { isObject, mapAt, numberAt, objectAt, objectsAt, textAt, valueAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { templateGeneration } from "../rules/defaults.ts";
import type { WarningContext } from "../resource.ts";
import { hostNameWarnings } from "./labels.ts";
import { podWarnings } from "./pod.ts";
import { claimWarnings } from "./sizes.ts";

const changed = ({ metadata }: KubeObject, { old }: WarningContext): boolean => old?.metadata.generation !== metadata.generation;

/** Deployment and ReplicaSet. */
export function equalPodsWarnings(object: KubeObject, context: WarningContext): string[] {
  if (context.subresource === "status" || !changed(object, context)) return [];
  return [...(context.old ? [] : hostNameWarnings(object)), ...podWarnings(valueAt(object, "spec.template"), "spec.template")];
}

/** As the server has it, a change is told what was wrong before it. */
export function replicationWarnings(object: KubeObject, context: WarningContext): string[] {
  const { old } = context;
  if (!old) return equalPodsWarnings(object, context);
  const told = context.subresource !== "status" && changed(object, context);
  return told ? podWarnings(valueAt(old, "spec.template"), "spec.template") : [];
}

export function daemonSetWarnings(object: KubeObject, { old, subresource }: WarningContext): string[] {
  const generation = (set: KubeObject): string | undefined => mapAt(set, "metadata.annotations")[templateGeneration];
  if (subresource === "status" || (old && generation(old) === generation(object))) return [];
  return podWarnings(valueAt(object, "spec.template"), "spec.template");
}

export function statefulSetWarnings(object: KubeObject, context: WarningContext): string[] {
  if (context.subresource === "status") return [];
  const spec = objectAt(object, "spec");
  // The server names the claims' fields like this, otherwise on create than on update.
  const claimAt = context.old ? ".Spec" : "";
  return [
    ...(changed(object, context) ? podWarnings(spec["template"], "spec.template") : []),
    ...objectsAt(spec, "volumeClaimTemplates").flatMap((claim, i) =>
      claimWarnings(objectAt(claim, "spec"), `spec.volumeClaimTemplates[${i}]${claimAt}`),
    ),
    ...(numberAt(spec, "revisionHistoryLimit") < 0
      ? ["spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"]
      : []),
  ];
}

/** Indexes past which what is known of those that failed may not fit into a Job, when many run at once. */
const completionsMax = 100_000;
const parallelismMax = 10_000;
const manyIndexes =
  "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail";

function jobSpecWarnings(spec: JsonObject, field: string): string[] {
  const many =
    textAt(spec, "completionMode") === "Indexed" &&
    numberAt(spec, "completions") > completionsMax &&
    numberAt(spec, "parallelism") > parallelismMax;
  return [...(many ? [`${field}: ${manyIndexes}`] : []), ...podWarnings(spec["template"], `${field}.template`)];
}

export function jobWarnings(object: KubeObject, context: WarningContext): string[] {
  if (context.subresource === "status" || !changed(object, context)) return [];
  return [...(context.old ? [] : hostNameWarnings(object)), ...jobSpecWarnings(objectAt(object, "spec"), "spec")];
}

const zoneInSchedule =
  "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details";

export function cronJobWarnings(object: KubeObject, context: WarningContext): string[] {
  if (context.subresource === "status") return [];
  const template = valueAt(object, "spec.jobTemplate");
  const spec = isObject(template) ? objectAt(template, "spec") : {};
  const kept = context.old !== undefined && textAt(object, "spec.schedule").includes("TZ");
  return [
    ...(context.old ? [] : hostNameWarnings(object)),
    ...(changed(object, context) ? jobSpecWarnings(spec, "spec.jobTemplate.spec") : []),
    ...(kept ? [zoneInSchedule] : []),
  ];
}
