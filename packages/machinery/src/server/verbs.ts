/** The verbs of a resource: from a parsed request to what is to be answered. One method each; the work is in read, write, remove and watch. */
import { Fault } from "@mecha/kit";
import { apiVersionOf, decodeByType, type FieldProblem, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import { applied } from "../apply/tracker.ts";
import { copy, isObject } from "../json.ts";
import { conflict, invalid, notFound, qualifiedResource, StatusError } from "../status.ts";
import { parseBody, type ProtobufDecoder } from "./body.ts";
import { presented, type ServerParts, shelfOf, type Target } from "./context.ts";
import { mustHaveMetadata } from "./metadata.ts";
import { badRequest, deleteOptions, listOptions, type WriteOptions, writeOptions } from "./options.ts";
import { type ParsedPatch, parsePatch, patched } from "./patch.ts";
import { list, type Listing } from "./read.ts";
import { remove } from "./remove.ts";
import type { Caller } from "./access.ts";
import type { Admit, Special } from "./specials.ts";
import { readScale, scaleChange } from "./scale.ts";
import { create, update, type UpdateOptions } from "./write.ts";

/** What stands in the answer, before it takes its form. */
export type Result =
  | {
      readonly is: "object";
      readonly status: number;
      readonly object: KubeObject;
      readonly definition: ResourceDefinition;
      readonly warnings: readonly string[];
    }
  | { readonly is: "list"; readonly listing: Listing; readonly definition: ResourceDefinition }
  | { readonly is: "status"; readonly status?: number; readonly object: JsonObject; readonly warnings: readonly string[] };

/** A request for a resource, its path and query understood. */
export interface ResourceRequest extends Target {
  readonly parts: ServerParts;
  /** Absent for collections. */
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly protobuf: ProtobufDecoder | undefined;
  readonly caller: Caller;
  readonly admit: Admit | undefined;
  /** For an apply that finds nothing. @throws StatusError Forbidden when the caller may patch here and not create. */
  readonly mayCreate: () => void;
}

export type Verb = "get" | "list" | "create" | "update" | "patch" | "delete" | "deletecollection";

export async function perform(verb: Verb, request: ResourceRequest): Promise<Result> {
  switch (verb) {
    case "get":
      return get(request);
    case "list":
      return {
        is: "list",
        listing: list(request.parts, request, listOptions(request.query, request.definition)),
        definition: request.definition,
      };
    case "create":
      return createOne(request);
    case "update":
      return updateOne(request);
    case "patch":
      return patchOne(request);
    case "delete":
      return deleteOne(request);
    case "deletecollection":
      return deleteAll(request);
  }
}

function get(request: ResourceRequest): Result {
  const { parts, definition, namespace, subresource } = request;
  const entry = shelfOf(parts, definition).get(namespace, nameOf(request));
  if (!entry) throw notFound(definition.plural, definition.group, nameOf(request));
  const object = presented(entry, definition);
  return { is: "object", status: 200, object: subresource === "scale" ? readScale(object, definition) : object, definition, warnings: [] };
}

async function createOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition } = request;
  const options = optionsOf(request);
  const { object, warnings } = objectOf(request, options);
  if (request.name !== undefined)
    throw badRequest("objects are created in their collection; this resource has no such subresource to create");
  return { is: "object", status: 201, object: await create(parts, request, object, options), definition, warnings };
}

/** A create that is answered, not stored. */
export async function performSpecial(special: Special, request: ResourceRequest): Promise<Result> {
  const { parts, definition, namespace, name, subresource, caller } = request;
  const options = optionsOf(request);
  const of = name === undefined ? undefined : shelfOf(parts, definition).get(namespace, name)?.object;
  if (name !== undefined && !of) throw notFound(definition.plural, definition.group, name);
  const { object, warnings } = subresource === undefined ? reviewOf(request, options) : { object: bodyOf(request).value, warnings: [] };
  const answer = await special({ caller, namespace, of, body: object, dryRun: options.dryRun });
  return { is: "status", status: 201, object: answer, warnings };
}

/** A review, decoded and checked like an object that is to be stored. */
function reviewOf(request: ResourceRequest, options: WriteOptions): { readonly object: KubeObject; readonly warnings: readonly string[] } {
  const { definition, namespace } = request;
  const checked = objectOf(request, options);
  if (definition.namespaced) checked.object.metadata.namespace ??= namespace;
  const problems = definition.validate?.(checked.object, undefined) ?? [];
  if (problems.length > 0) throw invalid(definition.kind, definition.group, checked.object.metadata.name ?? "", problems);
  return checked;
}

