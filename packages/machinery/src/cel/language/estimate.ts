/**
 * What an expression costs at most and at least, before it is run: sizes come from the schema (maxItems, maxLength, …), from literals, and from what
 * calls make. The model is the server's; see cost.ts.
 */
import { accumulator, type Call, type Expr, type Fold, isBinding, type Select } from "./ast.ts";
import type { Checked } from "./checker.ts";
import {
  type Argument,
  type Estimate,
  exactly,
  listCost,
  mapCost,
  plus,
  type Range,
  structCost,
  times,
  unbounded,
  union,
  unknownSize,
} from "./cost.ts";
import type { Overload } from "./environment.ts";
import { dynType, heldBy, type Type } from "./types.ts";
import { textLength } from "./values.ts";

/** Where a value comes from: a variable and the fields on the way, `@items`, `@values` and `@keys` for elements. */
export type Path = readonly string[];

/** The largest size of what is at a path; `undefined` when the schema does not know it. */
export type SizeAt = (path: Path) => number | undefined;

export function estimateCost(checked: Checked, sizeAt: SizeAt): Range {
  return new Estimator(checked, sizeAt).cost(checked.expr);
}

interface EntrySizes {
  readonly isList: boolean;
  readonly key: Range;
  readonly value: Range;
}

interface Local {
  readonly name: string;
  readonly path: Path;
  readonly size: Range | undefined;
  readonly entries: EntrySizes | undefined;
}

class Estimator {
  readonly #checked: Checked;
  readonly #sizeAt: SizeAt;
  readonly #paths = new Map<Expr, Path>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entrySizes = new Map<Expr, EntrySizes>();
  readonly #locals: Local[] = [];

  constructor(checked: Checked, sizeAt: SizeAt) {
    this.#checked = checked;
    this.#sizeAt = sizeAt;
  }

