/**
 * Types and values of a structural schema in CEL. Objects with properties become message types, so that a rule that names a field the schema does not
 * have is refused when the CRD is created; maps, lists and scalars are CEL's own. Fields that are null or not in the schema are absent.
 */
import { type Environment, parse } from "@marcbachmann/cel-js";
import { isObject } from "../json.ts";
import { type JsonSchema, valuesSchema } from "../crd/schema.ts";

/** A schema's type in CEL, and how JSON becomes its value. */
export interface CelType {
  readonly name: string;
  readonly convert: (value: unknown) => unknown;
}

/** Words of CEL that a field may be called; the field is then `__word__`, and also the word where the language takes it, as the Gateway API's rules do. */
const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

/** A field's name in rules (Kubernetes: `__` `.` `-` `/` and words are escaped); `undefined` when rules cannot reach it. */
export function escapedName(name: string): string | undefined {
  if (reserved.has(name)) return `__${name}__`;
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  return name.replaceAll("__", "__underscores__").replaceAll(".", "__dot__").replaceAll("-", "__dash__").replaceAll("/", "__slash__");
}

const namesOf = (field: string, escaped: string): string[] => (reserved.has(field) ? [escaped, field] : [escaped]);

const text: CelType = { name: "string", convert: (value) => value };
const dynamic: CelType = { name: "dyn", convert: dynamicValue };

function dynamicValue(value: unknown): unknown {
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : value;
}

/** Registers the types of a schema and of everything in it. @returns the type of each schema by identity. */
export class CelTypes {
  readonly #env: Environment;
  readonly #known = new Map<JsonSchema, CelType | undefined>();
  #count = 0;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** `undefined` for values rules cannot look at: those of any form. */
  of(schema: JsonSchema, isResource = false): CelType | undefined {
    if (this.#known.has(schema)) return this.#known.get(schema);
    const type = this.#make(schema, isResource || schema["x-kubernetes-embedded-resource"] === true);
    this.#known.set(schema, type);
    return type;
  }

  #make(schema: JsonSchema, isResource: boolean): CelType | undefined {
    if (schema["x-kubernetes-int-or-string"]) return dynamic;
    switch (schema.type) {
      case "string":
        return textType(schema.format);
      case "boolean":
        return { name: "bool", convert: (value) => value };
      case "integer":
        return { name: "int", convert: (value) => (typeof value === "number" ? BigInt(Math.trunc(value)) : value) };
      case "number":
        return { name: "double", convert: (value) => value };
      case "array": {
        const items = schema.items && this.of(schema.items);
        return items && { name: `list<${items.name}>`, convert: (value) => (Array.isArray(value) ? value.map(items.convert) : value) };
      }
      case "object": {
        const values = valuesSchema(schema);
        return values && !schema.properties ? this.#map(values) : this.#message(schema, isResource);
      }
      default:
        return undefined;
    }
  }

  #map(schema: JsonSchema): CelType | undefined {
    const values = this.of(schema);
    return (
      values && {
        name: `map<string, ${values.name}>`,
        convert: (value) => (isObject(value) ? new Map(Object.entries(value).map(([key, item]) => [key, values.convert(item)])) : value),
      }
    );
  }

  #message(schema: JsonSchema, isResource: boolean): CelType {
    const name = `object${String(++this.#count)}`;
    const fields = new Map<string, { readonly escaped: string; readonly type: CelType }>();
    for (const [field, below] of Object.entries({ ...schema.properties, ...(isResource && resourceFields(schema)) })) {
      const [escaped, type] = [escapedName(field), this.of(below)];
      if (escaped !== undefined && type) fields.set(field, { escaped, type });
    }
    class Message extends Map<string, unknown> {}
    this.#env.registerType(name, {
      ctor: Message,
      fields: Object.fromEntries(
        [...fields].flatMap(([field, { escaped, type }]) => namesOf(field, escaped).map((known) => [known, type.name])),
      ),
    });
    this.#env.registerOperator(`${name} == ${name}`, sameValue);
    const convert = (value: unknown): unknown => {
      if (!isObject(value)) return value;
      const message = new Message();
      for (const [field, item] of Object.entries(value)) {
        const known = item === null ? undefined : fields.get(field);
        if (!known) continue;
        const converted = known.type.convert(item);
        for (const name of namesOf(field, known.escaped)) message.set(name, converted);
      }
      return message;
    };
    return { name, convert };
  }
}

/** What rules see of a resource beside its properties. */
function resourceFields(schema: JsonSchema): Record<string, JsonSchema> {
  const name: JsonSchema = { type: "string" };
  const metadata = schema.properties?.["metadata"]?.properties;
  return { apiVersion: name, kind: name, metadata: { type: "object", properties: { name, generateName: name, ...metadata } } };
}

function textType(format: string | undefined): CelType {
  switch (format) {
    case "date-time":
    case "date":
      return { name: "google.protobuf.Timestamp", convert: (value) => (typeof value === "string" ? new Date(value) : value) };
    case "duration":
      return { name: "google.protobuf.Duration", convert: durationValue };
    case "byte":
      return {
        name: "bytes",
        convert: (value) => (typeof value === "string" ? Uint8Array.from(atob(value), (char) => char.charCodeAt(0)) : value),
      };
    default:
      return text;
  }
}

const toDuration = parse("duration(text)");

/** CEL's own duration; a text that is none stays a text, which the schema's format check tells of. */
function durationValue(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return toDuration({ text: value }) as unknown;
  } catch {
    return value;
  }
}

/** Deep equality of converted values. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && sameValue(value, b.get(key)));
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return a.length === b.length && a.every((byte, index) => byte === b[index]);
  // Timestamps and durations are equal when they are the same number of milliseconds.
  return (
    typeof a === "object" &&
    typeof b === "object" &&
    a !== null &&
    b !== null &&
    !(a instanceof Map) &&
    !Array.isArray(a) &&
    Number(a) === Number(b)
  );
}
