/** Gives every expression its type and every call its overloads, and tells what does not go together, in the words of the server. */
import { below, type Call, type Expr, type Fold, type ListLiteral, type MapLiteral, qualifiedName, type Select } from "./ast.ts";
import type { Environment, Overload } from "./environment.ts";
import type { Issue } from "./issue.ts";
import {
  assignable,
  type Bindings,
  boolType,
  bytesType,
  doubleType,
  dynType,
  errorType,
  heldBy,
  intType,
  listType,
  mapType,
  moreGeneral,
  nullType,
  optionalType,
  param,
  paramOf,
  paramsIn,
  sameType,
  stringType,
  substitute,
  type Type,
  typeText,
  typeType,
  uintType,
} from "./types.ts";
import { Uint } from "./values.ts";

/** What a call came out as: `target` is gone where `a.b(…)` turned out to be the function `a.b`. */
export interface ResolvedCall {
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
  readonly overloads: readonly Overload[];
}

/** An expression that has been checked. */
export interface Checked {
  readonly expr: Expr;
  readonly types: ReadonlyMap<Expr, Type>;
  readonly calls: ReadonlyMap<Call, ResolvedCall>;
  /** Names that are types. */
  readonly typeNames: ReadonlyMap<Expr, Type>;
  /** Variables the expression names. */
  readonly variables: ReadonlySet<string>;
  readonly issues: readonly Issue[];
}

export function check(expr: Expr, env: Environment): Checked {
  const checker = new Checker(env);
  checker.check(expr);
  return checker.result(expr);
}

/** A name of the expression itself; not told apart from others by its place. */
interface Scope {
  readonly name: string;
  readonly type: Type;
  readonly outer: Scope | undefined;
}

class Checker {
  readonly #env: Environment;
  readonly #issues: Issue[] = [];
  readonly #types = new Map<Expr, Type>();
  readonly #calls = new Map<Call, ResolvedCall>();
  readonly #typeNames = new Map<Expr, Type>();
  readonly #variables = new Set<string>();
  #bindings: Bindings = new Map();
  #scope: Scope | undefined;
  #fresh = 0;

  constructor(env: Environment) {
    this.#env = env;
  }

  result(expr: Expr): Checked {
    const types = new Map([...this.#types].map(([node, type]) => [node, substitute(this.#bindings, type, "dyn")]));
    return {
      expr,
      types,
      calls: this.#calls,
      typeNames: this.#typeNames,
      variables: this.#variables,
      issues: this.#issues.length > 0 ? this.#issues : mixedLiterals(expr, types),
    };
  }

  check(expr: Expr): Type {
    const type = this.#typeOf(expr);
    this.#types.set(expr, type);
    return type;
  }

  #typeOf(expr: Expr): Type {
    switch (expr.kind) {
      case "literal":
        return literalType(expr.value);
      case "ident":
        return this.#named(expr, expr.name) ?? this.#undeclared(expr.at, expr.name);
      case "select":
        return this.#select(expr);
      case "call":
        return this.#call(expr);
      case "list":
        return this.#list(expr);
      case "map":
        return this.#map(expr);
      case "struct":
        return this.#undeclared(expr.at, expr.name);
      case "fold":
        return this.#fold(expr);
    }
  }

  #tell(at: number, message: string): void {
    this.#issues.push({ at, message });
  }

