/** JSON values as rules see them, by their schemas. Converted when a rule looks at them, and once. */
import { equal as equalJson, isObject, own } from "../json.ts";
import { identityOf } from "../crd/correlate.ts";
import type { JsonSchema } from "../crd/schema.ts";
import { CelError, Failure, type ListRule, MapValue, Timestamp, withRule } from "./language/values.ts";
import { dateMs, parseDuration, parseTimestamp } from "./library/time.ts";
import { escapedName, type SchemaType } from "./schema-types.ts";

/** @throws CelError for a value that is not of its schema. Rules only run on objects that fit theirs. */
export function toCel(type: SchemaType, value: unknown): unknown {
  const { schema } = type;
  if (value === null) {
    if (schema.nullable) return null;
    throw new CelError("invalid data, got null for schema with nullable=false");
  }
  if (schema["x-kubernetes-int-or-string"]) return intOrString(value);
  switch (schema.type) {
    case "object":
      return isObject(value) ? new JsonMap(type, value) : wrong("a map for the provided schema with type=object");
    case "array":
      return Array.isArray(value) ? listOf(type, value) : wrong("an array for the provided schema with type=array");
    case "string":
      return typeof value === "string" ? textOf(schema, value) : wrong(`string, got ${goType(value)}`);
    case "integer":
      return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : wrong(`int, got ${goType(value)}`);
    case "boolean":
      return typeof value === "boolean" ? value : wrong(`bool, got ${goType(value)}`);
    case "number":
      return typeof value === "number" ? value : wrong(`float, got ${goType(value)}`);
    default:
      return value;
  }
}

/** The type of a JSON value as the server's messages name it. */
function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return typeof value === "object" ? "map[string]interface {}" : typeof value === "boolean" ? "bool" : typeof value;
}

function wrong(expected: string): never {
  throw new CelError(`invalid data, expected ${expected}`);
}

function intOrString(value: unknown): unknown {
  if (typeof value === "string") return value;
  return typeof value === "number" && Number.isInteger(value)
    ? BigInt(value)
    : wrong("XIntOrString value to be either a string or integer");
}

function textOf({ format }: JsonSchema, text: string): unknown {
  switch (format) {
    case "duration":
      return parseDuration(text) ?? refused("duration", text);
    case "date": {
      const ms = dateMs(text);
      return ms === undefined ? refused("date formatted string", text) : new Timestamp(BigInt(ms) * 1_000_000n);
    }
    case "date-time":
      return parseTimestamp(text.toUpperCase()) ?? refused("date-time formatted string", text);
    case "byte":
      return bytesOf(text);
    default:
      return text;
  }
}

function refused(what: string, text: string): never {
  throw new CelError(`Invalid ${what} ${text}`);
}

function bytesOf(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return refused("byte formatted string", text);
  }
}

function listOf({ schema, element }: SchemaType, list: readonly unknown[]): readonly unknown[] {
  if (!element) return list;
  return withRule(
    list.map((item) => elementOf(element, item)),
    ruleOf(schema),
  );
}

/** One element that is not of its schema fails only who looks at it. */
function elementOf(type: SchemaType, item: unknown): unknown {
  try {
    return toCel(type, item);
  } catch (error) {
    if (error instanceof CelError) return new Failure(error);
    throw error;
  }
}

/** In sets and lists of type map the order means nothing. */
function ruleOf(schema: JsonSchema): ListRule | undefined {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      return { identity: (item) => (item instanceof JsonMap ? JSON.stringify(item.raw) : `${typeof item} ${String(item)}`) };
    case "map":
      return { identity: (item) => (item instanceof JsonMap ? identityOf(keys, item.raw) : undefined) };
    default:
      return undefined;
  }
}

/** An object or a map of a schema. */
export class JsonMap extends MapValue {
  readonly raw: Readonly<Record<string, unknown>>;
  readonly #type: SchemaType;
  readonly #values = new Map<string, unknown>();

  constructor(type: SchemaType, raw: Readonly<Record<string, unknown>>) {
    super();
    this.#type = type;
    this.raw = raw;
  }

  get size(): number {
    return Object.keys(this.raw).length;
  }

  override get bulk(): number {
    return countOf(this.raw);
  }

  /** Fields that are null count as absent. */
  get(key: unknown): unknown {
    if (typeof key !== "string") return undefined;
    const name = this.#type.fields ? unescapedName(key) : key;
    const value = own(this.raw, name);
    const type = this.#typeOf(name);
    if (!type || value === undefined || (this.#type.fields && value === null)) return undefined;
    if (!this.#values.has(name)) this.#values.set(name, toCel(type, value));
    return this.#values.get(name);
  }

  keys(): readonly unknown[] {
    const { fields } = this.#type;
    const names = Object.keys(this.raw);
    if (!fields) return this.#type.element ? names : [];
    return names.filter((name) => this.#typeOf(name)).map((name) => escapedName(name) ?? name);
  }

  #typeOf(name: string): SchemaType | undefined {
    const { fields, element } = this.#type;
    return fields ? fields.get(escapedName(name) ?? "") : element;
  }

  /** Fields rules do not see are compared as they are. */
  override sameRest(other: MapValue): boolean {
    if (!(other instanceof JsonMap)) return true;
    return Object.entries(this.raw).every(
      ([name, value]) => this.#typeOf(name) !== undefined || !Object.hasOwn(other.raw, name) || equalJson(value, other.raw[name]),
    );
  }
}

/** The field's own name. */
function unescapedName(key: string): string {
  return key.replace(/__(underscores|dot|dash|slash|[a-z]+)__/gu, (whole, word: string) => {
    const plain = { underscores: "__", dot: ".", dash: "-", slash: "/" }[word];
    return plain ?? (escapedName(word) === whole ? word : whole);
  });
}

const counts = new WeakMap<object, number>();

/** Values in a JSON value, at all depths. */
function countOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  const known = counts.get(value);
  if (known !== undefined) return known;
  const count = Object.values(value).reduce<number>((sum, item) => sum + countOf(item), 1);
  counts.set(value, count);
  return count;
}
