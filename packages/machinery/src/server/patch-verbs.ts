/** PATCH: patches of an object, server-side apply, and both through the scale subresource. */
import type { FieldProblem, JsonObject, KubeObject, ResourceDefinition } from "@mecha/kinds";
import { applied } from "../apply/tracker.ts";
import { cannotUnmarshal, copy, goText, isObject } from "../json.ts";
import { patchedText } from "../patch/patch-text.ts";
import { invalid, type StatusError } from "../status.ts";
import { nothingTwice } from "./body.ts";
import { foreignBody } from "./body-kind.ts";
import { checkedObject, type Refusal, yamlErrors } from "./checked.ts";
import { shelfOf } from "./context.ts";
import { badRequest, type WriteOptions } from "./options.ts";
import { type ParsedPatch, parsePatch, patched } from "./patch.ts";
import { checkNew, nameOf, optionsOf, type ResourceRequest, type Result, subresourceOption } from "./request.ts";
import { readScale, scaleChange, scaleConfiguration } from "./scale.ts";
import { create, update, type UpdateOptions } from "./write.ts";

export async function patchOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition, subresource } = request;
  const options = { ...optionsOf(request, "PatchOptions"), ...subresourceOption(request), patch: true };
  const patch = parsePatch(request.body, request.headers["content-type"], definition);
  checkPatchOptions(patch, options, request.query);
  if (patch.kind === "apply") return applyOne(request, options, patch);
  if (subresource === "scale") return scaled(request, options, (current) => patched(current, patch, definition));
  let warnings: readonly string[] = [];
  const change = (current: KubeObject): KubeObject => {
    const value = patched(definition.prune ? copy(current) : current, patch, definition);
    const refuse = patchRefusal(current, patch, definition);
    if (patch.kind === "strategic") keepKind(value, current);
    else {
      const foreign = foreignBody(value, definition, parts.registry, () => madeText(current, patch, definition));
      if (foreign) throw refuse(foreign.why);
    }
    const checked = checkedObject(value, definition, options, { twice: patch, refuse });
    warnings = checked.warnings;
    return checked.object;
  };
  return { is: "object", status: 200, object: await update(parts, request, nameOf(request), change, options), definition, warnings };
}

/** A strategic patch is one of this kind, whatever kind it names. */
function keepKind(value: JsonObject, { apiVersion, kind }: KubeObject): void {
  if (typeof value.apiVersion === "string") value.apiVersion = apiVersion;
  if (typeof value.kind === "string") value.kind = kind;
}

/** What a patch made is shown whole, as the server has it: of a strategic patch the patch, else the object. */
function patchRefusal(current: KubeObject, patch: ParsedPatch, definition: ResourceDefinition): Refusal {
  const strategic = patch.kind === "strategic";
  return (text) => {
    const shown = strategic ? goText(patch.value) : madeText(current, patch, definition);
    const why = strategic ? convertingText(text) : text;
    return invalid("", "", "", [{ type: "FieldValueInvalid", field: "patch", message: `Invalid value: ${JSON.stringify(shown)}: ${why}` }]);
  };
}

function madeText(current: KubeObject, { kind, value }: ParsedPatch, definition: ResourceDefinition): string {
  return patchedText(current, { kind: kind === "json" ? "json" : "merge", value }, definition);
}

/** Go's names of the kinds of JSON values. */
const goKinds: Readonly<Record<string, string>> = { array: "slice", object: "map", number: "int64" };

/** A strategic patch is made of values, not of text, and the server says what does not fit in other words. */
function convertingText(text: string): string {
  const [, from = "", to] = /^json: cannot unmarshal (\w+)(?: \S+)? into Go .* of type (\S+)$/u.exec(text) ?? [];
  if (to === undefined) return text;
  const kind = goKinds[from] ?? from;
  if (to.startsWith("[]")) return `cannot restore slice from ${kind}`;
  if (to.startsWith("map[")) return `cannot restore map from ${kind}`;
  if (to.includes(".")) return `cannot restore struct from: ${kind}`;
  return from === "number" && to === "string" ? `cannot convert ${kind} to ${to}` : `unrecognized type: ${to}`;
}

/** Server-side apply: creates what is not there. */
async function applyOne(request: ResourceRequest, options: UpdateOptions, { value, repeated }: ParsedPatch): Promise<Result> {
  const { parts, definition, namespace, subresource } = request;
  if (!isObject(value))
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: ${cannotUnmarshal(value, "map[string]interface {}")}`,
    );
  const name = nameOf(request);
  const scaling = subresource === "scale";
  const configuration = scaling ? scaleConfiguration(value, { name, namespace }, definition) : value;
  const fields = { definition, manager: options.fieldManager, subresource, nowMs: parts.clock.wall(), force: options.force };
  let warnings: readonly string[] = [];
  const change = (current: KubeObject | undefined): KubeObject => {
    const next = applied(parts.registry, current, configuration, fields);
    checkRepeated(repeated, options);
    const checked = checkedObject(next, definition, options, { twice: { ...nothingTwice, repeated } });
    warnings = checked.warnings;
    return checked.object;
  };
  const kept = { ...options, applied: true };
  if (subresource === undefined && !shelfOf(parts, definition).get(namespace, name)) {
    request.mayCreate();
    const object = change(undefined);
    if (object.metadata.uid) throw immutableUid(object, definition);
    delete object.metadata.resourceVersion; // of an object that is gone
    checkNew(object, request);
    return { is: "object", status: 201, object: await create(parts, request, object, kept), definition, warnings };
  }
  const object = await update(parts, request, name, change, kept);
  return { is: "object", status: 200, object: scaling ? readScale(object, definition) : object, definition, warnings };
}

/** Twice: by the rules of metadata and by those of the kind. */
function immutableUid({ metadata }: KubeObject, { kind, group }: ResourceDefinition): StatusError {
  const message = `Invalid value: ${JSON.stringify(metadata.uid)}: field is immutable`;
  const problem = { type: "FieldValueInvalid", field: "metadata.uid", message } as const;
  return invalid(kind, group, metadata.name, [problem, problem]);
}

function checkRepeated(repeated: readonly string[], { fieldValidation }: WriteOptions): void {
  if (repeated.length > 0 && fieldValidation === "Strict")
    throw badRequest(`error strict decoding YAML: error converting YAML to JSON: ${yamlErrors(repeated)}`);
}

/** @throws StatusError Invalid: apply needs a manager, and only apply can be forced. */
function checkPatchOptions({ kind }: ParsedPatch, { fieldManagerNamed }: WriteOptions, query: URLSearchParams): void {
  const refuse = (problem: FieldProblem): StatusError => invalid("PatchOptions", "meta.k8s.io", "", [problem]);
  if (kind === "apply" && !fieldManagerNamed)
    throw refuse({ type: "FieldValueRequired", field: "fieldManager", message: "Required value: is required for apply patch" });
  if (kind !== "apply" && query.has("force"))
    throw refuse({ type: "FieldValueForbidden", field: "force", message: "Forbidden: may not be specified for non-apply patch" });
}

/** A change of an object's Scale. */
export async function scaled(request: ResourceRequest, options: UpdateOptions, next: (current: JsonObject) => JsonObject): Promise<Result> {
  const { parts, definition } = request;
  const change = (current: KubeObject): KubeObject => scaleChange(current, next(readScale(current, definition)), definition);
  const object = await update(parts, request, nameOf(request), change, options);
  return { is: "object", status: 200, object: readScale(object, definition), definition, warnings: [] };
}