async function updateOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition, subresource } = request;
  const options = { ...optionsOf(request), ...subresourceOption(request) };
  if (subresource === "scale") return scaled(request, options, () => bodyOf(request).value);
  const { object, warnings } = objectOf(request, options);
  if (!object.metadata.resourceVersion && !definition.strategicPatch) throw mustNameVersion(object, definition);
  return {
    is: "object",
    status: 200,
    object: await update(parts, request, nameOf(request), () => copy(object), options),
    definition,
    warnings,
  };
}

async function patchOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition, subresource } = request;
  const options = { ...optionsOf(request), ...subresourceOption(request) };
  const patch = parsePatch(request.body, request.headers["content-type"], definition);
  checkPatchOptions(patch, options, request.query);
  if (patch.kind === "apply") return applyOne(request, options, patch.value);
  if (subresource === "scale") return scaled(request, options, (current) => patched(current, patch, definition));
  let warnings: readonly string[] = [];
  const change = (current: KubeObject): KubeObject => {
    const checked = checkedObject(patched(current, patch, definition), definition, options, []);
    warnings = checked.warnings;
    return checked.object;
  };
  return { is: "object", status: 200, object: await update(parts, request, nameOf(request), change, options), definition, warnings };
}

/** Server-side apply: creates what is not there. */
async function applyOne(request: ResourceRequest, options: UpdateOptions, configuration: unknown): Promise<Result> {
  const { parts, definition, namespace, subresource } = request;
  if (!isObject(configuration)) throw badRequest("error decoding patch: the configuration must be an object");
  if (subresource === "scale") throw badRequest("apply to scale is not supported by this server: apply the object, or patch its scale");
  const fields = { definition, manager: options.fieldManager, subresource, nowMs: parts.clock.wall(), force: options.force };
  let warnings: readonly string[] = [];
  const change = (current: KubeObject | undefined): KubeObject => {
    const checked = checkedObject(applied(parts.registry, current, configuration, fields), definition, options, []);
    warnings = checked.warnings;
    return checked.object;
  };
  const kept = { ...options, applied: true };
  const name = nameOf(request);
  if (subresource === undefined && !shelfOf(parts, definition).get(namespace, name)) {
    request.mayCreate();
    const object = change(undefined);
    if (object.metadata.name !== name) throw otherName(object, name);
    if (object.metadata.uid) throw conflict(definition.plural, definition.group, name, uidMismatch(object.metadata.uid));
    return { is: "object", status: 201, object: await create(parts, request, object, kept), definition, warnings };
  }
  return { is: "object", status: 200, object: await update(parts, request, name, change, kept), definition, warnings };
}

