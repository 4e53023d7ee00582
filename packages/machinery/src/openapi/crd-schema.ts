/**
 * The schema of a CRD as OpenAPI shows it: as its author wrote it, with the fields every object has, at the root and in embedded objects, and with what
 * x-kubernetes-int-or-string means spelled out.
 *
 * Version 2 has no words for much of it, and kubectl stumbles over some combinations: such a schema says less there (no type where null is allowed, no
 * fields where others are kept), so that nothing valid is called wrong.
 */
import type { JsonObject } from "@mecha/kinds";
import { isObject } from "../json.ts";
import type { OpenApiVersion } from "./schema.ts";

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const keepsUnknown = "x-kubernetes-preserve-unknown-fields";

/** Words of a schema version 2 has not; what they say is checked by the server alone. */
const notInV2 = new Set(["oneOf", "anyOf", "allOf", "not", "nullable", "default"]);

type Reference = (name: string) => JsonObject;

/** The schema of the kind's objects. `reference` leads to the type of the name it is given. */
export function crdSchema(schema: JsonObject, version: OpenApiVersion, reference: Reference): JsonObject {
  // kubectl takes listed fields for all there are.
  if (version === 2 && schema[keepsUnknown] === true) return { type: "object" };
  const shown = shownSchema(schema, version, reference);
  return { ...shown, properties: { ...(shown["properties"] as JsonObject | undefined), ...sharedFields(version, reference) } };
}

function sharedFields(version: OpenApiVersion, reference: Reference): JsonObject {
  const metadata = reference(objectMeta);
  const description = "Name, labels and what the server knows of the object.";
  return {
    apiVersion: { type: "string", description: "Group and version of the kind." },
    kind: { type: "string", description: "Which kind of object it is." },
    metadata: version === 3 ? { allOf: [metadata], description } : { ...metadata, description },
  };
}

function shownSchema(schema: JsonObject, version: OpenApiVersion, reference: Reference): JsonObject {
  const words = version === 2 ? wordsOfV2(schema) : withNumberOrText(schema);
  const below = (value: unknown): unknown => (isObject(value) ? shownSchema(value, version, reference) : value);
  const shown = Object.fromEntries(
    Object.entries(words).map(([word, value]) => {
      // A field may be called like a word of the schema language.
      if (word === "properties" && isObject(value))
        return [word, Object.fromEntries(Object.entries(value).map(([name, field]) => [name, below(field)]))];
      return [word, word === "items" || word === "additionalProperties" ? below(value) : value];
    }),
  );
  if (shown["x-kubernetes-embedded-resource"] !== true || (version === 2 && shown[keepsUnknown] === true)) return shown;
  const required = Array.isArray(shown["required"]) ? (shown["required"] as string[]) : [];
  return {
    ...shown,
    required: [...required, ...["kind", "apiVersion"].filter((name) => !required.includes(name))],
    properties: { ...(shown["properties"] as JsonObject | undefined), ...sharedFields(version, reference) },
  };
}

const numberOrText = [{ type: "integer" }, { type: "string" }];
const saysNumberOrText = (anyOf: unknown): boolean => JSON.stringify(anyOf) === JSON.stringify(numberOrText);

/** What x-kubernetes-int-or-string means, in words every reader of schemas has; some authors write it themselves, in `anyOf` or first in `allOf`. */
function withNumberOrText(schema: JsonObject): JsonObject {
  if (schema["x-kubernetes-int-or-string"] !== true || saysNumberOrText(schema["anyOf"])) return schema;
  const allOf = Array.isArray(schema["allOf"]) ? (schema["allOf"] as unknown[]) : [];
  if (isObject(allOf[0]) && saysNumberOrText(allOf[0]["anyOf"])) return schema;
  if (schema["anyOf"] === undefined) return { ...schema, anyOf: numberOrText };
  return { ...schema, allOf: [{ anyOf: numberOrText }, ...allOf] };
}

function wordsOfV2(schema: JsonObject): JsonObject {
  const words = Object.fromEntries(Object.entries(schema).filter(([word]) => !notInV2.has(word)));
  const leaveOut = (...names: readonly string[]): void => {
    for (const name of names) Reflect.deleteProperty(words, name);
  };
  if (schema["nullable"] === true) leaveOut("type", "items", "properties");
  if (schema[keepsUnknown] === true) leaveOut("items", "properties");
  if (words["type"] === "array" && words["items"] === undefined) leaveOut("type");
  if (schema[keepsUnknown] === true && words["type"] === "object") leaveOut("type");
  if (!Array.isArray(words["required"])) return words;
  const fields = isObject(words["properties"]) ? words["properties"] : {};
  const required = (words["required"] as string[]).filter((name) => !mayBeNull(fields[name]));
  if (required.length > 0 && !mayBeNull(words["additionalProperties"])) words["required"] = required;
  else leaveOut("required");
  return words;
}

const mayBeNull = (schema: unknown): boolean => isObject(schema) && schema["nullable"] === true;