  #undeclared(at: number, name: string): Type {
    this.#tell(at, `undeclared reference to '${name}' (in container '')`);
    return errorType;
  }

  /** The type of a variable, or of a name of a type. */
  #named(expr: Expr, written: string): Type | undefined {
    const name = written.replace(/^\./u, "");
    for (let scope = this.#scope; scope; scope = scope.outer) if (scope.name === name) return scope.type;
    const variable = this.#env.variables.get(name);
    if (variable) {
      this.#variables.add(name);
      return variable;
    }
    const type = this.#env.types.get(name);
    if (type) this.#typeNames.set(expr, type);
    return type && typeType(type);
  }

  #select(expr: Select): Type {
    const name = qualifiedName(expr);
    const type = name === undefined || this.#shadowed(name) ? undefined : this.#env.types.get(name);
    if (type) {
      this.#typeNames.set(expr, type);
      return typeType(type);
    }
    const field = this.#field(expr, expr.operand, expr.field, false);
    return expr.test ? boolType : field;
  }

  #shadowed(name: string): boolean {
    const first = name.split(".")[0];
    for (let scope = this.#scope; scope; scope = scope.outer) if (scope.name === first) return true;
    return false;
  }

  #field(expr: Expr, operand: Expr, field: string, optional: boolean): Type {
    const type = substitute(this.#bindings, this.check(operand), "keep");
    const held = heldBy(type);
    const found = this.#fieldOf(expr, held ?? type, field);
    return held || optional ? optionalType(found) : found;
  }

  #fieldOf(expr: Expr, type: Type, field: string): Type {
    switch (type.kind) {
      case "map":
        return paramOf(type, 1);
      case "struct": {
        const found = this.#env.field(type.name, field);
        if (!found) this.#tell(expr.at, `undefined field '${field}'`);
        return found ?? errorType;
      }
      case "param":
        this.#assign([dynType], [type]);
        return dynType;
      case "dyn":
      case "error":
        return dynType;
      default:
        this.#tell(expr.at, `type '${typeText(type)}' does not support field selection`);
        return dynType;
    }
  }

  /** Remembers what type parameters must stand for, when the types go together. */
  #assign(from: readonly Type[], to: readonly Type[]): boolean {
    const bindings = assignable(this.#bindings, from, to);
    if (bindings) this.#bindings = bindings;
    return bindings !== undefined;
  }

  #call(call: Call): Type {
    if (call.name === "_?._") return this.#optionalField(call);
    for (const arg of call.args) this.check(arg);
    const { target } = call;
    if (!target) return this.#resolve(call, call.name.replace(/^\./u, ""), undefined);
    const before = qualifiedName(target);
    const spaced = before === undefined ? undefined : `${before.replace(/^\./u, "")}.${call.name}`;
    if (spaced !== undefined && this.#env.functions.has(spaced)) return this.#resolve(call, spaced, undefined);
    this.check(target);
    return this.#resolve(call, call.name, target);
  }

  #optionalField(call: Call): Type {
    const [operand, field] = call.args as [Expr, Expr];
    const name = field.kind === "literal" && typeof field.value === "string" ? field.value : "";
    this.#types.set(field, stringType);
    const overloads = this.#env.functions.get(call.name) ?? [];
    this.#calls.set(call, { name: call.name, target: undefined, args: call.args, overloads });
    return this.#field(call, operand, name, true);
  }

  #resolve(call: Call, name: string, target: Expr | undefined): Type {
    const overloads = this.#env.functions.get(name);
    if (!overloads) return this.#undeclared(call.at, name);
    const parts = target ? [target, ...call.args] : call.args;
    const types = parts.map((part) => this.#types.get(part) ?? dynType);
    if (name === "_&&_" || name === "_||_") return this.#logical(call, name, overloads, types);
    const fitting: Overload[] = [];
    let result: Type | undefined;
    for (const overload of overloads) {
      if (overload.member !== (target !== undefined)) continue;
      const form = this.#instance(overload);
      if (!this.#assign(types, form.args)) continue;
      fitting.push(overload);
      const gives = substitute(this.#bindings, form.result, "keep");
      result = result === undefined || sameType(result, gives) ? gives : dynType;
    }
    if (result === undefined) return this.#noOverload(call, name, types, target !== undefined);
    this.#calls.set(call, { name, target, args: call.args, overloads: fitting });
    return result;
  }

  #noOverload(call: Call, name: string, types: readonly Type[], isMember: boolean): Type {
    const [first = dynType, ...rest] = types.map((type) => substitute(this.#bindings, type, "dyn"));
    const shown = isMember
      ? `${typeText(first)}.(${rest.map(typeText).join(", ")})`
      : `(${types.length === 0 ? "" : [first, ...rest].map(typeText).join(", ")})`;
    this.#tell(call.at, `found no matching overload for '${name}' applied to '${shown}'`);
    return errorType;
  }

  #logical(call: Call, name: string, overloads: readonly Overload[], types: readonly Type[]): Type {
    let fits = true;
    for (const [index, type] of types.entries()) fits = this.#must(call.args[index] ?? call, boolType, type) && fits;
    this.#calls.set(call, { name, target: undefined, args: call.args, overloads });
    return fits ? boolType : errorType;
  }

  /** @param wanted Told first. */
  #must(expr: Expr, wanted: Type, type: Type, check = [type, wanted]): boolean {
    const [from = type, to = wanted] = check;
    if (this.#assign([from], [to])) return true;
    this.#mismatch(expr, wanted, type);
    return false;
  }

  #mismatch(expr: Expr, wanted: Type, type: Type): void {
    this.#tell(expr.at, `expected type '${typeText(wanted)}' but found '${typeText(type)}'`);
  }

  /** The overload with type parameters nobody else has. */
  #instance({ args, result }: Overload): { readonly args: readonly Type[]; readonly result: Type } {
    const names = new Set([...args, result].flatMap(paramsIn));
    if (names.size === 0) return { args, result };
    const fresh: Bindings = new Map([...names].map((name) => [name, this.#freshParam()]));
    return { args: args.map((type) => substitute(fresh, type, "keep")), result: substitute(fresh, result, "keep") };
  }

  #freshParam(): Type {
    return param(`_var${String(this.#fresh++)}`);
  }

  #list({ elements }: ListLiteral): Type {
    let joined: Type | undefined;
    for (const { value, optional } of elements) joined = this.#join(joined, this.#element(value, optional));
    return listType(joined ?? this.#freshParam());
  }

  /** What stands in a literal: of an optional, what it holds. */
  #element(value: Expr, optional: boolean): Type {
    const type = this.check(value);
    if (!optional) return type;
    const held = heldBy(type);
    if (!held && type.kind !== "dyn") this.#mismatch(value, optionalType(type), type);
    return held ?? type;
  }

  /** Elements of different types are told when the whole is checked: format() may have them. */
  #join(before: Type | undefined, type: Type): Type {
    if (before === undefined) return type;
    return this.#assign([before], [type]) ? moreGeneral(before, type) : dynType;
  }

  #map({ entries }: MapLiteral): Type {
    let keys: Type | undefined;
    let values: Type | undefined;
    for (const { key, value, optional } of entries) {
      keys = this.#join(keys, this.check(key));
      values = this.#join(values, this.#element(value, optional));
    }
    return mapType(keys ?? this.#freshParam(), values ?? this.#freshParam());
  }

  #fold(fold: Fold): Type {
    const range = substitute(this.#bindings, this.check(fold.range), "keep");
    const accumulated = this.check(fold.init);
    const outer = this.#scope;
    const variables = this.#loopTypes(fold, range);
    this.#scope = { name: fold.accumulator, type: accumulated, outer };
    const whole = this.#scope;
    this.#scope = { name: fold.variable, type: variables.first, outer: whole };
    if (fold.second !== undefined) this.#scope = { name: fold.second, type: variables.second, outer: this.#scope };
    this.#must(fold.condition, boolType, this.check(fold.condition));
    const step = this.check(fold.step);
    this.#must(fold.step, accumulated, step, [accumulated, step]);
    this.#scope = whole;
    const result = this.check(fold.result);
    this.#scope = outer;
    return substitute(this.#bindings, result, "keep");
  }

  #loopTypes({ range, second }: Fold, type: Type): { readonly first: Type; readonly second: Type } {
    switch (type.kind) {
      case "list":
        return second === undefined ? { first: paramOf(type, 0), second: dynType } : { first: intType, second: paramOf(type, 0) };
      case "map":
        return { first: paramOf(type, 0), second: paramOf(type, 1) };
      case "param":
        this.#assign([dynType], [type]);
        return { first: dynType, second: dynType };
      case "dyn":
      case "error":
        return { first: dynType, second: dynType };
      default:
        this.#tell(range.at, `expression of type '${typeText(type)}' cannot be range of a comprehension (must be list, map, or dynamic)`);
        return { first: errorType, second: errorType };
    }
  }
}

