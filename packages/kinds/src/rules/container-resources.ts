/** Rules of what a container asks for and may use. */
import { mapAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { forbiddenValue, invalidValue, problemsOf, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { compareQuantities, parseQuantity, type Quantity } from "../values/quantity.ts";
import { qualifiedName } from "./names.ts";

const plainResources = ["cpu", "memory", "ephemeral-storage"];
/** What may be limited without a prefix, though not for a container. */
const standardResources = new Set([
  ...plainResources,
  "storage",
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "pods",
  "resourcequotas",
  "services",
  "replicationcontrollers",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
  "requests.storage",
]);
const one = 1_000_000_000n;

const isHugePages = (name: string): boolean => name.startsWith("hugepages-");
/** A resource of Kubernetes itself; others are counted in whole pieces. */
const isNative = (name: string): boolean => !name.includes("/") || name.includes("kubernetes.io/");
/** Whether more of it may be asked for than there is. */
const overcommitted = (name: string): boolean => isNative(name) && !isHugePages(name);

/** Everything wrong with `resources` at `field`. */
export function validateResources(resources: JsonObject, field: string): FieldProblem[] {
  const limits = mapAt(resources, "limits");
  const requests = mapAt(resources, "requests");
  const problems: FieldProblem[] = [];
  const limited = new Map<string, Quantity>();
  for (const [name, text] of Object.entries(limits)) {
    const limit = parseQuantity(text);
    limited.set(name, limit);
    problems.push(...validateResource(name, limit, `${field}.limits[${name}]`));
  }
  for (const [name, text] of Object.entries(requests)) {
    const request = parseQuantity(text);
    problems.push(...validateResource(name, request, `${field}.requests[${name}]`), ...beside(name, request, limited.get(name), field));
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.some((name) => name === "cpu" || name === "memory"))
    problems.push(forbiddenValue(field, "HugePages require cpu or memory"));
  return problems;
}

function validateResource(name: string, quantity: Quantity, field: string): FieldProblem[] {
  const complaints = qualifiedName(name);
  const problems = problemsOf(field, name, complaints);
  const container = plainResources.includes(name) || isHugePages(name);
  if (complaints.length === 0 && !name.includes("/") && !container && !standardResources.has(name))
    problems.push(invalidValue(field, name, "must be a standard resource type or fully qualified"));
  if (!name.includes("/") && !container) problems.push(invalidValue(field, name, "must be a standard resource for containers"));
  if (quantity.nanos < 0n) problems.push(invalidValue(field, quantity.text, "must be greater than or equal to 0"));
  else if (!isNative(name) && quantity.nanos % one !== 0n) problems.push(invalidValue(field, quantity.text, "must be an integer"));
  return problems;
}

/** What is asked for, beside its limit. */
function beside(name: string, request: Quantity, limit: Quantity | undefined, field: string): FieldProblem[] {
  if (!limit) return overcommitted(name) ? [] : [requiredValue(`${field}.limits`, "Limit must be set for non overcommitable resources")];
  const order = compareQuantities(request, limit);
  if (order !== 0 && !overcommitted(name))
    return [invalidValue(`${field}.requests`, request.text, `must be equal to ${name} limit of ${limit.text}`)];
  if (order > 0) return [invalidValue(`${field}.requests`, request.text, `must be less than or equal to ${name} limit of ${limit.text}`)];
  return [];
}
