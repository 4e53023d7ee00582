/** PriorityClass: which pods go first, and which make room for others. */
import { numberAt, sameJson, textAt } from "../access.ts";
import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { forbiddenValue, invalidValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";

/** Above it are the classes the system needs for itself. */
const userMax = 1_000_000_000;
const systemPrefix = "system-";
const systemClasses = new Map([
  ["system-node-critical", 2_000_001_000],
  ["system-cluster-critical", 2_000_000_000],
]);
const reserved = `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: `;
const policies = ["Never", "PreemptLowerPriority"];

export const priorityClass = definer(
  "scheduling.k8s.io",
  "v1",
)({
  kind: "PriorityClass",
  plural: "priorityclasses",
  shortNames: ["pc"],
  namespaced: false,
  generation: true,
  columns: [
    nameColumn,
    {
      name: "Value",
      type: "integer",
      description: "Pods of a higher value go first.",
      priority: 0,
      cell: (object) => numberAt(object, "value"),
    },
    {
      name: "Global-Default",
      type: "boolean",
      description: "Whether pods that name no class are of it.",
      priority: 0,
      cell: (object) => object["globalDefault"] === true,
    },
    ageColumn,
    textColumn("PreemptionPolicy", "Whether its pods make others leave.", (object) => textAt(object, "preemptionPolicy")),
  ],
  validate: (object, old) => [...validateClass(object), ...(old ? validateChange(object, old) : [])],
});

function validateClass(object: KubeObject): FieldProblem[] {
  const value = numberAt(object, "value");
  const policy = textAt(object, "preemptionPolicy");
  const name = textAt(object, "metadata.name"); // perhaps none
  const problems: FieldProblem[] = [];
  if (name.startsWith(systemPrefix)) {
    if (systemClasses.get(name) !== value)
      problems.push(forbiddenValue("metadata.name", `${reserved}${name} is not a known system priority class`));
  } else if (value > userMax) problems.push(forbiddenValue("value", `maximum allowed value of a user defined priority is ${userMax}`));
  if (policy !== "" && !policies.includes(policy)) problems.push(unsupportedValue("preemptionPolicy", policy, policies));
  return problems;
}

function validateChange(object: KubeObject, old: KubeObject): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (numberAt(object, "value") !== numberAt(old, "value")) problems.push(forbiddenValue("value", "may not be changed in an update."));
  if (!sameJson(object["preemptionPolicy"], old["preemptionPolicy"]))
    problems.push(invalidValue("preemptionPolicy", object["preemptionPolicy"], "field is immutable"));
  return problems;
}
