/** The schema of a CRD as OpenAPI shows it: as its author wrote it, with the fields every object has. */
import type { JsonObject } from "@mecha/kinds";
import { isObject } from "../json.ts";
import type { OpenApiVersion } from "./schema.ts";

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** Fields of a schema version 2 has no word for; what they say is checked by the server alone. */
const notInV2 = new Set(["oneOf", "anyOf", "allOf", "not", "nullable", "x-kubernetes-validations"]);

/** The schema of the kind's objects. `reference` leads to the type of the name it is given. */
export function crdSchema(schema: JsonObject, version: OpenApiVersion, reference: (name: string) => JsonObject): JsonObject {
  const shown = version === 3 ? schema : (withoutNewWords(schema) as JsonObject);
  const metadata = reference(objectMeta);
  const shared = {
    apiVersion: { type: "string", description: "Group and version of the kind." },
    kind: { type: "string", description: "Which kind of object it is." },
    metadata: version === 3 ? { allOf: [metadata], description: "Name, labels and what the server knows of the object." } : metadata,
  };
  return { ...shown, properties: { ...(shown["properties"] as JsonObject | undefined), ...shared } };
}

function withoutNewWords(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutNewWords);
  if (!isObject(schema)) return schema;
  const kept = Object.entries(schema).filter(([word]) => !notInV2.has(word));
  return Object.fromEntries(
    kept.map(([word, value]) => [
      word,
      word === "properties" && isObject(value) ? eachSchema(value) : word === "default" || word === "enum" ? value : withoutNewWords(value),
    ]),
  );
}

/** A field may be called like a word of the schema language. */
function eachSchema(properties: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, withoutNewWords(schema)]));
}
