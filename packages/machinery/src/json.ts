/**
 * JSON values as patches, apply and schemas handle them. Values are never changed in place: functions answer new ones and share what did not change.
 * Fields are read as own properties only: an object of a user may well have a field called `constructor` or `__proto__`.
 */
import type { JsonObject } from "@mecha/kinds";

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The field's value, `undefined` when the object has no such field of its own. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Sets a field of an object that is being built. Plain assignment of `__proto__` would change what the object is. */
export function put(object: JsonObject, name: string, value: unknown): void {
  if (name === "__proto__") Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else object[name] = value;
}

/** A copy that shares no part with the original. */
export function copy<T>(value: T): T {
  return copyOf(value) as T;
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const name of Object.keys(value)) put(result, name, copyOf(value[name]));
  return result;
}

/** The same JSON value; the order of fields does not count. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]));
}

/** What Go's decoder calls a value: `array`, `bool`, `number`. */
export function jsonKind(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}

/** JSON as Go writes it: no sign that HTML could take for its own. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[<>&\u2028\u2029]/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** As Go's decoder says that a value does not fit. */
export function cannotUnmarshal(value: unknown, goType: string): string {
  return `json: cannot unmarshal ${jsonKind(value)} into Go value of type ${goType}`;
}

/** A value as Go's `%v` prints it, which is how server messages show maps: `map[image:nginx]`. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (isObject(value)) {
    const names = Object.keys(value).sort();
    return `map[${names.map((name) => `${name}:${goText(value[name])}`).join(" ")}]`;
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
