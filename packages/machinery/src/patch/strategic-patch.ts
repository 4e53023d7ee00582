/**
 * Strategic Merge Patch: merge patch that knows which lists are sets and which are maps, from the types' patch strategies and merge keys.
 *
 * Invariants
 * S1 neither the object nor the patch is changed
 * S2 no directive (`$patch`, `$retainKeys`, `$setElementOrder/x`, `$deleteFromPrimitiveList/x`) is left in the result
 * S3 elements keep the order of: $setElementOrder, then the patch, then the object
 * @see Kubernetes, "sig-api-machinery/strategic-merge-patch", "Preserve order in strategic merge patch"
 */
import type { JsonObject, TypeRef, TypeTable } from "@mecha/kinds";
import { fieldRow, refOf } from "../fields.ts";
import { goText, isObject, own, put } from "../json.ts";
import { arrange, mergeElements, mergeScalars } from "./strategic-list.ts";
import { badPatch, misshapen } from "./refusal.ts";

const directive = "$patch";
const retainKeys = "$retainKeys";
const elementOrder = "$setElementOrder/";
const listDeletion = "$deleteFromPrimitiveList/";

/** What the types say about one field. */
interface Place {
  readonly types: TypeTable;
  readonly ref: TypeRef | undefined;
  readonly strategy: "merge" | "replace";
  readonly mergeKey: string | undefined;
}

/**
 * The object after the patch.
 *
 * @param typeName The object's type in `types`.
 * @throws StatusError 400 for a directive of the wrong form, 500 without a reason for elements without their merge key (as the server does).
 */
export function strategicMergePatch(object: JsonObject, patch: unknown, types: TypeTable, typeName: string): JsonObject {
  if (!isObject(patch)) throw badPatch("json: cannot unmarshal value into Go value of type map[string]interface {}");
  return mergeMap(object, patch, { types, ref: { type: typeName }, strategy: "merge", mergeKey: undefined });
}

function mergeMap(original: JsonObject, patch: JsonObject, place: Place): JsonObject {
  if (Object.hasOwn(patch, directive)) return directed(patch);
  const result = retained(original, patch);
  const ordered = new Set<string>();
  for (const name of Object.keys(patch)) {
    if (!name.startsWith(elementOrder)) continue;
    const field = name.slice(elementOrder.length);
    ordered.add(field);
    mergeOrdered(result, patch, field, place);
  }
  for (const name of Object.keys(patch)) {
    if (name === retainKeys || name.startsWith(elementOrder) || ordered.has(name)) continue;
    if (name.startsWith(listDeletion)) deleteScalars(result, name.slice(listDeletion.length), patch[name]);
    else mergeField(result, name, patch[name], placeOf(place, name));
  }
  return result;
}

/** A map that says itself what becomes of it. */
function directed(patch: JsonObject): JsonObject {
  const wanted = patch[directive];
  if (wanted === "delete") return {};
  if (wanted !== "replace") throw misshapen(unknownDirective(patch));
  const { [directive]: _, ...rest } = patch;
  return addition(rest) as JsonObject;
}

/** `$retainKeys` drops every field it does not name. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  if (!Object.hasOwn(patch, retainKeys)) return { ...original };
  const keys = patch[retainKeys];
  const wrong = "invalid patch format of retainKeys";
  if (!Array.isArray(keys)) throw badPatch(wrong);
  for (const [name, value] of Object.entries(patch)) {
    const named = name === retainKeys || name.startsWith(elementOrder) || name.startsWith(listDeletion) || value === null;
    if (!named && !keys.includes(name)) throw badPatch(wrong);
  }
  return Object.fromEntries(Object.entries(original).filter(([name]) => keys.includes(name)));
}

/** A list with `$setElementOrder`: merged with the patch's list, if there is one, then put into that order. */
function mergeOrdered(result: JsonObject, patch: JsonObject, field: string, holder: Place): void {
  const place = placeOf(holder, field);
  const order = patch[elementOrder + field];
  const before = listOr(own(result, field));
  const change = listOr(own(patch, field));
  if (!Array.isArray(order)) throw misshapen(`expected a []interface {}, but received a ${typeof order}`);
  const kept = place.mergeKey === undefined ? change : change?.filter((item) => !isObject(item) || !Object.hasOwn(item, directive));
  if (!follows(kept ?? [], order, place.mergeKey)) {
    const list = `[${(change ?? []).map((item) => JSON.stringify(item)).join(" ")}]`;
    throw misshapen(
      `The order in patch list:\n${list}\n doesn't match $setElementOrder list:\n[${order.map((item) => JSON.stringify(item)).join(" ")}]\n`,
    );
  }
  if (!before && !change) return;
  const merged = before && change ? mergeList(before, change, place) : (before ?? (addition(change) as unknown[]));
  put(result, field, arrange(merged, order, before ?? [], place.mergeKey));
}

