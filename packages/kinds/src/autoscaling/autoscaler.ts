/** HorizontalPodAutoscaler: how many pods, by what they measure. */
import { numberAt, objectsAt, textAt, valueAt } from "../access.ts";
import { ageColumn, nameColumn, none, numberColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { validateAutoscaler } from "./rules.ts";

const metricsShown = 2;
const unknown = "<unknown>";
/** Where each type of metric has its target and its present value. */
const places: Readonly<Record<string, string>> = {
  External: "external",
  Pods: "pods",
  Object: "object",
  Resource: "resource",
  ContainerResource: "containerResource",
};

function metricText(metric: JsonObject, status: JsonObject | undefined): string {
  const type = textAt(metric, "type");
  const place = places[type];
  if (place === undefined) return "<unknown type>";
  const name = textAt(metric, `${place}.name`);
  const average = textAt(metric, `${place}.target.averageValue`);
  const now = (field: string): string => textAt(status, `${place}.current.${field}`) || unknown;
  if (place === "resource" || place === "containerResource") {
    if (average !== "") return `${name}: ${now("averageValue")}/${average}`;
    const wanted = valueAt(metric, `${place}.target.averageUtilization`);
    const current = valueAt(status, `${place}.current.averageUtilization`);
    return `${name}: ${percent(current, unknown)}/${percent(wanted, "<auto>")}`;
  }
  if (place === "pods") return `${now("averageValue")}/${average}`;
  return average === "" ? `${now("value")}/${textAt(metric, `${place}.target.value`)}` : `${now("averageValue")}/${average} (avg)`;
}

const percent = (value: unknown, otherwise: string): string => (typeof value === "number" ? `${value}%` : otherwise);

function metrics(object: KubeObject): string {
  const specs = objectsAt(object, "spec.metrics");
  if (specs.length === 0) return none;
  const statuses = objectsAt(object, "status.currentMetrics");
  const texts = specs.map((spec, i) => metricText(spec, statuses[i]));
  const rest = texts.length - metricsShown;
  return texts.slice(0, metricsShown).join(", ") + (rest > 0 ? ` + ${rest} more...` : "");
}

export const horizontalPodAutoscaler = definer(
  "autoscaling",
  "v2",
)({
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  status: true,
  columns: [
    nameColumn,
    textColumn(
      "Reference",
      "What is scaled.",
      (object) => `${textAt(object, "spec.scaleTargetRef.kind")}/${textAt(object, "spec.scaleTargetRef.name")}`,
    ),
    textColumn("Targets", "Measured now, and aimed at.", metrics),
    textColumn("MinPods", "Fewest pods.", (object) =>
      numberAt(object, "spec.minReplicas") > 0 ? `${numberAt(object, "spec.minReplicas")}` : "<unset>",
    ),
    numberColumn("MaxPods", "Most pods.", (object) => numberAt(object, "spec.maxReplicas"), "string"),
    numberColumn("Replicas", "Pods there are.", (object) => numberAt(object, "status.currentReplicas"), "string"),
    ageColumn,
  ],
  validate: validateAutoscaler,
});
