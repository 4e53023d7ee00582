/** The verbs of a resource: from a parsed request to what is to be answered. One method each; the work is in read, write, remove and watch. */
import { apiVersionOf, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import { copy } from "../json.ts";
import { typeOfKind } from "../openapi/schema.ts";
import { invalid, notFound, StatusError } from "../status.ts";
import { parseBody } from "./body.ts";
import { bodyRefusal, type Checked, checkedObject } from "./checked.ts";
import { presented, type ServerParts, shelfOf } from "./context.ts";
import { badRequest, type DeleteOptions, deleteOptions, listOptions, type WriteOptions } from "./options.ts";
import { patchOne, scaled } from "./patch-verbs.ts";
import { checkFuture, list, type Listing, parseRevision, unknownFailure } from "./read.ts";
import { remove } from "./remove.ts";
import { bodyOf, checkNew, nameOf, objectOf, optionsOf, type ResourceRequest, type Result, subresourceOption, warned } from "./request.ts";
import { notRegistered } from "./body-kind.ts";
import { readScale } from "./scale.ts";
import type { Special, SpecialCall } from "./specials.ts";
import { create, update } from "./write.ts";

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
        warnings: [],
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
  checkVersion(parts, request.query.get("resourceVersion") ?? "");
  const entry = shelfOf(parts, definition).get(namespace, nameOf(request));
  if (!entry) throw notFound(definition.plural, definition.group, nameOf(request));
  const object = presented(entry, definition);
  return { is: "object", status: 200, object: subresource === "scale" ? readScale(object, definition) : object, definition, warnings: [] };
}

/** Everything served is the newest, so that only a version to come is a reason to refuse. */
function checkVersion(parts: ServerParts, version: string): void {
  if (version === "") return;
  checkFuture(parts, parseRevision(version, unknownFailure));
}

async function createOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition } = request;
  const options = optionsOf(request);
  const { object, warnings } = objectOf(request, options);
  if (request.name !== undefined)
    throw badRequest("objects are created in their collection; this resource has no such subresource to create");
  return { is: "object", status: 201, object: await warned(warnings, create(parts, request, object, options)), definition, warnings };
}

/** A create that is answered, not stored. */
export async function performSpecial(special: Special, request: ResourceRequest): Promise<Result> {
  const { parts, definition, namespace, name, subresource, caller } = request;
  const options = optionsOf(request);
  const of = name === undefined ? undefined : shelfOf(parts, definition).get(namespace, name)?.object;
  if (name !== undefined && !of) throw notFound(definition.plural, definition.group, name);
  const { object, warnings } = subresource === undefined ? reviewOf(request, options) : takenOf(request, options);
  const nowMs = parts.clock.wall();
  const managed = (said: JsonObject): ReturnType<SpecialCall["managed"]> => {
    const { fieldManager: manager } = options;
    const next = { metadata: {}, ...said } as unknown as KubeObject;
    return parts.fields?.track({ definition: taken(definition, subresource), old: undefined, next, manager, subresource, nowMs });
  };
  const answer = await special({ caller, namespace, of, body: object, dryRun: options.dryRun, nowMs, managed });
  return { is: "status", status: 201, object: answer, warnings };
}

/** Of what subresources take, by the definition they are of: made once, as the field tracker keeps what it knows of each. */
const takenKinds = new WeakMap<ResourceDefinition, Map<string, ResourceDefinition>>();

/** The kind a subresource takes, as far as fields are concerned. */
function taken(definition: ResourceDefinition, subresource: string | undefined): ResourceDefinition {
  const of = definition.creates?.find(({ name }) => name === subresource);
  const type = of && typeOfKind(of);
  if (!of || type === undefined) return definition;
  const known = takenKinds.get(definition) ?? new Map<string, ResourceDefinition>();
  takenKinds.set(definition, known);
  const { name, group, version, kind } = of;
  const made = known.get(name) ?? { ...definition, group, version, kind, type, status: false };
  known.set(name, made);
  return made;
}

/** What a subresource takes, decoded by its kind where that is known. @throws StatusError BadRequest */
function takenOf(request: ResourceRequest, options: WriteOptions): { readonly object: JsonObject; readonly warnings: readonly string[] } {
  const { value, ...twice } = bodyOf(request);
  const kind = taken(request.definition, request.subresource);
  if (kind === request.definition) return { object: value, warnings: [] };
  return checkedObject(value, kind, options, { twice, refuse: bodyRefusal(kind) });
}

/** A review, decoded and checked like an object that is to be stored. */
function reviewOf(request: ResourceRequest, options: WriteOptions): Checked {
  const { parts, definition, namespace } = request;
  const { object, warnings } = objectOf(request, options);
  const { metadata } = object;
  if (definition.namespaced) metadata.namespace ??= namespace;
  const managed = parts.fields?.track({
    definition,
    old: undefined,
    next: object,
    manager: options.fieldManager,
    subresource: undefined,
    nowMs: parts.clock.wall(),
  });
  if (managed) metadata.managedFields = [...managed];
  const problems = definition.validate?.(object, undefined) ?? [];
  if (problems.length > 0) throw invalid("", definition.group, "", problems); // the server names neither kind nor name here
  return { object: { ...object, apiVersion: apiVersionOf(definition), kind: definition.kind }, warnings };
}

