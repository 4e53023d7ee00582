/** What a structural schema asks of an object beside its values: elements of sets and keyed lists occur once, embedded resources say what they are. */
import { dns1035Label, type FieldProblem } from "@mecha/kinds";
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
  const seen = new Set<string>();
  for (const [index, item] of (list as unknown[]).entries()) {
    if (kind === "map" && !isObject(item)) continue;
    const identity: unknown = kind === "set" ? item : Object.fromEntries([...keys].sort().flatMap((key) => keyEntry(item, key)));
    const text = JSON.stringify(identity);
    if (seen.has(text)) yield duplicate(itemPath(path, index), identity);
    seen.add(text);
  }
}

function keyEntry(item: unknown, key: string): [string, unknown][] {
  const value = isObject(item) ? own(item, key) : undefined;
  return value === undefined ? [] : [[key, value]];
}

function* checkResource(schema: JsonSchema, value: unknown, path: string): Generator<FieldProblem> {
  if (!schema["x-kubernetes-embedded-resource"] || !isObject(value)) return;
  const apiVersion = own(value, "apiVersion");
  if (typeof apiVersion !== "string" || apiVersion === "") yield required(childPath(path, "apiVersion"), "must not be empty");
  else if (apiVersion.split("/").length > 2)
    yield invalidValue(childPath(path, "apiVersion"), apiVersion, `unexpected GroupVersion string: ${apiVersion}`);
  const kind = own(value, "kind");
  if (typeof kind !== "string" || kind === "") yield required(childPath(path, "kind"), "must not be empty");
  else {
    const complaints = dns1035Label(kind.toLowerCase());
    if (complaints.length > 0)
      yield invalidValue(childPath(path, "kind"), kind, `may have mixed case, but should otherwise match: ${complaints.join(",")}`);
  }
}
