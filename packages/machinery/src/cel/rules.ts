/**
 * x-kubernetes-validations: rules in CEL on the values of a structural schema.
 *
 * Invariants
 * C1 a rule is compiled once, when its CRD is; what does not compile is told there
 * C2 a rule with `oldSelf` runs only where there is an old value to compare with (or with `optionalOldSelf`)
 * C3 the work of one object is bounded: `maxWork`
 */
import type { ASTNode, Environment, ParseResult } from "@marcbachmann/cel-js";
import { Optional } from "@marcbachmann/cel-js";
import type { FieldProblem } from "@mecha/kinds";
import { duplicate, forbidden, invalidValue, required } from "../crd/problems.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema, type ValidationRule, valuesSchema } from "../crd/schema.ts";
import { isObject, own } from "../json.ts";
import { kubernetesEnvironment, safeHas, safeMatches } from "./functions.ts";
import { type CelType, CelTypes } from "./values.ts";

/** Steps one object's rules may take together: nodes of the rules, times the elements the nested loops of each can meet. Some seconds at most. */
const maxWork = 10_000_000;

interface CompiledRule {
  readonly rule: ValidationRule;
  readonly run: ParseResult;
  readonly message: ParseResult | undefined;
  readonly usesOldSelf: boolean;
  /** Nodes of the expression, and how deep its loops nest. */
  readonly nodes: number;
  readonly loops: number;
}

interface CompiledSchema {
  readonly type: CelType;
  readonly rules: readonly CompiledRule[];
}

/** Rules of a whole schema. */
export interface RuleSet {
  /** Rules that do not compile, by their place in the schema. */
  readonly problems: readonly FieldProblem[];
  /** What the rules say of an object; `old` is the object before an update. */
  readonly check: (object: unknown, old: unknown) => FieldProblem[];
}

/** Compiles the rules of a schema at `path` of its CRD. */
export function compileRules(schema: JsonSchema, path: string): RuleSet {
  const problems: FieldProblem[] = [];
  const compiled = new Map<JsonSchema, CompiledSchema>();
  if (hasRules(schema)) {
    const env = kubernetesEnvironment();
    const types = new CelTypes(env);
    types.of(schema, true);
    registerTypes(schema, types); // before the first rule: the environment is closed when rules get their variables
    compileSchema(schema, path, { env, types, problems, compiled });
  }
  const check = (object: unknown, old: unknown): FieldProblem[] => {
    if (compiled.size === 0) return [];
    const budget = { left: maxWork };
    return [...checkValue(schema, object, old, "", compiled, budget)];
  };
  return { problems, check };
}

function hasRules(schema: JsonSchema): boolean {
  if ((schema["x-kubernetes-validations"]?.length ?? 0) > 0) return true;
  const below = [...Object.values(schema.properties ?? {}), schema.items, valuesSchema(schema)];
  return below.some((inner) => inner !== undefined && hasRules(inner));
}

function registerTypes(schema: JsonSchema, types: CelTypes): void {
  if (schema["x-kubernetes-validations"]) types.of(schema);
  for (const below of [...Object.values(schema.properties ?? {}), schema.items, valuesSchema(schema)])
    if (below) registerTypes(below, types);
}

interface Compilation {
  readonly env: Environment;
  readonly types: CelTypes;
  readonly problems: FieldProblem[];
  readonly compiled: Map<JsonSchema, CompiledSchema>;
}

function compileSchema(schema: JsonSchema, path: string, to: Compilation): void {
  const rules = schema["x-kubernetes-validations"] ?? [];
  const type = rules.length > 0 ? to.types.of(schema) : undefined;
  if (type) {
    const found = rules.flatMap((rule, index) => compileRule(rule, type, `${path}.x-kubernetes-validations[${String(index)}]`, to) ?? []);
    to.compiled.set(schema, { type, rules: found });
  }
  for (const [name, below] of Object.entries(schema.properties ?? {})) compileSchema(below, `${path}.properties[${name}]`, to);
  if (schema.items) compileSchema(schema.items, `${path}.items`, to);
  if (isObject(schema.additionalProperties)) compileSchema(schema.additionalProperties, `${path}.additionalProperties`, to);
}

