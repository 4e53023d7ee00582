/** Field selectors: `metadata.name=cart,spec.nodeName!=n1`. Only fields the resource lists can be asked for. */
import type { KubeObject, ResourceDefinition } from "@mecha/kinds";
import { StatusError } from "../status.ts";

export interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

export type FieldSelector = readonly FieldRequirement[];

const requirementsMax = 100;

/** @throws StatusError BadRequest for text that is no selector, or a field this resource cannot be selected by. */
export function parseFieldSelector(text: string, definition: ResourceDefinition): FieldSelector {
  const terms = splitTerms(text);
  if (terms.length > requirementsMax) throw new StatusError("BadRequest", `invalid selector: more than ${requirementsMax} requirements`);
  return terms.flatMap((term) => {
    const found = /^([^=!]*)(!=|==|=)(.*)$/su.exec(term);
    if (!found) throw new StatusError("BadRequest", `invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = "", operator, value = ""] = found;
    const odd = /(?<!\\)(?:\\\\)*(=)/u.exec(value)?.[1];
    if (odd !== undefined)
      throw new StatusError("BadRequest", `invalid field selector: unescaped character in value: ${odd.charCodeAt(0)}`);
    if (field === "" && value === "") return []; // says nothing
    if (!valueOf(field, definition)) throw new StatusError("BadRequest", notSupported(field, definition));
    return [{ field, equal: operator !== "!=", value: value.replaceAll(/\\([\\,=])/gu, "$1") }];
  });
}

export function matchesFields(selector: FieldSelector, object: KubeObject, definition: ResourceDefinition): boolean {
  return selector.every(({ field, equal, value }) => (valueOf(field, definition)?.(object) === value) === equal);
}

function valueOf(field: string, definition: ResourceDefinition): ((object: KubeObject) => string) | undefined {
  if (field === "metadata.name") return ({ metadata }) => metadata.name;
  // Built-in kinds can be asked for it also where they have none: then nothing is found.
  const asked = definition.namespaced || (definition.strategicPatch && !definition.selectableFields);
  if (field === "metadata.namespace" && asked) return ({ metadata }) => metadata.namespace ?? "";
  return definition.selectableFields?.get(field);
}

/** Resources with fields of their own, and those of CRDs, word it otherwise than the rest. */
function notSupported(field: string, { selectableFields, strategicPatch, group, kind }: ResourceDefinition): string {
  if (group === "batch" && kind === "Job") return `field label ${JSON.stringify(field)} not supported for Job`;
  if (selectableFields || !strategicPatch) return `field label not supported: ${field}`;
  return `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

/** At commas that no `\` precedes. */
function splitTerms(text: string): string[] {
  return text.split(/(?<!\\),/u).filter((term) => term !== "");
}
