/**
 * Types of a structural schema in CEL. Objects with properties become types of their own, so that a rule that names a field the schema does not have is
 * refused when the CRD comes; maps, lists and scalars are CEL's. What has no schema is not there.
 *
 * With each type goes how large its values get, from maxItems, maxLength and the like, else from what fits into a request: estimates of costs go by it.
 */
import { isObject } from "../json.ts";
import type { JsonSchema } from "../crd/schema.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  stringType,
  structType,
  timestampType,
  type Type,
} from "./language/types.ts";

export interface SchemaType {
  readonly schema: JsonSchema;
  readonly type: Type;
  /** Properties by their names in rules. */
  readonly fields?: ReadonlyMap<string, SchemaType>;
  /** Of lists and maps. */
  readonly element?: SchemaType;
  readonly key?: SchemaType;
  /** Elements, entries or characters it has at most. */
  readonly maxElements: number;
  /** Bytes of the smallest JSON. */
  readonly minSize: number;
}

/** Bytes of the largest request; what sizes without a limit of their own follow from. */
export const maxRequestBytes = 3 * 1024 * 1024;
/** Of the longest time and duration, with its quotes. */
const maxTimeBytes = 32;
const dateBytes = 12;
const minTimeBytes = 21;
const minDurationBytes = 3;
/** UTF-8 bytes of a character, which maxLength counts. */
const bytesPerCharacter = 4;

/** Words that fields may be called and that rules write as `__word__`. */
const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);
const escapes: readonly (readonly [plain: string, escaped: string])[] = [
  ["__", "__underscores__"],
  [".", "__dot__"],
  ["-", "__dash__"],
  ["/", "__slash__"],
];

/** A field's name in rules (Kubernetes: `__` `.` `-` `/` and words are escaped); `undefined` when rules cannot reach it. */
export function escapedName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/u.test(name)) return undefined;
  return escapes.reduce((text, [plain, escaped]) => text.replaceAll(plain, escaped), name);
}

/** Types of one schema tree, made once for each of its schemas. */
export class SchemaTypes {
  readonly #known = new Map<JsonSchema, SchemaType | undefined>();
  readonly #structs = new Map<string, SchemaType>();

  /** `undefined` for values rules cannot look at: those of any form. @param isResource With the fields every resource has. */
  of(schema: JsonSchema, isResource: boolean): SchemaType | undefined {
    if (!this.#known.has(schema))
      this.#known.set(schema, this.#make(schema, isResource || schema["x-kubernetes-embedded-resource"] === true));
    return this.#known.get(schema);
  }

  /** The type of a struct's field, by its name in rules or its own. */
  readonly field = (struct: string, name: string): Type | undefined => {
    const fields = this.#structs.get(struct)?.fields;
    return (fields?.get(name) ?? fields?.get(escapedName(name) ?? ""))?.type;
  };

  #make(schema: JsonSchema, isResource: boolean): SchemaType | undefined {
    if (schema["x-kubernetes-int-or-string"])
      return { schema, type: dynType, maxElements: textBytes(schema) ?? maxRequestBytes - 2, minSize: 1 };
    switch (schema.type) {
      case "string":
        return textType(schema);
      case "boolean":
        return { schema, type: boolType, maxElements: 0, minSize: 4 };
      case "integer":
        return { schema, type: intType, maxElements: 0, minSize: 1 };
      case "number":
        return { schema, type: doubleType, maxElements: 0, minSize: 1 };
      case "array":
        return this.#list(schema);
      case "object":
        return isObject(schema.additionalProperties) && !isResource
          ? this.#map(schema, schema.additionalProperties)
          : this.#object(schema, isResource);
      default:
        return undefined;
    }
  }

  #list(schema: JsonSchema): SchemaType | undefined {
    const element = schema.items && this.of(schema.items, false);
    if (!element) return undefined;
    const maxElements = schema.maxItems ?? Math.floor((maxRequestBytes - 2) / (element.minSize + 1));
    return { schema, type: listType(element.type), element, maxElements, minSize: 2 };
  }

  #map(schema: JsonSchema, values: JsonSchema): SchemaType | undefined {
    const element = this.of(values, false);
    if (!element) return undefined;
    const key: SchemaType = { schema: { type: "string" }, type: stringType, maxElements: 0, minSize: 2 };
    const maxElements = schema.maxProperties ?? Math.floor((maxRequestBytes - 2) / (element.minSize + 6));
    return { schema, type: mapType(stringType, element.type), element, key, maxElements, minSize: 2 };
  }

  #object(schema: JsonSchema, isResource: boolean): SchemaType {
    const properties = isResource ? withResourceFields(schema) : (schema.properties ?? {});
    const fields = new Map<string, SchemaType>();
    let minSize = 2;
    for (const [name, property] of Object.entries(properties)) {
      const type = this.of(property, false);
      if (!type) continue;
      const escaped = escapedName(name);
      if (escaped !== undefined) fields.set(escaped, type);
      if (schema.required?.includes(name) && property.default === undefined) minSize += name.length + type.minSize + 4;
    }
    const type = structType(`object${String(this.#structs.size + 1)}`);
    const made: SchemaType = { schema: isResource ? { ...schema, properties } : schema, type, fields, maxElements: 0, minSize };
    this.#structs.set(type.name, made);
    return made;
  }
}

/** What rules see of a resource beside its properties. */
function withResourceFields(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const { properties = {} } = schema;
  const { kind, apiVersion, metadata } = properties;
  const names = metadata?.properties;
  if (
    kind?.type === "string" &&
    apiVersion?.type === "string" &&
    names?.["name"]?.type === "string" &&
    names["generateName"]?.type === "string"
  )
    return properties;
  const text: JsonSchema = { type: "string" };
  return { ...properties, kind: text, apiVersion: text, metadata: { type: "object", properties: { name: text, generateName: text } } };
}

const textBytes = ({ maxLength }: JsonSchema): number | undefined => (maxLength === undefined ? undefined : maxLength * bytesPerCharacter);

function textType(schema: JsonSchema): SchemaType {
  switch (schema.format) {
    case "byte":
      return { schema, type: bytesType, maxElements: schema.maxLength ?? maxRequestBytes - 2, minSize: 2 };
    case "duration":
      return { schema, type: durationType, maxElements: maxTimeBytes, minSize: minDurationBytes };
    case "date":
      return { schema, type: timestampType, maxElements: dateBytes, minSize: dateBytes };
    case "date-time":
      return { schema, type: timestampType, maxElements: maxTimeBytes, minSize: minTimeBytes };
    default: {
      const choices = schema.enum?.flatMap((value) => (typeof value === "string" ? [new TextEncoder().encode(value).length] : []));
      const largest = schema.enum && schema.enum.length > 0 ? Math.max(0, ...(choices ?? [])) : maxRequestBytes - 2;
      return { schema, type: stringType, maxElements: textBytes(schema) ?? largest, minSize: 2 };
    }
  }
}

/** How large what a path leads to can be; the path's first name is the variable. */
export function sizeAtPath(root: SchemaType, path: readonly string[]): number | undefined {
  let at: SchemaType | undefined = root;
  for (const name of path.slice(1)) {
    if (name === "@items" || name === "@values") at = at.element;
    else if (name === "@keys") at = at.key;
    else at = at.fields?.get(name);
    if (!at) return undefined;
  }
  return at.maxElements;
}
