/** Rules of HorizontalPodAutoscalers: what they scale, by which measures, how fast. */
import { isObject, numberAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { pathSegment } from "../rules/names.ts";
import { parseQuantity } from "../values/quantity.ts";

/** Field of each type of metric, in the order in which they are looked at. */
const sources: ReadonlyMap<string, string> = new Map([
  ["Object", "object"],
  ["External", "external"],
  ["Pods", "pods"],
  ["Resource", "resource"],
  ["ContainerResource", "containerResource"],
]);
const metricTypes = [...sources.keys()].sort();
const targetTypes = ["AverageValue", "Utilization", "Value"];
/** An hour: how long a look back may be. */
const stabilizationMaxSeconds = 3_600;
/** Half an hour. */
const periodMaxSeconds = 1_800;

export function validateAutoscaler(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const [least, most] = [numberAt(spec, "minReplicas"), numberAt(spec, "maxReplicas")];
  const problems: FieldProblem[] = [];
  if (least < 1) problems.push(invalidValue("spec.minReplicas", least, "must be greater than or equal to 1"));
  if (most < 1) problems.push(requiredValue("spec.maxReplicas", "must be set and greater than 0"));
  if (most < least) problems.push(invalidValue("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"));
  // What was stored without a group before stays usable.
  const before = old && textAt(old, "spec.scaleTargetRef.apiVersion");
  problems.push(...validateTarget(objectAt(spec, "scaleTargetRef"), "spec.scaleTargetRef", before));
  const metrics = objectsAt(spec, "metrics");
  problems.push(...metrics.flatMap((metric, i) => validateMetric(metric, `spec.metrics[${i}]`)));
  const fromOutside = metrics.some((metric) => ["Object", "External"].includes(textAt(metric, "type")));
  if (least === 0 && !fromOutside)
    problems.push(
      forbiddenValue("spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas"),
    );
  for (const way of ["scaleUp", "scaleDown"]) problems.push(...validateRules(objectAt(spec, `behavior.${way}`), `spec.behavior.${way}`));
  return problems;
}

function validateTarget(target: JsonObject, field: string, before?: string): FieldProblem[] {
  const problems = validateObject(target, field, before);
  const version = textAt(target, "apiVersion");
  if (version === before || version.split("/").length > 1) return problems;
  if (version === "v1" && textAt(target, "kind") === "ReplicationController") return problems;
  return [...problems, invalidValue(`${field}.apiVersion`, version, "apiVersion must specify API group")];
}

/** An object that is scaled, or tells a measure; `before`: its version until now, which may stay. */
function validateObject(target: JsonObject, field: string, before?: string): FieldProblem[] {
  const problems = ["kind", "name"].flatMap((name) => {
    const value = textAt(target, name);
    return value === "" ? [requiredValue(`${field}.${name}`)] : problemsOf(`${field}.${name}`, value, pathSegment(value));
  });
  const version = textAt(target, "apiVersion");
  if (version === before || version.split("/").length <= 2) return problems;
  return [...problems, invalidValue(`${field}.apiVersion`, version, `unexpected GroupVersion string: ${version}`)];
}

function validateMetric(metric: JsonObject, field: string): FieldProblem[] {
  const type = textAt(metric, "type");
  if (type === "") return [requiredValue(`${field}.type`, "must specify a metric source type")];
  const wanted = sources.get(type);
  const unknown = unsupportedValue(`${field}.type`, type, metricTypes);
  if (wanted === undefined) return [unknown, unknown]; // the server's causes have it twice
  const present = [...sources.values()].filter((name) => isObject(metric[name]));
  const [first] = present;
  const problems = first === undefined ? [] : validateSource(objectAt(metric, first), first, `${field}.${first}`);
  if (!present.includes(wanted))
    problems.push(requiredValue(`${field}.${wanted}`, "must populate information for the given metric source"));
  // One that is another than the type says is told by what is missing.
  for (const other of present.length > 1 ? present : [])
    if (other !== wanted) problems.push(forbiddenValue(`${field}.${other}`, "must populate the given metric source only"));
  return problems;
}

function validateSource(source: JsonObject, kind: string, field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (kind === "resource" || kind === "containerResource") {
    if (textAt(source, "name") === "") problems.push(requiredValue(`${field}.name`, "must specify a resource name"));
    if (kind === "containerResource" && textAt(source, "container") === "")
      problems.push(requiredValue(`${field}.container`, "must specify a container"));
  } else {
    const name = textAt(source, "metric.name");
    if (kind === "object") problems.push(...validateObject(objectAt(source, "describedObject"), `${field}.describedObject`));
    if (name === "") problems.push(requiredValue(`${field}.metric.name`, "must specify a metric name"));
    else problems.push(...problemsOf(`${field}.metric.name`, name, pathSegment(name)));
  }
  const target = objectAt(source, "target");
  return [...problems, ...validateMeasure(target, `${field}.target`), ...validateWanted(target, kind, `${field}.target`)];
}

function validateMeasure(target: JsonObject, field: string): FieldProblem[] {
  const type = textAt(target, "type");
  const problems: FieldProblem[] = [];
  if (type === "") problems.push(requiredValue(`${field}.type`, "must specify a metric target type"));
  else if (!targetTypes.includes(type)) problems.push(unsupportedValue(`${field}.type`, type, targetTypes));
  for (const name of ["value", "averageValue"]) {
    const text = textAt(target, name);
    if (text !== "" && parseQuantity(text).nanos <= 0n) problems.push(invalidValue(`${field}.${name}`, text, "must be positive"));
  }
  const share = target["averageUtilization"];
  if (typeof share === "number" && share < 1) problems.push(invalidValue(`${field}.averageUtilization`, share, "must be greater than 0"));
  return problems;
}

/** Which of a target's measures a kind of metric needs. */
function validateWanted(target: JsonObject, kind: string, field: string): FieldProblem[] {
  const has = (name: string): boolean => target[name] !== undefined && target[name] !== null;
  const average = `${field}.averageValue`;
  if (kind === "pods") return has("averageValue") ? [] : [requiredValue(average, "must specify a positive target averageValue")];
  if (kind === "resource" || kind === "containerResource") {
    if (has("averageValue") && has("averageUtilization"))
      return [forbiddenValue(average, "may not set both a target raw value and a target utilization")];
    const none = !has("averageValue") && !has("averageUtilization");
    return none ? [requiredValue(`${field}.averageUtilization`, "must set either a target raw value or a target utilization")] : [];
  }
  const isExternal = kind === "external";
  if (isExternal && has("value") && has("averageValue"))
    return [forbiddenValue(`${field}.value`, "may not set both a target value for metric and a per-pod target")];
  if (has("value") || has("averageValue")) return [];
  return [
    requiredValue(
      average,
      isExternal ? "must set either a target value for metric or a per-pod target" : "must set either a target value or averageValue",
    ),
  ];
}

function validateRules(rules: JsonObject, field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const seconds = numberAt(rules, "stabilizationWindowSeconds");
  const at = `${field}.stabilizationWindowSeconds`;
  if (seconds < 0) problems.push(invalidValue(at, seconds, "must be greater than or equal to zero"));
  if (seconds > stabilizationMaxSeconds)
    problems.push(invalidValue(at, seconds, `must be less than or equal to ${stabilizationMaxSeconds}`));
  const select = textAt(rules, "selectPolicy");
  if (select !== "" && !["Disabled", "Max", "Min"].includes(select))
    problems.push(unsupportedValue(`${field}.selectPolicy`, select, ["Disabled", "Max", "Min"]));
  const policies = rules["policies"];
  if (Object.keys(rules).length > 0 && (!Array.isArray(policies) || policies.length === 0))
    problems.push(requiredValue(`${field}.policies`, "must specify at least one Policy"));
  const tolerance = textAt(rules, "tolerance");
  const negative = tolerance.startsWith("-") ? [invalidValue(`${field}.tolerance`, tolerance, "must be greater than or equal to 0")] : [];
  return [
    ...problems,
    ...objectsAt(rules, "policies").flatMap((policy, i) => validatePolicy(policy, `${field}.policies[${i}]`)),
    ...negative,
  ];
}

function validatePolicy(policy: JsonObject, field: string): FieldProblem[] {
  const type = textAt(policy, "type");
  const problems = ["Percent", "Pods"].includes(type) ? [] : [unsupportedValue(`${field}.type`, type, ["Percent", "Pods"])];
  for (const name of ["value", "periodSeconds"])
    if (numberAt(policy, name) <= 0) problems.push(invalidValue(`${field}.${name}`, numberAt(policy, name), "must be greater than zero"));
  const seconds = numberAt(policy, "periodSeconds");
  if (seconds > periodMaxSeconds)
    problems.push(invalidValue(`${field}.periodSeconds`, seconds, `must be less than or equal to ${periodMaxSeconds}`));
  return problems;
}
