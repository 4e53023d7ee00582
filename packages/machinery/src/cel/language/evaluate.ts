/**
 * Runs checked expressions: each becomes a function once, which is then called for every object.
 *
 * Invariants
 * R1 every step counts: an evaluation ends when its meter is used up, whatever the expression says
 * R2 the accumulator of a fold may hold a failure; whoever reads it fails, and && and || may make up for it
 */
import { accumulator, type Call, type Expr, type Fold, isBinding, type Select } from "./ast.ts";
import type { Checked, ResolvedCall } from "./checker.ts";
import { CostExceeded, listCost, mapCost, Meter } from "./cost.ts";
import type { Overload } from "./environment.ts";
import { type Type, typeText } from "./types.ts";
import { bulkOf } from "./bulk.ts";
import { CelError, Dictionary, Failure, MapValue, noSuchOverload, Optional, typeOf, TypeValue, Uint, valueText } from "./values.ts";

interface Frame {
  readonly slots: unknown[];
  readonly meter: Meter;
}
type Run = (frame: Frame) => unknown;

/** An expression ready to run. `variables` has a value for each variable the expression names. */
export type Program = (variables: ReadonlyMap<string, unknown>, meter: Meter) => unknown;

/** @throws CelError of the program: what the expression did wrong. */
export function compile(checked: Checked): Program {
  const compiler = new Compiler(checked);
  const names = [...checked.variables];
  for (const name of names) compiler.open(name);
  const run = compiler.of(checked.expr);
  return (variables, meter) => {
    const slots = names.map((name) => variables.get(name));
    try {
      return run({ slots, meter });
    } catch (error) {
      if (error instanceof RangeError) throw new CostExceeded(); // a text or a nesting JavaScript has no room for
      throw error;
    }
  };
}

/** Conversions that literals go through once. */
const conversions = new Set(["bool", "bytes", "double", "duration", "int", "string", "timestamp", "type", "uint"]);

class Compiler {
  readonly #checked: Checked;
  readonly #names: string[] = [];

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  /** The slot of a new variable. */
  open(name: string): number {
    return this.#names.push(name) - 1;
  }

  of(expr: Expr): Run {
    return this.#isConstant(expr) ? constant(this.#running(expr)) : this.#running(expr);
  }

