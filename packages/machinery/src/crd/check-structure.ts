/** What a structural schema asks of an object beside its values: elements of sets and keyed lists occur once, embedded resources say what they are. */
import { dns1035Label, type FieldProblem, labelValue, qualifiedName } from "@mecha/kinds";
import { isObject, own } from "../json.ts";
import { duplicate, invalidValue, required } from "./problems.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema } from "./schema.ts";

/** Every problem of the lists in `value`. */
export function checkLists(schema: JsonSchema, value: unknown, path = ""): FieldProblem[] {
  return [...walk(schema, value, path, checkUnique)];
}

/** Every problem of the embedded resources in `value`. */
export function checkEmbedded(schema: JsonSchema, value: unknown, path = ""): FieldProblem[] {
  return [...walk(schema, value, path, checkResource)];
}

type Check = (schema: JsonSchema, value: unknown, path: string) => Iterable<FieldProblem>;

function* walk(schema: JsonSchema, value: unknown, path: string, check: Check): Generator<FieldProblem> {
  yield* check(schema, value, path);
  if (Array.isArray(value)) {
    if (schema.items) for (const [index, item] of value.entries()) yield* walk(schema.items, item, itemPath(path, index), check);
  } else if (isObject(value))
    for (const [name, inner] of Object.entries(value)) {
      const below = fieldSchema(schema, name);
      const at = schema.properties && Object.hasOwn(schema.properties, name) ? childPath(path, name) : itemPath(path, name);
      if (below) yield* walk(below, inner, at, check);
    }
}

/** Elements of a set, and elements of a map by their keys, occur once. */
function* checkUnique(schema: JsonSchema, list: unknown, path: string): Generator<FieldProblem> {
  if (!Array.isArray(list)) return;
  const kind = schema["x-kubernetes-list-type"];
  if (kind !== "set" && kind !== "map") return;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Map<string, number>();
  for (const [index, item] of (list as unknown[]).entries()) {
    if (kind === "map" && item === null) continue; // told by its type
    if (kind === "map" && !isObject(item)) {
      yield invalidValue(itemPath(path, index), item, "must be an object for an array of list-type map");
      continue;
    }
    const identity: unknown = kind === "set" ? item : Object.fromEntries([...keys].sort().flatMap((key) => keyEntry(item, key)));
    const text = JSON.stringify(identity);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    if (times === 2) yield duplicate(itemPath(path, index), identity); // further ones are not told
  }
}

function keyEntry(item: unknown, key: string): [string, unknown][] {
  const value = isObject(item) ? own(item, key) : undefined;
  return value === undefined ? [] : [[key, value]];
}

function* checkResource(schema: JsonSchema, value: unknown, path: string): Generator<FieldProblem> {
  if (!schema["x-kubernetes-embedded-resource"] || !isObject(value)) return;
  const apiVersion = own(value, "apiVersion");
  for (const name of ["apiVersion", "kind"]) {
    const text = own(value, name);
    if (text === undefined) yield required(childPath(path, name));
    else if (text === "") yield invalidValue(childPath(path, name), text, "must not be empty");
  }
  if (typeof apiVersion === "string" && apiVersion.split("/").length > 2)
    yield invalidValue(childPath(path, "apiVersion"), apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  const kind = own(value, "kind");
  const complaints = typeof kind === "string" && kind !== "" ? dns1035Label(kind.toLowerCase()) : [];
  if (complaints.length > 0)
    yield invalidValue(childPath(path, "kind"), kind, `may have mixed case, but should otherwise match: ${complaints.join(",")}`);
  yield* checkLabels(own(value, "metadata"), childPath(path, "metadata"));
}

function* checkLabels(metadata: unknown, path: string): Generator<FieldProblem> {
  if (!isObject(metadata)) return;
  for (const [field, values] of [
    ["labels", own(metadata, "labels")],
    ["annotations", own(metadata, "annotations")],
  ] as const)
    for (const [key, value] of Object.entries(isObject(values) ? values : {})) {
      for (const complaint of qualifiedName(field === "labels" ? key : key.toLowerCase()))
        yield invalidValue(childPath(path, field), key, complaint);
      if (field === "labels" && typeof value === "string")
        for (const complaint of labelValue(value)) yield invalidValue(childPath(path, field), value, complaint);
    }
}
