/**
 * Values of CEL as JavaScript has them: bool, string, null; int as bigint, double as number, bytes as Uint8Array, lists as arrays. The rest are the
 * classes here.
 *
 * Invariants
 * V1 values are never changed after they are made, but for the accumulator of a fold, which nobody else holds
 */
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  nullType,
  optionalType,
  stringType,
  timestampType,
  type Type,
  typeType,
  uintType,
} from "./types.ts";

/** Something an expression did wrong while it ran; && and || may make up for it. */
export class CelError extends Error {}

/** A failure where a value would be: of a step of a fold, or of a variable or element that is not of its schema. Whoever looks at it fails. */
export class Failure {
  readonly error: CelError;
  constructor(error: CelError) {
    this.error = error;
  }
}

export const noSuchOverload = (): CelError => new CelError("no such overload");

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Timestamp {
  /** Since 1970, UTC. */
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class TypeValue {
  readonly type: Type;
  constructor(type: Type) {
    this.type = type;
  }
}

export class Optional {
  static readonly none = new Optional(false, undefined);
  readonly has: boolean;
  readonly value: unknown;
  private constructor(has: boolean, value: unknown) {
    this.has = has;
    this.value = value;
  }
  static of(value: unknown): Optional {
    return new Optional(true, value);
  }
}

/** A map or an object: what can be asked for its keys. */
export abstract class MapValue {
  abstract readonly size: number;
  /** `undefined` when there is none. */
  abstract get(key: unknown): unknown;
  abstract keys(): readonly unknown[];
  has(key: unknown): boolean {
    return this.get(key) !== undefined;
  }
  /** What no key leads to is the same as in another map. */
  sameRest(_other: MapValue): boolean {
    return true;
  }
  /** Values in it, at all depths. */
  get bulk(): number {
    return this.size;
  }
}

/** A value of a library's own type. */
export abstract class Opaque {
  abstract readonly type: Type;
  /** What costs go by. */
  readonly size: number = 1;
  abstract equals(other: Opaque): boolean;
}

/** Numbers that are equal are the same key, whatever their types. */
function keyText(key: unknown): string | undefined {
  if (typeof key === "string") return `s${key}`;
  if (typeof key === "bigint") return `n${String(key)}`;
  if (key instanceof Uint) return `n${String(key.value)}`;
  if (typeof key === "number") return Number.isInteger(key) ? `n${String(BigInt(key))}` : undefined;
  return typeof key === "boolean" ? `b${String(key)}` : undefined;
}

/** A map made by an expression. */
export class Dictionary extends MapValue {
  readonly #entries = new Map<string, readonly [key: unknown, value: unknown]>();

  get size(): number {
    return this.#entries.size;
  }
  get(key: unknown): unknown {
    const text = keyText(key);
    return text === undefined ? undefined : this.#entries.get(text)?.[1];
  }
  keys(): readonly unknown[] {
    return [...this.#entries.values()].map(([key]) => key);
  }
  /** Only while the map is made (V1). Of two equal keys the second counts. */
  set(key: unknown, value: unknown): void {
    const text = keyText(key);
    if (text === undefined) throw new CelError("unsupported key type");
    this.#entries.set(text, [key, value]);
  }
}

/** How elements of a list go together: in a set and in a map of elements their order means nothing. */
export interface ListRule {
  /** What makes an element one of its own: the element itself, or its keys. */
  readonly identity: (element: unknown) => string | undefined;
}

const rules = new WeakMap<readonly unknown[], ListRule>();

export const ruleOf = (list: readonly unknown[]): ListRule | undefined => rules.get(list);

export function withRule(list: readonly unknown[], rule: ListRule | undefined): readonly unknown[] {
  if (rule) rules.set(list, rule);
  return list;
}

/** The type a value has when it is looked at; of lists and maps only that they are. */
export function typeOf(value: unknown): Type {
  if (typeof value === "boolean") return boolType;
  if (typeof value === "string") return stringType;
  if (typeof value === "bigint") return intType;
  if (typeof value === "number") return doubleType;
  if (value === null) return nullType;
  if (Array.isArray(value)) return listType(dynType);
  if (value instanceof Uint8Array) return bytesType;
  if (value instanceof Uint) return uintType;
  if (value instanceof MapValue) return mapType(dynType, dynType);
  if (value instanceof Timestamp) return timestampType;
  if (value instanceof Duration) return durationType;
  if (value instanceof TypeValue) return typeType();
  if (value instanceof Optional) return optionalType(dynType);
  return value instanceof Opaque ? value.type : dynType;
}

/** A key or index as error messages show it. */
export function valueText(value: unknown): string {
  if (value instanceof Uint) return String(value.value);
  if (typeof value === "string") return value;
  return typeof value === "bigint" || typeof value === "number" || typeof value === "boolean" ? String(value) : typeOf(value).name;
}

/** Characters of a text, bytes, elements or entries; 1 for everything else. What costs go by. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") return textLength(value);
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (value instanceof MapValue || value instanceof Opaque) return value.size;
  return value instanceof Optional && value.has ? sizeOf(value.value) : 1;
}

/** Characters, not UTF-16 units. */
export function textLength(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length - 1; at++) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = text.charCodeAt(at + 1);
      if (next >= 0xdc00 && next < 0xe000) {
        length--;
        at++;
      }
    }
  }
  return length;
}