  /** Literals, and lists, maps and conversions of nothing else: they are made once, and cost nothing. */
  #isConstant(expr: Expr): boolean {
    switch (expr.kind) {
      case "list":
        return expr.elements.every(({ value, optional }) => !optional && this.isConstant(value));
      case "map":
        return expr.entries.every(({ key, value, optional }) => !optional && this.isConstant(key) && this.isConstant(value));
      case "call":
        return expr.target === undefined && conversions.has(expr.name) && expr.args.every((arg) => this.isConstant(arg));
      default:
        return false;
    }
  }

  isConstant(expr: Expr): boolean {
    return expr.kind === "literal" || this.#isConstant(expr);
  }

  #running(expr: Expr): Run {
    switch (expr.kind) {
      case "literal":
        return () => expr.value;
      case "ident":
        return this.#ident(expr, expr.name);
      case "select":
        return this.#select(expr);
      case "call":
        return this.#call(expr);
      case "list":
        return this.#list(expr.elements.map(({ value, optional }) => ({ run: this.of(value), optional })));
      case "map":
        return this.#map(expr.entries.map(({ key, value, optional }) => ({ key: this.of(key), value: this.of(value), optional })));
      case "fold":
        return isBinding(expr) ? this.#binding(expr) : this.#fold(expr);
      case "struct":
        return () => {
          throw new CelError(`unknown type '${expr.name}'`);
        };
    }
  }

  #ident(expr: Expr, name: string): Run {
    const type = this.#checked.typeNames.get(expr);
    if (type) return () => new TypeValue(type);
    const slot = this.#names.lastIndexOf(name.replace(/^\./u, ""));
    return ({ slots, meter }) => {
      meter.add(1);
      const value = slots[slot];
      if (value instanceof Failure) throw value.error; // keeps R2
      return value;
    };
  }

  #select(expr: Select): Run {
    const type = this.#checked.typeNames.get(expr);
    if (type) return () => new TypeValue(type);
    const operand = this.of(expr.operand);
    const { field, test } = expr;
    if (test) return (frame) => hasField(operand(frame), field);
    return (frame) => {
      const value = operand(frame);
      frame.meter.add(1);
      return value instanceof Optional ? optionalField(value, field) : fieldOf(value, field);
    };
  }

  #call(call: Call): Run {
    const resolved = this.#checked.calls.get(call);
    if (!resolved) throw new Error(`unchecked call of ${call.name}`); // a mistake of ours: programs are made of checked expressions
    const parts = (resolved.target ? [resolved.target, ...resolved.args] : resolved.args).map((part) => this.of(part));
    const [first, second, third] = parts as [Run, Run, Run];
    switch (resolved.name) {
      case "_&&_":
        return logical(first, second, false);
      case "_||_":
        return logical(first, second, true);
      case "_?_:_":
        return (frame) => (condition(first(frame)) ? second(frame) : third(frame));
      case "@not_strictly_false":
        return notStrictlyFalse(first);
      case "_[_]":
        return withKey(first, second, indexed);
      case "_[?_]":
        return withKey(first, second, optionalIndexed);
      case "_?._":
        return withKey(first, second, optionalIndexed);
      case "or":
      case "orValue":
        return otherwise(first, second, resolved.name === "or");
      case "dyn":
        return first;
      default:
        return this.#plainCall(resolved, parts);
    }
  }

  #plainCall(resolved: ResolvedCall, parts: readonly Run[]): Run {
    const { name, overloads } = resolved;
    const [only] = overloads;
    const exprs = resolved.target ? [resolved.target, ...resolved.args] : resolved.args;
    const isFree = name === "@in" && exprs[1] !== undefined && this.isConstant(exprs[1]); // the server looks it up in a set
    const isSure = overloads.length === 1 && exprs.every((expr) => this.#checked.types.get(expr)?.kind !== "dyn");
    const append = name === "_+_" && exprs[0]?.kind === "ident" && exprs[0].name === accumulator;
    return (frame) => {
      const { meter } = frame;
      const args = parts.map((part) => part(frame));
      if (append && Array.isArray(args[0]) && Array.isArray(args[1])) return appended(args[0] as unknown[], args[1] as unknown[], meter);
      const overload = isSure && only ? only : fitting(name, overloads, args);
      if (!overload.run) throw noSuchOverload();
      meter.work(args.reduce<number>((sum, arg) => sum + bulkOf(arg), 1)); // keeps R1
      const { cost } = overload;
      if (!isFree && !cost?.byResult) meter.add(cost ? cost.actual(args, undefined) : 1);
      const result = (overload.run as (...values: unknown[]) => unknown)(...args);
      if (cost?.byResult) meter.add(cost.actual(args, result));
      return result;
    };
  }

  #list(elements: readonly { readonly run: Run; readonly optional: boolean }[]): Run {
    return (frame) => {
      const list: unknown[] = [];
      for (const { run, optional } of elements) {
        const value = run(frame);
        if (!optional) list.push(value);
        else if (value instanceof Optional && value.has) list.push(value.value);
      }
      frame.meter.add(listCost);
      return list;
    };
  }

  #map(entries: readonly { readonly key: Run; readonly value: Run; readonly optional: boolean }[]): Run {
    return (frame) => {
      const map = new Dictionary();
      for (const entry of entries) {
        const key = entry.key(frame);
        const value = entry.value(frame);
        if (!entry.optional) map.set(key, value);
        else if (value instanceof Optional && value.has) map.set(key, value.value);
      }
      frame.meter.add(mapCost);
      return map;
    };
  }

  #binding(fold: Fold): Run {
    const init = this.of(fold.init);
    const slot = this.open(fold.accumulator);
    const result = this.of(fold.result);
    this.#hide(slot);
    return (frame) => {
      frame.meter.add(listCost); // of the empty list the server loops over
      frame.slots[slot] = init(frame);
      return result(frame);
    };
  }

  #fold(fold: Fold): Run {
    const range = this.of(fold.range);
    const init = this.of(fold.init);
    const total = this.open(fold.accumulator);
    const first = this.open(fold.variable);
    const second = fold.second === undefined ? undefined : this.open(fold.second);
    const [going, step] = [this.of(fold.condition), this.of(fold.step)];
    for (const slot of [second, first]) if (slot !== undefined) this.#hide(slot);
    const result = this.of(fold.result);
    this.#hide(total);
    return (frame) => {
      const { slots } = frame;
      const over = range(frame);
      slots[total] = fresh(init(frame));
      for (const [key, value] of pairsOf(over)) {
        const isList = Array.isArray(over);
        slots[first] = second === undefined && isList ? value : key;
        if (second !== undefined) slots[second] = isList ? value : (over as MapValue).get(key);
        if (going(frame) !== true) break;
        slots[total] = attempt(step, frame);
      }
      return result(frame);
    };
  }

  /** Names are looked up from the last; one that is out of scope is found no more, its slot stays its own. */
  #hide(slot: number): void {
    this.#names[slot] = "";
  }
}

/** The value of a run, once it succeeds. */
function constant(run: Run): Run {
  let known: { readonly value: unknown } | undefined;
  return ({ slots }) => {
    known ??= { value: run({ slots, meter: new Meter(constantLimit) }) };
    return known.value;
  };
}

/** Cost of making a constant; expressions are too short for one that costs more. */
const constantLimit = 1_000_000;

/** What macros start from, to be added to. */
function fresh(init: unknown): unknown {
  if (Array.isArray(init)) return [];
  return init instanceof Dictionary ? new Dictionary() : init;
}

function appended(list: unknown[], more: readonly unknown[], meter: Meter): unknown {
  list.push(...more);
  meter.add(1);
  return list;
}

function attempt(step: Run, frame: Frame): unknown {
  try {
    return step(frame);
  } catch (error) {
    return new Failure(recoverable(error));
  }
}

