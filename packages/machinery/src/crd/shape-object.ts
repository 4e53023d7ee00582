/** What a structural schema does to an object before it is checked: fields it does not know go, defaults come. In place. */
import type { JsonObject } from "@mecha/kinds";
import { copy, isObject, put } from "../json.ts";
import { childPath, fieldSchema, itemPath, type JsonSchema, ownFields } from "./schema.ts";

/** Drops fields the schema does not know. @returns their paths, `spec.foo`. */
export function prune(schema: JsonSchema, object: JsonObject): string[] {
  const dropped: string[] = [];
  pruneValue(schema, object, "", true, dropped);
  return dropped;
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
    else if (!schema["x-kubernetes-preserve-unknown-fields"]) {
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
    if (property.default === undefined) continue;
    const absent = !Object.hasOwn(value, name) || (value[name] === null && property.nullable !== true);
    if (absent) put(value, name, copy(property.default));
  }
  for (const name of Object.keys(value)) {
    const below = fieldSchema(schema, name);
    if (below) setDefaults(below, value[name]);
  }
}
