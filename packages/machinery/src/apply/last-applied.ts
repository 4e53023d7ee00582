/** kubectl's migration from client-side to server-side apply: what the annotation `last-applied-configuration` says, and keeping it up to date. */
import type { JsonObject } from "@mecha/kinds";
import { isObject, own } from "../json.ts";
import { compare, fieldSetOf } from "./compare.ts";
import type { FieldSet } from "./field-set.ts";
import type { Schema } from "./shape.ts";

const annotation = "kubectl.kubernetes.io/last-applied-configuration";

/** Fields the annotation names and the object still has as named there; `undefined` when there is no such annotation, or of another version. */
export function lastAppliedSet(live: JsonObject, schema: Schema, apiVersion: string): FieldSet | undefined {
  const text = annotationsOf(live)?.[annotation];
  if (typeof text !== "string" || text === "") return undefined;
  let applied: unknown;
  try {
    applied = JSON.parse(text);
  } catch {
    return undefined; // not ours to repair: the conflict stands
  }
  if (!isObject(applied) || applied["apiVersion"] !== apiVersion) return undefined;
  const { added, modified, removed } = compare(schema, applied, live);
  return fieldSetOf(schema, applied).difference(modified).difference(added).difference(removed);
}

/** The object with the annotation telling what was applied now, if it has the annotation: client-side apply can then go on from here. */
export function withLastApplied(object: JsonObject, applied: JsonObject): JsonObject {
  const annotations = annotationsOf(object);
  if (!annotations || typeof annotations[annotation] !== "string" || annotations[annotation] === "") return object;
  const metadata = object["metadata"] as JsonObject;
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...annotations, [annotation]: `${sortedText(withoutAnnotation(applied))}\n` } },
  };
}

function withoutAnnotation(applied: JsonObject): JsonObject {
  const annotations = annotationsOf(applied);
  if (!annotations) return applied;
  const { [annotation]: _, ...rest } = annotations;
  return { ...applied, metadata: { ...(applied["metadata"] as JsonObject), annotations: rest } };
}

function annotationsOf(object: JsonObject): JsonObject | undefined {
  const metadata = object["metadata"];
  const annotations = isObject(metadata) ? own(metadata, "annotations") : undefined;
  return isObject(annotations) ? annotations : undefined;
}

/** JSON with fields in order, as Go writes maps. */
function sortedText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedText).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${sortedText(value[name])}`).join(",")}}`;
}
