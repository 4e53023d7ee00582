/** From a body's value to an object of its kind: read by its types or pruned by its schema, with what it says that nobody understands. */
import { Fault } from "@mecha/kit";
import { decodeByType, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
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
  if (fieldValidation === "Ignore") return { object, warnings: [] };
  const fields = [...twice.duplicates, ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`)];
  if (fieldValidation === "Warn") return { object, warnings: [...twice.repeated, ...fields] };
  const problems = [...(twice.repeated.length > 0 ? [yamlErrors(twice.repeated)] : []), ...fields];
  if (problems.length > 0) throw refuse(`strict decoding error: ${problems.join(", ")}`);
  return { object, warnings: [] };
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
  const given = mustHaveMetadata(value);
  if (definition.prune) return { object: given, unknown: definition.prune(given) };
  const { apiVersion, kind } = given;
  try {
    const { object, unknown } = decodeByType(definition.types, definition.type, given);
    return {
      object: mustHaveMetadata({ apiVersion, kind, ...object }),
      unknown: unknown.filter((path) => path !== "apiVersion" && path !== "kind"),
    };
  } catch (error) {
    if (error instanceof Fault && error.code === "invalid") throw refuse(error.message);
    throw error;
  }
}

function bodyRefusal({ kind, version, strategicPatch }: ResourceDefinition): Refusal {
  // Go decodes built-in kinds into structs, and says so first.
  const what = strategicPatch ? `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ` : "";
  return (text) => badRequest(`${what}${text}`);
}
