/** Rules the workload kinds share: selector, template, counts, and how much of a rollout may be missing. */
import { isObject, mapAt, numberAt, objectAt, textAt, valueAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { validatePodTemplate } from "./pod-template.ts";
import { selectorMatches, selectsEverything, validateSelector } from "./selector.ts";

/** Numbers that may not be negative. */
export function notNegative(spec: JsonObject, names: readonly string[], field = "spec"): FieldProblem[] {
  return names
    .filter((name) => numberAt(spec, name) < 0)
    .map((name) => invalidValue(`${field}.${name}`, spec[name], "must be greater than or equal to 0"));
}

/** A selector that is there, selects something, and selects the template's pods. `what`: the kind's word in the message. */
export function validateSelectorAndTemplate(spec: JsonObject, what: string): FieldProblem[] {
  const selector = spec["selector"];
  const problems: FieldProblem[] = [];
  if (!isObject(selector)) {
    if (what !== "daemonset") problems.push(requiredValue("spec.selector"));
  } else {
    problems.push(...validateSelector(selector, "spec.selector"));
    // What cannot be read cannot be compared with the template either.
    if (problems.length > 0) return [...problems, ...unreadable(selector, what)];
    if (selectsEverything(selector)) problems.push(invalidValue("spec.selector", selector, `empty selector is invalid for ${what}`));
  }
  const labels = mapAt(spec, "template.metadata.labels");
  if (!isObject(selector) || (!selectsEverything(selector) && !selectorMatches(selector, labels))) {
    const said = valueAt(spec, "template.metadata.labels") ?? null;
    problems.push(invalidValue("spec.template.metadata.labels", said, "`selector` does not match template `labels`"));
  }
  return problems;
}

function unreadable(selector: JsonObject, what: string): FieldProblem[] {
  if (what === "daemonset") return [];
  return [invalidValue("spec.selector", selector, what === "statefulset" ? "" : "invalid label selector")];
}

/** A template of pods that run for ever. `kind` is named in the message about deadlines. */
export function validateTemplate(spec: JsonObject, kind: string): FieldProblem[] {
  const template = objectAt(spec, "template.spec");
  const field = "spec.template.spec";
  const problems = [...validatePodTemplate(objectAt(spec, "template"), "spec.template")];
  const policy = textAt(template, "restartPolicy");
  if (policy !== "Always") problems.push(unsupportedValue(`${field}.restartPolicy`, policy, ["Always"]));
  if (template["activeDeadlineSeconds"] !== undefined)
    problems.push(forbiddenValue(`${field}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`));
  return problems;
}

/** A number of pods, or a share of them: `2`, `25%`. */
export function validateShare(value: unknown, field: string): FieldProblem[] {
  if (typeof value === "number") return value < 0 ? [invalidValue(field, value, "must be greater than or equal to 0")] : [];
  if (typeof value !== "string") return [];
  if (/^[0-9]+%$/.test(value)) return [];
  const why =
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
  return [invalidValue(field, value, why)];
}

/** Whether a number or share is nothing. */
export const isZeroShare = (value: unknown): boolean => value === 0 || (typeof value === "string" && Number.parseInt(value, 10) === 0);

/** A share of more than everything. */
export function validateNotOverAll(value: unknown, field: string): FieldProblem[] {
  const over = typeof value === "string" && /^[0-9]+%$/.test(value) && Number.parseInt(value, 10) > 100;
  return over ? [invalidValue(field, value, "must not be greater than 100%")] : [];
}
