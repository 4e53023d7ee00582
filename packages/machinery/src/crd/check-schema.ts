/** Rules of structural schemas: every value has a type, alternatives only narrow, and nothing is in it that pruning and defaults could not follow. */
import type { FieldProblem } from "@mecha/kinds";
import { isObject } from "../json.ts";
import { rulesOf } from "../cel/rules.ts";
import { checkEmbedded } from "./check-structure.ts";
import { checkValue, compiled, whyNoPattern } from "./check-value.ts";
import { forbidden, invalidValue, notSupported, required } from "./problems.ts";
import { parseFieldPath } from "../cel/rule-path.ts";
import { childPath, type JsonSchema, ownFields, type ValidationRule } from "./schema.ts";
import { prune } from "./shape-object.ts";
import { copy } from "../json.ts";

type Level = "root" | "field" | "item";

const types = ["array", "boolean", "integer", "number", "object", "string"];
/** What may stand at the root of a kind with status, with the server's names. */
const rootFields = new Map(
  "description type format title maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems uniqueItems multipleOf required items properties externalDocs example"
    .split(" ")
    .map((field) => [field, field.charAt(0).toUpperCase() + field.slice(1)] as const)
    .concat([
      ["x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"],
      ["x-kubernetes-validations", "XValidations"],
    ]),
);
/** Deepest nesting of a schema; the server's decoder has its own. Every walk over a schema recurses as deep. */
const maxDepth = 100;

/** Everything wrong with the schema of a version. */
export function checkSchema(schema: JsonSchema, path: string, { hasStatus }: { readonly hasStatus: boolean }): FieldProblem[] {
  const root: FieldProblem[] = [];
  for (const name of ownFields) root.push(...defaultsIn(schema.properties?.[name], `${path}.properties[${name}]`, name));
  if (schema.nullable === true) root.push(forbidden(`${path}.nullable`, "nullable cannot be true at the root"));
  const strange = hasStatus && Object.keys(schema).some((field) => !rootFields.has(field));
  if (strange)
    root.push(
      invalidValue(
        path,
        schema,
        `only [${[...rootFields.values()].join(" ")}] fields are allowed at the root of the schema if the status subresource is enabled`,
      ),
    );
  return [...root, ...check(schema, path, "root", 0)];
}

/** What every object has is the server's to fill in. */
function defaultsIn(schema: JsonSchema | undefined, path: string, top: string): FieldProblem[] {
  if (!schema) return [];
  const own = schema.default === undefined ? [] : [forbidden(`${path}.default`, `must not be set in top-level ${top}`)];
  const properties = Object.entries(schema.properties ?? {});
  return [...own, ...properties.flatMap(([name, below]) => defaultsIn(below, `${path}.properties[${name}]`, top))];
}

/** @param inMap Somewhere below values of a map, whose defaults the server does not look at. */
function* check(schema: JsonSchema, path: string, level: Level, depth: number, inMap = false): Generator<FieldProblem> {
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
  if (schema.default !== undefined && !inMap) yield* checkDefault(schema, path);
  if (schema.pattern !== undefined && !compiled(schema.pattern))
    yield invalidValue(`${path}.pattern`, schema.pattern, `must be a valid regular expression, but isn't: ${whyNoPattern(schema.pattern)}`);
  for (const [name, below] of Object.entries(schema.properties ?? {}))
    yield* check(below, `${path}.properties[${name}]`, "field", depth + 1, inMap);
  if (Array.isArray(schema.items)) yield forbidden(`${path}.items`, "items must be a schema object and not an array");
  else if (schema.items) yield* check(schema.items, `${path}.items`, "item", depth + 1, inMap);
  if (isObject(schema.additionalProperties))
    yield* check(schema.additionalProperties, `${path}.additionalProperties`, "field", depth + 1, true);
}