/** Elements of the patch's list occur in the order list, in the same order. */
function follows(change: readonly unknown[], order: readonly unknown[], mergeKey: string | undefined): boolean {
  if (change.length === 0 || order.length === 0) return true;
  const identity = (item: unknown): unknown => (mergeKey !== undefined && isObject(item) ? own(item, mergeKey) : item);
  let at = 0;
  for (const item of change) {
    while (at < order.length && identity(order[at]) !== identity(item)) at++;
    if (at === order.length) return false;
    at++;
  }
  return true;
}

function listOr(value: unknown): unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value))
    throw misshapen(`expected a []interface {}, but received a ${isObject(value) ? "map[string]interface {}" : typeof value}`);
  return value as unknown[];
}

function deleteScalars(result: JsonObject, field: string, gone: unknown): void {
  if (!Array.isArray(gone)) throw badPatch("invalid patch format of primitive list");
  const before = own(result, field);
  if (Array.isArray(before))
    put(
      result,
      field,
      before.filter((item) => !gone.includes(item)),
    );
}

function mergeField(result: JsonObject, name: string, value: unknown, place: Place): void {
  const before = own(result, name);
  if (value === null || isMarked(value, before)) Reflect.deleteProperty(result, name);
  else if (isObject(value) && isObject(before))
    put(result, name, place.strategy === "replace" ? addition(value) : mergeMap(before, value, place));
  else if (Array.isArray(value) && Array.isArray(before)) put(result, name, mergeList(before, value, place));
  else put(result, name, addition(value));
}

/** A map with a directive that meets no map: there is nothing to merge or delete, and the server adds nothing. */
function isMarked(value: unknown, before: unknown): boolean {
  return isObject(value) && Object.hasOwn(value, directive) && !isObject(before);
}

function mergeList(before: readonly unknown[], change: readonly unknown[], place: Place): unknown[] {
  if (place.strategy !== "merge") return addition(change) as unknown[];
  if (before.length === 0 && change.length === 0) return [];
  const shapes = new Set([...before, ...change].map((item) => (Array.isArray(item) ? "list" : isObject(item) ? "map" : typeof item)));
  if (shapes.has("list")) throw misshapen("lists of lists are not supported");
  if (shapes.size > 1) throw misshapen(`list element types are not identical: ${JSON.stringify([before, change])}`);
  if (!shapes.has("map")) return mergeScalars(before, change);
  if (place.mergeKey === undefined) throw misshapen("cannot merge lists without merge key for struct");
  const element: Place = { ...place, mergeKey: undefined };
  return mergeElements(before as JsonObject[], change as JsonObject[], place.mergeKey, {
    directive,
    unknownDirective,
    merge: (item, by) => mergeMap(item, by, element),
    add: (item) => addition(item) as JsonObject,
  });
}

function unknownDirective(patch: JsonObject): string {
  const kind = patch[directive];
  // Go prints what is no text in its own way.
  const shown = typeof kind === "number" ? `%!s(${Number.isInteger(kind) ? "int64" : "float64"}=${kind})` : String(kind);
  return `unknown patch type: ${shown} in map: ${goText(patch)}`;
}

/** A value of the patch that becomes a value of the object as it is: without nulls and directives (S2). */
function addition(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !isObject(item) || !Object.hasOwn(item, directive)).map(addition);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [name, inner] of Object.entries(value)) {
    const marked = isObject(inner) && Object.hasOwn(inner, directive);
    const instruction = name === retainKeys || name.startsWith(elementOrder) || name.startsWith(listDeletion);
    if (inner !== null && !marked && !instruction) put(result, name, addition(inner));
  }
  return result;
}

/** The field `name` of a value at `holder`. Lists lead to their elements: what is merged next is one of them. */
function placeOf(holder: Place, name: string): Place {
  const row = fieldRow(holder.types, holder.ref, name);
  const ref = refOf(holder.types, holder.ref, name);
  const strategies = row?.patchStrategy?.split(",") ?? [];
  const list = ref && "list" in ref;
  return {
    types: holder.types,
    ref: list ? ref.list : ref,
    // Maps merge unless told otherwise, lists are replaced unless told otherwise.
    strategy: strategies.includes("merge") ? "merge" : strategies.includes("replace") || list || ref === undefined ? "replace" : "merge",
    mergeKey: row?.patchMergeKey,
  };
}
