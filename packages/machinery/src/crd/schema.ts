/** Structural schemas: the OpenAPI v3 schemas of CustomResourceDefinitions, as apiextensions/v1 JSONSchemaProps has them. */

/** A rule in CEL. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

export interface JsonSchema {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly title?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
  readonly "x-kubernetes-embedded-resource"?: boolean;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
  readonly "x-kubernetes-validations"?: readonly ValidationRule[];
}

/** What fits everything, and knows no fields. */
const anyValue: JsonSchema = {};

/** The schema of a map's values; `undefined` when the schema is no map, an empty one when values are free. */
export function valuesSchema({ additionalProperties }: JsonSchema): JsonSchema | undefined {
  if (additionalProperties === undefined || additionalProperties === false) return undefined;
  return additionalProperties === true ? anyValue : additionalProperties;
}

/** The schema of the field `name` of an object. */
export function fieldSchema(schema: JsonSchema, name: string): JsonSchema | undefined {
  const { properties } = schema;
  return properties && Object.hasOwn(properties, name) ? properties[name] : valuesSchema(schema);
}

/** `spec` + `a` = `spec.a`; an empty path is the object itself. */
export const childPath = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);
export const itemPath = (path: string, index: number | string): string => `${path}[${String(index)}]`;

/** Kinds and metadata every object has, whatever its schema says. */
export const ownFields = new Set(["apiVersion", "kind", "metadata"]);
