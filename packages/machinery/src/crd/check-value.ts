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
import { hasFormat } from "./format.ts";
import { invalidValue, notSupported, required, tooLong, tooMany, wrongType } from "./problems.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema } from "./schema.ts";

/** Every problem of `value` at `path` ("" is the object itself). @param origin How it goes on from an old value; what is as it was has no problems. */
export function checkValue(schema: JsonSchema, value: unknown, path = "", origin?: Correlation): FieldProblem[] {
  return [...check(schema, value, path, origin)];
}

function* check(schema: JsonSchema, value: unknown, path: string, origin: Correlation | undefined): Generator<FieldProblem> {
  const problems = [...problemsOf(schema, value, path, origin)];
  if (problems.length > 0 && origin?.isSame !== true) yield* problems;
}

function* problemsOf(schema: JsonSchema, value: unknown, path: string, origin: Correlation | undefined): Generator<FieldProblem> {
  if (value === null && (schema.nullable === true || schema["x-kubernetes-preserve-unknown-fields"] === true)) return;
  const wanted = schema["x-kubernetes-int-or-string"] ? ["integer", "string"] : schema.type === undefined ? [] : [schema.type];
  if (wanted.length > 0 && !wanted.some((type) => isOfType(value, type))) {
    const is = typeName(value);
    yield wrongType(path, is, `${inBody(path)} must be of type ${wanted.join(",")}: ${JSON.stringify(is)}`);
    return;
  }
  if (schema.enum && !schema.enum.some((item) => equal(item, value))) yield notSupported(path, value, schema.enum);
  if (typeof value === "string") yield* checkText(schema, value, path);
  else if (typeof value === "number") yield* checkNumber(schema, value, path);
  else if (Array.isArray(value)) yield* checkList(schema, value as unknown[], path, origin);
  else if (isObject(value)) yield* checkObject(schema, value, path, origin);
  yield* checkCombined(schema, value, path);
}

const inBody = (path: string): string => (path === "" ? "in body" : `${path} in body`);

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
  if (maxLength !== undefined && length > maxLength) yield tooLong(path, maxLength);
  if (minLength !== undefined && length < minLength)
    yield invalidValue(path, value, `${inBody(path)} should be at least ${String(minLength)} chars long`);
  if (pattern !== undefined && !compiled(pattern)?.test(value))
    yield invalidValue(path, value, `${inBody(path)} should match '${pattern}'`);
  if (format !== undefined && schema.type === "string" && !hasFormat(format, value))
    yield wrongType(path, value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`);
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
  if (maximum !== undefined && schema.exclusiveMaximum && value >= maximum) yield wrong(`less than ${String(maximum)}`);
  else if (maximum !== undefined && value > maximum) yield wrong(`less than or equal to ${String(maximum)}`);
  if (minimum !== undefined && schema.exclusiveMinimum && value <= minimum) yield wrong(`greater than ${String(minimum)}`);
  else if (minimum !== undefined && value < minimum) yield wrong(`greater than or equal to ${String(minimum)}`);
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) yield wrong(`a multiple of ${String(multipleOf)}`);
  if (format === "int32" && schema.type === "integer" && Math.abs(value) > 2 ** 31)
    yield invalidValue(path, value, `Checked value must be of type integer with format int32 in ${path}`);
}

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
    if (results.every((problems) => problems.length > 0)) yield* [whole("validate at least one schema (anyOf)"), ...best(results)];
  }
  if (oneOf && oneOf.length > 0) {
    const results = oneOf.map((option) => checkValue(option, value, path));
    const valid = results.filter((problems) => problems.length === 0).length;
    if (valid === 0) yield* [whole("validate one and only one schema (oneOf). Found none valid"), ...best(results)];
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

function best(results: readonly FieldProblem[][]): readonly FieldProblem[] {
  return results.reduce((a, b) => (b.length < a.length ? b : a));
}
