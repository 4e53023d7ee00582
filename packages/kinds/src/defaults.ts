/**
 * Defaults by type: a rule for each type that has some, run wherever an object holds that type, the holder's rule first. What a table's field has as
 * `default` is filled in too. Which types can be reached is worked out once for each kind, so that an object's other fields are not even looked at.
 */
import { isObject } from "./access.ts";
import type { JsonObject } from "./object.ts";
import { type FieldRow, fieldsOf, type TypeRef, type TypeTable } from "./type-table.ts";
import { inThousandths } from "./values/quantity.ts";

/** Fills in what one type's objects lack, in place. */
export type DefaultRule = (object: JsonObject) => void;

/** Rules by the type's name. */
export type DefaultRules = ReadonlyMap<string, DefaultRule>;

/** What is to be done with a value of some type; `undefined` = nothing, anywhere inside. */
type Plan = (value: unknown) => void;

/** Defaults of a whole object of type `type`. */
export function defaultsOf(types: () => TypeTable, type: string, rules: DefaultRules): DefaultRule {
  let plan: Plan | undefined;
  return (object) => {
    plan ??= new Planner(types(), rules).of({ type }) ?? (() => {});
    plan(object);
  };
}

class Planner {
  readonly #types: TypeTable;
  readonly #rules: DefaultRules;
  /** Types being planned stand here as undefined: a recursive type has no defaults of its own below itself. */
  readonly #plans = new Map<string, Plan | undefined>();

  constructor(types: TypeTable, rules: DefaultRules) {
    this.#types = types;
    this.#rules = rules;
  }

  of(ref: TypeRef): Plan | undefined {
    if ("type" in ref) return this.#message(ref.type);
    if ("list" in ref) return each(this.of(ref.list));
    if (!("map" in ref)) return undefined;
    return "scalar" in ref.map && ref.map.scalar === "quantity" ? roundResources : each(this.of(ref.map));
  }

  #message(name: string): Plan | undefined {
    if (this.#plans.has(name)) return this.#plans.get(name);
    this.#plans.set(name, undefined);
    const plan = this.#planOf(name);
    this.#plans.set(name, plan);
    return plan;
  }

  #planOf(name: string): Plan | undefined {
    const row = this.#types.get(name);
    if (!row) throw new Error(`type table: no type ${name}`);
    // Types embedded in place have rules of their own, on the same object.
    const rules = [name, ...row.fields.filter((field) => field.inline).map((field) => ("type" in field.ref ? field.ref.type : ""))]
      .map((type) => this.#rules.get(type))
      .filter((rule) => rule !== undefined);
    const fields = [...fieldsOf(this.#types, row).values()];
    // An empty value that JSON leaves out is as good as said.
    const written = fields.filter((field) => field.default !== undefined && !(field.omitEmpty && isNothing(field.default)));
    const inner = fields.flatMap((field) => {
      const plan = this.of(field.ref);
      return plan ? [{ name: field.name, plan }] : [];
    });
    if (rules.length + written.length + inner.length === 0) return undefined;
    return (value) => {
      if (!isObject(value)) return;
      for (const rule of rules) rule(value);
      for (const field of written) fill(value, field);
      for (const { name: field, plan } of inner) if (value[field] !== undefined) plan(value[field]);
    };
  }
}

/** A list of resources has no smaller parts than thousandths. */
function roundResources(resources: unknown): void {
  if (!isObject(resources)) return;
  for (const [name, amount] of Object.entries(resources)) if (typeof amount === "string") resources[name] = inThousandths(amount);
}

function isNothing(value: unknown): boolean {
  return value === 0 || value === "" || value === false;
}

function fill(object: JsonObject, field: FieldRow): void {
  const now = object[field.name];
  if (now === undefined || now === null || (field.omitEmpty && now === "")) object[field.name] = field.default;
}

function each(plan: Plan | undefined): Plan | undefined {
  if (!plan) return undefined;
  return (value) => {
    if (Array.isArray(value)) value.forEach(plan);
    else if (isObject(value)) Object.values(value).forEach(plan);
  };
}
