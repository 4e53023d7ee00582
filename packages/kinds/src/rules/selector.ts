/** Label selectors: their rules, and whether labels match. */
import { isObject, listAt, mapAt, objectsAt, textAt, textsAt } from "../access.ts";
import { forbiddenValue, invalidValue, problemsOf, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { labelValue, qualifiedName } from "./names.ts";
import { validateLabels } from "./object-meta.ts";

/** Everything wrong with a meta/v1 LabelSelector. */
export function validateSelector(selector: unknown, field: string): FieldProblem[] {
  if (!isObject(selector)) return [];
  const expressions = objectsAt(selector, "matchExpressions").flatMap((expression, i) =>
    validateExpression(expression, `${field}.matchExpressions[${i}]`),
  );
  return [...validateLabels(mapAt(selector, "matchLabels"), `${field}.matchLabels`), ...expressions];
}

function validateExpression(expression: object, field: string): FieldProblem[] {
  const operator = textAt(expression, "operator");
  const values = textsAt(expression, "values");
  const key = textAt(expression, "key");
  const problems: FieldProblem[] = [];
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) problems.push(requiredValue(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0)
      problems.push(forbiddenValue(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else problems.push(invalidValue(`${field}.operator`, operator, "not a valid selector operator"));
  problems.push(...problemsOf(`${field}.key`, key, qualifiedName(key)));
  return [...problems, ...values.flatMap((value, i) => problemsOf(`${field}.values[${i}]`, value, labelValue(value)))];
}

/** Whether a selector says nothing at all: it then selects everything. */
export function selectsEverything(selector: unknown): boolean {
  return Object.keys(mapAt(selector, "matchLabels")).length === 0 && listAt(selector, "matchExpressions").length === 0;
}

/** Whether `labels` match a meta/v1 LabelSelector. */
export function selectorMatches(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  const equal = Object.entries(mapAt(selector, "matchLabels")).every(([key, value]) => labels[key] === value);
  return equal && objectsAt(selector, "matchExpressions").every((expression) => expressionMatches(expression, labels));
}

function expressionMatches(expression: object, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[textAt(expression, "key")];
  const values = textsAt(expression, "values");
  switch (textAt(expression, "operator")) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}
