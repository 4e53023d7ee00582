/** Rules of structural schemas: every value has a type, alternatives only narrow, and nothing is in it that pruning and defaults could not follow. */
import type { FieldProblem } from "@mecha/kinds";
import { isObject } from "../json.ts";
import { checkValue, compiled } from "./check-value.ts";
import { forbidden, invalidValue, notSupported, required } from "./problems.ts";
import { parseFieldPath } from "../cel/rule-path.ts";
import { type JsonSchema, ownFields, type ValidationRule } from "./schema.ts";
import { prune } from "./shape-object.ts";
import { copy } from "../json.ts";

type Level = "root" | "field" | "item";

const types = ["array", "boolean", "integer", "number", "object", "string"];
const rootFields = [
  "description",
  "type",
  "format",
  "title",
  "maximum",
  "exclusiveMaximum",
  "minimum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "pattern",
];
/** Deepest nesting of a schema; the server's decoder has its own. Every walk over a schema recurses as deep. */
const maxDepth = 100;

/** Everything wrong with the schema of a version. */
export function checkSchema(schema: JsonSchema, path: string, { hasStatus }: { readonly hasStatus: boolean }): FieldProblem[] {
  const root: FieldProblem[] = [];
  if (schema.nullable === true) root.push(forbidden(`${path}.nullable`, "nullable cannot be true at the root"));
  const notAtRoot = hasStatus && ["allOf", "anyOf", "oneOf", "not"].some((field) => field in schema) && schema.type !== "object";
  if (notAtRoot)
    root.push(
      invalidValue(
        path,
        schema,
        `only ${rootFields.join(", ")} fields are allowed at the root of the schema if the status subresource is enabled`,
      ),
    );
  return [...root, ...check(schema, path, "root", 0)];
}

function* check(schema: JsonSchema, path: string, level: Level, depth: number): Generator<FieldProblem> {
  if (depth > maxDepth) {
    yield forbidden(path, `schemas may be nested at most ${String(maxDepth)} levels deep`);
    return;
  }
  yield* checkType(schema, path, level);
  yield* checkUnsupported(schema, path);
  yield* checkExtensions(schema, path);
  yield* checkMetadata(schema, path, level);
  yield* checkAlternatives(schema, path, schema["x-kubernetes-int-or-string"] === true);
  yield* checkRules(schema, path);
  if (schema.default !== undefined) yield* checkDefault(schema, path);
  if (schema.pattern !== undefined && !compiled(schema.pattern))
    yield invalidValue(`${path}.pattern`, schema.pattern, "must be a valid regular expression, but isn't: error parsing regexp");
  for (const [name, below] of Object.entries(schema.properties ?? {}))
    yield* check(below, `${path}.properties[${name}]`, "field", depth + 1);
  if (schema.items) yield* check(schema.items, `${path}.items`, "item", depth + 1);
  if (isObject(schema.additionalProperties)) yield* check(schema.additionalProperties, `${path}.additionalProperties`, "field", depth + 1);
}

function* checkType(schema: JsonSchema, path: string, level: Level): Generator<FieldProblem> {
  const { type } = schema;
  const free = schema["x-kubernetes-int-or-string"] ?? schema["x-kubernetes-preserve-unknown-fields"];
  if (schema["x-kubernetes-embedded-resource"]) {
    const detail = "must be object if x-kubernetes-embedded-resource is true";
    if (type !== "object") yield type === undefined ? required(`${path}.type`, detail) : invalidValue(`${path}.type`, type, detail);
  } else if (type === undefined || type === "") {
    const where = { root: "at the root", item: "for specified array items", field: "for specified object fields" }[level];
    if (!free || level === "root") yield required(`${path}.type`, `must not be empty ${where}`);
  } else if (!types.includes(type)) yield notSupported(`${path}.type`, type, types);
  if (level === "root" && type !== undefined && type !== "object") yield invalidValue(`${path}.type`, type, "must be object at the root");
  if (type === "array" && !schema.items) yield required(`${path}.items`, "must be specified");
}

/** Fields of JSON Schema that CRDs may not use. */
const unsupported: Readonly<Record<string, string>> = {
  id: "id is not supported",
  additionalItems: "additionalItems is not supported",
  patternProperties: "patternProperties is not supported",
  definitions: "definitions is not supported",
  dependencies: "dependencies is not supported",
  $ref: "$ref is not supported",
};

