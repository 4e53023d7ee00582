/**
 * Checks an object against its CRD's schema, in the words of the server (kube-openapi's validator as apiextensions reports it).
 *
 * Invariants
 * V1 all problems of a value are told at once
 * V2 patterns are RE2, matched in linear time: a schema comes from a user
 */
import type { FieldProblem } from "@mecha/kinds";
import { RE2JS } from "re2js";
import { equal, isObject } from "../json.ts";
import type { Correlation } from "./correlate.ts";
import { hasFormat, isKnownFormat } from "./format.ts";
import { invalidValue, notSupported, required, tooLong, tooMany, wrongType } from "./problems.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema } from "./schema.ts";

/** Every problem of `value` at `path` ("" is the object itself). @param origin How it goes on from an old value; what is as it was has no problems. */
export function checkValue(schema: JsonSchema, value: unknown, path = "", origin?: Correlation): FieldProblem[] {
  const told = new Map<string, FieldProblem>(); // what several alternatives complain of is told once
  for (const problem of check(schema, value, path, origin)) {
    const text = `${problem.field}: ${problem.message}`;
    if (!told.has(text)) told.set(text, problem);
  }
  return [...told.values()];
}

function* check(schema: JsonSchema, value: unknown, path: string, origin: Correlation | undefined): Generator<FieldProblem> {
  const problems = [...problemsOf(schema, value, path, origin)];
  if (problems.length > 0 && origin?.isSame !== true) yield* problems;
}

function* problemsOf(schema: JsonSchema, value: unknown, path: string, origin: Correlation | undefined): Generator<FieldProblem> {
  if (value === null && schema["x-kubernetes-preserve-unknown-fields"] === true && schema.type === undefined) return;
  const wanted = schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : schema.type === undefined ? [] : [schema.type];
  const isNull = value === null && schema.nullable === true;
  if (!isNull && wanted.length > 0 && !wanted.some((type) => isOfType(value, type))) {
    yield mistyped(schema, value, path, wanted);
  }
  // The server finds no null among the values, even where it is named.
  if (schema.enum && (value === null || !schema.enum.some((item) => isChoice(item, value)))) yield notSupported(path, value, schema.enum);
  if (typeof value === "string") yield* checkText(schema, value, path);
  else if (typeof value === "number") yield* checkNumber(schema, value, path);
  else if (Array.isArray(value)) yield* checkList(schema, value as unknown[], path, origin);
  else if (isObject(value)) yield* checkObject(schema, value, path, origin);
  if (value !== null) yield* checkCombined(schema, value, path);
}

/** A value of another type. Where the schema has a format the server names that, and of the value what Go calls it. */
function mistyped({ format }: JsonSchema, value: unknown, path: string, wanted: readonly string[]): FieldProblem {
  const byFormat = format !== undefined && isKnownFormat(format) && typeof value !== "string" && !Array.isArray(value) && value !== null;
  const goName = typeof value === "number" ? (Number.isInteger(value) ? "int64" : "float64") : "";
  const is = byFormat ? goName : typeName(value);
  return wrongType(path, is, `${inBody(path)} must be of type ${byFormat ? format : wanted.join(",")}: ${JSON.stringify(is)}`);
}

/** A whole number among the values stands for fractions above it as well: the server cuts them off before it compares. */
const isChoice = (item: unknown, value: unknown): boolean =>
  typeof item === "number" && typeof value === "number" && Number.isInteger(item) ? item === Math.trunc(value) : equal(item, value);

const inBody = (path: string): string => `${path} in body`;

