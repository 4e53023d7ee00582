/** Rules of where a pod may run: affinity, tolerations, how pods are spread. */
import { isObject, numberAt, objectAt, objectsAt, textAt, textsAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { forbiddenValue, invalidValue, problemsOf, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1123Label, labelValue, qualifiedName } from "./names.ts";
import { validateSelector } from "./selector.ts";

const required = "requiredDuringSchedulingIgnoredDuringExecution";
const preferred = "preferredDuringSchedulingIgnoredDuringExecution";

/** Everything wrong with `affinity` at `field`. */
export function validateAffinity(affinity: JsonObject, field: string): FieldProblem[] {
  const pods = ["podAffinity", "podAntiAffinity"].flatMap((name) => validatePodAffinity(objectAt(affinity, name), `${field}.${name}`));
  return [...validateNodeAffinity(objectAt(affinity, "nodeAffinity"), `${field}.nodeAffinity`), ...pods];
}

function validateNodeAffinity(affinity: JsonObject, field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const selector = affinity[required];
  if (isObject(selector)) {
    const terms = objectsAt(selector, "nodeSelectorTerms");
    const place = `${field}.${required}.nodeSelectorTerms`;
    if (terms.length === 0) problems.push(requiredValue(place, "must have at least one node selector term"));
    problems.push(...terms.flatMap((term, i) => validateNodeTerm(term, `${place}[${i}]`)));
  }
  const wishes = objectsAt(affinity, preferred).flatMap((wish, i) => {
    const place = `${field}.${preferred}[${i}]`;
    return [...validateWeight(wish, place), ...validateNodeTerm(objectAt(wish, "preference"), `${place}.preference`)];
  });
  return [...problems, ...wishes];
}

function validateWeight(wish: JsonObject, field: string): FieldProblem[] {
  const weight = numberAt(wish, "weight");
  return weight >= 1 && weight <= 100 ? [] : [invalidValue(`${field}.weight`, weight, "must be in the range 1-100")];
}

const validateNodeTerm = (term: JsonObject, field: string): FieldProblem[] =>
  objectsAt(term, "matchExpressions").flatMap((expression, i) => validateNodeExpression(expression, `${field}.matchExpressions[${i}]`));

function validateNodeExpression(expression: JsonObject, field: string): FieldProblem[] {
  const operator = textAt(expression, "operator");
  const count = textsAt(expression, "values").length;
  const key = textAt(expression, "key");
  return [...validateOperator(operator, count, field), ...problemsOf(`${field}.key`, key, qualifiedName(key))];
}

function validateOperator(operator: string, values: number, field: string): FieldProblem[] {
  switch (operator) {
    case "In":
    case "NotIn":
      return values > 0 ? [] : [requiredValue(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case "Exists":
    case "DoesNotExist":
      return values === 0 ? [] : [forbiddenValue(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case "Gt":
    case "Lt":
      return values === 1 ? [] : [requiredValue(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalidValue(`${field}.operator`, operator, "not a valid selector operator")];
  }
}

function validatePodAffinity(affinity: JsonObject, field: string): FieldProblem[] {
  const terms = objectsAt(affinity, required).flatMap((term, i) => validatePodTerm(term, `${field}.${required}[${i}]`));
  const wishes = objectsAt(affinity, preferred).flatMap((wish, i) => {
    const place = `${field}.${preferred}[${i}]`;
    return [...validateWeight(wish, place), ...validatePodTerm(objectAt(wish, "podAffinityTerm"), `${place}.podAffinityTerm`)];
  });
  return [...terms, ...wishes];
}

function validatePodTerm(term: JsonObject, field: string): FieldProblem[] {
  const problems = ["labelSelector", "namespaceSelector"].flatMap((name) => validateSelector(term[name], `${field}.${name}`));
  for (const name of textsAt(term, "namespaces")) problems.push(...problemsOf(`${field}.namespace`, name, dns1123Label(name)));
  const key = textAt(term, "topologyKey");
  if (key === "") problems.push(requiredValue(`${field}.topologyKey`, "can not be empty"));
  return [...problems, ...problemsOf(`${field}.topologyKey`, key, qualifiedName(key))];
}

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const anyKey = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';

/** Taints a pod puts up with. */
export function validateTolerations(tolerations: readonly JsonObject[], field: string): FieldProblem[] {
  return tolerations.flatMap((toleration, i) => {
    const place = `${field}[${i}]`;
    const [key, operator, value, effect] = ["key", "operator", "value", "effect"].map((name) => textAt(toleration, name)) as [
      string,
      string,
      string,
      string,
    ];
    const problems = key === "" ? [] : problemsOf(`${place}.key`, key, qualifiedName(key));
    if (key === "" && operator !== "Exists") problems.push(invalidValue(`${place}.operator`, operator, anyKey));
    if (toleration["tolerationSeconds"] !== undefined && effect !== "NoExecute")
      problems.push(invalidValue(`${place}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    problems.push(...validateTolerated(operator, value, `${place}.operator`));
    if (effect !== "" && !effects.includes(effect)) problems.push(unsupportedValue(`${place}.effect`, effect, effects));
    return problems;
  });
}

function validateTolerated(operator: string, value: string, field: string): FieldProblem[] {
  if (operator === "" || operator === "Equal") {
    const complaints = labelValue(value);
    return complaints.length === 0 ? [] : [invalidValue(field, value, complaints.join(";"))];
  }
  if (operator !== "Exists") return [unsupportedValue(field, operator, ["Equal", "Exists"])];
  return value === "" ? [] : [invalidValue(field, value, "value must be empty when `operator` is 'Exists'")];
}

const spreadings = ["DoNotSchedule", "ScheduleAnyway"];

/** How evenly pods lie over the nodes' domains. */
export function validateSpreading(constraints: readonly JsonObject[], field: string): FieldProblem[] {
  return constraints.flatMap((constraint, i) => {
    const place = `${field}[${i}]`;
    const skew = numberAt(constraint, "maxSkew");
    const key = textAt(constraint, "topologyKey");
    const action = textAt(constraint, "whenUnsatisfiable");
    const problems: FieldProblem[] = skew > 0 ? [] : [invalidValue(`${place}.maxSkew`, skew, "must be greater than zero")];
    if (key === "") problems.push(requiredValue(`${place}.topologyKey`, "can not be empty"));
    else problems.push(...problemsOf(`${place}.topologyKey`, key, qualifiedName(key)));
    if (!spreadings.includes(action)) problems.push(unsupportedValue(`${place}.whenUnsatisfiable`, action, spreadings));
    const domains = constraint["minDomains"];
    if (typeof domains === "number") {
      if (domains <= 0) problems.push(invalidValue(`${place}.minDomains`, domains, "must be greater than zero"));
      if (action !== "DoNotSchedule") {
        const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
        problems.push(invalidValue(`${place}.minDomains`, domains, why));
      }
    }
    return [...problems, ...validateSelector(constraint["labelSelector"], `${place}.labelSelector`)];
  });
}