function literalType(value: unknown): Type {
  switch (typeof value) {
    case "boolean":
      return boolType;
    case "bigint":
      return intType;
    case "number":
      return doubleType;
    case "string":
      return stringType;
    default:
      return value === null ? nullType : value instanceof Uint ? uintType : bytesType;
  }
}

/** Elements of a literal must be of one type; only arguments of format() may differ. */
function mixedLiterals(root: Expr, types: ReadonlyMap<Expr, Type>): Issue[] {
  const issues: Issue[] = [];
  const held = (expr: Expr, optional: boolean): Type => {
    const type = types.get(expr) ?? dynType;
    return (optional ? heldBy(type) : undefined) ?? type;
  };
  const compare = (first: Type | undefined, expr: Expr, type: Type): boolean => {
    if (first === undefined || equivalent(first, type)) return false;
    issues.push({ at: expr.at, message: `expected type '${typeText(first)}' but found '${typeText(type)}'` });
    return true;
  };
  const walk = (expr: Expr): void => {
    if (expr.kind === "call" && expr.name === "format") return;
    if (expr.kind === "list") {
      const [first] = expr.elements;
      const type = first && held(first.value, first.optional);
      expr.elements.some(({ value, optional }) => compare(type, value, held(value, optional)));
    }
    if (expr.kind === "map") {
      const [first] = expr.entries;
      for (const { key, value, optional } of expr.entries) {
        compare(first && held(first.key, false), key, held(key, false));
        compare(first && held(first.value, first.optional), value, held(value, optional));
      }
    }
    for (const inner of below(expr)) walk(inner);
  };
  walk(root);
  return issues;
}

/** The same but for type parameters and types of types. */
function equivalent(a: Type, b: Type): boolean {
  return a.kind === b.kind && (a.kind === "type" || (a.name === b.name && a.params.every((inner, i) => equivalent(inner, paramOf(b, i)))));
}
