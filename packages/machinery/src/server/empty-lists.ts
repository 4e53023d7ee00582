/**
 * Empty lists that a kind always writes (the rules of a Role, the endpoints of an EndpointSlice). A cluster keeps built-in kinds as Protobuf, which does not
 * tell an empty list from none; so whoever reads such an object gets null, whatever was written.
 */
import type { FieldRow, KubeObject, ResourceDefinition, TypeRef, TypeTable } from "@mecha/kinds";
import { fieldsOf } from "../fields.ts";
import { isObject } from "../json.ts";

/** Kept as JSON on a cluster too. */
const jsonGroup = "apiextensions.k8s.io";

/** The object as it is read back once it was stored; the same object when nothing in it changes. */
export function asReadBack(object: KubeObject, { strategicPatch, group, types, type }: ResourceDefinition): KubeObject {
  if (!strategicPatch || group === jsonGroup || !hasEmptyList(object)) return object;
  return nulled({ type }, object, types) as KubeObject;
}

/** Most objects have none: a look at them costs less than going through their types. */
function hasEmptyList(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0 || value.some(hasEmptyList);
  return typeof value === "object" && value !== null && Object.values(value).some(hasEmptyList);
}

function nulled(ref: TypeRef, value: unknown, types: TypeTable): unknown {
  if ("list" in ref) return Array.isArray(value) ? value.map((each) => nulled(ref.list, each, types)) : value;
  if (!isObject(value) || "scalar" in ref) return value;
  const fields = "type" in ref ? fieldsOf(types, ref.type) : undefined;
  const field = (name: string, inside: unknown): unknown => {
    if ("map" in ref) return nulled(ref.map, inside, types);
    const row: FieldRow | undefined = fields?.get(name);
    if (!row) return inside;
    return row.writeEmpty !== undefined && Array.isArray(inside) && inside.length === 0 ? null : nulled(row.ref, inside, types);
  };
  return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, field(name, inside)]));
}
