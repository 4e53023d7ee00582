/** Rules of a Job beside its pod: completion by index, what counts as failure and success, and how it knows its pods. */
import { isObject, listAt, mapAt, numberAt, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { invalidValue, problemsOf, requiredValue, tooLongValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { domainPath, qualifiedName } from "../rules/names.ts";
import { selectorMatches, validateSelector } from "../rules/selector.ts";

/** Labels every Job carries to know its pods. */
export const uidLabel = "batch.kubernetes.io/controller-uid";
export const nameLabel = "batch.kubernetes.io/job-name";

const modes = ["NonIndexed", "Indexed"];
const actions = ["Count", "FailIndex", "FailJob", "Ignore"];
const operators = ["In", "NotIn"];
const statuses = ["False", "True", "Unknown"];
const replacements = ["Failed", "TerminatingOrFailed"];
const needsIndexes = "requires indexed completion mode";

/** Everything of a Job's spec that is neither a plain number nor its template. A CronJob's template leaves much of it unsaid. */
export function validateJobPolicies(spec: JsonObject, field: string): FieldProblem[] {
  const mode = textAt(spec, "completionMode");
  const manager = textAt(spec, "managedBy");
  const replacement = textAt(spec, "podReplacementPolicy");
  const problems: FieldProblem[] = [];
  if (mode !== "" && !modes.includes(mode)) problems.push(unsupportedValue(`${field}.completionMode`, mode, modes));
  if (mode === "Indexed" && typeof spec["completions"] !== "number")
    problems.push(requiredValue(`${field}.completions`, "when completion mode is Indexed"));
  problems.push(...(mode === "Indexed" ? validateManyIndexes(spec, field) : validateUnindexed(spec, field)));
  if (typeof spec["maxFailedIndexes"] === "number" && typeof spec["backoffLimitPerIndex"] !== "number")
    problems.unshift(requiredValue(`${field}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  if (manager.length > managerMaxBytes) problems.push(tooLongValue(`${field}.managedBy`, managerMaxBytes));
  if (manager !== "") problems.push(...problemsOf(`${field}.managedBy`, manager, domainPath(manager)));
  problems.push(...validateFailurePolicy(spec, field), ...validateSuccessPolicy(spec, mode, field));
  const known = isObject(spec["podFailurePolicy"]) ? ["Failed"] : replacements;
  if (replacement !== "" && !known.includes(replacement))
    problems.push(unsupportedValue(`${field}.podReplacementPolicy`, replacement, known));
  return problems;
}

/** Past these the indexes that failed may not fit into a Job: of all that run at once, and of those that may fail when they are many. */
const indexesMax = 100_000;
const manyIndexesMax = 10_000;
/** Bytes of the name of who runs a Job. */
const managerMaxBytes = 63;

function validateManyIndexes(spec: JsonObject, field: string): FieldProblem[] {
  const [parallelism, completions, failed] = ["parallelism", "completions", "maxFailedIndexes"].map((name) => numberAt(spec, name)) as [
    number,
    number,
    number,
  ];
  const problems: FieldProblem[] = [];
  const over = (name: string, value: number, why: string): number => problems.push(invalidValue(`${field}.${name}`, value, why));
  const most = `must be less than or equal to ${indexesMax}`;
  if (parallelism > indexesMax) over("parallelism", parallelism, `${most} when completion mode is Indexed`);
  if (typeof spec["completions"] === "number" && failed > completions)
    over("maxFailedIndexes", failed, "must be less than or equal to completions");
  if (failed > indexesMax) over("maxFailedIndexes", failed, most);
  if (completions <= indexesMax || typeof spec["backoffLimitPerIndex"] !== "number") return problems;
  if (typeof spec["maxFailedIndexes"] !== "number")
    problems.push(requiredValue(`${field}.maxFailedIndexes`, `must be specified when completions is above ${indexesMax}`));
  const many = `must be less than or equal to ${manyIndexesMax} when completions are above ${indexesMax} and used with backoff limit per index`;
  if (parallelism > manyIndexesMax) over("parallelism", parallelism, many);
  if (failed > manyIndexesMax) over("maxFailedIndexes", failed, many);
  return problems;
}

function validateUnindexed(spec: JsonObject, field: string): FieldProblem[] {
  return ["backoffLimitPerIndex", "maxFailedIndexes"]
    .filter((name) => typeof spec[name] === "number")
    .map((name) => invalidValue(`${field}.${name}`, spec[name], needsIndexes));
}

function validateFailurePolicy(spec: JsonObject, field: string): FieldProblem[] {
  if (!isObject(spec["podFailurePolicy"])) return [];
  const policy = textAt(spec, "template.spec.restartPolicy");
  const place = `${field}.template.spec.restartPolicy`;
  const restart =
    policy === "OnFailure" ? [invalidValue(place, policy, 'only "Never" is supported when podFailurePolicy is specified')] : [];
  const rules = objectsAt(spec, "podFailurePolicy.rules");
  return [...restart, ...rules.flatMap((rule, i) => validateFailureRule(rule, spec, `${field}.podFailurePolicy.rules[${i}]`))];
}

function validateFailureRule(rule: JsonObject, spec: JsonObject, field: string): FieldProblem[] {
  const action = textAt(rule, "action");
  const problems: FieldProblem[] = [];
  if (action === "") problems.push(requiredValue(`${field}.action`, 'valid values: ["Count" "FailIndex" "FailJob" "Ignore"]'));
  else if (!actions.includes(action)) problems.push(unsupportedValue(`${field}.action`, action, actions));
  if (action === "FailIndex" && typeof spec["backoffLimitPerIndex"] !== "number")
    problems.push(invalidValue(`${field}.action`, action, "requires the backoffLimitPerIndex to be set"));
  const codes = rule["onExitCodes"];
  const conditions = objectsAt(rule, "onPodConditions");
  if (isObject(codes)) problems.push(...validateExitCodes(codes, spec, `${field}.onExitCodes`));
  problems.push(...conditions.flatMap((condition, i) => validateCondition(condition, `${field}.onPodConditions[${i}]`)));
  if (isObject(codes) === conditions.length > 0) {
    const word = isObject(codes) ? "both" : "one of";
    const rest = isObject(codes) ? "is not supported" : "is required";
    const message = `Invalid value: specifying ${word} OnExitCodes and OnPodConditions ${rest}`;
    problems.push({ type: "FieldValueInvalid", field, message });
  }
  return problems;
}

function validateExitCodes(codes: JsonObject, spec: JsonObject, field: string): FieldProblem[] {
  const [operator, container] = [textAt(codes, "operator"), textAt(codes, "containerName")];
  const values = listAt(codes, "values");
  const problems: FieldProblem[] = [];
  if (!operators.includes(operator)) problems.push(unsupportedValue(`${field}.operator`, operator, operators));
  const pod = objectAt(spec, "template.spec");
  const names = [...objectsAt(pod, "containers"), ...objectsAt(pod, "initContainers")].map((each) => textAt(each, "name"));
  if (container !== "" && !names.includes(container))
    problems.push(
      invalidValue(`${field}.containerName`, container, "must be one of the container or initContainer names in the pod template"),
    );
  if (values.length === 0) problems.push(invalidValue(`${field}.values`, [], "at least one value is required"));
  for (const [i, value] of values.entries())
    if (operator === "In" && value === 0) problems.push(invalidValue(`${field}.values[${i}]`, 0, "must not be 0 for the In operator"));
  return problems;
}

function validateCondition(condition: JsonObject, field: string): FieldProblem[] {
  const [type, status] = [textAt(condition, "type"), textAt(condition, "status")];
  const problems = problemsOf(`${field}.type`, type, qualifiedName(type));
  return statuses.includes(status) ? problems : [...problems, unsupportedValue(`${field}.status`, status, statuses)];
}

function validateSuccessPolicy(spec: JsonObject, mode: string, field: string): FieldProblem[] {
  const policy = spec["successPolicy"];
  if (!isObject(policy)) return [];
  const rules = objectsAt(policy, "rules");
  const place = `${field}.successPolicy`;
  if (mode !== "Indexed") {
    // As the server shows its own form of it.
    const shown = rules.map((rule) => ({
      SucceededIndexes: rule["succeededIndexes"] ?? null,
      SucceededCount: rule["succeededCount"] ?? null,
    }));
    return [invalidValue(place, { Rules: shown }, needsIndexes)];
  }
  if (rules.length === 0)
    return [requiredValue(`${place}.rules`, "at least one rules must be specified when the successPolicy is specified")];
  const empty = (rule: JsonObject): boolean => rule["succeededIndexes"] === undefined && rule["succeededCount"] === undefined;
  const completions = numberAt(spec, "completions");
  return rules.flatMap((rule, i) => {
    const at = `${place}.rules[${i}]`;
    return empty(rule)
      ? [requiredValue(at, "at least one of succeededCount or succeededIndexes must be specified")]
      : validateSuccessRule(rule, completions, at);
  });
}

/** Bytes of a list of indexes. */
const indexesMaxBytes = 64 * 1024;

function validateSuccessRule(rule: JsonObject, completions: number, field: string): FieldProblem[] {
  const { succeededIndexes, succeededCount } = rule;
  const problems: FieldProblem[] = [];
  let total = 0;
  if (typeof succeededIndexes === "string") {
    const at = `${field}.succeededIndexes`;
    if (succeededIndexes.length > indexesMaxBytes) problems.push(tooLongValue(at, indexesMaxBytes));
    const read = countIndexes(succeededIndexes, completions);
    if (typeof read === "number") total = read;
    else problems.push(invalidValue(at, succeededIndexes, `error parsing succeededIndexes: ${read.why}`));
  }
  if (typeof succeededCount !== "number") return problems;
  const over = (most: number, what: string): number =>
    problems.push(invalidValue(`${field}.succeededCount`, succeededCount, `must be less than or equal to ${most} (the number of ${what})`));
  if (succeededCount < 0) problems.push(invalidValue(`${field}.succeededCount`, succeededCount, "must be greater than or equal to 0"));
  if (succeededCount > completions) over(completions, "specified completions");
  if (typeof succeededIndexes === "string" && succeededCount > total) over(total, "indexes in the specified succeededIndexes field");
  return problems;
}

/** How many indexes `1,3-5` names, each below `completions`, in rising order; or why it is no such list. */
function countIndexes(text: string, completions: number): number | { readonly why: string } {
  if (text === "") return 0;
  let [total, last] = [0, -1];
  for (const interval of text.split(",")) {
    const limits = interval.split("-");
    const fragment = JSON.stringify(interval);
    if (limits.length > 2)
      return {
        why: `the fragment ${fragment} violates the requirement that an index interval can have at most two parts separated by '-'`,
      };
    for (const limit of limits) {
      if (!/^[+]?\d+$/u.test(limit)) return { why: `cannot convert string to integer for index: ${JSON.stringify(limit)}` };
      if (Number(limit) >= completions) return { why: `too large index: ${JSON.stringify(limit)}` };
    }
    const [from = 0, to = from] = limits.map(Number);
    if (limits.length === 2 && from >= to) return { why: `non-increasing order, previous: ${from}, current: ${to}` };
    if (last >= from) return { why: `non-increasing order, previous: ${last}, current: ${from}` };
    total += to - from + 1;
    last = to;
  }
  return total;
}

/** On create: a Job knows its pods by its own uid, unless it names them itself; and its selector is for the pods it makes. */
export function validateJobSelector(object: KubeObject): FieldProblem[] {
  const spec = objectAt(object, "spec");
  const uid = object.metadata.uid;
  if (uid === undefined) return []; // not made by a server yet: its selector comes with the uid
  const { selector } = spec;
  const labels = mapAt(spec, "template.metadata.labels");
  const said = Object.keys(labels).length === 0 ? null : sorted(labels);
  const problems: FieldProblem[] = [];
  if (spec["manualSelector"] !== true && isObject(selector)) {
    const wanted = { "controller-uid": uid, [uidLabel]: uid, "job-name": object.metadata.name, [nameLabel]: object.metadata.name };
    for (const [key, value] of Object.entries(wanted))
      if (labels[key] !== value) problems.push(invalidValue(`spec.template.metadata.labels[${key}]`, said, `must be '${value}'`));
    if (!selectorMatches(selector, { [uidLabel]: uid }))
      problems.push(invalidValue("spec.selector", selector, "`selector` not auto-generated"));
  }
  const wrong = isObject(selector) ? validateSelector(selector, "spec.selector") : [requiredValue("spec.selector")];
  problems.push(...wrong);
  if (!selectorMatches(selector, labels) || !isObject(selector))
    problems.push(invalidValue("spec.template.metadata.labels", said, "`selector` does not match template `labels`"));
  return problems;
}

const sorted = (labels: Readonly<Record<string, string>>): object =>
  Object.fromEntries(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
