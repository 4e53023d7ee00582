/**
 * Messages declared in TypeScript, with their types inferred: `message("Item", { sku: t.string, quantity: t.int32 })`.
 *
 * Field numbers, the contract with everything ever stored or sent
 * F1 a field without `.at(n)` gets the number after the field above it; the first gets 1
 * F2 so: add fields at the end; before removing, moving or renaming one, pin the others with `.at(n)` (schema.lock warns, see testing)
 * F3 numbers 1 to 536,870,911, not 19,000 to 19,999, each once in a message
 */
import { ScalarType } from "@bufbuild/protobuf";
import { expect } from "../mistake.ts";

/** What a field holds. */
export type FieldType =
  | { readonly is: "scalar"; readonly scalar: ScalarType; readonly asNumber: boolean }
  | { readonly is: "enum"; readonly enum: EnumSchema }
  | { readonly is: "message"; readonly message: MessageSchema<unknown> }
  | { readonly is: "map"; readonly value: FieldType }
  | { readonly is: "oneof"; readonly fields: Fields };

type Label = "single" | "optional" | "repeated";

/** A field of a message. `T` is its TypeScript type, `Optional` whether it may be left out. Immutable: each method gives a new one. */
export class Field<T, Optional extends boolean = false> {
  declare readonly phantom?: T;
  readonly type: FieldType;
  readonly label: Label;
  readonly isOptional: Optional;
  readonly number: number | undefined;

  constructor(type: FieldType, label: Label, isOptional: Optional, number?: number) {
    this.type = type;
    this.label = label;
    this.isOptional = isOptional;
    this.number = number;
  }

  /** The same field with a fixed number (rule F1). */
  at(number: number): Field<T, Optional> {
    return new Field(this.type, this.label, this.isOptional, number);
  }
}

/** A 64-bit field, `bigint` unless said otherwise. */
export class LongField extends Field<bigint> {
  /** As a `number`. Values beyond ±(2^53 - 1) are refused, both ways, instead of being rounded. */
  get asNumber(): Field<number> {
    return new Field({ ...(this.type as FieldType & { is: "scalar" }), asNumber: true }, "single", false, this.number);
  }
}

/** A message type. `name`: `Item` (in the package of the component that uses it) or `shop.common.Item`; without one it is named after its place. */
export class MessageSchema<T> {
  declare readonly phantom?: T;
  readonly name: string | undefined;
  readonly fields: Fields;

  constructor(name: string | undefined, fields: Fields) {
    expect(
      typeof fields === "object" && fields !== null,
      () => `message(${name ?? ""}): the fields are missing; write message(${JSON.stringify(name ?? "Item")}, { sku: t.string })`,
    );
    expect(
      name === undefined || /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(name),
      () => `message(${JSON.stringify(name)}): a message name is made of letters, digits and _, like "Item" or "shop.Item"`,
    );
    this.name = name;
    this.fields = fields;
  }
}

/** An enum: a union of its value names. The first is the default. */
export interface EnumSchema {
  readonly name: string;
  readonly values: readonly string[];
}

/** What may stand where a field is declared: a field, or a message type by itself. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- inference needs a bound that accepts every T
export type FieldLike = Field<any, boolean> | MessageSchema<any>;

/** Fields by their lowerCamel names, in order. */
export interface Fields {
  readonly [name: string]: FieldLike;
}

/** The TypeScript type of a field. */
export type TypeOf<F> = F extends Field<infer T, boolean> ? T : F extends MessageSchema<infer T> ? T : never;

type OptionalNames<F extends Fields> = { [K in keyof F]: F[K] extends Field<unknown, true> ? K : never }[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };

/** The object type of a set of fields. */
export type Shape<F extends Fields> = Flat<
  { -readonly [K in Exclude<keyof F, OptionalNames<F>>]: TypeOf<F[K]> } & { -readonly [K in OptionalNames<F>]?: TypeOf<F[K]> | undefined }
>;

/** A message type, or its fields by themselves. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
export type MessageLike = MessageSchema<any> | Fields;

/** The object type of either. */
export type ShapeOf<M> = M extends MessageSchema<infer T> ? T : M extends Fields ? Shape<M> : never;