/** @throws what no operator may make up for. */
function recoverable(error: unknown): CelError {
  if (!(error instanceof CelError) || error instanceof CostExceeded) throw error;
  return error;
}

function* pairsOf(range: unknown): Generator<readonly [key: unknown, value: unknown]> {
  if (Array.isArray(range)) for (const [index, value] of range.entries()) yield [BigInt(index), value];
  else if (range instanceof MapValue) for (const key of range.keys()) yield [key, undefined];
  else throw new CelError(`got 'types.${goName(range)}', expected iterable type`);
}

/** The name the server's messages have for a value's kind. */
function goName(value: unknown): string {
  const { kind } = typeOf(value);
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}

function condition(value: unknown): boolean {
  if (typeof value !== "boolean") throw noSuchOverload();
  return value;
}

/** && (`wins` false) and || (`wins` true): either side decides, and a failure of the one does not matter then. */
function logical(left: Run, right: Run, wins: boolean): Run {
  return (frame) => {
    const one = attempt(left, frame);
    if (one === wins) return wins;
    const other = attempt(right, frame);
    if (other === wins) return wins;
    for (const value of [one, other]) if (value instanceof Failure) throw value.error;
    if (typeof one !== "boolean" || typeof other !== "boolean") throw noSuchOverload();
    return !wins;
  };
}

function notStrictlyFalse(operand: Run): Run {
  return (frame) => {
    frame.meter.add(1);
    return attempt(operand, frame) !== false;
  };
}

function otherwise(left: Run, right: Run, isOptional: boolean): Run {
  return (frame) => {
    const value = left(frame);
    frame.meter.add(1);
    if (!(value instanceof Optional)) return value;
    if (!value.has) return right(frame);
    return isOptional ? value : value.value;
  };
}

function withKey(operand: Run, key: Run, look: (value: unknown, key: unknown) => unknown): Run {
  return (frame) => {
    const [value, at] = [operand(frame), key(frame)];
    frame.meter.add(1);
    return look(value, at);
  };
}

function indexed(value: unknown, key: unknown): unknown {
  if (value instanceof Optional) return optionalIndexed(value, key);
  const found = lookUp(value, key);
  if (found === undefined)
    throw new CelError(Array.isArray(value) ? `index out of bounds: ${valueText(key)}` : `no such key: ${valueText(key)}`);
  return found;
}

function optionalIndexed(value: unknown, key: unknown): Optional {
  if (value instanceof Optional) return value.has ? optionalIndexed(value.value, key) : Optional.none;
  const found = lookUp(value, key);
  return found === undefined ? Optional.none : Optional.of(found);
}

/** `undefined` when there is nothing. */
function lookUp(value: unknown, key: unknown): unknown {
  if (value instanceof MapValue) return value.get(key);
  if (!Array.isArray(value)) return undefined;
  const index = key instanceof Uint ? Number(key.value) : typeof key === "bigint" ? Number(key) : key;
  if (typeof index !== "number" || !Number.isInteger(index)) throw new CelError(`unsupported index type '${typeOf(key).name}' in list`);
  const found = (value as unknown[])[index];
  if (found instanceof Failure) throw found.error;
  return found;
}

function fieldOf(value: unknown, field: string): unknown {
  const found = value instanceof MapValue ? value.get(field) : undefined;
  if (found === undefined) throw new CelError(`no such key: ${field}`);
  return found;
}

const optionalField = (value: Optional, field: string): Optional => optionalIndexed(value, field);

function hasField(value: unknown, field: string): boolean {
  if (value instanceof Optional) return value.has && hasField(value.value, field);
  return value instanceof MapValue && value.has(field);
}

/** Functions whose complaint names no types. */
const terse = new Set(["startsWith", "endsWith", "contains", "matches"]);

/** The overload for values whose types are known only now. */
function fitting(name: string, overloads: readonly Overload[], args: readonly unknown[]): Overload {
  const found = overloads.find(({ args: wanted }) => wanted.every((type, index) => takes(type, args[index])));
  if (found) return found;
  if (/^[_!@-]/u.test(name) || terse.has(name)) throw noSuchOverload();
  const shown = args.map((arg) => typeText({ ...typeOf(arg), params: [] }));
  throw new CelError(`no such overload: ${name}${name === "size" ? "" : `(${shown.join(", ")})`}`);
}

/** Of lists and maps the first element is looked at. */
function takes(wanted: Type, value: unknown): boolean {
  if (wanted.kind === "dyn" || wanted.kind === "param") return true;
  const has = typeOf(value);
  if (has.kind === "dyn") return true;
  if (wanted.kind !== has.kind || wanted.name !== has.name) return false;
  const [first, second] = wanted.params;
  if (Array.isArray(value)) return value.length === 0 || first === undefined || takes(first, value[0]);
  if (!(value instanceof MapValue)) return true;
  const [key] = value.keys();
  return key === undefined || first === undefined || second === undefined || (takes(first, key) && takes(second, value.get(key)));
}
