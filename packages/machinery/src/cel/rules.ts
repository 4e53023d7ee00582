/**
 * Runs the rules of a schema on objects.
 *
 * Invariants
 * C2 a rule with `oldSelf` runs only where there is an old value to compare with (or with `optionalOldSelf`)
 * C3 the work of one rule and of one object is bounded: `ruleLimit`, `objectLimit`; what is over them is told, and no further rule runs
 * C4 what an update left as it was is not held against it
 * @see Kubernetes, "Resource use by validation functions"
 */
import type { FieldProblem } from "@mecha/kinds";
import { type Correlation, oldElements } from "../crd/correlate.ts";
import { duplicate, forbidden, invalidValue, required } from "../crd/problems.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema, type ValidationRule } from "../crd/schema.ts";
import { isObject, own } from "../json.ts";
import { type CompiledRule, compileRules } from "./compile-rules.ts";
import { CostExceeded, Meter } from "./language/cost.ts";
import { CelError, Failure, Optional } from "./language/values.ts";
import { type SchemaType, SchemaTypes } from "./schema-types.ts";
import { toCel } from "./schema-values.ts";

/** Cost of one evaluation. */
const ruleLimit = 1_000_000;
/** Cost of all evaluations on one object. */
const objectLimit = 10_000_000;
/** Bytes of a message a rule makes. */
const maxMessage = 5 * 1024;

/** Rules of a schema and of all below it. */
interface Validator {
  readonly schema: JsonSchema;
  readonly type: SchemaType;
  readonly rules: readonly CompiledRule[];
  readonly usesOldSelf: boolean;
  readonly properties: ReadonlyMap<string, Validator>;
  readonly values: Validator | undefined;
  readonly items: Validator | undefined;
}

/** What the rules say of an object; `old` is the object before an update, and `correlation` how the two go together. */
export type CheckRules = (object: unknown, old: unknown, correlation?: Correlation) => FieldProblem[];

/** Rules of a whole schema; `undefined` when it has none. @param isResource It is of whole objects. */
export function rulesOf(schema: JsonSchema, isResource = true): CheckRules | undefined {
  if (!hasRules(schema)) return undefined;
  const types = new SchemaTypes();
  const validator = validatorOf(schema, types.of(schema, isResource), types);
  if (!validator) return undefined;
  return (object, old, correlation) => {
    const run = new Run();
    return [...run.check(validator, object, old, "", { here: correlation, above: undefined })];
  };
}

function hasRules(schema: JsonSchema): boolean {
  if ((schema["x-kubernetes-validations"]?.length ?? 0) > 0) return true;
  const { properties = {}, items, additionalProperties } = schema;
  const below = [...Object.values(properties), items, isObject(additionalProperties) ? additionalProperties : undefined];
  return below.some((inner) => inner !== undefined && hasRules(inner));
}

function validatorOf(schema: JsonSchema, type: SchemaType | undefined, types: SchemaTypes): Validator | undefined {
  if (!type) return undefined;
  const rules = compileRules(type, types);
  const below = (inner: JsonSchema | undefined): Validator | undefined => inner && validatorOf(inner, types.of(inner, false), types);
  const properties = new Map(
    Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
      const found = below(inner);
      return found ? [[name, found] as const] : [];
    }),
  );
  const values = isObject(schema.additionalProperties) ? below(schema.additionalProperties) : undefined;
  const items = below(schema.items);
  if (rules.length === 0 && properties.size === 0 && !values && !items) return undefined;
  return { schema, type, rules, usesOldSelf: rules.some((rule) => rule.usesOldSelf), properties, values, items };
}

/** How a place goes on from the old object: itself, or the nearest above it that does. */
interface Origin {
  readonly here: Correlation | undefined;
  readonly above: Correlation | undefined;
}

const isUnchanged = ({ here, above }: Origin): boolean => (here ?? above)?.isSame ?? false;
const fieldOrigin = (origin: Origin, name: string): Origin => {
  if (!origin.here) return origin;
  if (!origin.above && (name === "apiVersion" || name === "kind")) return { here: undefined, above: undefined };
  return { here: origin.here.field(name), above: origin.here };
};
const itemOrigin = (origin: Origin, index: number): Origin =>
  origin.here ? { here: origin.here.item(index), above: origin.here } : origin;

/** The value of an object or list is not shown. */
const omitted = Symbol("omitted");

function problem(path: string, value: unknown, detail: string): FieldProblem {
  return value === omitted
    ? { type: "FieldValueInvalid", field: path, message: `Invalid value: ${detail}` }
    : invalidValue(path, value, detail);
}

const runOut = "validation failed due to running out of cost budget, no further validation rules will be run";

class Run {
  #left = objectLimit;
  #over = false;

  *check(validator: Validator, value: unknown, old: unknown, path: string, origin: Origin): Generator<FieldProblem> {
    if (value === null || value === undefined || this.#over) return;
    yield* this.#rules(validator, value, old, path, origin);
    if (Array.isArray(value)) yield* this.#list(validator, value, old, path, origin);
    else if (isObject(value)) yield* this.#object(validator, value, old, path, origin);
  }

  *#list({ items, schema }: Validator, list: readonly unknown[], old: unknown, path: string, origin: Origin): Generator<FieldProblem> {
    if (!items) return;
    const before = oldElements(schema, old);
    for (const [index, item] of list.entries())
      yield* this.check(items, item, before(item), itemPath(path, index), itemOrigin(origin, index));
  }

