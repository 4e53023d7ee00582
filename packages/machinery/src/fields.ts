/** Finds the fields of a type of a TypeTable by their JSON names, those of types embedded in place included. */
import type { FieldRow, TypeRef, TypeRow, TypeTable } from "@mecha/kinds";

const fieldsOfRow = new WeakMap<TypeRow, ReadonlyMap<string, FieldRow>>();

/** Fields by JSON name; `undefined` for a type the table does not have. */
export function fieldsOf(types: TypeTable, typeName: string): ReadonlyMap<string, FieldRow> | undefined {
  const row = types.get(typeName);
  if (!row) return undefined;
  const known = fieldsOfRow.get(row);
  if (known) return known;
  const fields = new Map<string, FieldRow>();
  for (const field of row.fields) {
    if (field.inline) for (const [name, inner] of inlined(types, field.ref)) fields.set(name, inner);
  }
  for (const field of row.fields) if (!field.inline) fields.set(field.name, field); // the holder's own field wins over an embedded one
  fieldsOfRow.set(row, fields);
  return fields;
}

function inlined(types: TypeTable, ref: TypeRef): Iterable<[string, FieldRow]> {
  return "type" in ref ? (fieldsOf(types, ref.type) ?? []) : [];
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
