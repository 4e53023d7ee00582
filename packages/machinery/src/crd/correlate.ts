/**
 * Which part of the old object a part of the new one goes on from: fields by their names, elements of lists of type map by their keys. Elements of other
 * lists go on from nothing. What is as it was is not held against a stricter schema (ratcheting).
 */
import { equal, isObject, own } from "../json.ts";
import { type JsonSchema } from "./schema.ts";

/** A value and the old one it goes on from. */
export class Correlation {
  readonly schema: JsonSchema;
  readonly value: unknown;
  readonly old: unknown;
  #same: boolean | undefined;

  constructor(schema: JsonSchema, value: unknown, old: unknown) {
    this.schema = schema;
    this.value = value;
    this.old = old;
  }

  /** Nothing has changed here. */
  get isSame(): boolean {
    this.#same ??= sameValues(this.schema, this.value, this.old);
    return this.#same;
  }

  /** Of a field; `undefined` for one that is new or that the schema does not know. */
  field(name: string): Correlation | undefined {
    if (!isObject(this.value) || !isObject(this.old)) return undefined;
    const below = propertySchema(this.schema, name);
    const [value, old] = [own(this.value, name), own(this.old, name)];
    return below && value !== undefined && old !== undefined ? new Correlation(below, value, old) : undefined;
  }

  /** Of an element; `undefined` for one that is new or that nothing tells from others. */
  item(index: number): Correlation | undefined {
    const { schema, value, old } = this;
    if (!Array.isArray(value) || !schema.items) return undefined;
    this.#olds ??= oldElements(schema, old);
    const item: unknown = value[index];
    const before = this.#olds(item);
    return before === undefined ? undefined : new Correlation(schema.items, item, before);
  }
  #olds: ((item: unknown) => unknown) | undefined;
}

/** Free fields have no schema, and go on from nothing. */
function propertySchema({ properties, additionalProperties }: JsonSchema, name: string): JsonSchema | undefined {
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return isObject(additionalProperties) ? additionalProperties : undefined;
}

/** What makes an element of a list of type map one of its own; `undefined` for one that lacks a key. */
export function identityOf(keys: readonly string[], item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  const values = keys.map((key) => own(item, key));
  return values.every((value) => value !== undefined && (typeof value !== "object" || value === null)) ? JSON.stringify(values) : undefined;
}

/** The old element of a list that is a map, by its keys. Elements of other lists have no old value to compare with. */
export function oldElements(schema: JsonSchema, old: unknown): (item: unknown) => unknown {
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(old)) return () => undefined;
  const known = new Map(old.map((item: unknown) => [identityOf(keys, item), item]));
  return (item) => {
    const identity = identityOf(keys, item);
    return identity === undefined ? undefined : known.get(identity);
  };
}

/** In lists of type map the order means nothing. */
function sameValues(schema: JsonSchema, value: unknown, old: unknown): boolean {
  if (Array.isArray(value) && Array.isArray(old) && schema["x-kubernetes-list-type"] === "map" && schema.items) {
    const before = oldElements(schema, old);
    const { items } = schema;
    return value.length === old.length && value.every((item) => sameValues(items, item, before(item)));
  }
  if (!isObject(value) || !isObject(old)) return equal(value, old);
  const names = Object.keys(value);
  return names.length === Object.keys(old).length && names.every((name) => sameField(schema, name, value, old));
}

function sameField(schema: JsonSchema, name: string, value: Record<string, unknown>, old: Record<string, unknown>): boolean {
  const below = propertySchema(schema, name);
  // What has no schema goes on from nothing, even when it is as it was.
  return below !== undefined && Object.hasOwn(old, name) && sameValues(below, value[name], old[name]);
}
