/** JSON Merge Patch (RFC 7386), as the Kubernetes API takes it: the object and the patch are JSON objects. */
import type { JsonObject } from "@mecha/kinds";
import { cannotUnmarshal, equal, isObject, put } from "../json.ts";
import { badPatch } from "./refusal.ts";

/**
 * The object after the patch; neither argument is changed. `null` removes a field, objects merge, everything else replaces.
 * @throws StatusError 400 when the patch is not an object.
 * @see RFC 7386 §2
 */
export function mergePatch(object: JsonObject, patch: unknown): JsonObject {
  if (patch === null) throw badPatch("Invalid JSON Patch");
  if (!isObject(patch)) throw badPatch(`error decoding patch: ${cannotUnmarshal(patch, "map[string]interface {}")}`);
  return merged(object, patch);
}

function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result: JsonObject = { ...target };
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    if (value === null) Reflect.deleteProperty(result, name);
    else if (!isObject(value)) put(result, name, value);
    else {
      const before = Object.hasOwn(result, name) ? result[name] : undefined;
      put(result, name, merged(isObject(before) ? before : {}, value));
    }
  }
  return result;
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