function* checkType(schema: JsonSchema, path: string, level: Level): Generator<FieldProblem> {
  const { type } = schema;
  const free = schema["x-kubernetes-int-or-string"] ?? schema["x-kubernetes-preserve-unknown-fields"];
  const isTold = schema["x-kubernetes-embedded-resource"] === true || Object.hasOwn(schema, "$ref"); // with what stands there besides
  if (!isTold && (type === undefined || type === "")) {
    const where = { root: "at the root", item: "for specified array items", field: "for specified object fields" }[level];
    if (!free || level === "root") yield required(`${path}.type`, `must not be empty ${where}`);
  } else if (!isTold && type !== undefined && !types.includes(type)) yield notSupported(`${path}.type`, type, types);
  if (type === "null") yield forbidden(`${path}.type`, "type cannot be set to null, use nullable as an alternative");
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
  if (Object.keys(schema.properties ?? {}).length > 0 && (schema.additionalProperties === false || isObject(schema.additionalProperties)))
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
  if (schema["x-kubernetes-embedded-resource"] && schema.type !== "object") {
    const detail = "must be object if x-kubernetes-embedded-resource is true";
    yield schema.type === undefined ? required(`${path}.type`, detail) : invalidValue(`${path}.type`, schema.type, detail);
  }
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
    if (listType === "set") yield* checkSetItems(schema, path);
    return;
  }
  if (schema.items?.nullable) yield forbidden(`${path}.items.nullable`, "cannot be nullable when x-kubernetes-list-type is map");
  if (keys.length === 0) yield required(`${path}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map");
  if (schema.items && schema.items.type !== "object")
    yield invalidValue(`${path}.items.type`, schema.items.type, "must be object if parent array's x-kubernetes-list-type is map");
  if (schema.items?.type === "object") yield* checkKeys(schema, keys, path);
}

/** Elements of a set are compared as a whole. */
function* checkSetItems({ items }: JsonSchema, path: string): Generator<FieldProblem> {
  const atomic = "must be atomic as item of a list with x-kubernetes-list-type=set";
  if (items?.nullable) yield forbidden(`${path}.items.nullable`, "cannot be nullable when x-kubernetes-list-type is set");
  const listType = items?.["x-kubernetes-list-type"];
  if (items?.type === "array" && listType !== undefined && listType !== "atomic")
    yield invalidValue(`${path}.items.x-kubernetes-list-type`, listType, atomic);
  if (items?.type === "object" && items["x-kubernetes-map-type"] !== "atomic")
    yield invalidValue(`${path}.items.x-kubernetes-map-type`, listType ?? null, atomic);
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

/** How a field that may not be there is called empty. */
const emptiness: Readonly<Record<string, string>> = {
  additionalProperties: "undefined",
  default: "undefined",
  nullable: "false",
  "x-kubernetes-preserve-unknown-fields": "false",
  "x-kubernetes-embedded-resource": "false",
  "x-kubernetes-int-or-string": "false",
};

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
    yield forbidden(`${path}.${field}`, `must be ${emptiness[field] ?? "empty"} to be structural`);
  }
  if (option.properties && isObject(option.additionalProperties))
    yield forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive");
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

/** A default fits its own schema and its rules, and pruning would leave it as it is. */
function* checkDefault(schema: JsonSchema, path: string): Generator<FieldProblem> {
  const at = `${path}.default`;
  if (schema.default === null && schema.nullable !== true) return; // the same as none
  const holder = { value: copy(schema.default) };
  const dropped = prune({ type: "object", properties: { value: schema } }, holder);
  if (dropped.length > 0) yield invalidValue(at, schema.default, "must not have unknown fields");
  const problems = [...checkValue(schema, schema.default), ...checkEmbedded(schema, schema.default)];
  const ofRules = problems.length === 0 ? (rulesOf(schema, false)?.(schema.default, undefined) ?? []) : [];
  for (const problem of [...problems, ...ofRules]) yield { ...problem, field: placeOf(at, problem.field) };
}

/** Where a problem of a default is told. */
const placeOf = (at: string, field: string): string => (field === "" ? at : field === "<nil>" ? field : childPath(at, field));