  cost(expr: Expr): Range {
    switch (expr.kind) {
      case "literal":
        return exactly(0);
      case "ident":
        this.#paths.set(expr, this.#local(expr.name)?.path ?? [expr.name]);
        return exactly(1);
      case "select":
        return this.#select(expr);
      case "call":
        return this.#call(expr);
      case "list": {
        const cost = plus(...expr.elements.map(({ value }) => this.cost(value)), exactly(listCost));
        const value = this.#unionOf(expr.elements.map((element) => element.value));
        this.#entrySizes.set(expr, { isList: true, key: exactly(1), value });
        return cost;
      }
      case "map": {
        const cost = plus(...expr.entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)]), exactly(mapCost));
        const key = this.#unionOf(expr.entries.map((entry) => entry.key));
        const value = this.#unionOf(expr.entries.map((entry) => entry.value));
        this.#entrySizes.set(expr, { isList: false, key, value });
        return cost;
      }
      case "struct":
        return plus(...expr.values.map((value) => this.cost(value)), exactly(structCost));
      case "fold":
        return isBinding(expr) ? this.#binding(expr) : this.#fold(expr);
    }
  }

  #typeOf(expr: Expr): Type {
    return this.#checked.types.get(expr) ?? dynType;
  }

  #local(name: string): Local | undefined {
    return this.#locals.findLast((local) => local.name === name);
  }

  #pathOf(expr: Expr): Path {
    const local = expr.kind === "ident" ? this.#local(expr.name) : undefined;
    return local?.path ?? this.#paths.get(expr) ?? [];
  }

  #unionOf(exprs: readonly Expr[]): Range {
    if (exprs.length === 0) return exactly(0);
    return exprs.map((expr) => this.#sizeOr(expr)).reduce(union);
  }

  #select(expr: Select): Range {
    const operand = this.cost(expr.operand);
    if (expr.test) return operand;
    this.#paths.set(expr, [...this.#pathOf(expr.operand), expr.field]);
    return ["map", "struct", "param"].includes(this.#typeOf(expr.operand).kind) ? plus(operand, exactly(1)) : operand;
  }

  #call(call: Call): Range {
    const resolved = this.#checked.calls.get(call);
    if (!resolved || resolved.overloads.length === 0) return exactly(0);
    const { name, target, args, overloads } = resolved;
    if (name === "dyn") return this.#transparent(call, args[0] as Expr);
    const parts = target ? [target, ...args] : args;
    const costs = parts.map((part) => this.cost(part));
    const own = overloads.map((overload) => this.#overload(call, overload, parts, costs));
    this.#indexPath(call, overloads, parts);
    const sizes = own.flatMap(({ size }) => size ?? []);
    const size = name === "_[_]" ? this.#entriesOf(parts[0] as Expr)?.value : sizes.length > 0 ? sizes.reduce(union) : undefined;
    const known = size ?? this.#sizeOf(call);
    if (known) this.#sizes.set(call, known);
    return own.map(({ cost }) => cost).reduce(union);
  }

  #transparent(expr: Expr, inner: Expr): Range {
    const cost = plus(exactly(1), this.cost(inner));
    this.#copySizes(expr, inner);
    return cost;
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#sizeOf(from);
    if (size) this.#sizes.set(to, size);
    const entries = this.#entriesOf(from);
    if (entries) this.#entrySizes.set(to, entries);
  }

  #indexPath(call: Call, overloads: readonly Overload[], parts: readonly Expr[]): void {
    const [operand] = parts;
    if (!operand) return;
    for (const { id } of overloads) {
      if (id === "index_list") this.#paths.set(call, [...this.#pathOf(operand), "@items"]);
      if (id === "index_map") this.#paths.set(call, [...this.#pathOf(operand), "@values"]);
    }
  }

  /** With the arguments. */
  #overload(call: Call, { id, cost }: Overload, parts: readonly Expr[], costs: readonly Range[]): Estimate {
    const [first = exactly(0), second = exactly(0), third = exactly(0)] = costs;
    if (id === "logical_and" || id === "logical_or") return { cost: { min: first.min, max: plus(first, second).max } };
    if (id === "conditional") {
      const [then, other] = [parts[1] as Expr, parts[2] as Expr];
      this.#joinEntries(call, then, other);
      return { cost: plus(first, union(second, third)), size: union(this.#sizeOr(then), this.#sizeOr(other)) };
    }
    if (call.name === "_+_" && parts.length === 2) this.#joinEntries(call, parts[0] as Expr, parts[1] as Expr);
    const own = cost?.estimate(parts.map((part) => this.#argument(part))) ?? { cost: exactly(1) };
    return { ...own, cost: plus(own.cost, ...costs) };
  }

  #joinEntries(to: Expr, a: Expr, b: Expr): void {
    const [x, y] = [this.#entriesOf(a), this.#entriesOf(b)];
    if (x && y) this.#entrySizes.set(to, { isList: x.isList, key: union(x.key, y.key), value: union(x.value, y.value) });
  }

  #argument(expr: Expr): Argument {
    const path = this.#pathOf(expr);
    const reachable = path[0] === accumulator ? [] : path;
    return this.#node(this.#typeOf(expr), reachable, expr, this.#sizeOr(expr));
  }

  #node(type: Type, path: Path, expr: Expr | undefined, size: Range): Argument {
    const element = (): Argument | undefined => {
      const [inner] = type.params;
      if (!inner) return undefined;
      const at = path.length > 0 ? [...path, "@items"] : [];
      return this.#node(inner, at, undefined, this.#sizeFrom(at) ?? unknownSize);
    };
    return { type, expr, size, element };
  }

  #sizeFrom(path: Path): Range | undefined {
    const max = path.length > 0 ? this.#sizeAt(path) : undefined;
    return max === undefined ? undefined : { min: 0, max: Math.min(max, unbounded) };
  }

  #sizeOr(expr: Expr): Range {
    return this.#sizeOf(expr) ?? unknownSize;
  }

  #sizeOf(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr);
    if (known) return known;
    const declared = this.#sizeFrom(this.#pathOf(expr));
    if (declared) this.#sizes.set(expr, declared);
    if (declared) return declared;
    if (isScalar(this.#typeOf(expr))) return exactly(1);
    return expr.kind === "ident" ? this.#local(expr.name)?.size : undefined;
  }

  #entriesOf(expr: Expr): EntrySizes | undefined {
    return this.#entrySizes.get(expr) ?? (expr.kind === "ident" ? this.#local(expr.name)?.entries : undefined);
  }

  #binding(fold: Fold): Range {
    const before = plus(this.cost(fold.range), this.cost(fold.init));
    this.#locals.push(this.#localOf(fold.accumulator, fold.init));
    const cost = plus(before, this.cost(fold.result));
    this.#locals.pop();
    this.#copySizes(fold, fold.result);
    return cost;
  }

  #localOf(name: string, expr: Expr): Local {
    return { name, path: this.#pathOf(expr), size: this.#sizeOf(expr), entries: this.#entriesOf(expr) };
  }

  #fold(fold: Fold): Range {
    const before = plus(this.cost(fold.range), this.cost(fold.init));
    this.#locals.push(this.#localOf(fold.accumulator, fold.init));
    const variables = this.#loopVariables(fold);
    this.#locals.push(...variables);
    const round = plus(this.cost(fold.condition), this.cost(fold.step));
    this.#locals.length -= variables.length;
    const result = this.cost(fold.result);
    this.#locals.pop();
    const count = this.#sizeOr(fold.range);
    this.#foldSizes(fold, count);
    return plus(before, result, times(count, round));
  }

  #loopVariables({ range, variable, second }: Fold): Local[] {
    const entries = this.#entriesOf(range);
    const isList = entries ? entries.isList : this.#typeOf(range).kind === "list";
    const path = this.#pathOf(range);
    const key = { name: variable, path: [...path, isList ? "@indices" : "@keys"], size: entries?.key, entries: undefined };
    const value = { path: [...path, isList ? "@items" : "@values"], size: entries?.value, entries: undefined };
    if (second !== undefined) return [key, { name: second, ...value }];
    return [isList ? { name: variable, ...value } : key];
  }

  #foldSizes(fold: Fold, count: Range): void {
    const { kind } = fold.init;
    if (kind === "literal") {
      const size = this.#sizeOf(fold.init);
      if (size) this.#sizes.set(fold, size);
    }
    if (kind !== "list" && kind !== "map") return;
    this.#sizes.set(fold, count);
    const entries = this.#entriesOf(fold.step);
    if (entries) this.#entrySizes.set(fold, entries);
  }
}

function literalSize(expr: Expr): Range | undefined {
  switch (expr.kind) {
    case "literal":
      return exactly(typeof expr.value === "string" ? textLength(expr.value) : expr.value instanceof Uint8Array ? expr.value.length : 1);
    case "list":
      return exactly(expr.elements.length);
    case "map":
      return exactly(expr.entries.length);
    default:
      return undefined;
  }
}

function isScalar(type: Type): boolean {
  const held = heldBy(type);
  return held ? isScalar(held) : ["bool", "double", "duration", "int", "timestamp", "uint"].includes(type.kind);
}
