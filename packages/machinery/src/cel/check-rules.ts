/** What is wrong with the rules of a CRD: they do not compile, cost too much, or ask for an old value where there is none. In the server's words. */
import type { FieldProblem } from "@mecha/kinds";
import { forbidden, invalidValue } from "../crd/problems.ts";
import type { JsonSchema } from "../crd/schema.ts";
import { goJson, isObject } from "../json.ts";
import { type CompiledRule, compileRules } from "./compile-rules.ts";
import { unbounded } from "./language/cost.ts";
import { maxRequestBytes, type SchemaType, SchemaTypes } from "./schema-types.ts";

/** Estimated cost of one rule, times the values it can run on. */
const ruleCostLimit = 10_000_000;
/** Of all rules of a version. */
const totalCostLimit = 100_000_000;
/** The most expensive rules that are named when the total is too much. */
const maxNamed = 4;

/** Every problem of the rules in the schema at `path` of its CRD. @param perRule Whether a rule's own cost counts: not when the schema is as it was. */
export function checkRules(schema: JsonSchema, path: string, { perRule }: { readonly perRule: boolean }): FieldProblem[] {
  const costs: { readonly path: string; readonly cost: number }[] = [];
  const rules: Rules = { types: new SchemaTypes(), perRule, observe: (at, cost) => costs.push({ path: at, cost }) };
  const problems = [...walk(schema, path, rules, { cardinality: 1, unrelated: undefined, isRoot: true })];
  const total = costs.reduce((sum, { cost }) => Math.min(sum + cost, unbounded), 0);
  if (total <= totalCostLimit) return problems;
  const named = costs.filter(({ cost }) => cost >= totalCostLimit / 100).sort((a, b) => b.cost - a.cost);
  const contributed = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema";
  return [
    ...problems,
    ...named.slice(0, maxNamed).map((rule) => forbidden(rule.path, contributed)),
    forbidden(path, tooExpensive("x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", total, totalCostLimit)),
  ];
}

interface Rules {
  readonly types: SchemaTypes;
  readonly perRule: boolean;
  readonly observe: (path: string, cost: number) => void;
}

interface Place {
  /** Values of this schema an object has at most; `undefined` without limits above. */
  readonly cardinality: number | undefined;
  /** The schema above whose parts go on from no old ones. */
  readonly unrelated: string | undefined;
  readonly isRoot: boolean;
}

function* walk(schema: JsonSchema, path: string, rules: Rules, place: Place): Generator<FieldProblem> {
  const declared = schema["x-kubernetes-validations"] ? rules.types.of(schema, place.isRoot) : undefined;
  if (declared)
    for (const [index, rule] of compileRules(declared, rules.types).entries())
      yield* ruleProblems(rule, `${path}.x-kubernetes-validations[${String(index)}]`, rules, place, declared);
  const cardinality = place.cardinality === undefined ? undefined : product(place.cardinality, elementsOf(schema));
  const mapType = schema["x-kubernetes-map-type"];
  const inside: Place = { cardinality, isRoot: false, unrelated: place.unrelated };
  const related = mapType === undefined || mapType === "granular" || mapType === "atomic";
  for (const [name, below] of Object.entries(schema.properties ?? {}))
    yield* walk(below, `${path}.properties[${name}]`, rules, related ? inside : { ...inside, unrelated: inside.unrelated ?? path });
  if (schema.items) {
    const byKey = schema["x-kubernetes-list-type"] === "map";
    yield* walk(schema.items, `${path}.items`, rules, byKey ? inside : { ...inside, unrelated: path });
  }
  if (isObject(schema.additionalProperties)) yield* walk(schema.additionalProperties, `${path}.additionalProperties`, rules, inside);
}

const product = (a: number, b: number | undefined): number | undefined => (b === undefined ? undefined : Math.min(a * b, unbounded));

/** By how much there are more values below than of the schema. */
function elementsOf({ type, additionalProperties, maxProperties, maxItems }: JsonSchema): number | undefined {
  if (type === "array") return maxItems;
  return type === "object" && additionalProperties !== undefined ? maxProperties : 1;
}

function* ruleProblems(compiled: CompiledRule, path: string, rules: Rules, place: Place, declared: SchemaType): Generator<FieldProblem> {
  const { rule, usesOldSelf } = compiled;
  // Without limits above there are as many values as fit into a request.
  const cost = Math.min(compiled.maxCost * (place.cardinality ?? Math.floor(maxRequestBytes / (declared.minSize + 1))), unbounded);
  if (rules.perRule && cost > ruleCostLimit) yield forbidden(`${path}.rule`, tooExpensive("estimated rule cost", cost, ruleCostLimit));
  rules.observe(`${path}.rule`, cost);
  if (compiled.ruleProblem !== undefined) yield wrongRule(`${path}.rule`, compiled, compiled.ruleProblem);
  if (compiled.messageProblem !== undefined) yield wrongRule(`${path}.messageExpression`, compiled, compiled.messageProblem);
  if (compiled.message) {
    if (rules.perRule && compiled.messageMaxCost > ruleCostLimit)
      yield forbidden(
        `${path}.messageExpression`,
        tooExpensive("estimated messageExpression cost", compiled.messageMaxCost, ruleCostLimit),
      );
    rules.observe(`${path}.messageExpression`, compiled.messageMaxCost);
  }
  if (usesOldSelf && place.unrelated !== undefined)
    yield invalidValue(
      `${path}.rule`,
      rule.rule,
      `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.unrelated}`,
    );
  if (!usesOldSelf && rule.optionalOldSelf !== undefined)
    yield invalidValue(`${path}.optionalOldSelf`, rule.optionalOldSelf, "may not be set if oldSelf is not used in rule");
}

/** Shows the rule as the server does: with all its fields, in its own order. */
function wrongRule(field: string, { rule }: CompiledRule, detail: string): FieldProblem {
  const { messageExpression = "", reason = null, fieldPath = "", optionalOldSelf = null } = rule;
  const shown = {
    Rule: rule.rule,
    Message: rule.message ?? "",
    MessageExpression: messageExpression,
    Reason: reason,
    FieldPath: fieldPath,
    OptionalOldSelf: optionalOldSelf,
  };
  return { type: "FieldValueInvalid", field, message: `Invalid value: ${goJson(shown)}: ${detail}` };
}

function tooExpensive(what: string, cost: number, limit: number): string {
  const by = cost / limit;
  const factor = by > 100 ? "more than 100x" : by < 1.5 ? `${by.toFixed(6)}x` : `${by.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
