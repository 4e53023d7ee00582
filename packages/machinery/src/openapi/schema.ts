/**
 * Type tables as OpenAPI schemas, in both versions. Where they differ: version 3 puts references below `#/components/schemas/` and, because it allows
 * nothing beside a reference, into `allOf`; version 2 has
 * `#/definitions/`, takes descriptions beside a reference, and has no defaults.
 *
 * What kubectl reads: x-kubernetes-group-version-kind (which schema is a kind's), x-kubernetes-patch-strategy and -merge-key (apply of built-in kinds),
 * list types and map keys (server-side apply clients), descriptions and enumerations (explain). Generators of clients read the rest: what is required, formats, defaults.
 */
import {
  allKinds,
  type FieldRow,
  fieldsOf,
  fieldText,
  type GroupVersion,
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

/** Any JSON of a purpose: an object, but for what a schema itself is made of, which may be of any type. */
const anyObject = "io.k8s.apimachinery.pkg.runtime.RawExtension";

const inline: Readonly<Partial<Record<ScalarName, JsonObject>>> = {
  string: { type: "string" },
  bool: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
  any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
};

/** What a field that is always written holds when nobody says anything. */
const zeros: Readonly<Partial<Record<ScalarName, string | number | boolean>>> = {
  string: "",
  bool: false,
  int32: 0,
  int64: 0,
  double: 0,
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
    const { group, version } = groupVersionOf(name) ?? {};
    if (group !== undefined && version !== undefined && isKind(row)) this.mark(name, { group, version, kind: shortName(name) });
  }

  /** Adds a schema made elsewhere (kinds of CRDs, and their lists). */
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
      ...(required.length > 0 && { required }),
      ...(fields.length > 0 && { properties: Object.fromEntries(fields.map((field) => [field.name, this.#field(types, row, field)])) }),
      ...(row.mapType && { "x-kubernetes-map-type": row.mapType }),
      ...(row.union && { "x-kubernetes-unions": [unionOf(row.union)] }),
      ...(row.preserveUnknown && { "x-kubernetes-preserve-unknown-fields": true }),
    };
  }

  #field(types: TypeTable, row: TypeRow, field: FieldRow): JsonObject {
    const description = field.description ?? fieldText(row.name, field.name);
    const fallback = this.#version === 2 ? undefined : (field.default ?? (field.writeEmpty === true ? zeroOf(field.ref) : undefined));
    const more: JsonObject = {
      ...(description !== undefined && { description }),
      ...(fallback !== undefined && { default: fallback }),
      ...(field.patchStrategy !== undefined && { "x-kubernetes-patch-strategy": field.patchStrategy }),
      ...(field.patchMergeKey !== undefined && { "x-kubernetes-patch-merge-key": field.patchMergeKey }),
    };
    const schema = this.#value(types, field.ref);
    if (field.enum) {
      const holder = "list" in field.ref ? "items" : "map" in field.ref ? "additionalProperties" : undefined;
      if (holder === undefined) schema["enum"] = field.enum;
      else schema[holder] = { ...(schema[holder] as JsonObject), enum: field.enum };
    }
    return this.#beside(schema, more);
  }

  /** A schema with more words. */
  #beside(schema: JsonObject, more: JsonObject): JsonObject {
    const { $ref, ...rest } = schema;
    const wrapped = this.#version === 3 && $ref !== undefined && Object.keys(more).length > 0;
    return { ...(wrapped ? { ...rest, allOf: [{ $ref }] } : schema), ...more };
  }

  /** What an element of a list or map is; version 3 says its empty value. */
  #element(types: TypeTable, ref: TypeRef): JsonObject {
    const zero = this.#version === 2 ? undefined : zeroOf(ref);
    return this.#beside(this.#value(types, ref), zero === undefined ? {} : { default: zero });
  }

  #value(types: TypeTable, ref: TypeRef): JsonObject {
    if ("scalar" in ref) return this.#scalar(ref.scalar, ref.named);
    if ("type" in ref) {
      this.add(types, ref.type);
      return { ...this.reference(ref.type), ...(ref.mapType && { "x-kubernetes-map-type": ref.mapType }) };
    }
    if ("map" in ref)
      return {
        type: "object",
        additionalProperties: this.#element(types, ref.map),
        ...(ref.mapType && { "x-kubernetes-map-type": ref.mapType }),
      };
    return {
      type: "array",
      items: this.#element(types, ref.list),
      ...(ref.listType && { "x-kubernetes-list-type": ref.listType }),
      ...(ref.mapKeys && { "x-kubernetes-list-map-keys": ref.mapKeys }),
    };
  }

  #scalar(scalar: ScalarName, purpose: string | undefined): JsonObject {
    const own = named[scalar];
    const name = own?.name ?? purpose;
    if (name === undefined) return { ...inline[scalar] };
    if (!this.#schemas.has(name)) {
      const schema = (this.#version === 2 && plainSchemas[scalar]) || (own?.schema ?? (name === anyObject ? { type: "object" } : {}));
      const description = typeText(name);
      this.#schemas.set(name, { ...schema, ...(description !== undefined && { description }) });
    }
    return this.reference(name);
  }
}

function zeroOf(ref: TypeRef): unknown {
  if ("scalar" in ref) return zeros[ref.scalar];
  return "type" in ref ? {} : undefined;
}

function unionOf({ members, discriminator }: NonNullable<TypeRow["union"]>): JsonObject {
  return { ...(discriminator !== undefined && { discriminator }), "fields-to-discriminateBy": members };
}

/** Whether objects of the type say what they are themselves; where others are named by kind, the fields have numbers in the Protobuf form. */
function isKind({ fields }: TypeRow): boolean {
  return ["kind", "apiVersion"].every((name) => fields.some((field) => field.name === name && field.number === undefined));
}

const shortName = (type: string): string => type.slice(type.lastIndexOf(".") + 1);
const prefixOf = (type: string): string => type.slice(0, type.lastIndexOf(".") + 1);

let prefixes: ReadonlyMap<string, GroupVersion> | undefined;

function groupPrefixes(): ReadonlyMap<string, GroupVersion> {
  prefixes ??= new Map<string, GroupVersion>([
    ["io.k8s.apimachinery.pkg.apis.meta.v1.", { group: "", version: "v1" }],
    ...allKinds().map(({ type, group, version }) => [prefixOf(type), { group, version }] as const),
  ]);
  return prefixes;
}

/** Which group and version a type of Kubernetes belongs to. */
function groupVersionOf(type: string): GroupVersion | undefined {
  return groupPrefixes().get(prefixOf(type));
}

/** The type of a kind of Kubernetes, such as `io.k8s.api.policy.v1.Eviction`. */
export function typeOfKind({ group, version, kind }: GroupVersionKind): string | undefined {
  const found = [...groupPrefixes()].find(
    ([prefix, of]) => of.group === group && of.version === version && prefix.startsWith("io.k8s.api."),
  );
  return found && `${found[0]}${kind}`;
}