const uidMismatch = (uid: string): string => `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;

function otherName({ metadata }: KubeObject, name: string): StatusError {
  if (!metadata.name) return badRequest("name must be provided");
  return badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
}

/** @throws StatusError Invalid: apply needs a manager, and only apply can be forced. */
function checkPatchOptions({ kind }: ParsedPatch, { fieldManagerNamed }: WriteOptions, query: URLSearchParams): void {
  const refuse = (problem: FieldProblem): StatusError => invalid("PatchOptions", "meta.k8s.io", "", [problem]);
  if (kind === "apply" && !fieldManagerNamed)
    throw refuse({ type: "FieldValueRequired", field: "fieldManager", message: "Required value: is required for apply patch" });
  if (kind !== "apply" && query.has("force"))
    throw refuse({ type: "FieldValueForbidden", field: "force", message: "Forbidden: may not be specified for non-apply patch" });
}

async function scaled(request: ResourceRequest, options: UpdateOptions, next: (current: JsonObject) => JsonObject): Promise<Result> {
  const { parts, definition } = request;
  const change = (current: KubeObject): KubeObject => scaleChange(current, next(readScale(current, definition)), definition);
  const object = await update(parts, request, nameOf(request), change, options);
  return { is: "object", status: 200, object: readScale(object, definition), definition, warnings: [] };
}

async function deleteOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition, query } = request;
  const removal = await remove(
    parts,
    request,
    nameOf(request),
    deleteOptions(query, parseBody(request.body, request.headers["content-type"], request.protobuf)?.value),
  );
  const { object } = removal;
  if (!removal.removed || returnsDeleted(definition)) return { is: "object", status: 200, object, definition, warnings: [] };
  return { is: "status", object: deletedStatus(object, definition), warnings: [] };
}

/** These answer with the object even when it is gone. */
function returnsDeleted({ group, plural }: ResourceDefinition): boolean {
  return group === "" && (plural === "pods" || plural === "namespaces" || plural === "services" || plural === "persistentvolumeclaims");
}

function deletedStatus({ metadata }: KubeObject, { group, plural }: ResourceDefinition): JsonObject {
  const details = { name: metadata.name, ...(group !== "" && { group }), kind: plural, uid: metadata.uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

async function deleteAll(request: ResourceRequest): Promise<Result> {
  const { parts, definition, query } = request;
  const options = deleteOptions(query, parseBody(request.body, request.headers["content-type"], request.protobuf)?.value);
  const listing = list(parts, request, listOptions(query, definition));
  const objects: KubeObject[] = [];
  for (const { metadata } of listing.objects) {
    const target = { definition, namespace: metadata.namespace ?? "" };
    const removal = await remove(parts, target, metadata.name, options).catch(ignoreGone);
    if (removal) objects.push(removal.object);
  }
  return { is: "list", listing: { ...listing, objects }, definition };
}

/** Somebody else deleted it meanwhile: that is what was wanted. */
function ignoreGone(error: unknown): undefined {
  if (error instanceof StatusError && error.reason === "NotFound") return undefined;
  throw error;
}

function nameOf({ name, definition }: ResourceRequest): string {
  if (name === undefined)
    throw new StatusError("MethodNotAllowed", `name is required for ${qualifiedResource(definition.plural, definition.group)}`);
  return name;
}

function optionsOf({ query, headers, caller, admit }: ResourceRequest): WriteOptions {
  const options = writeOptions(query, headers["user-agent"]);
  return admit ? { ...options, admit: (change) => admit({ ...change, caller }) } : options;
}

function subresourceOption({ subresource }: ResourceRequest): { readonly subresource?: string } {
  return subresource === undefined ? {} : { subresource };
}

function bodyOf(request: ResourceRequest): { readonly value: JsonObject; readonly duplicates: readonly string[] } {
  const parsed = parseBody(request.body, request.headers["content-type"], request.protobuf);
  if (!parsed) throw badRequest("the body of the request must be an object; it is empty");
  return parsed;
}

/** The object of the body, decoded by its kind's types. @throws StatusError BadRequest with every unknown or repeated field when that is to be strict */
function objectOf(request: ResourceRequest, options: WriteOptions): { readonly object: KubeObject; readonly warnings: readonly string[] } {
  const { value, duplicates } = bodyOf(request);
  return checkedObject(value, request.definition, options, duplicates);
}

function checkedObject(
  value: JsonObject,
  definition: ResourceDefinition,
  options: WriteOptions,
  duplicates: readonly string[],
): { readonly object: KubeObject; readonly warnings: readonly string[] } {
  const { object, unknown } = decoded(value, definition);
  const problems = [
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ];
  if (options.fieldValidation === "Strict" && problems.length > 0) throw badRequest(strictMessage(definition, problems));
  return { object, warnings: options.fieldValidation === "Warn" ? problems : [] };
}

/** The body as the kind has it: read by its types, or pruned where a schema says what stays. */
function decoded(value: JsonObject, definition: ResourceDefinition): { readonly object: KubeObject; readonly unknown: readonly string[] } {
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
    if (error instanceof Fault && error.code === "invalid") throw badRequest(`${cannotBeHandled(definition)}: ${error.message}`);
    throw error;
  }
}

function cannotBeHandled({ kind, version }: ResourceDefinition): string {
  return `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`;
}

function strictMessage(definition: ResourceDefinition, problems: readonly string[]): string {
  const text = `strict decoding error: ${problems.join(", ")}`;
  // Go decodes built-in kinds into structs, and says so first.
  return definition.strategicPatch ? `${cannotBeHandled(definition)}: ${text}` : text;
}

function mustNameVersion({ metadata }: KubeObject, definition: ResourceDefinition): StatusError {
  const { kind, group, plural } = definition;
  const name = metadata.name ?? "";
  return new StatusError(
    "Invalid",
    `${qualifiedResource(plural, group)} "${name}" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`,
    {
      name,
      ...(group !== "" && { group }),
      kind,
      causes: [
        { reason: "FieldValueInvalid", message: "Invalid value: 0: must be specified for an update", field: "metadata.resourceVersion" },
      ],
    },
  );
}

export function listObject(listing: Listing, definition: ResourceDefinition): JsonObject {
  // Lists name kind and version once; items of a built-in kind leave them out.
  const items = definition.strategicPatch
    ? listing.objects.map(({ apiVersion: _apiVersion, kind: _kind, ...rest }) => rest)
    : listing.objects;
  return { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata: listing.metadata, items };
}
