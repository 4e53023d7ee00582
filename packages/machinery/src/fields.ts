/** Finds the fields of a type of a TypeTable by their JSON names, those of types embedded in place included. */
import { type FieldRow, fieldsOf as fieldsOfRow, type TypeRef, type TypeTable } from "@mecha/kinds";

/** Fields by JSON name; `undefined` for a type the table does not have. */
export function fieldsOf(types: TypeTable, typeName: string): ReadonlyMap<string, FieldRow> | undefined {
  const row = types.get(typeName);
  return row && fieldsOfRow(types, row);
}

/** What the field `name` of a value of type `ref` holds; `undefined` when the table does not say. */
export function refOf(types: TypeTable, ref: TypeRef | undefined, name: string): TypeRef | undefined {
  if (!ref) return undefined;
  if ("map" in ref) return ref.map;
  return fieldRow(types, ref, name)?.ref;
}

/** The row of the field `name` of a value of type `ref`, when that is a type with named fields. */
export function fieldRow(types: TypeTable, ref: TypeRef | undefined, name: string): FieldRow | undefined {
  return ref && "type" in ref ? fieldsOf(types, ref.type)?.get(name) : undefined;
}