  *#object(validator: Validator, object: Record<string, unknown>, old: unknown, path: string, origin: Origin): Generator<FieldProblem> {
    const { properties, values, schema } = validator;
    for (const [name, value] of Object.entries(object)) {
      const below = properties.get(name) ?? (fieldSchema(schema, name) && !schema.properties ? values : undefined);
      const at = properties.has(name) ? childPath(path, name) : itemPath(path, name);
      if (below) yield* this.check(below, value, isObject(old) ? own(old, name) : undefined, at, fieldOrigin(origin, name));
    }
  }

  *#rules(validator: Validator, value: unknown, old: unknown, path: string, origin: Origin): Generator<FieldProblem> {
    const { rules, type, schema } = validator;
    if (rules.length === 0) return;
    const kind = schema.type ?? "";
    if (this.#left <= 0) {
      this.#over = true;
      yield invalidValue(path, kind, runOut);
      return;
    }
    const hasOld = old !== undefined && old !== null;
    const scope = this.#scope(validator, type, value, hasOld ? old : undefined);
    for (const rule of rules) {
      if (rule.ruleProblem !== undefined) yield invalidValue(path, kind, `rule compile error: ${rule.ruleProblem}`);
      if (!rule.run || (rule.usesOldSelf && !hasOld && !rule.rule.optionalOldSelf)) continue; // keeps C2
      yield* this.#one(rule, scope(rule.rule.optionalOldSelf === true), { path, value, kind, origin });
      if (this.#over) return;
    }
  }

  /** Variables of a rule; both values are looked at when a rule does. */
  #scope({ usesOldSelf }: Validator, type: SchemaType, value: unknown, old: unknown): (optional: boolean) => ReadonlyMap<string, unknown> {
    const self = attempt(() => toCel(type, value));
    const oldSelf = usesOldSelf && old !== undefined ? attempt(() => toCel(type, old)) : undefined;
    const before = oldSelf === undefined ? Optional.none : oldSelf instanceof Failure ? oldSelf : Optional.of(oldSelf);
    return (optional) =>
      new Map<string, unknown>([
        ["self", self],
        ["oldSelf", optional ? before : oldSelf],
      ]);
  }

  *#one(compiled: CompiledRule, scope: ReadonlyMap<string, unknown>, at: Place): Generator<FieldProblem> {
    const { rule, run } = compiled;
    const { path, kind } = at;
    const meter = new Meter(ruleLimit);
    const outcome = evaluate(() => run?.run(scope, meter));
    if (!this.#spend(meter)) {
      this.#over = true;
      yield invalidValue(path, kind, runOut);
      return;
    }
    if (outcome.error) {
      yield invalidValue(path, kind, this.#failure(outcome.error, rule));
      return;
    }
    if (outcome.value === true) return;
    const found = this.#problem(compiled, scope, at);
    if (found && (compiled.usesOldSelf || !isUnchanged(at.origin))) yield found; // keeps C4
  }

  /** False when the object's budget is used up. */
  #spend({ used }: Meter): boolean {
    if (used > this.#left) return false;
    this.#left -= used; // keeps C3
    return true;
  }

  #failure(error: CelError, rule: ValidationRule): string {
    const named = nameOf(rule);
    const { message } = error;
    if (error instanceof CostExceeded) {
      this.#over = true;
      return `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${named}`;
    }
    if (message.startsWith("no such overload"))
      return `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${named}`;
    return `${message} evaluating rule: ${named}`;
  }

  #problem(compiled: CompiledRule, scope: ReadonlyMap<string, unknown>, { path, value, kind }: Place): FieldProblem {
    const { rule } = compiled;
    const at = compiled.path === "" ? path : childPath(path, compiled.path);
    const made = compiled.message && this.#message(compiled, scope);
    if (made && "stop" in made) {
      this.#over = true;
      return invalidValue(at, kind, made.stop);
    }
    const detail = made?.text ?? plainMessage(rule);
    const shown = kind === "object" || kind === "array" ? omitted : value;
    switch (rule.reason) {
      case "FieldValueForbidden":
        return forbidden(at, detail);
      case "FieldValueRequired":
        return required(at, detail);
      case "FieldValueDuplicate":
        return shown === omitted ? { type: "FieldValueDuplicate", field: at, message: "Duplicate value" } : duplicate(at, value);
      default:
        return problem(at, shown, detail);
    }
  }

  /** The message the rule makes; one that fails, is empty, too long or has several lines does not count. */
  #message({ message, rule }: CompiledRule, scope: ReadonlyMap<string, unknown>): { readonly text?: string } | { readonly stop: string } {
    const meter = new Meter(ruleLimit);
    const { value, error } = evaluate(() => message?.run(scope, meter));
    if (!this.#spend(meter))
      return { stop: "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run" };
    if (error instanceof CostExceeded)
      return {
        stop: `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`,
      };
    const text = typeof value === "string" ? value.trim() : "";
    return text === "" || text.includes("\n") || new TextEncoder().encode(text).length > maxMessage ? {} : { text };
  }
}

interface Place {
  readonly path: string;
  readonly value: unknown;
  /** The schema's type. */
  readonly kind: string;
  readonly origin: Origin;
}

function evaluate(run: () => unknown): { readonly value?: unknown; readonly error?: CelError } {
  try {
    return { value: run() };
  } catch (error) {
    if (error instanceof CelError) return { error };
    throw error;
  }
}

/** A value that does not fit its schema is a failure for the rule that looks at it. */
function attempt(convert: () => unknown): unknown {
  const { value, error } = evaluate(convert);
  return error ? new Failure(error) : value;
}

const nameOf = ({ rule, message }: ValidationRule): string => (message ? message : rule).trim();
const plainMessage = (rule: ValidationRule): string => (rule.message ? rule.message.trim() : `failed rule: ${nameOf(rule)}`);
