/** From text to something that runs: parsed, checked, its literals looked at. */
import { below, type Call, type Expr } from "./ast.ts";
import { check, type Checked } from "./checker.ts";
import { exactly, Meter, type Range } from "./cost.ts";
import type { Environment } from "./environment.ts";
import { estimateCost, type SizeAt } from "./estimate.ts";
import { compile, type Program } from "./evaluate.ts";
import { type Issue, issuesText } from "./issue.ts";
import { wrongFormat } from "../library/format-text.ts";
import { parse } from "./parser.ts";
import { dynType, type Type } from "./types.ts";

export interface Expression {
  readonly type: Type;
  /** Variables it names. */
  readonly variables: ReadonlySet<string>;
  readonly run: Program;
  /** What it costs, by the sizes of what it looks at. */
  readonly cost: (sizeAt: SizeAt) => Range;
}

export type Compiled = { readonly expression: Expression } | { readonly issues: string };

export function compileExpression(source: string, env: Environment): Compiled {
  const parsed = parse(source);
  if (!parsed.expr) return { issues: issuesText(source, parsed.issues) };
  const checked = check(parsed.expr, env);
  const issues = checked.issues.length > 0 ? checked.issues : wrongLiterals(checked);
  if (issues.length > 0) return { issues: issuesText(source, issues) };
  const expression: Expression = {
    type: checked.types.get(parsed.expr) ?? dynType,
    variables: checked.variables,
    run: compile(checked),
    cost: (sizeAt) => estimateCost(checked, sizeAt),
  };
  return { expression };
}

/** Functions whose argument is looked at already when it is a literal. */
const literalArguments = new Set(["duration", "timestamp", "matches"]);

/** Durations, times and patterns in the source that are none. */
function wrongLiterals(checked: Checked): Issue[] {
  const issues: Issue[] = [];
  const walk = (expr: Expr): void => {
    if (expr.kind === "call" && literalArguments.has(expr.name)) {
      const [arg] = expr.args;
      if (arg?.kind === "literal" && !isFine(checked, expr, arg)) issues.push({ at: arg.at, message: `invalid ${expr.name} argument` });
    }
    if (expr.kind === "call" && expr.name === "format") issues.push(...formatIssues(checked, expr));
    for (const inner of below(expr)) walk(inner);
  };
  walk(checked.expr);
  return issues;
}

/** A call of format() whose text and list stand in the source. */
function formatIssues({ types }: Checked, { target, args, at }: Call): Issue[] {
  const [list] = args;
  if (target?.kind !== "literal" || typeof target.value !== "string" || list?.kind !== "list") return [];
  const elements = list.elements.map(({ value }) => value);
  const wrong = wrongFormat(
    target.value,
    elements.map((element) => types.get(element) ?? dynType),
  );
  return wrong ? [{ at: elements[wrong.arg ?? -1]?.at ?? at, message: wrong.message }] : [];
}

function isFine(checked: Checked, call: Call, arg: Expr): boolean {
  const text: Expr = { kind: "literal", value: "", at: call.at };
  const tried = call.target ? { ...call, target: text } : call;
  const calls = new Map(checked.calls);
  const resolved = checked.calls.get(call);
  if (!resolved) return true;
  calls.set(tried, { ...resolved, target: call.target ? text : undefined, args: call.target ? [arg] : call.args });
  const types = new Map([...checked.types, [text, dynType] as const]);
  try {
    compile({ ...checked, expr: tried, calls, types, variables: new Set() })(new Map(), new Meter(literalLimit));
    return true;
  } catch {
    return false;
  }
}

/** Cost of looking at one literal; no literal of an expression's length comes near it. */
const literalLimit = exactly(1_000_000).max;
