/**
 * An object a patch made, as the text in which the server shows it: built-in kinds with their fields in the order of their types, maps and what the patch
 * went through by name. Only made for refusals. Pure.
 */
import type { JsonObject, ResourceDefinition, TypeRef, TypeTable } from "@mecha/kinds";
import { fieldsOf } from "../fields.ts";
import { goJson, isObject, put } from "../json.ts";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";

/** @param patch One that applies to `current`. */
export function patchedText(
  current: JsonObject,
  patch: { readonly kind: "json" | "merge"; readonly value: unknown },
  { strategicPatch, types, type }: Pick<ResourceDefinition, "strategicPatch" | "types" | "type">,
): string {
  const before = inOrder(types, strategicPatch ? { type } : undefined, current) as JsonObject;
  const opened = new WeakSet([before]);
  const apply = patch.kind === "json" ? jsonPatch : mergePatch;
  return text(apply(before, patch.value, opened), opened);
}

/** The same value; fields of a type come as its Go struct has them, all others by name. */
function inOrder(types: TypeTable, ref: TypeRef | undefined, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => inOrder(types, ref && "list" in ref ? ref.list : undefined, each));
  if (!isObject(value)) return value;
  const fields = ref && "type" in ref ? fieldsOf(types, ref.type) : undefined;
  const element = ref && "map" in ref ? ref.map : undefined;
  const sorted = Object.keys(value).sort();
  const names = fields
    ? [...[...fields.keys()].filter((name) => Object.hasOwn(value, name)), ...sorted.filter((name) => !fields.has(name))]
    : sorted;
  const result: JsonObject = {};
  for (const name of names) put(result, name, inOrder(types, fields?.get(name)?.ref ?? element, value[name]));
  return result;
}

function text(value: unknown, opened: WeakSet<object>): string {
  if (Array.isArray(value)) return `[${value.map((each) => text(each, opened)).join(",")}]`;
  if (!isObject(value)) return goJson(value);
  const names = Object.keys(value);
  if (opened.has(value)) names.sort();
  return `{${names.map((name) => `${goJson(name)}:${text(value[name], opened)}`).join(",")}}`;
}