/** A oneof: exactly one of the cases, or `{ case: undefined }`. */
export type OneofShape<F extends Fields> =
  { [K in keyof F & string]: { case: K; value: TypeOf<F[K]> } }[keyof F & string] | { case: undefined; value?: undefined };

/**
 * Declares a message type.
 * @example const Item = message("Item", { sku: t.string, quantity: t.int32 });  type Item = ShapeOf<typeof Item>;
 */
export function message<const F extends Fields>(name: string, fields: F): MessageSchema<Shape<F>>;
export function message<const F extends Fields>(fields: F): MessageSchema<Shape<F>>;
export function message(nameOrFields: string | Fields, fields?: Fields): MessageSchema<unknown> {
  return typeof nameOrFields === "string" ? new MessageSchema(nameOrFields, fields as Fields) : new MessageSchema(undefined, nameOrFields);
}

const single = <T>(scalar: ScalarType): Field<T> => new Field({ is: "scalar", scalar, asNumber: false }, "single", false);
const long = (scalar: ScalarType): LongField => new LongField({ is: "scalar", scalar, asNumber: false }, "single", false);

function typeOf(field: FieldLike, where: string): FieldType {
  if (field instanceof MessageSchema) return { is: "message", message: field as MessageSchema<unknown> };
  expect(field instanceof Field, () => `${where}: expected a field such as t.string or a message, got ${typeof field}`);
  expect(
    field.label === "single" && field.type.is !== "map" && field.type.is !== "oneof",
    () => `${where}: repeated, optional, map and oneof fields cannot be put into each other; wrap the inner one in a message`,
  );
  return field.type;
}

/** The field types. Scalars have protobuf's names and wire forms; 64-bit ones are `bigint`, or `number` with `.asNumber`. */
export const t = {
  string: single<string>(ScalarType.STRING),
  bool: single<boolean>(ScalarType.BOOL),
  bytes: single<Uint8Array>(ScalarType.BYTES),
  int32: single<number>(ScalarType.INT32),
  uint32: single<number>(ScalarType.UINT32),
  sint32: single<number>(ScalarType.SINT32),
  fixed32: single<number>(ScalarType.FIXED32),
  sfixed32: single<number>(ScalarType.SFIXED32),
  int64: long(ScalarType.INT64),
  uint64: long(ScalarType.UINT64),
  sint64: long(ScalarType.SINT64),
  fixed64: long(ScalarType.FIXED64),
  sfixed64: long(ScalarType.SFIXED64),
  float: single<number>(ScalarType.FLOAT),
  double: single<number>(ScalarType.DOUBLE),

  /** A list. Never absent: empty by default. */
  repeated<F extends FieldLike>(of: F): Field<TypeOf<F>[]> {
    return new Field(typeOf(of, "t.repeated(…)"), "repeated", false, of instanceof Field ? of.number : undefined);
  },

  /** A field that may be left out, and is `undefined` then, instead of taking its type's default. */
  optional<F extends FieldLike>(of: F): Field<TypeOf<F>, true> {
    return new Field(typeOf(of, "t.optional(…)"), "optional", true, of instanceof Field ? of.number : undefined);
  },

  /** Values by string keys, a plain object in TypeScript. Never absent: empty by default. */
  map<F extends FieldLike>(value: F): Field<Record<string, TypeOf<F>>> {
    return new Field({ is: "map", value: typeOf(value, "t.map(…)") }, "repeated", false, value instanceof Field ? value.number : undefined);
  },

  /** One of a few names, a union of strings in TypeScript. The first is the default; add new ones at the end. */
  enum<const V extends readonly [string, ...string[]]>(name: string, values: V): Field<V[number]> {
    return new Field({ is: "enum", enum: { name, values } }, "single", false);
  },

  /** At most one of several fields: `{ case: "email", value: "a@b.c" }` or `{ case: undefined }`. Takes as many numbers as it has cases (F1). */
  oneof<const F extends Fields>(fields: F): Field<OneofShape<F>> {
    return new Field({ is: "oneof", fields }, "single", false);
  },
} as const;
