/** How server-side apply sees a value: one leaf, a map with fields, or a list whose elements are found by value or by keys. */
import type { FieldRow, JsonObject, ScalarName, TypeRef, TypeTable } from "@mecha/kinds";
import { fieldsOf } from "../fields.ts";
import { isObject, own } from "../json.ts";
import { keyStep, valueStep } from "./field-set.ts";

/** Types and the name of the object's type in them. */
export interface Schema {
  readonly types: TypeTable;
  readonly type: string;
}

export type Shape =
  /** Owned as one: scalars, atomic maps and lists. */
  | { readonly kind: "leaf" }
  | { readonly kind: "map"; readonly fields: ReadonlyMap<string, FieldRow>; readonly element: TypeRef | undefined }
  | { readonly kind: "list"; readonly element: TypeRef; /** Empty: a set. */ readonly keys: readonly string[] };

const leaf: Shape = { kind: "leaf" };
const noFields: ReadonlyMap<string, FieldRow> = new Map();

/** The shape of `value` at a place of type `ref`. Without a type it follows from the value: maps are granular, lists atomic. */
export function shapeOf(types: TypeTable, ref: TypeRef | undefined, value: unknown): Shape {
  if (ref === undefined) return isObject(value) ? { kind: "map", fields: noFields, element: undefined } : leaf;
  if ("scalar" in ref) return leaf;
  if ("map" in ref) return ref.mapType === "atomic" ? leaf : { kind: "map", fields: noFields, element: ref.map };
  if ("list" in ref) {
    if (ref.listType === "set") return { kind: "list", element: ref.list, keys: [] };
    if (ref.listType === "map") return { kind: "list", element: ref.list, keys: ref.mapKeys ?? [] };
    return leaf;
  }
  const row = types.get(ref.type);
  if (!row) return shapeOf(types, undefined, value);
  return (ref.mapType ?? row.mapType) === "atomic"
    ? leaf
    : { kind: "map", fields: fieldsOf(types, ref.type) ?? noFields, element: undefined };
}

/** The type of a map's field. */
export function fieldRef(shape: Shape & { kind: "map" }, name: string): TypeRef | undefined {
  return shape.fields.get(name)?.ref ?? shape.element;
}

/** Fields of a value that is looked at as a map; none when it is something else. */
export function mapOf(value: unknown): JsonObject | undefined {
  return isObject(value) && Object.keys(value).length > 0 ? value : undefined;
}

export function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) && value.length > 0 ? (value as unknown[]) : undefined;
}

/**
 * The step that leads to an element of a granular list.
 * @throws Error in the server's words when the element cannot be found again.
 */
export function stepOf(types: TypeTable, shape: Shape & { kind: "list" }, item: unknown): string {
  if (shape.keys.length === 0) {
    if (isObject(item)) throw new Error("associative list without keys has an element that's a map type");
    if (Array.isArray(item)) throw new Error("not supported: associative list with lists as elements");
    if (item === null) throw new Error("associative list without keys has an element that's an explicit null");
    return valueStep(item);
  }
  if (item === null) throw new Error("associative list with keys may not have a null element");
  if (!isObject(item)) throw new Error("associative list with keys may not have non-map elements");
  const keys: JsonObject = {};
  const rows = "type" in shape.element ? fieldsOf(types, shape.element.type) : undefined;
  for (const name of shape.keys) {
    const value = own(item, name) ?? keyDefault(rows?.get(name));
    if (value !== undefined) keys[name] = value;
  }
  if (Object.keys(keys).length === 0) {
    const names = shape.keys.map((name) => `"${name}"`).join(" ");
    throw new Error(
      `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyStep(keys);
}

/** What a key that is left out holds: its default, or what the kind's Go struct writes where nothing was said. */
function keyDefault(row: FieldRow | undefined): unknown {
  if (!row) return undefined;
  const written = row.writeEmpty === true && "scalar" in row.ref ? empties[row.ref.scalar] : undefined;
  return row.default ?? written;
}

const empties: Readonly<Partial<Record<ScalarName, unknown>>> = { string: "", bool: false, int32: 0, int64: 0, double: 0 };
