/**
 * What the types of the API look like, as tables: the one source of OpenAPI, `kubectl explain`, strict decoding, strategic merge, server-side apply
 * and Protobuf bodies. Tables of the kinds Kubernetes has are data imported by scripts/import-k8s; those of our own kinds are written here; those of a
 * CRD are made from its structural schema.
 */

/** Values that hold no fields. The Protobuf form of each is in packages/machinery's decoder. */
export type ScalarName =
  | "string"
  | "bool"
  | "int32"
  | "int64"
  | "double"
  /** Base64 text in JSON. */
  | "bytes"
  /** meta/v1 Time: RFC 3339 in whole seconds, or null. */
  | "time"
  /** meta/v1 MicroTime: RFC 3339 with six digits of a second. */
  | "microTime"
  /** meta/v1 Duration: Go's notation, `1h30m`. */
  | "duration"
  | "intOrString"
  | "quantity"
  /** Any JSON: RawExtension, apiextensions JSON. */
  | "any"
  /** meta/v1 FieldsV1: a JSON object stored as bytes. */
  | "fieldsV1";

/** What a field, an element or a map's value holds. */
export type TypeRef =
  /** `named`: what OpenAPI calls any JSON of this purpose, such as `io.k8s.apimachinery.pkg.runtime.RawExtension`. */
  | { readonly scalar: ScalarName; readonly named?: string }
  /** Name of an entry of the same table set, such as `io.k8s.api.core.v1.PodSpec`. */
  | { readonly type: string; readonly mapType?: "granular" | "atomic" }
  /** `message`: in the Protobuf form a message of its own, with the elements as field 1 (Go's named slice types). */
  | { readonly list: TypeRef; readonly listType?: ListType; readonly mapKeys?: readonly string[]; readonly message?: true }
  /** Keys are texts. */
  | { readonly map: TypeRef; readonly mapType?: "granular" | "atomic" };

/** How server-side apply merges a list (x-kubernetes-list-type). Absent = atomic. */
export type ListType = "atomic" | "set" | "map";

/** One field of a message type. */
export interface FieldRow {
  /** JSON name. Empty for a type embedded in place (its fields are its holder's): `inline` is set. */
  readonly name: string;
  /** Field number in the Protobuf form; absent where there is none (CRDs, our own kinds). */
  readonly number?: number;
  readonly ref: TypeRef;
  readonly required?: boolean;
  /** Fields of `ref` appear in the holder itself; in the Protobuf form they are a message of their own. See fieldsOf. */
  readonly inline?: boolean;
  /** Strategic merge patch: `merge`, `replace`, `retainKeys` or `merge,retainKeys` (x-kubernetes-patch-strategy). */
  readonly patchStrategy?: string;
  /** x-kubernetes-patch-merge-key. */
  readonly patchMergeKey?: string;
  /** What the server fills in when the field is absent, as in OpenAPI `default`. */
  readonly default?: unknown;
  /** Allowed texts, where the type (or a list's element) is an enumeration. */
  readonly enum?: readonly string[];
  /** In our own words; shown by `kubectl explain`. */
  readonly description?: string;
  /** JSON leaves out an empty value (Go `omitempty` on a field that is no pointer): a zero in a Protobuf body then means absent. */
  readonly omitEmpty?: boolean;
  /**
   * JSON has the field even when nothing was said: `{}` for a message, null for a list, "" for a text (Go values that are no pointers); "null": null
   * whatever the type (Go pointers without omitempty).
   */
  readonly writeEmpty?: true | "null";
}

/** Fields of which at most one is set. */
export interface Union {
  /** By JSON name: what the discriminator says for it, in Go's spelling. */
  readonly members: Readonly<Record<string, string>>;
  /** The field that says which of them. */
  readonly discriminator?: string;
}

/** A message type. */
export interface TypeRow {
  /** Unique: `io.k8s.api.apps.v1.Deployment`. */
  readonly name: string;
  readonly fields: readonly FieldRow[];
  /** x-kubernetes-map-type: server-side apply owns it as one value when `atomic`. */
  readonly mapType?: "granular" | "atomic";
  /** Fields of which at most one is set (x-kubernetes-unions). */
  readonly union?: Union;
  /** Fields not in the table are kept (x-kubernetes-preserve-unknown-fields). */
  readonly preserveUnknown?: boolean;
  readonly description?: string;
}

/** Types by name. */
export type TypeTable = ReadonlyMap<string, TypeRow>;

const fieldsByType = new WeakMap<TypeRow, ReadonlyMap<string, FieldRow>>();

/** A type's fields by their JSON names, those of types embedded in place among them. */
export function fieldsOf(types: TypeTable, row: TypeRow): ReadonlyMap<string, FieldRow> {
  const known = fieldsByType.get(row);
  if (known) return known;
  const fields = new Map<string, FieldRow>();
  for (const field of row.fields) {
    if (!field.inline) fields.set(field.name, field);
    else for (const [name, inner] of fieldsOf(types, typeOf(types, field.ref))) fields.set(name, inner);
  }
  fieldsByType.set(row, fields);
  return fields;
}

const goPathsByType = new WeakMap<TypeRow, ReadonlyMap<string, string>>();

/** Where Go has the fields of types embedded in place, by their JSON names: `configMap` of a Volume is `VolumeSource.configMap`. Other fields are not in it. */
export function embeddedPathsOf(types: TypeTable, row: TypeRow): ReadonlyMap<string, string> {
  const known = goPathsByType.get(row);
  if (known) return known;
  const paths = new Map<string, string>();
  for (const { ref } of row.fields.filter(({ inline }) => inline)) {
    const inner = typeOf(types, ref);
    const embedded = inner.name.slice(inner.name.lastIndexOf(".") + 1);
    const below = embeddedPathsOf(types, inner);
    for (const name of fieldsOf(types, inner).keys()) paths.set(name, `${embedded}.${below.get(name) ?? name}`);
  }
  goPathsByType.set(row, paths);
  return paths;
}

/** The message type a reference names. @throws Error when it names none: a mistake in a table. */
export function typeOf(types: TypeTable, ref: TypeRef): TypeRow {
  const row = "type" in ref ? types.get(ref.type) : undefined;
  if (!row) throw new Error(`type table: ${JSON.stringify(ref)} is no message type of it`);
  return row;
}
