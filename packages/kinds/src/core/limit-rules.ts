/** Rules of LimitRanges and ResourceQuotas: which resources may be named, and how their amounts belong together. */
import { mapAt, objectsAt, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { duplicateValue, forbiddenValue, invalidValue, problemsOf, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { qualifiedName } from "../rules/names.ts";
import { compareQuantities, parseQuantity, type Quantity } from "../values/quantity.ts";

const computed = ["cpu", "memory", "ephemeral-storage"];
const counted = [
  ...["pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims"],
  ...["services.nodeports", "services.loadbalancers"],
];
const quotaNames = new Set([
  ...computed,
  ...computed.flatMap((name) => [`requests.${name}`, `limits.${name}`]),
  "requests.storage",
  ...counted,
]);
const standardNames = new Set([...quotaNames, "storage"]);
const limitTypes = ["Pod", "Container", "PersistentVolumeClaim"];
const one = parseQuantity("1");

const isHugePages = (name: string): boolean => name.startsWith("hugepages-");
const isStandard = (name: string): boolean => standardNames.has(name) || isHugePages(name.replace(/^requests\./, ""));
const isContainers = (name: string): boolean => computed.includes(name) || isHugePages(name);
const isQuota = (name: string): boolean => quotaNames.has(name) || isHugePages(name.replace(/^requests\./, ""));

function validateResourceName(name: string, field: string): FieldProblem[] {
  const complaints = qualifiedName(name);
  if (complaints.length > 0) return problemsOf(field, name, complaints);
  return name.includes("/") || isStandard(name) ? [] : [invalidValue(field, name, "must be a standard resource type or fully qualified")];
}

/** A name without a domain that has to be of a set as well. */
function validateNameOf(name: string, field: string, fits: boolean, why: string): FieldProblem[] {
  const problems = validateResourceName(name, field);
  return name.includes("/") || fits ? problems : [...problems, invalidValue(field, name, why)];
}

type Amounts = ReadonlyMap<string, Quantity>;

function amountsAt(item: JsonObject, name: string): Amounts {
  return new Map(Object.entries(mapAt(item, name)).map(([key, text]) => [key, parseQuantity(text)] as const));
}

export function validateLimitRange(object: KubeObject): FieldProblem[] {
  const seen = new Set<string>();
  return objectsAt(object, "spec.limits").flatMap((item, i) => {
    const field = `spec.limits[${i}]`;
    const type = textAt(item, "type");
    const wrong = validateLimitType(type, `${field}.type`);
    if (wrong.length > 0) return wrong;
    const twice = seen.has(type) ? [duplicateValue(`${field}.type`, type)] : [];
    seen.add(type);
    return [...twice, ...validateLimit(item, type, field)];
  });
}

function validateLimitType(type: string, field: string): FieldProblem[] {
  const complaints = qualifiedName(type);
  if (complaints.length > 0) return problemsOf(field, type, complaints);
  return type.includes("/") || limitTypes.includes(type)
    ? []
    : [invalidValue(field, type, "must be a standard limit type or fully qualified")];
}

function validateLimit(item: JsonObject, type: string, field: string): FieldProblem[] {
  const names = (place: string): FieldProblem[] =>
    Object.keys(mapAt(item, place)).flatMap((name) => {
      const at = `${field}.${place}[${name}]`;
      const ofContainers = type === "Pod" || type === "Container";
      return validateNameOf(name, at, !ofContainers || isContainers(name), "must be a standard resource for containers");
    });
  const problems = [...names("max"), ...names("min")];
  for (const place of ["default", "defaultRequest"])
    if (type !== "Pod") problems.push(...names(place));
    else if (Object.keys(mapAt(item, place)).length > 0)
      problems.push(forbiddenValue(`${field}.${place}`, "may not be specified when `type` is 'Pod'"));
  const sized = ["min", "max"].some((place) => mapAt(item, place)["storage"] !== undefined);
  if (type === "PersistentVolumeClaim" && !sized)
    problems.push(requiredValue(`${field}.limits`, "either minimum or maximum storage value is required, but neither was provided"));
  return [...problems, ...names("maxLimitRequestRatio"), ...validateAmounts(item, type, field)];
}

/** What must not be more than what: the smaller, the larger, whose field it is, whose value is shown. */
const orders = [
  { less: "min", more: "max", at: "min", shown: "min", words: ["min value", "max value"] },
  { less: "min", more: "defaultRequest", at: "defaultRequest", shown: "defaultRequest", words: ["min value", "default request value"] },
  { less: "defaultRequest", more: "max", at: "defaultRequest", shown: "defaultRequest", words: ["default request value", "max value"] },
  {
    less: "defaultRequest",
    more: "default",
    at: "defaultRequest",
    shown: "defaultRequest",
    words: ["default request value", "default limit value"],
  },
  { less: "min", more: "default", at: "default", shown: "min", words: ["min value", "default value"] },
  { less: "default", more: "max", at: "default", shown: "max", words: ["default value", "max value"] },
] as const;

function validateAmounts(item: JsonObject, type: string, field: string): FieldProblem[] {
  const places = type === "Pod" ? ["min", "max"] : ["min", "max", "default", "defaultRequest"];
  const amounts: Readonly<Record<string, Amounts>> = Object.fromEntries(places.map((place) => [place, amountsAt(item, place)]));
  const ratios = amountsAt(item, "maxLimitRequestRatio");
  const names = new Set([...Object.values(amounts), ratios].flatMap((each) => [...each.keys()]));
  return [...names].sort().flatMap((name) => {
    const problems = orders.flatMap(({ less, more, at, shown, words }) => {
      const [small, large] = [amounts[less]?.get(name), amounts[more]?.get(name)];
      if (!small || !large || compareQuantities(small, large) <= 0) return [];
      const why = `${words[0]} ${small.text} is greater than ${words[1]} ${large.text}`;
      return [invalidValue(`${field}.${at}[${name}]`, (shown === more ? large : small).text, why)];
    });
    const ratio = ratios.get(name);
    if (ratio && compareQuantities(ratio, one) < 0)
      problems.push(invalidValue(`${field}.maxLimitRequestRatio[${name}]`, ratio.text, `ratio ${ratio.text} is less than 1`));
    return problems;
  });
}

/** Things that are counted come whole: the names above, and those of a domain that is not Kubernetes' own. */
const comesWhole = (name: string): boolean =>
  counted.includes(name) || (name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests."));

const podCounts = ["pods"];
const podAmounts = [...podCounts, "cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
/** Standard scopes, and the standard resources each can be of. */
const scopeResources: ReadonlyMap<string, readonly string[]> = new Map([
  ["Terminating", podAmounts],
  ["NotTerminating", podAmounts],
  ["BestEffort", podCounts],
  ["NotBestEffort", podAmounts],
  ["PriorityClass", podAmounts],
  ["CrossNamespacePodAffinity", podAmounts],
  ["VolumeAttributesClass", ["persistentvolumeclaims", "requests.storage"]],
]);

export function validateResourceQuota(object: KubeObject): FieldProblem[] {
  const hard = mapAt(object, "spec.hard");
  const amounts = Object.entries(hard).flatMap(([name, text]) => {
    const field = `spec.hard[${name}]`;
    const amount = parseQuantity(text);
    const problems = validateNameOf(name, field, isQuota(name), "must be a standard resource for quota");
    if (amount.nanos < 0n) problems.push(invalidValue(field, amount.text, "must be greater than or equal to 0"));
    if (comesWhole(name) && amount.nanos % one.nanos !== 0n) problems.push(invalidValue(field, amount.text, "must be an integer"));
    return problems;
  });
  return [...amounts, ...validateScopes(textsAt(object, "spec.scopes"), Object.keys(hard))];
}

function validateScopes(scopes: readonly string[], names: readonly string[]): FieldProblem[] {
  const complaints: string[] = [];
  for (const scope of scopes) {
    const resources = scopeResources.get(scope);
    if (!resources) complaints.push("unsupported scope");
    else
      complaints.push(
        ...names.filter((name) => isQuota(name) && !resources.includes(name)).map(() => "unsupported scope applied to resource"),
      );
  }
  const both = (a: string, b: string): boolean => scopes.includes(a) && scopes.includes(b);
  if (both("BestEffort", "NotBestEffort") || both("Terminating", "NotTerminating")) complaints.push("conflicting scopes");
  return problemsOf("spec.scopes", scopes, complaints);
}