function* checkUnsupported(schema: JsonSchema, path: string): Generator<FieldProblem> {
  for (const [field, detail] of Object.entries(unsupported)) if (Object.hasOwn(schema, field)) yield forbidden(`${path}.${field}`, detail);
  if (schema.uniqueItems === true)
    yield forbidden(`${path}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
  if (schema.properties && schema.additionalProperties !== undefined && schema.additionalProperties !== false)
    yield forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive");
}

function* checkExtensions(schema: JsonSchema, path: string): Generator<FieldProblem> {
  const preserve = schema["x-kubernetes-preserve-unknown-fields"];
  if (preserve === false) yield invalidValue(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined");
  if (schema["x-kubernetes-int-or-string"]) {
    if (preserve)
      yield invalidValue(`${path}.x-kubernetes-preserve-unknown-fields`, true, "must be false if x-kubernetes-int-or-string is true");
    if (schema["x-kubernetes-embedded-resource"])
      yield invalidValue(`${path}.x-kubernetes-embedded-resource`, true, "must be false if x-kubernetes-int-or-string is true");
  }
  if (schema["x-kubernetes-embedded-resource"] && !preserve && Object.keys(schema.properties ?? {}).length === 0)
    yield required(
      `${path}.properties`,
      "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
    );
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType !== undefined && schema.type !== "object")
    yield invalidValue(`${path}.type`, schema.type, "must be object if x-kubernetes-map-type is specified");
  if (mapType !== undefined && mapType !== "atomic" && mapType !== "granular")
    yield notSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]);
  yield* checkListType(schema, path);
}

function* checkListType(schema: JsonSchema, path: string): Generator<FieldProblem> {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (listType === undefined) {
    if (keys.length > 0) yield required(`${path}.x-kubernetes-list-type`, "must be map if x-kubernetes-list-map-keys is non-empty");
    return;
  }
  if (schema.type !== "array") yield invalidValue(`${path}.type`, schema.type, "must be array if x-kubernetes-list-type is specified");
  if (!["atomic", "set", "map"].includes(listType))
    yield notSupported(`${path}.x-kubernetes-list-type`, listType, ["atomic", "set", "map"]);
  if (listType !== "map") {
    if (keys.length > 0)
      yield invalidValue(`${path}.x-kubernetes-list-type`, listType, "must be map if x-kubernetes-list-map-keys is non-empty");
    if (listType === "set" && schema.items?.nullable)
      yield forbidden(`${path}.items.nullable`, "cannot be nullable when x-kubernetes-list-type is set");
    return;
  }
  if (keys.length === 0) yield required(`${path}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map");
  if (schema.items && schema.items.type !== "object")
    yield invalidValue(`${path}.items.type`, schema.items.type, "must be object if parent array's x-kubernetes-list-type is map");
  yield* checkKeys(schema, keys, path);
}

function* checkKeys({ items }: JsonSchema, keys: readonly string[], path: string): Generator<FieldProblem> {
  for (const key of keys) {
    const property = items?.properties?.[key];
    const at = `${path}.items.properties[${key}]`;
    if (!property) yield invalidValue(`${path}.x-kubernetes-list-map-keys`, keys, "entries must all be names of item properties");
    else {
      if (property.type === "array" || property.type === "object")
        yield invalidValue(`${at}.type`, property.type, "must be a scalar type if parent array's x-kubernetes-list-type is map");
      if (property.default === undefined && !items?.required?.includes(key))
        yield required(
          `${at}.default`,
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        );
      if (property.nullable) yield forbidden(`${at}.nullable`, "this property is in x-kubernetes-list-map-keys, so it cannot be nullable");
    }
  }
  if (new Set(keys).size < keys.length)
    yield invalidValue(`${path}.x-kubernetes-list-map-keys`, keys, "must not contain duplicate entries");
}

function* checkMetadata({ properties, ...schema }: JsonSchema, path: string, level: Level): Generator<FieldProblem> {
  if (level !== "root" && !schema["x-kubernetes-embedded-resource"]) return;
  for (const name of ["apiVersion", "kind"]) {
    const type = properties?.[name]?.type;
    if (properties?.[name] && type !== "string") yield invalidValue(`${path}.properties[${name}].type`, type, "must be string");
  }
  const metadata = properties?.["metadata"];
  if (metadata && metadata.type !== "object") yield invalidValue(`${path}.properties[metadata].type`, metadata.type, "must be object");
  if (level === "root" && Object.keys(metadata?.properties ?? {}).some((name) => name !== "name" && name !== "generateName"))
    yield forbidden(
      `${path}.properties[metadata]`,
      "must not specify anything other than name and generateName, but metadata is implicitly specified",
    );
  if (level === "root" && schema.additionalProperties !== undefined)
    yield forbidden(`${path}.additionalProperties`, "must not be used at the root");
}

/** What alternatives may not say: they narrow a value whose form stands outside. */
const notInAlternatives = [
  "type",
  "additionalProperties",
  "default",
  "nullable",
  "description",
  "title",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-validations",
] as const;

function* checkAlternatives(schema: JsonSchema, path: string, intOrString: boolean): Generator<FieldProblem> {
  for (const kind of ["allOf", "anyOf", "oneOf"] as const)
    for (const [index, option] of (schema[kind] ?? []).entries()) {
      const pair = intOrString && kind === "anyOf" && (schema.anyOf ?? []).every(({ type }) => type === "integer" || type === "string");
      if (!pair) yield* checkAlternative(option, `${path}.${kind}[${String(index)}]`, intOrString);
    }
  if (schema.not) yield* checkAlternative(schema.not, `${path}.not`, intOrString);
}

function* checkAlternative(option: JsonSchema, path: string, intOrString: boolean): Generator<FieldProblem> {
  for (const field of notInAlternatives) {
    if (option[field] === undefined) continue;
    yield forbidden(
      `${path}.${field}`,
      field === "type"
        ? "must be empty to be structural"
        : field === "additionalProperties"
          ? "must be undefined to be structural"
          : "must be empty to be structural",
    );
  }
  yield* checkAlternatives(option, path, intOrString);
  for (const [name, below] of Object.entries(option.properties ?? {})) yield* checkAlternative(below, `${path}.properties[${name}]`, false);
  if (option.items) yield* checkAlternative(option.items, `${path}.items`, false);
}

const reasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const hasBreak = (text: string): boolean => /[\n\r]/u.test(text);

function* checkRules(schema: JsonSchema, path: string): Generator<FieldProblem> {
  for (const [index, rule] of (schema["x-kubernetes-validations"] ?? []).entries()) {
    const at = `${path}.x-kubernetes-validations[${String(index)}]`;
    yield* checkRuleTexts(rule, at);
    const { messageExpression, reason, fieldPath = "" } = rule;
    if (messageExpression && messageExpression.trim() === "")
      yield required(`${at}.messageExpression`, "messageExpression must be non-empty if specified");
    if (reason !== undefined && !reasons.includes(reason)) yield notSupported(`${at}.reason`, reason, reasons);
    if (fieldPath !== "" && fieldPath.trim() === "") yield invalidValue(`${at}.fieldPath`, fieldPath, "must be non-empty if specified");
    if (hasBreak(fieldPath)) yield invalidValue(`${at}.fieldPath`, fieldPath, "must not contain line breaks");
    if (fieldPath !== "" && parseFieldPath(fieldPath, schema) === undefined)
      yield invalidValue(`${at}.fieldPath`, fieldPath, "must be a valid path");
  }
}

/** The first thing wrong with a rule and its message. */
function* checkRuleTexts({ rule, message = "" }: ValidationRule, at: string): Generator<FieldProblem> {
  const [text, told] = [(rule as string | undefined)?.trim() ?? "", message.trim()];
  if (text === "") yield required(`${at}.rule`, "rule is not specified");
  else if (message !== "" && told === "") yield invalidValue(`${at}.message`, message, "must be non-empty if specified");
  else if (hasBreak(told)) yield invalidValue(`${at}.message`, message, "must not contain line breaks");
  else if (hasBreak(text) && told === "") yield required(`${at}.message`, "message must be specified if rule contains line breaks");
}

/** A default fits its own schema, and pruning would leave it as it is. */
function* checkDefault(schema: JsonSchema, path: string): Generator<FieldProblem> {
  const value = copy(schema.default);
  const holder = { value };
  const dropped = prune({ type: "object", properties: { value: schema } }, holder).filter((field) => !ownFields.has(field));
  if (dropped.length > 0)
    yield invalidValue(
      `${path}.default`,
      schema.default,
      `must not have unknown fields: ${dropped.map((field) => field.replace(/^value\.?/, "")).join(", ")}`,
    );
  for (const problem of checkValue(schema, schema.default, `${path}.default`)) yield problem;
}
