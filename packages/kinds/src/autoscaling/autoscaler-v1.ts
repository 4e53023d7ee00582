/**
 * HorizontalPodAutoscaler as autoscaling/v1 has it, which knows one measure: the CPU's use. kubectl up to 1.32 writes it (`kubectl autoscale`). It is kept as
 * autoscaling/v2; what v1 has no fields for, it shows in annotations, and takes back from them.
 */
import { mapAt, numberAt, objectAt, objectsAt, textAt, valueAt } from "../access.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { horizontalPodAutoscaler } from "./autoscaler.ts";

/** Where v1 keeps what only v2 has fields for, by the path there. */
const annotations: readonly (readonly [path: "spec" | "status", field: string, annotation: string])[] = [
  ["spec", "metrics", "autoscaling.alpha.kubernetes.io/metrics"],
  ["spec", "behavior", "autoscaling.alpha.kubernetes.io/behavior"],
  ["status", "currentMetrics", "autoscaling.alpha.kubernetes.io/current-metrics"],
  ["status", "conditions", "autoscaling.alpha.kubernetes.io/conditions"],
];
/** Share of the CPU asked for that is aimed at when nobody says, in percent. */
const cpuDefault = 80;
const isCpuUse = (metric: JsonObject, value: string): boolean =>
  textAt(metric, "type") === "Resource" &&
  textAt(metric, "resource.name") === "cpu" &&
  typeof valueAt(metric, `resource.${value}.averageUtilization`) === "number";

function cpuMetric(field: "target" | "current", use: number): JsonObject {
  const target = field === "target" ? { type: "Utilization", averageUtilization: use } : { averageUtilization: use };
  return { type: "Resource", resource: { name: "cpu", [field]: target } };
}

/** autoscaling/v2 of what v1 says. */
export function toV2(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: wanted, ...spec } = objectAt(object, "spec");
  const { currentCPUUtilizationPercentage: current, ...status } = objectAt(object, "status");
  const parts: Record<"spec" | "status", JsonObject> = { spec, status };
  const kept: Record<string, string> = { ...mapAt(object, "metadata.annotations") };
  for (const [path, field, annotation] of annotations) {
    const value = parsed(kept[annotation]);
    delete kept[annotation];
    if (value !== undefined) parts[path][field] = value;
  }
  const metrics = [...objectsAt(spec, "metrics"), ...(typeof wanted === "number" ? [cpuMetric("target", wanted)] : [])];
  spec["metrics"] = metrics.length > 0 ? metrics : [cpuMetric("target", cpuDefault)];
  const measured = [...objectsAt(status, "currentMetrics"), ...(typeof current === "number" ? [cpuMetric("current", current)] : [])];
  if (measured.length > 0) status["currentMetrics"] = measured;
  if (status["currentReplicas"] === 0) delete status["currentReplicas"]; // v2 leaves it out when there are none, v1 says 0
  return { ...object, apiVersion: "autoscaling/v2", metadata: withAnnotations(object, kept), spec, status };
}

/** autoscaling/v1 of a stored v2. */
export function toV1(object: KubeObject): KubeObject {
  const [spec, status]: [JsonObject, JsonObject] = [{ ...objectAt(object, "spec") }, { currentReplicas: 0, ...objectAt(object, "status") }];
  const parts: Record<"spec" | "status", JsonObject> = { spec, status };
  const shown: Record<string, string> = { ...mapAt(object, "metadata.annotations") };
  const taken = { spec: take(spec, "metrics", "target"), status: take(status, "currentMetrics", "current") };
  for (const [path, field, annotation] of annotations) {
    const value = parts[path][field];
    delete parts[path][field];
    if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)) shown[annotation] = JSON.stringify(value);
  }
  if (taken.spec !== undefined) spec["targetCPUUtilizationPercentage"] = taken.spec;
  if (taken.status !== undefined) status["currentCPUUtilizationPercentage"] = taken.status;
  return { ...object, apiVersion: "autoscaling/v1", metadata: withAnnotations(object, shown), spec, status };
}

/** Takes the first CPU's use out of a list of metrics. */
function take(part: JsonObject, field: string, value: "target" | "current"): number | undefined {
  const metrics = objectsAt(part, field);
  const cpu = metrics.find((metric) => isCpuUse(metric, value));
  if (!cpu) return undefined;
  part[field] = metrics.filter((metric) => metric !== cpu);
  return numberAt(cpu, `resource.${value}.averageUtilization`);
}

function withAnnotations({ metadata }: KubeObject, all: Record<string, string>): KubeObject["metadata"] {
  const { annotations: _before, ...rest } = metadata;
  return Object.keys(all).length > 0 ? { ...rest, annotations: all } : rest;
}

/** An annotation somebody wrote by hand may be anything. */
function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const horizontalPodAutoscalerV1 = definer(
  "autoscaling",
  "v1",
)({
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  status: true,
  // Tables say what is stored.
  columns: (horizontalPodAutoscaler.columns ?? []).map((column) => ({
    ...column,
    cell: (object, nowMs) => column.cell(toV2(object), nowMs),
  })),
  validate: (object, old) => horizontalPodAutoscaler.validate?.(toV2(object), old && toV2(old)) ?? [],
  fieldAnnotations: annotations.map(([, , annotation]) => annotation),
  storedAs: { group: "autoscaling", plural: "horizontalpodautoscalers", toStored: toV2, fromStored: toV1 },
});
