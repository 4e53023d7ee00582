/** What expressions may name: functions with their overloads, types and variables. */
import type { Cost } from "./cost.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  nullType,
  stringType,
  timestampType,
  type Type,
  typeType,
  uintType,
} from "./types.ts";

/** One form of a function. */
export interface Overload {
  /** The server's name of the form; costs go by it. */
  readonly id: string;
  /** `target.name(…)`; the target is the first of `args`. */
  readonly member: boolean;
  readonly args: readonly Type[];
  readonly result: Type;
  /** Of values that fit `args`. `undefined` for what the evaluator does itself. */
  readonly run: ((...args: never[]) => unknown) | undefined;
  /** What a call costs; 1 when absent. */
  readonly cost?: Cost;
}

/** Functions by name, in the order their forms are tried. */
export type Functions = ReadonlyMap<string, readonly Overload[]>;

/** A library while it is written down. */
export class Library {
  readonly functions = new Map<string, Overload[]>();

  /** `name(…)`. */
  global(name: string, id: string, args: readonly Type[], result: Type, run: Overload["run"], cost?: Cost): this {
    return this.#add(name, { id, member: false, args, result, run, ...(cost && { cost }) });
  }

  /** `target.name(…)`; the target's type comes first. */
  member(name: string, id: string, args: readonly Type[], result: Type, run: Overload["run"], cost?: Cost): this {
    return this.#add(name, { id, member: true, args, result, run, ...(cost && { cost }) });
  }

  #add(name: string, overload: Overload): this {
    const known = this.functions.get(name);
    if (known) known.push(overload);
    else this.functions.set(name, [overload]);
    return this;
  }
}

/** Names of types, which are values as well. */
const typeNames: readonly Type[] = [
  boolType,
  bytesType,
  doubleType,
  intType,
  listType(dynType),
  mapType(dynType, dynType),
  nullType,
  stringType,
  typeType(),
  uintType,
  durationType,
  timestampType,
];

export interface Environment {
  readonly functions: Functions;
  /** Types by the names expressions know them by. */
  readonly types: ReadonlyMap<string, Type>;
  readonly variables: ReadonlyMap<string, Type>;
  /** The type of a struct's field. */
  readonly field: (struct: string, field: string) => Type | undefined;
}

/** An environment without variables. @param named Types of libraries that have a name. */
export function environmentOf(functions: Functions, named: readonly Type[]): Environment {
  const types = new Map([...typeNames, ...named].map((type) => [type.name, type]));
  return { functions, types, variables: new Map(), field: () => undefined };
}
