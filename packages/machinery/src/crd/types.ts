/** A structural schema as types: what server-side apply, `kubectl explain` and strict decoding of a custom resource go by. */
import type { FieldRow, TypeRef, TypeRow, TypeTable } from "@mecha/kinds";
import { type JsonSchema, valuesSchema } from "./schema.ts";

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/** A name no table has: values of any form, granular where they are objects. */
const anything: TypeRef = { type: "any value" };

/** Types of a kind. `base` holds ObjectMeta and what it is made of. */
export function typesOfSchema(name: string, schema: JsonSchema, base: TypeTable): TypeTable {
  const rows = new Map(base);
  addRow(rows, name, schema, true);
  return rows;
}

function addRow(rows: Map<string, TypeRow>, name: string, schema: JsonSchema, isResource: boolean): void {
  const own = Object.entries(schema.properties ?? {}).map(([field, below]): FieldRow => ({
    name: field,
    ref: refOfSchema(rows, `${name}.${field}`, below),
    ...(schema.required?.includes(field) && { required: true }),
    ...(below.default !== undefined && { default: below.default }),
    ...(below.description !== undefined && { description: below.description }),
    ...(below.enum?.every((value) => typeof value === "string") && { enum: below.enum }),
  }));
  const shared: FieldRow[] = [
    { name: "apiVersion", ref: { scalar: "string" } },
    { name: "kind", ref: { scalar: "string" } },
    { name: "metadata", ref: { type: objectMeta } },
  ];
  const fields = isResource ? [...shared, ...own.filter((row) => !shared.some((other) => other.name === row.name))] : own;
  rows.set(name, {
    name,
    fields,
    ...(schema["x-kubernetes-map-type"] === "atomic" && { mapType: "atomic" as const }),
    ...(schema["x-kubernetes-preserve-unknown-fields"] && { preserveUnknown: true }),
    ...(schema.description !== undefined && { description: schema.description }),
  });
}

function refOfSchema(rows: Map<string, TypeRow>, name: string, schema: JsonSchema): TypeRef {
  if (schema["x-kubernetes-int-or-string"]) return { scalar: "intOrString" };
  switch (schema.type) {
    case "string":
      // With a format it is any scalar to who keeps the record of owners; the schema itself has the last word.
      return { scalar: schema.format === undefined || schema.format === "" || schema.format === "byte" ? "string" : "intOrString" };
    case "boolean":
      return { scalar: "bool" };
    case "integer":
      return { scalar: schema.format === "int32" ? "int32" : "int64" };
    case "number":
      return { scalar: "double" };
    case "array":
      return listRef(rows, name, schema);
    case "object": {
      const values = valuesSchema(schema);
      if (values && !schema.properties)
        return {
          map: refOfSchema(rows, name, values),
          ...(schema["x-kubernetes-map-type"] === "atomic" && { mapType: "atomic" as const }),
        };
      addRow(rows, name, schema, schema["x-kubernetes-embedded-resource"] === true);
      return { type: name };
    }
    default:
      return anything;
  }
}

function listRef(rows: Map<string, TypeRow>, name: string, schema: JsonSchema): TypeRef {
  const list = schema.items ? refOfSchema(rows, name, schema.items) : anything;
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "set" && listType !== "map") return { list };
  return { list, listType, ...(listType === "map" && { mapKeys: schema["x-kubernetes-list-map-keys"] ?? [] }) };
}