async function updateOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition, subresource } = request;
  const options = { ...optionsOf(request, "UpdateOptions"), ...subresourceOption(request) };
  if (subresource === "scale") return scaled(request, options, () => bodyOf(request).value);
  const { object, warnings } = objectOf(request, options);
  const created = await createdByUpdate(request, object, options);
  if (created) return { is: "object", status: 201, object: created, definition, warnings };
  const updated = await warned(
    warnings,
    update(parts, request, nameOf(request), () => copy(object), options),
  );
  return { is: "object", status: 200, object: updated, definition, warnings };
}

/** For kinds whose update creates what is not there. @returns `undefined` when it is there. @throws StatusError Forbidden for those who may not create */
async function createdByUpdate(request: ResourceRequest, object: KubeObject, options: WriteOptions): Promise<KubeObject | undefined> {
  const { parts, definition, namespace, subresource } = request;
  const name = nameOf(request);
  if (!definition.createOnUpdate || subresource !== undefined || shelfOf(parts, definition).get(namespace, name)) return undefined;
  request.mayCreate();
  checkNew(object, request);
  const next = copy(object);
  delete next.metadata.resourceVersion;
  return create(parts, request, next, options).catch((error: unknown) => {
    if (error instanceof StatusError && error.reason === "AlreadyExists") return undefined; // somebody was faster: now it is an update
    throw error;
  });
}

async function deleteOne(request: ResourceRequest): Promise<Result> {
  const { parts, definition, query } = request;
  const options = deleteOptions(query, deleteBody(request));
  const removal = await remove(parts, request, nameOf(request), options);
  const { object } = removal;
  const warnings = orphanWarning(definition, options);
  if (!removal.removed || returnsDeleted(definition)) return { is: "object", status: 200, object, definition, warnings };
  return { is: "status", object: deletedStatus(object, definition), warnings };
}

/** For who did not say what becomes of the dependents. */
function orphanWarning({ orphansByDefault }: ResourceDefinition, { propagationPolicy }: DeleteOptions): readonly string[] {
  const warning = propagationPolicy === undefined ? orphansByDefault?.warning : undefined;
  return warning === undefined ? [] : [warning];
}

/** @throws StatusError BadRequest for a body that says it is something else than DeleteOptions */
function deleteBody({ body, headers, protobuf }: ResourceRequest): JsonObject | undefined {
  const value = parseBody(body, headers["content-type"], protobuf)?.value;
  const { kind = "DeleteOptions", apiVersion = "v1" } = value ?? {};
  if (typeof kind === "string" && kind !== "" && kind !== "DeleteOptions") throw badRequest(notRegistered(kind, String(apiVersion)));
  return value;
}

const answeredWhole = new Set([
  "pods",
  "namespaces",
  "services",
  "persistentvolumeclaims",
  "persistentvolumes",
  "serviceaccounts",
  "resourcequotas",
]);

/** These answer with the object even when it is gone. */
export function returnsDeleted({ group, plural }: ResourceDefinition): boolean {
  return group === "" && answeredWhole.has(plural);
}

function deletedStatus({ metadata }: KubeObject, { group, plural }: ResourceDefinition): JsonObject {
  const details = { name: metadata.name, ...(group !== "" && { group }), kind: plural, uid: metadata.uid };
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
}

async function deleteAll(request: ResourceRequest): Promise<Result> {
  const { parts, definition, query } = request;
  const options = deleteOptions(query, deleteBody(request));
  const listing = list(parts, request, listOptions(query, definition));
  const objects: KubeObject[] = []; // as they were
  for (const object of listing.objects) {
    const { metadata } = object;
    const target = { definition, namespace: metadata.namespace ?? "" };
    const removal = await remove(parts, target, metadata.name, options).catch(ignoreGone);
    if (removal) objects.push(object);
  }
  return { is: "list", listing: { ...listing, objects }, definition, warnings: orphanWarning(definition, options) };
}

/** Somebody else deleted it meanwhile: that is what was wanted. */
function ignoreGone(error: unknown): undefined {
  if (error instanceof StatusError && error.reason === "NotFound") return undefined;
  throw error;
}

export function listObject(listing: Listing, definition: ResourceDefinition): JsonObject {
  // Lists name kind and version once; items of a built-in kind leave them out.
  const items = definition.strategicPatch
    ? listing.objects.map(({ apiVersion: _apiVersion, kind: _kind, ...rest }) => rest)
    : listing.objects;
  // Of a CRD's kind the server says also that nothing goes on.
  const metadata = definition.strategicPatch ? listing.metadata : { continue: "", ...listing.metadata };
  return { kind: definition.listKind, apiVersion: apiVersionOf(definition), metadata, items };
}
