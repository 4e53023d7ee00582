/**
 * Type tables as OpenAPI schemas, in both versions. Where they differ: version 3 puts references below `#/components/schemas/` and, because it allows
 * nothing beside a reference, into `allOf`; version 2 has `#/definitions/` and takes descriptions beside it.
 *
 * What kubectl reads: x-kubernetes-group-version-kind (which schema is a kind's), x-kubernetes-patch-strategy and -merge-key (apply of built-in kinds),
 * list types and map keys (server-side apply clients), descriptions and enumerations (explain).
 */
import {
  type FieldRow,
  fieldsOf,
  fieldText,
  type JsonObject,
  type ScalarName,
  type TypeRef,
  type TypeRow,
  typeText,
  type TypeTable,
} from "@mecha/kinds";

export type OpenApiVersion = 2 | 3;

/** Scalars that are schemas of their own, so that `explain` can name them. */
const named: Partial<Record<ScalarName, { readonly name: string; readonly schema: JsonObject }>> = {
  time: { name: "io.k8s.apimachinery.pkg.apis.meta.v1.Time", schema: { type: "string", format: "date-time" } },
  microTime: { name: "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", schema: { type: "string", format: "date-time" } },
  duration: { name: "io.k8s.apimachinery.pkg.apis.meta.v1.Duration", schema: { type: "string" } },
  intOrString: {
    name: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    schema: { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] },
  },
  quantity: { name: "io.k8s.apimachinery.pkg.api.resource.Quantity", schema: { oneOf: [{ type: "string" }, { type: "number" }] } },
  fieldsV1: { name: "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", schema: { type: "object" } },
};

/** In version 2 there is no `oneOf`: both read as texts there. */
const plainSchemas: Partial<Record<ScalarName, JsonObject>> = {
  intOrString: { type: "string", format: "int-or-string" },
  quantity: { type: "string" },
};

const inline: Readonly<Partial<Record<ScalarName, JsonObject>>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
  any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
};

/** A kind's group, version and name, as `x-kubernetes-group-version-kind` has them. */
export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Collects the schemas some types need, those they name included. */
export class SchemaSet {
  readonly #version: OpenApiVersion;
  readonly #schemas = new Map<string, JsonObject>();

  constructor(version: OpenApiVersion) {
    this.#version = version;
  }

  /** Adds a type and everything it reaches. */
  add(types: TypeTable, name: string): void {
    if (this.#schemas.has(name)) return;
    const row = types.get(name);
    if (!row) throw new Error(`OpenAPI: no type ${name}`);
    const schema: JsonObject = {};
    this.#schemas.set(name, schema); // before its fields, which may name it
    Object.assign(schema, this.#message(types, row));
  }

  /** Adds a schema made elsewhere (lists of kinds without a list type). */
  put(name: string, schema: JsonObject): void {
    this.#schemas.set(name, schema);
  }

  /** Says which kind a schema is. A schema may be several kinds' (DeleteOptions). */
  mark(name: string, gvk: GroupVersionKind): void {
    const schema = this.#schemas.get(name);
    if (!schema) return;
    const marks = (schema["x-kubernetes-group-version-kind"] ??= []) as GroupVersionKind[];
    if (!marks.some((mark) => mark.group === gvk.group && mark.version === gvk.version && mark.kind === gvk.kind)) marks.push(gvk);
  }

  /** A reference to a schema, for a field. */
  reference(name: string): JsonObject {
    return { $ref: `${this.#version === 3 ? "#/components/schemas/" : "#/definitions/"}${name}` };
  }

  /** By name, sorted: the same types give the same text, so that caches hold. */
  schemas(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #message(types: TypeTable, row: TypeRow): JsonObject {
    const fields = [...fieldsOf(types, row).values()];
    const required = fields.filter((field) => field.required).map((field) => field.name);
    const description = row.description ?? typeText(row.name);
    return {
      type: "object",
      ...(description !== undefined && { description }),
      ...(fields.length > 0 && { properties: Object.fromEntries(fields.map((field) => [field.name, this.#field(types, row, field)])) }),
      ...(required.length > 0 && { required: required.sort() }),
      ...(row.mapType && { "x-kubernetes-map-type": row.mapType }),
      ...(row.preserveUnknown && { "x-kubernetes-preserve-unknown-fields": true }),
    };
  }

  #field(types: TypeTable, row: TypeRow, field: FieldRow): JsonObject {
    const description = field.description ?? fieldText(row.name, field.name);
    const more: JsonObject = {
      ...(description !== undefined && { description }),
      ...(field.default !== undefined && { default: field.default }),
      ...(field.patchStrategy !== undefined && { "x-kubernetes-patch-strategy": field.patchStrategy }),
      ...(field.patchMergeKey !== undefined && { "x-kubernetes-patch-merge-key": field.patchMergeKey }),
    };
    const schema = this.#value(types, field.ref);
    if (field.enum) {
      if ("list" in field.ref) schema["items"] = { ...(schema["items"] as JsonObject), enum: field.enum };
      else schema["enum"] = field.enum;
    }
    const wrapped = this.#version === 3 && "$ref" in schema && Object.keys(more).length > 0;
    return { ...(wrapped ? { allOf: [{ $ref: schema["$ref"] }], ...withoutRef(schema) } : schema), ...more };
  }

  #value(types: TypeTable, ref: TypeRef): JsonObject {
    if ("scalar" in ref) return this.#scalar(ref.scalar);
    if ("type" in ref) {
      this.add(types, ref.type);
      return { ...this.reference(ref.type), ...(ref.mapType && { "x-kubernetes-map-type": ref.mapType }) };
    }
    if ("map" in ref)
      return {
        type: "object",
        additionalProperties: this.#value(types, ref.map),
        ...(ref.mapType && { "x-kubernetes-map-type": ref.mapType }),
      };
    return {
      type: "array",
      items: this.#value(types, ref.list),
      ...(ref.listType && { "x-kubernetes-list-type": ref.listType }),
      ...(ref.mapKeys && { "x-kubernetes-list-map-keys": ref.mapKeys }),
    };
  }

  #scalar(name: ScalarName): JsonObject {
    const own = named[name];
    if (!own) return { ...inline[name] };
    if (!this.#schemas.has(own.name)) {
      const schema = (this.#version === 2 && plainSchemas[name]) || own.schema;
      const description = typeText(own.name);
      this.#schemas.set(own.name, { ...schema, ...(description !== undefined && { description }) });
    }
    return this.reference(own.name);
  }
}

function withoutRef({ $ref: _, ...rest }: JsonObject): JsonObject {
  return rest;
}