function isOfType(value: unknown, type: string): boolean {
  const is = typeName(value);
  return is === type || (type === "number" && is === "integer");
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function* checkText(schema: JsonSchema, value: string, path: string): Generator<FieldProblem> {
  const { maxLength, minLength, pattern, format } = schema;
  const length = maxLength === undefined && minLength === undefined ? 0 : Array.from(value).length;
  // The first of them that fails is told.
  if (maxLength !== undefined && length > maxLength) yield tooLong(path, maxLength);
  else if (minLength !== undefined && length < minLength)
    yield invalidValue(path, value, `${inBody(path)} should be at least ${String(minLength)} chars long`);
  else if (pattern !== undefined && !compiled(pattern)?.test(value))
    yield invalidValue(path, value, `${inBody(path)} should match '${pattern}'`);
  if (format !== undefined && !hasFormat(format, value))
    yield wrongType(path, value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`);
}

/** What is wrong with a text that is no pattern. */
export function whyNoPattern(pattern: string): string {
  try {
    RE2JS.compile(pattern);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

const patterns = new Map<string, RE2JS | undefined>();
/** Compiled patterns that are kept; those of some hundred schemas. Beyond it all are forgotten. */
const maxPatterns = 4096;

/** The pattern (V2); `undefined` when it is none, which the CRD's own validation refuses. */
export function compiled(pattern: string): RE2JS | undefined {
  if (patterns.has(pattern)) return patterns.get(pattern);
  if (patterns.size >= maxPatterns) patterns.clear();
  let expression: RE2JS | undefined;
  try {
    expression = RE2JS.compile(pattern);
  } catch {
    expression = undefined;
  }
  patterns.set(pattern, expression);
  return expression;
}

function* checkNumber(schema: JsonSchema, value: number, path: string): Generator<FieldProblem> {
  const { minimum, maximum, multipleOf, format } = schema;
  const wrong = (detail: string): FieldProblem => invalidValue(path, value, `${inBody(path)} should be ${detail}`);
  const range = ranges.find(([type, of]) => type === schema.type && (of === undefined || of === format));
  if (range?.[2](value) === false) {
    const [type, of] = range;
    yield invalidValue(
      "<nil>",
      "",
      `Checked value must be of type ${type} ${of === undefined ? "(default format)" : `with format ${of}`} in ${path}`,
    );
  }
  if (multipleOf !== undefined && !isWhole(value / multipleOf)) yield wrong(`a multiple of ${String(multipleOf)}`);
  if (maximum !== undefined && schema.exclusiveMaximum && value >= maximum) yield wrong(`less than ${String(maximum)}`);
  else if (maximum !== undefined && value > maximum) yield wrong(`less than or equal to ${String(maximum)}`);
  if (minimum !== undefined && schema.exclusiveMinimum && value <= minimum) yield wrong(`greater than ${String(minimum)}`);
  else if (minimum !== undefined && value < minimum) yield wrong(`greater than or equal to ${String(minimum)}`);
}

/** Whole but for what dividing fractions leaves over. */
function isWhole(value: number): boolean {
  if (!Number.isFinite(value)) return true;
  const rest = Math.abs(value - Math.round(value));
  return rest === 0 || rest < 1e-9 * Math.abs(value);
}

const within =
  (min: number, max: number) =>
  (value: number): boolean =>
    Number.isInteger(value) && value >= min && value <= max;
/** Values of a type, by its format. */
const ranges: readonly (readonly [type: string, format: string | undefined, holds: (value: number) => boolean])[] = [
  ["integer", "int32", within(-(2 ** 31), 2 ** 31 - 1)],
  ["integer", "uint32", within(0, 2 ** 32 - 1)],
  ["integer", "uint64", within(0, 2 ** 64)],
  ["integer", "int64", Number.isInteger],
  ["integer", undefined, Number.isInteger],
  ["number", "float", (value) => Math.abs(value) <= 3.4028234663852886e38],
];

function* checkList(schema: JsonSchema, list: readonly unknown[], path: string, origin: Correlation | undefined): Generator<FieldProblem> {
  const { minItems, maxItems, items } = schema;
  if (maxItems !== undefined && list.length > maxItems) yield tooMany(path, list.length, maxItems);
  if (minItems !== undefined && list.length < minItems)
    yield invalidValue(path, list.length, `${inBody(path)} should have at least ${String(minItems)} items`);
  if (items) for (const [index, item] of list.entries()) yield* check(items, item, itemPath(path, index), origin?.item(index));
}

function* checkObject(
  schema: JsonSchema,
  object: Record<string, unknown>,
  path: string,
  origin: Correlation | undefined,
): Generator<FieldProblem> {
  const names = Object.keys(object);
  const { minProperties, maxProperties } = schema;
  if (maxProperties !== undefined && names.length > maxProperties) yield tooMany(path, names.length, maxProperties);
  if (minProperties !== undefined && names.length < minProperties)
    yield invalidValue(path, names.length, `${inBody(path)} should have at least ${String(minProperties)} properties`);
  if (schema.additionalProperties === false)
    for (const name of names)
      if (!schema.properties || !Object.hasOwn(schema.properties, name))
        yield invalidValue(path, name, `${childPath(path, name)} in body is a forbidden property`);
  for (const name of schema.required ?? []) if (!Object.hasOwn(object, name)) yield required(childPath(path, name));
  for (const name of names) {
    const below = fieldSchema(schema, name);
    const isOwn = path === "" && (name === "apiVersion" || name === "kind"); // both are of the version asked for, whatever they were
    if (below) yield* check(below, object[name], childPath(path, name), isOwn ? undefined : origin?.field(name));
  }
}

/** allOf, anyOf, oneOf and not. Problems inside alternatives are told for the one that fits best. */
function* checkCombined(schema: JsonSchema, value: unknown, path: string): Generator<FieldProblem> {
  const whole = (text: string): FieldProblem => invalidValue("<nil>", "", `"${path}" must ${text}`);
  const { allOf, anyOf, oneOf, not } = schema;
  if (anyOf && anyOf.length > 0) {
    const results = anyOf.map((option) => checkValue(option, value, path));
    if (results.every((problems) => problems.length > 0))
      yield* [whole("validate at least one schema (anyOf)"), ...best(results, anyOf, value)];
  }
  if (oneOf && oneOf.length > 0) {
    const results = oneOf.map((option) => checkValue(option, value, path));
    const valid = results.filter((problems) => problems.length === 0).length;
    if (valid === 0) yield* [whole("validate one and only one schema (oneOf). Found none valid"), ...best(results, oneOf, value)];
    if (valid > 1) yield whole(`validate one and only one schema (oneOf). Found ${String(valid)} valid alternatives`);
  }
  if (allOf && allOf.length > 0) {
    const results = allOf.map((option) => checkValue(option, value, path));
    const failed = results.filter((problems) => problems.length > 0);
    if (failed.length > 0)
      yield* [...failed.flat(), whole(`validate all the schemas (allOf)${failed.length === results.length ? ". None validated" : ""}`)];
  }
  if (not && checkValue(not, value, path).length === 0) yield whole("not validate the schema (not)");
}

/** Problems of the alternative that looked at most of the value; of the first of several. */
function best(results: readonly FieldProblem[][], options: readonly JsonSchema[], value: unknown): readonly FieldProblem[] {
  const looks = options.map((option) => looksOf(option, value));
  return results[looks.indexOf(Math.max(...looks))] ?? [];
}

/** Values an alternative looks at. */
function looksOf(option: JsonSchema, value: unknown): number {
  const { items, properties = {} } = option;
  if (Array.isArray(value) && items) return value.reduce<number>((sum, item) => sum + looksOf(items, item), 1);
  if (!isObject(value)) return 1;
  return Object.entries(properties).reduce((sum, [name, below]) => sum + (Object.hasOwn(value, name) ? looksOf(below, value[name]) : 0), 1);
}
