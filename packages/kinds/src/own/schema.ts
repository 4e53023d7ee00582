/**
 * Schemas of our own kinds, written once: the TypeScript type of an object, the structural schema of its CRD (and with it OpenAPI, `kubectl explain`,
 * defaults and validation, on a cluster and in `mecha up` alike) come from the same lines.
 */
import type { JsonObject } from "../object.ts";

/** A value's schema. `T` is what TypeScript sees; the field itself never holds a value. */
export interface Schema<T> {
  readonly json: JsonObject;
  readonly type?: T;
}

type Presence = "required" | "optional" | "defaulted";

/** A field of an object: a schema, and whether it is there. One with a default always is, once the server has seen it. */
export interface Field<T, P extends Presence> {
  readonly schema: Schema<T>;
  readonly presence: P;
}

export type Fields = Readonly<Record<string, Field<unknown, Presence>>>;
type Optional<F extends Fields> = { [K in keyof F]: F[K] extends Field<unknown, "optional"> ? K : never }[keyof F];
type FieldValue<F> = F extends Field<infer T, Presence> ? T : never;
export type ObjectOf<F extends Fields> = { -readonly [K in Exclude<keyof F, Optional<F>>]: FieldValue<F[K]> } & {
  -readonly [K in Optional<F>]?: FieldValue<F[K]>;
};

export const required = <T>(schema: Schema<T>): Field<T, "required"> => ({ schema, presence: "required" });
export const optional = <T>(schema: Schema<T>): Field<T, "optional"> => ({ schema, presence: "optional" });
/** Filled in by the server where the object around it is there. */
export const defaulted = <T>(schema: Schema<T>, value: T): Field<T, "defaulted"> => ({
  schema: { json: { ...schema.json, default: value } },
  presence: "defaulted",
});

/** Bounds of texts; `maxLength` is set for all, so that CEL rules have a known cost. */
export interface TextBounds {
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

/** Longest text unless said otherwise: longer than any name or path a kind of ours has. */
const textMax = 1_024;

export const text = (description: string, bounds: TextBounds = {}): Schema<string> => ({
  json: { type: "string", description, maxLength: textMax, ...bounds },
});

export const oneOf = <const T extends string>(description: string, values: readonly T[]): Schema<T> => ({
  json: { type: "string", description, enum: [...values] },
});

export const integer = (description: string, range: { readonly minimum?: number; readonly maximum?: number } = {}): Schema<number> => ({
  json: { type: "integer", format: "int32", description, ...range },
});

export const flag = (description: string): Schema<boolean> => ({ json: { type: "boolean", description } });

export const list = <T>(
  description: string,
  element: Schema<T>,
  bounds: { readonly minItems?: number; readonly maxItems: number },
): Schema<T[]> => ({
  json: { type: "array", description, items: element.json, ...bounds },
});

/** A list whose elements are told apart by a field: server-side apply merges them by it. */
export const listBy = <T>(
  key: keyof T & string,
  description: string,
  element: Schema<T>,
  bounds: { readonly minItems?: number; readonly maxItems: number },
): Schema<T[]> => {
  const { json } = list(description, element, bounds);
  return { json: { ...json, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] } };
};

/** A rule over an object, in CEL, for what fields alone cannot say. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
}

export interface ObjectOptions {
  readonly rules?: readonly Rule[];
  /** Fields not named are kept: the object is a Kubernetes type of which only what we read is named. */
  readonly open?: boolean;
}

export function object<F extends Fields>(
  description: string,
  fields: F,
  { rules = [], open = false }: ObjectOptions = {},
): Schema<ObjectOf<F>> {
  const names = Object.keys(fields).filter((name) => fields[name]?.presence === "required");
  return {
    json: {
      type: "object",
      description,
      properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.schema.json])),
      ...(names.length > 0 && { required: names }),
      ...(open && { "x-kubernetes-preserve-unknown-fields": true }),
      ...(rules.length > 0 && { "x-kubernetes-validations": rules.map((rule) => ({ ...rule })) }),
    },
  };
}

/** meta/v1 Condition, as the status of every kind of ours has it. */
export const conditions = listBy(
  "type",
  "What is true of the object, and since when.",
  object("One thing that is true or not.", {
    type: required(text("What the condition is about, such as Ready.", { maxLength: 316 })),
    status: required(oneOf("True, False or Unknown.", ["True", "False", "Unknown"])),
    reason: required(text("Why, in one word for programs.")),
    message: required(text("Why, for people.", { maxLength: 32_768 })),
    lastTransitionTime: required(text("When status changed last.", { format: "date-time", maxLength: 64 })),
    observedGeneration: optional(integer("Generation the condition was computed for.", { minimum: 0 })),
  }),
  { maxItems: 32 },
);