function compileRule(rule: ValidationRule, type: CelType, path: string, { env, problems }: Compilation): CompiledRule | undefined {
  const scope = env
    .clone()
    .registerVariable("self", type.name)
    .registerVariable("oldSelf", rule.optionalOldSelf ? `optional<${type.name}>` : type.name);
  const run = compile(scope, rule.rule, "bool", (detail) => problems.push(invalidValue(`${path}.rule`, rule.rule, detail)));
  const message =
    rule.messageExpression === undefined
      ? undefined
      : compile(scope, rule.messageExpression, "string", (detail) =>
          problems.push(invalidValue(`${path}.messageExpression`, rule.messageExpression, detail)),
        );
  if (!run) return undefined;
  const facts = { nodes: 0, loops: 0, variables: new Set<string>() };
  inspect(run.ast, 0, facts);
  return { rule, run, message, usesOldSelf: facts.variables.has("oldSelf"), nodes: facts.nodes, loops: facts.loops };
}

function compile(env: Environment, source: string, wanted: string, refuse: (detail: string) => void): ParseResult | undefined {
  try {
    const parsed = env.parse(withSafeNames(source));
    const checked = parsed.check();
    if (!checked.valid) {
      refuse(`compilation failed: ERROR: <input>: ${firstLine(checked.error?.message)}`);
      return undefined;
    }
    if (checked.type !== wanted && checked.type !== "dyn") {
      refuse(wanted === "bool" ? "must evaluate to a bool" : "messageExpression must evaluate to a string");
      return undefined;
    }
    return parsed;
  } catch (error) {
    refuse(`compilation failed: ERROR: <input>: Syntax error: ${firstLine((error as Error).message)}`);
    return undefined;
  }
}

const firstLine = (text = ""): string => text.split("\n")[0]?.replaceAll(safeMatches, "matches").replaceAll(safeHas, "has") ?? "";

