/**
 * What calls cost: estimates when a rule is stored, counts when it runs. The model and its figures are the server's: rules it takes are taken, and
 * rules it stops are stopped at about the same work.
 * @see Kubernetes, "Resource use by validation functions"
 */
import type { Expr } from "./ast.ts";
import type { Type } from "./types.ts";
import { CelError, sizeOf } from "./values.ts";

/** From … to, both included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Estimates stop here. */
export const unbounded = 2 ** 64;
export const unknownSize: Range = { min: 0, max: unbounded };
export const exactly = (value: number): Range => ({ min: value, max: value });
export const plus = (...ranges: readonly Range[]): Range =>
  ranges.reduce((a, b) => ({ min: Math.min(a.min + b.min, unbounded), max: Math.min(a.max + b.max, unbounded) }), exactly(0));
export const times = (a: Range, b: Range): Range => ({ min: product(a.min, b.min), max: product(a.max, b.max) });
export const factor = ({ min, max }: Range, by: number): Range => ({ min: scaled(min, by), max: scaled(max, by) });
export const union = (a: Range, b: Range): Range => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : Math.min(a * b, unbounded));
const scaled = (value: number, by: number): number => Math.min(Math.ceil(value * by), unbounded);

/** Cost of looking at one character. */
export const perCharacter = 0.1;
/** Cost of a character of a pattern, for each unit of the text it is matched with. */
export const perPatternCharacter = 0.25;
export const listCost = 10;
export const mapCost = 30;
export const structCost = 40;

/** An argument as an estimate sees it. */
export interface Argument {
  readonly type: Type;
  readonly expr: Expr | undefined;
  readonly size: Range;
  /** An element of the list; `undefined` when it is none. */
  readonly element: () => Argument | undefined;
}

export interface Estimate {
  readonly cost: Range;
  /** Size of the result, where the call makes a text, list or map. */
  readonly size?: Range;
}

/** Of one form of a function; the target is the first argument of a member call. */
export interface Cost {
  /** The cost is known by the result only; all others are counted before the work is done. */
  readonly byResult?: true;
  readonly actual: (args: readonly unknown[], result: unknown) => number;
  readonly estimate: (args: readonly Argument[]) => Estimate;
}

/** The work of one evaluation; beyond its limit it ends. */
export class Meter {
  used = 0;
  #worked = 0;
  readonly limit: number;
  constructor(limit: number) {
    this.limit = limit;
  }
  add(cost: number): void {
    this.used += cost;
    if (this.used > this.limit) throw new CostExceeded();
  }
  /** Steps that no cost stands for. */
  work(steps: number): void {
    this.#worked += steps;
    if (this.#worked > maxWork) throw new CostExceeded();
  }
}

/** Steps of one evaluation that no cost stands for: about a second. Rules the server lets run do not come near it. */
const maxWork = 5_000_000;

/** Ends an evaluation; no operator makes up for it. */
export class CostExceeded extends CelError {
  constructor() {
    super("operation cancelled: actual cost limit exceeded");
  }
}

export const sizeAt = (args: readonly Argument[], index: number): Range => args[index]?.size ?? unknownSize;
export const traversal = (size: number, rounds = 1): number => Math.ceil(size * rounds * perCharacter);

/** Looking at every character of one argument. @param as What the result is as large as. */
export const reading = (index: number, rounds = 1, as?: (size: Range) => Range): Cost => ({
  actual: (args) => traversal(sizeOf(args[0]), rounds),
  estimate: (args) => {
    const size = sizeAt(args, index);
    return { cost: factor(size, rounds * perCharacter), ...(as && { size: as(size) }) };
  },
});

export const sameSize = (size: Range): Range => size;

/** As much as the smaller of two values. */
export const comparing: Cost = {
  actual: ([a, b]) => traversal(Math.min(sizeOf(a), sizeOf(b))),
  estimate: (args) => {
    const max = Math.min(sizeAt(args, 0).max, sizeAt(args, 1).max);
    return { cost: factor({ min: max > 0 ? 1 : 0, max }, perCharacter) };
  },
};

/** Both values are copied. */
export const joining: Cost = {
  actual: ([a, b]) => traversal(sizeOf(a) + sizeOf(b)),
  estimate: (args) => {
    const size = plus(sizeAt(args, 0), sizeAt(args, 1));
    return { cost: factor(size, perCharacter), size };
  },
};

/** A pattern in a text. One character more, so that an empty text costs something too. @param size Of what is found. */
export const matching = (size?: (text: Range) => Range): Cost => ({
  actual: ([text, pattern]) => traversal(sizeOf(text) + 1) * Math.ceil(sizeOf(pattern) * perPatternCharacter),
  estimate: (args) => {
    const text = sizeAt(args, 0);
    const cost = times(factor(plus(text, exactly(1)), perCharacter), factor(sizeAt(args, 1), perPatternCharacter));
    return { cost, ...(size && { size: size(text) }) };
  },
});

/** A new list is made. */
export function allocating(by: number, size: Range): Estimate {
  return { cost: plus(factor(size, by), exactly(1), exactly(listCost)), size };
}
export const allocated = (by: number, size: number): number => Math.floor(size * by) + 1 + listCost;

/** The value of an argument that is a whole number in the source; `otherwise` when it is none. */
export function literalInt(arg: Argument | undefined, otherwise: number): number {
  const value = arg?.expr?.kind === "literal" ? arg.expr.value : undefined;
  return typeof value === "bigint" ? Math.max(0, Number(value)) : otherwise;
}
