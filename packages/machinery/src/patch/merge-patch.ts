/** JSON Merge Patch (RFC 7386), as the Kubernetes API takes it: the object and the patch are JSON objects. */
import type { JsonObject } from "@mecha/kinds";
import { cannotUnmarshal, equal, isObject, put } from "../json.ts";
import { badPatch } from "./refusal.ts";

/**
 * The object after the patch; neither argument is changed. `null` removes a field, objects merge, everything else replaces.
 * @param opened Told every object of the result that is new.
 * @throws StatusError 400 when the patch is not an object.
 * @see RFC 7386 §2
 */
export function mergePatch(object: JsonObject, patch: unknown, opened?: WeakSet<object>): JsonObject {
  if (patch === null) throw badPatch("Invalid JSON Patch");
  if (!isObject(patch)) throw badPatch(`error decoding patch: ${cannotUnmarshal(patch, "map[string]interface {}")}`);
  return merged(object, patch, opened);
}

function merged(target: JsonObject, patch: JsonObject, opened: WeakSet<object> | undefined): JsonObject {
  const result: JsonObject = { ...target };
  opened?.add(result);
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    const before = Object.hasOwn(result, name) ? result[name] : undefined;
    if (value === null) Reflect.deleteProperty(result, name);
    else if (isObject(value)) put(result, name, merged(isObject(before) ? before : {}, value, opened));
    else put(result, name, isObject(before) ? value : withoutNulls(value, opened));
  }
  return result;
}

/** Beyond the RFC: objects in a list lose what is null in them, as in the server, unless the list takes the place of an object. */
function withoutNulls(value: unknown, opened: WeakSet<object> | undefined): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutNulls(each, opened));
  return isObject(value) ? merged({}, value, opened) : value;
}

/** The smallest merge patch that turns `from` into `to`; `undefined` when they are equal. `to` holds no null: a merge patch cannot write one. */
export function mergePatchBetween(from: JsonObject, to: JsonObject): JsonObject | undefined {
  const patch: JsonObject = {};
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) put(patch, name, null);
  for (const name of Object.keys(to)) {
    const change = changeOf(Object.hasOwn(from, name) ? from[name] : undefined, to[name]);
    if (change !== undefined) put(patch, name, change);
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function changeOf(from: unknown, to: unknown): unknown {
  if (isObject(from) && isObject(to)) return mergePatchBetween(from, to);
  return equal(from, to) ? undefined : to;
}