/** The rule with `matches` and `has` under their safe names. Texts in the rule are left alone. */
export function withSafeNames(source: string): string {
  const texts = [
    String.raw`[rR][bB]?"""[\s\S]*?"""|[rR][bB]?'''[\s\S]*?'''`,
    String.raw`[bB]?"""(?:\\[\s\S]|[^\\])*?"""|[bB]?'''(?:\\[\s\S]|[^\\])*?'''`,
    String.raw`[rR][bB]?(?:"[^"\n]*"|'[^'\n]*')`,
    String.raw`[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')`,
  ];
  const call = new RegExp(String.raw`${texts.join("|")}|\.\s*matches\s*\(|(?<![.\w]\s*)has\s*\(`, "g");
  return source.replace(call, (found) => {
    if (/^\.\s*matches\s*\($/.test(found)) return `.${safeMatches}(`;
    return /^has\s*\($/.test(found) ? `${safeHas}(` : found;
  });
}

interface Facts {
  nodes: number;
  loops: number;
  readonly variables: Set<string>;
}

const loopMacros = new Set(["all", "exists", "exists_one", "existsOne", "map", "filter"]);

/** Counts the nodes of an expression, the depth of its loops, and what it names. */
function inspect(node: unknown, loops: number, facts: Facts): void {
  if (Array.isArray(node)) {
    for (const item of node) inspect(item, loops, facts);
    return;
  }
  if (!isNode(node)) return;
  facts.nodes++;
  facts.loops = Math.max(facts.loops, loops);
  if (node.op === "id") facts.variables.add(node.args);
  else if (node.op === "rcall") {
    const [name, receiver, args] = node.args;
    inspect(receiver, loops, facts);
    inspect(args, loops + (loopMacros.has(name) ? 1 : 0), facts);
  } else inspect(node.args, loops, facts);
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value;
}

function* checkValue(
  schema: JsonSchema,
  value: unknown,
  old: unknown,
  path: string,
  compiled: ReadonlyMap<JsonSchema, CompiledSchema>,
  budget: { left: number },
): Generator<FieldProblem> {
  if (value === null || value === undefined) return;
  const rules = compiled.get(schema);
  if (rules) yield* runRules(rules, schema, value, old, path, budget);
  if (Array.isArray(value)) {
    if (!schema.items) return;
    const before = oldElements(schema, old);
    for (const [index, item] of value.entries())
      yield* checkValue(schema.items, item, before(item), itemPath(path, index), compiled, budget);
  } else if (isObject(value)) {
    const names =
      schema.properties && !valuesSchema(schema)
        ? Object.keys(schema.properties).filter((name) => Object.hasOwn(value, name))
        : Object.keys(value);
    for (const name of names) {
      const below = fieldSchema(schema, name);
      const at = schema.properties ? childPath(path, name) : itemPath(path, name);
      if (below) yield* checkValue(below, own(value, name), isObject(old) ? own(old, name) : undefined, at, compiled, budget);
    }
  }
}

/** The old element of a list that is a map, by its keys. Elements of other lists have no old value to compare with. */
function oldElements(schema: JsonSchema, old: unknown): (item: unknown) => unknown {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(old)) return () => undefined;
  const identity = (item: unknown): string => JSON.stringify(keys.map((key) => (isObject(item) ? own(item, key) : undefined) ?? null));
  const known = new Map(old.map((item: unknown) => [identity(item), item]));
  return (item) => known.get(identity(item));
}

function* runRules(
  { type, rules }: CompiledSchema,
  schema: JsonSchema,
  value: unknown,
  old: unknown,
  path: string,
  budget: { left: number },
): Generator<FieldProblem> {
  const hasOld = old !== undefined && old !== null;
  const self = type.convert(value);
  const oldSelf = hasOld ? type.convert(old) : undefined;
  const size = sizeOf(value);
  const told = schema.type === "object" || schema.type === "array" ? omitted : value;
  for (const compiled of rules) {
    const { rule } = compiled;
    if (compiled.usesOldSelf && !hasOld && !rule.optionalOldSelf) continue; // keeps C2
    budget.left -= compiled.nodes * size ** compiled.loops; // keeps C3
    if (budget.left < 0) {
      yield problem(path, told, "validation failed due to running out of cost budget, no further validation rules will be run");
      return;
    }
    const scope = { self, oldSelf: rule.optionalOldSelf ? (hasOld ? Optional.of(oldSelf) : Optional.none()) : oldSelf };
    yield* outcome(compiled, scope, path, told);
  }
}

/** The value of an object or list is not shown. */
const omitted = Symbol("omitted");

function problem(path: string, value: unknown, detail: string): FieldProblem {
  return value === omitted
    ? { type: "FieldValueInvalid", field: path, message: `Invalid value: ${detail}` }
    : invalidValue(path, value, detail);
}

function* outcome(
  { rule, run, message }: CompiledRule,
  scope: Record<string, unknown>,
  path: string,
  value: unknown,
): Generator<FieldProblem> {
  try {
    if (run(scope) === true) return;
  } catch (error) {
    yield problem(path, value, `${firstLine((error as Error).message)} evaluating rule: ${messageOf(rule)}`);
    return;
  }
  const at = rule.fieldPath === undefined ? path : `${path}${path === "" ? rule.fieldPath.replace(/^\./, "") : rule.fieldPath}`;
  const detail = (message && textOf(message, scope)) ?? messageOf(rule);
  switch (rule.reason) {
    case "FieldValueForbidden":
      yield forbidden(at, detail);
      return;
    case "FieldValueRequired":
      yield required(at, detail);
      return;
    case "FieldValueDuplicate":
      yield value === omitted ? { type: "FieldValueDuplicate", field: at, message: "Duplicate value" } : duplicate(at, value);
      return;
    default:
      yield problem(at, value, detail);
  }
}

const messageOf = ({ rule, message }: ValidationRule): string =>
  message === undefined || message === "" ? `failed rule: ${rule.trim()}` : message;

/** A message of the rule's own; one that fails, is empty or has several lines does not count. */
function textOf(message: ParseResult, scope: Record<string, unknown>): string | undefined {
  try {
    const text: unknown = message(scope);
    return typeof text === "string" && text.trim() !== "" && !text.includes("\n") ? text : undefined;
  } catch {
    return undefined; // the rule's plain message stands in
  }
}

/** Elements of the largest list or map in the value: what a loop of its rules can meet. */
function sizeOf(value: unknown): number {
  const items = Array.isArray(value) ? (value as unknown[]) : isObject(value) ? Object.values(value) : [];
  return items.reduce<number>((largest, item) => Math.max(largest, sizeOf(item)), Math.max(1, items.length));
}
