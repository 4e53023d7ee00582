/** Does an applied configuration fit its type? Told in the words of the server, which checks it before anything is merged. */
import type { ScalarName, TypeRef, TypeTable } from "@mecha/kinds";
import { fieldsOf } from "../fields.ts";
import { goText, isObject } from "../json.ts";
import { pathText, fieldStep } from "./field-set.ts";
import { fieldRef, type Schema, shapeOf, stepOf } from "./shape.ts";

/** Everything that does not fit, each as `.path: reason`. */
export function misfits({ types, type }: Schema, applied: unknown): string[] {
  return [...check(types, { type }, applied, "")];
}

/** Is it of its type? Elements of a list may say the same, as in what is not applied. */
export function isOfType(schema: Schema, object: unknown): boolean {
  return misfits(schema, object).every((problem) => problem.includes(repeated));
}

/**
 * Whether a value that was read by these types may have list elements that cannot be found again: their keys may all be left out, and have no defaults.
 * Of the kinds Kubernetes has only a ServiceAccount's secrets are so.
 */
export function mayLackKeys({ types, type }: Schema): boolean {
  const seen = new Set<string>();
  const lacks = (ref: TypeRef): boolean => {
    if ("scalar" in ref) return false;
    if ("map" in ref) return lacks(ref.map);
    if ("list" in ref) return (ref.listType === "map" && isKeyless(types, ref)) || lacks(ref.list);
    if (seen.has(ref.type) || !types.has(ref.type)) return false;
    seen.add(ref.type);
    return [...(fieldsOf(types, ref.type)?.values() ?? [])].some((field) => lacks(field.ref));
  };
  return lacks({ type });
}

function isKeyless(types: TypeTable, ref: TypeRef & { list: TypeRef }): boolean {
  const shape = shapeOf(types, ref, []);
  if (shape.kind !== "list") return false;
  try {
    stepOf(types, shape, {});
    return false;
  } catch {
    return true;
  }
}

const repeated = "duplicate entries for key ";

/** Several in one text, as the server joins them. */
export function misfitText(problems: readonly string[]): string {
  return problems.length === 1 ? (problems[0] ?? "") : ["errors:", ...problems.map((problem) => `  ${problem}`)].join("\n");
}

function* check(types: TypeTable, ref: TypeRef | undefined, value: unknown, path: string): Generator<string> {
  if (value === null || ref === undefined) return;
  const wrong = (reason: string): string => (path === "" ? reason : `${path}: ${reason}`);
  if ("scalar" in ref) {
    const reason = scalarMisfit(ref.scalar, value);
    if (reason !== undefined) yield wrong(reason);
    return;
  }
  if ("list" in ref) {
    if (Array.isArray(value)) yield* checkList(types, ref, value as unknown[], path);
    else yield wrong(`expected list, got &{${goText(value)}}`);
    return;
  }
  if ("type" in ref && !types.has(ref.type)) return; // any value at all
  if (!isObject(value)) {
    yield wrong(`expected map, got &{${goText(value)}}`);
    return;
  }
  if ("map" in ref) {
    for (const [name, inner] of Object.entries(value)) yield* check(types, ref.map, inner, path + pathText([fieldStep(name)]));
    return;
  }
  yield* checkFields(types, ref, value, path);
}

function* checkFields(types: TypeTable, ref: TypeRef & { type: string }, value: object, path: string): Generator<string> {
  const row = types.get(ref.type);
  const shape = shapeOf(types, { type: ref.type }, value);
  if (!row || shape.kind !== "map") return;
  for (const [name, inner] of Object.entries(value)) {
    const at = path + pathText([fieldStep(name)]);
    if (shape.fields.has(name)) yield* check(types, fieldRef(shape, name), inner, at);
    else if (!row.preserveUnknown) {
      yield `${at}: field not declared in schema`;
      return;
    }
  }
}

function* checkList(types: TypeTable, ref: TypeRef & { list: TypeRef }, value: readonly unknown[], path: string): Generator<string> {
  const shape = shapeOf(types, ref, value);
  const wrong = (reason: string): string => (path === "" ? reason : `${path}: ${reason}`);
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    let step = `i:${String(index)}`;
    if (shape.kind === "list")
      try {
        step = stepOf(types, shape, item);
      } catch (error) {
        yield wrong(`element ${String(index)}: ${(error as Error).message}`);
        return;
      }
    if (seen.has(step)) yield wrong(`${repeated}${pathText([step])}`);
    seen.add(step);
    yield* check(types, ref.list, item, path + pathText([step]));
  }
}

/** Why the value is no such scalar. */
function scalarMisfit(scalar: ScalarName, value: unknown): string | undefined {
  switch (scalar) {
    case "int32":
    case "int64":
    case "double":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goType(value)}`;
    case "bool":
      return typeof value === "boolean" ? undefined : `expected boolean, got &{${goText(value)}}`;
    case "string":
    case "bytes":
    case "duration":
      return typeof value === "string" ? undefined : `expected string, got &value.valueUnstructured{Value:${goText(value)}}`;
    case "time":
    case "microTime":
    case "intOrString":
    case "quantity":
      return typeof value === "object" ? `expected any scalar, got &{${goText(value)}}` : undefined;
    case "any":
    case "fieldsV1":
      return undefined;
  }
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  return typeof value === "boolean" ? "bool" : isObject(value) ? "map[string]interface {}" : typeof value;
}
