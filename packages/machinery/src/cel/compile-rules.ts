/**
 * x-kubernetes-validations, compiled: each rule becomes an expression over `self` and `oldSelf`.
 *
 * Invariants
 * C1 a rule is compiled once, when its CRD is
 */
import type { ValidationRule } from "../crd/schema.ts";
import { kubernetesEnvironment } from "./environment.ts";
import { unbounded } from "./language/cost.ts";
import type { Environment } from "./language/environment.ts";
import { compileExpression, type Expression } from "./language/expression.ts";
import { optionalType } from "./language/types.ts";
import { parseFieldPath } from "./rule-path.ts";
import { sizeAtPath, type SchemaType, type SchemaTypes } from "./schema-types.ts";

/** A rule and what became of it; without `run` it did not compile. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly run: Expression | undefined;
  readonly message: Expression | undefined;
  readonly usesOldSelf: boolean;
  /** Where its problems are told, from where the rule stands. */
  readonly path: string;
  /** What it costs at most. */
  readonly maxCost: number;
  readonly messageMaxCost: number;
  readonly ruleProblem: string | undefined;
  readonly messageProblem: string | undefined;
}

/** The rules of a schema, by its type. */
export function compileRules(declared: SchemaType, types: SchemaTypes): CompiledRule[] {
  return (declared.schema["x-kubernetes-validations"] ?? []).map((rule) => compileRule(rule, declared, types));
}

function environmentOf(rule: ValidationRule, { type }: SchemaType, types: SchemaTypes): Environment {
  const oldSelf = rule.optionalOldSelf ? optionalType(type) : type;
  return {
    ...kubernetesEnvironment,
    variables: new Map([
      ["self", type],
      ["oldSelf", oldSelf],
    ]),
    field: types.field,
  };
}

function compileRule(rule: ValidationRule, declared: SchemaType, types: SchemaTypes): CompiledRule {
  const nothing = {
    rule,
    run: undefined,
    message: undefined,
    usesOldSelf: false,
    path: "",
    maxCost: 0,
    messageMaxCost: 0,
    ruleProblem: undefined,
    messageProblem: undefined,
  };
  if (!rule.rule || rule.rule.trim() === "") return nothing;
  const env = environmentOf(rule, declared, types);
  const run = compiledAs(rule.rule, env, "bool");
  if (typeof run === "string")
    return { ...nothing, ruleProblem: run === "" ? "cel expression must evaluate to a bool" : `compilation failed: ${run}` };
  const message = rule.messageExpression ? compiledAs(rule.messageExpression, env, "string") : undefined;
  const whyNot =
    typeof message === "string"
      ? message === ""
        ? "messageExpression must evaluate to a string"
        : `messageExpression compilation failed: ${message}`
      : undefined;
  const shown = typeof message === "string" ? undefined : message;
  return {
    ...nothing,
    run,
    message: shown,
    usesOldSelf: run.variables.has("oldSelf"),
    path: rule.fieldPath ? (parseFieldPath(rule.fieldPath, declared.schema) ?? "") : "",
    maxCost: maxCost(run, declared),
    messageMaxCost: shown ? maxCost(shown, declared) : 0,
    messageProblem: whyNot,
  };
}

const maxCost = (expression: Expression, declared: SchemaType): number =>
  Math.min(expression.cost((path) => sizeAtPath(declared, path)).max, unbounded);

/** The expression, what is wrong with it, or nothing but its type ("") . */
function compiledAs(source: string, env: Environment, wanted: "bool" | "string"): Expression | string {
  const compiled = compileExpression(source, env);
  if ("issues" in compiled) return compiled.issues;
  return compiled.expression.type.kind === wanted ? compiled.expression : "";
}
