/** From a body's value to an object of its kind: read by its types or pruned by its schema, with what it says that nobody understands. */
import { Fault } from "@mecha/kit";
import { decodeByType, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import { isObject } from "../json.ts";
import type { StatusError } from "../status.ts";
import { nothingTwice, type Twice } from "./body.ts";
import { mustHaveMetadata } from "./metadata.ts";
import { badRequest, type WriteOptions } from "./options.ts";

export interface Checked {
  readonly object: KubeObject;
  readonly warnings: readonly string[];
}

/** How a request that brings such a body is refused. `text` is what is wrong. */
export type Refusal = (text: string) => StatusError;

/**
 * @param refuse Default: 400 in the words of create and update.
 * @throws StatusError for values that are of another type than the kind's, and with every unknown or repeated field when that is to be strict
 */
export function checkedObject(
  value: JsonObject,
  definition: ResourceDefinition,
  { fieldValidation }: Pick<WriteOptions, "fieldValidation">,
  { twice = nothingTwice, refuse = bodyRefusal(definition) }: { readonly twice?: Twice; readonly refuse?: Refusal } = {},
): Checked {
  const { object, unknown } = decoded(value, definition, refuse);
  const owners = withoutTwins(object);
  if (fieldValidation === "Ignore") return { object, warnings: owners };
  const fields = inOrder(value, [...unknown.map((path) => `unknown field ${JSON.stringify(path)}`), ...twice.duplicates]);
  if (fieldValidation === "Warn") return { object, warnings: [...twice.repeated, ...fields, ...owners] };
  const problems = [...(twice.repeated.length > 0 ? [yamlErrors(twice.repeated)] : []), ...fields];
  if (problems.length > 0) throw refuse(`strict decoding error: ${problems.join(", ")}`);
  return { object, warnings: owners };
}

/** Texts that end in a quoted path, as the paths come in the body. */
function inOrder(body: JsonObject, texts: readonly string[]): readonly string[] {
  if (texts.length < 2) return texts;
  const left = new Set(texts.map(pathIn));
  const ranks = new Map<string, number>();
  const walk = (value: unknown, path: string): void => {
    if (left.size === 0) return;
    if (left.delete(path)) ranks.set(path, ranks.size);
    if (Array.isArray(value)) value.forEach((each, i) => walk(each, `${path}[${i}]`));
    else if (isObject(value)) for (const key of Object.keys(value)) walk(value[key], path === "" ? key : `${path}.${key}`);
  };
  walk(body, "");
  const rank = (text: string): number => ranks.get(pathIn(text)) ?? texts.length;
  return [...texts].sort((a, b) => rank(a) - rank(b));
}

function pathIn(text: string): string {
  const quoted = text.slice(text.indexOf('"'));
  return quoted.startsWith('"') ? (JSON.parse(quoted) as string) : text;
}

/** Owners named twice are kept once, in place. @returns What is to be told of it. */
function withoutTwins({ metadata }: KubeObject): readonly string[] {
  const owners = metadata.ownerReferences ?? [];
  const kept = new Map<string, (typeof owners)[number]>();
  const twins: string[] = [];
  for (const owner of owners) {
    const text = JSON.stringify(Object.entries(owner).sort(([a], [b]) => (a < b ? -1 : 1)));
    if (kept.has(text)) twins.push(owner.uid);
    else kept.set(text, owner);
  }
  if (twins.length === 0) return [];
  metadata.ownerReferences = [...kept.values()];
  const advice = "API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests";
  return [`.metadata.ownerReferences contains duplicate entries; ${advice}; duplicate UID(s) observed: ${twins.join(", ")}`];
}

/** As Go's YAML reader lists what it found. */
export function yamlErrors(lines: readonly string[]): string {
  return `yaml: unmarshal errors:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** The body as the kind has it: read by its types, or pruned where a schema says what stays. */
function decoded(
  value: JsonObject,
  definition: ResourceDefinition,
  refuse: Refusal,
): { readonly object: KubeObject; readonly unknown: readonly string[] } {
  if (definition.prune) {
    const given = mustHaveMetadata(value);
    return { object: given, unknown: definition.prune(given) };
  }
  const { apiVersion, kind } = value;
  try {
    const { object, unknown } = decodeByType(definition.types, definition.type, value);
    return {
      object: mustHaveMetadata({ apiVersion, kind, ...object }),
      unknown: unknown.filter((path) => path !== "apiVersion" && path !== "kind"),
    };
  } catch (error) {
    if (error instanceof Fault && error.code === "invalid") throw refuse(error.message);
    throw error;
  }
}

/** @param isDecoded Also of a CRD's kind: the body itself is read; what an apply makes is not. */
export function bodyRefusal({ kind, version, strategicPatch }: ResourceDefinition, isDecoded = false): Refusal {
  // Go decodes built-in kinds into structs, and says so first.
  const what = strategicPatch || isDecoded ? `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ` : "";
  return (text) => badRequest(`${what}${text}`);
}
