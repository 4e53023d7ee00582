/** What a structural schema does to an object before it is checked: fields it does not know go, defaults come. In place. */
import type { JsonObject } from "@mecha/kinds";
import { copy, isObject, put } from "../json.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema, ownFields } from "./schema.ts";

/** Drops fields the schema does not know, and nulls it does not allow. @returns paths of the unknown ones, `spec.foo`. */
export function prune(schema: JsonSchema, object: JsonObject): string[] {
  const dropped: string[] = [];
  pruneValue(schema, object, "", true, dropped);
  pruneNulls(schema, object, true);
  return dropped.sort(compareTexts);
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** A null where the schema has neither null nor a default counts as absent. Elements of lists stay. */
function pruneNulls(schema: JsonSchema, value: unknown, isRoot: boolean): void {
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) pruneNulls(schema.items, item, false);
    return;
  }
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    const below = isRoot && ownFields.has(name) ? undefined : fieldSchema(schema, name);
    if (!below) continue;
    const isStray = value[name] === null && below.nullable !== true && (below.default === undefined || below.default === null);
    if (isStray) Reflect.deleteProperty(value, name);
    else pruneNulls(below, value[name], false);
  }
}

function pruneValue(schema: JsonSchema, value: unknown, path: string, isResource: boolean, dropped: string[]): void {
  if (Array.isArray(value)) {
    const items = schema.items ?? (schema["x-kubernetes-preserve-unknown-fields"] ? undefined : {});
    if (items)
      for (const [index, item] of value.entries())
        pruneValue(items, item, itemPath(path, index), items["x-kubernetes-embedded-resource"] === true, dropped);
    return;
  }
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    if (isResource && ownFields.has(name)) continue;
    const below = fieldSchema(schema, name);
    if (below) pruneValue(below, value[name], childPath(path, name), below["x-kubernetes-embedded-resource"] === true, dropped);
    else if (!schema["x-kubernetes-preserve-unknown-fields"] && schema.additionalProperties !== false) {
      Reflect.deleteProperty(value, name);
      dropped.push(childPath(path, name));
    }
  }
}

/** Fills in defaults. A null that its schema does not allow counts as absent where there is a default. */
export function setDefaults(schema: JsonSchema, value: unknown): void {
  if (Array.isArray(value)) {
    if (schema.items) for (const item of value) setDefaults(schema.items, item);
    return;
  }
  if (!isObject(value)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default === undefined || property.default === null) continue; // null is no default, whatever the schema allows
    const absent = !Object.hasOwn(value, name) || (value[name] === null && property.nullable !== true);
    if (absent) put(value, name, copy(property.default));
  }
  for (const name of Object.keys(value)) {
    const below = fieldSchema(schema, name);
    if (below) setDefaults(below, value[name]);
  }
}
