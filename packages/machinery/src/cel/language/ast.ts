/** Expressions after parsing: macros are expanded into folds. Nodes are compared by identity; what the checker finds out stands beside them. */

interface Node {
  /** Offset in the source that issues name; that of the operator for operators, of the opening bracket for calls. */
  readonly at: number;
}

export interface Literal extends Node {
  readonly kind: "literal";
  readonly value: unknown;
}
export interface Ident extends Node {
  readonly kind: "ident";
  readonly name: string;
}
export interface Select extends Node {
  readonly kind: "select";
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)`. */
  readonly test: boolean;
}
export interface Call extends Node {
  readonly kind: "call";
  readonly name: string;
  /** What stands before the dot of `target.name(…)`. */
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}
export interface ListLiteral extends Node {
  readonly kind: "list";
  readonly elements: readonly { readonly value: Expr; readonly optional: boolean }[];
}
export interface MapEntry extends Node {
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface MapLiteral extends Node {
  readonly kind: "map";
  readonly entries: readonly MapEntry[];
}
/** A message literal `Name{…}`; no type of rules can be made so. */
export interface StructLiteral extends Node {
  readonly kind: "struct";
  readonly name: string;
  readonly values: readonly Expr[];
}
/** A loop over a list or the keys of a map that carries an accumulator along. */
export interface Fold extends Node {
  readonly kind: "fold";
  readonly range: Expr;
  readonly variable: string;
  /** Set in folds of two variables: index and element, or key and value. */
  readonly second: string | undefined;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

export type Expr = Literal | Ident | Select | Call | ListLiteral | MapLiteral | StructLiteral | Fold;

/** The accumulator of macros; no name a user can write. */
export const accumulator = "@result";

/** A fold over nothing that only names a value: `accumulator` is it in `result`. */
export const isBinding = ({ range, accumulator: name }: Fold): boolean =>
  range.kind === "list" && range.elements.length === 0 && name !== accumulator;

/** `a.b.c` as a name; `undefined` for anything that is no plain chain of names. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === "ident") return expr.name;
  if (expr.kind !== "select" || expr.test) return undefined;
  const before = qualifiedName(expr.operand);
  return before === undefined ? undefined : `${before}.${expr.field}`;
}

/** Expressions directly below. */
export function below(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "literal":
    case "ident":
      return [];
    case "select":
      return [expr.operand];
    case "call":
      return expr.target ? [expr.target, ...expr.args] : expr.args;
    case "list":
      return expr.elements.map(({ value }) => value);
    case "map":
      return expr.entries.flatMap(({ key, value }) => [key, value]);
    case "struct":
      return expr.values;
    case "fold":
      return [expr.range, expr.init, expr.condition, expr.step, expr.result];
  }
}
