/** Reading objects that are plain JSON: what is not there, or is of another type, reads as nothing. */
import type { JsonObject } from "./object.ts";

/** A JSON object, not a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path of field names: `spec.template.spec`. */
export function valueAt(object: unknown, path: string): unknown {
  let value = object;
  for (const name of path.split(".")) {
    if (!isObject(value)) return undefined;
    value = value[name];
  }
  return value;
}

/** The text at `path`, or "". */
export function textAt(object: unknown, path: string): string {
  const value = valueAt(object, path);
  return typeof value === "string" ? value : "";
}

/** The number at `path`, or 0. */
export function numberAt(object: unknown, path: string): number {
  const value = valueAt(object, path);
  return typeof value === "number" ? value : 0;
}

/** The list at `path`, or none; of objects only those that are. */
export function objectsAt(object: unknown, path: string): readonly JsonObject[] {
  return listAt(object, path).filter(isObject);
}

/** The list at `path`, or none. */
export function listAt(object: unknown, path: string): readonly unknown[] {
  const value = valueAt(object, path);
  return Array.isArray(value) ? value : [];
}

/** The texts of the list at `path`. */
export function textsAt(object: unknown, path: string): readonly string[] {
  return listAt(object, path).filter((value) => typeof value === "string");
}

/** The object at `path`, or an empty one. */
export function objectAt(object: unknown, path: string): JsonObject {
  const value = valueAt(object, path);
  return isObject(value) ? value : {};
}

/** The map of texts at `path` (labels, a selector), or an empty one. */
export function mapAt(object: unknown, path: string): Readonly<Record<string, string>> {
  return objectAt(object, path) as Record<string, string>;
}

/** The object at field `name`, made when it is not there. */
export function ensureObject(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  if (isObject(value)) return value;
  const made: JsonObject = {};
  object[name] = made;
  return made;
}

/** Sets a field that was left out or is empty ("", 0), as Go's defaults of values that are no pointers do. */
export function setDefault(object: JsonObject, name: string, value: unknown): void {
  const now = object[name];
  if (now === undefined || now === null || now === "" || now === 0) object[name] = value;
}

/** Sets a field that was left out; a 0 that was written stays (Go's pointers). */
export function setAbsent(object: JsonObject, name: string, value: unknown): void {
  if (object[name] === undefined || object[name] === null) object[name] = value;
}

/** Whether two JSON values say the same; the order of fields does not matter, absent and undefined are one. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => sameJson(value, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => sameJson(a[name], b[name]));
}
