/**
 * Creating and changing objects: the one road every write takes, whichever verb began it.
 *
 * W1 a change is computed on one state and written only if that state still stands; without a resourceVersion it is computed again on the new one
 * W2 a change that changes nothing is not written: the revision stays
 * W3 an object that is being deleted and has no finalizer left is deleted by the write that took the last one away; its answer names the revision before
 */
import { uuid } from "@mecha/kit";
import {
  apiVersionOf,
  type FieldProblem,
  groupVersionOf,
  invalidValue,
  type KubeObject,
  type ResourceDefinition,
  validateMeta,
} from "@mecha/kinds";
import { sameButTimes } from "../apply/apply.ts";
import { copy } from "../json.ts";
import { alreadyExists, conflict, invalid, notFound, qualifiedResource, StatusError } from "../status.ts";
import { logKey } from "../watch/cache.ts";
import type { Shelved } from "../watch/shelf.ts";
import type { Taking } from "./addresses.ts";
import { asReadBack } from "./empty-lists.ts";
import { presented, type ServerParts, shelfOf, storedResource, storedText, type Target } from "./context.ts";
import { onlyStatus, stampGeneration, stampNew, stampUpdated, unnamed } from "./metadata.ts";
import { generatedName } from "./names.ts";
import { admitKind, admitNew } from "./namespaces.ts";
import { badRequest, type WriteOptions } from "./options.ts";

/** How often a change is computed again because somebody else wrote meanwhile. Writers of one object come in turns, so a few suffice. */
const attemptsMax = 100;
/** Generated names tried until one is free: five letters give 14 million. */
const generatedTries = 8;

/** Stores a new object. `object` is used up. @throws StatusError */
export async function create(parts: ServerParts, target: Target, object: KubeObject, options: WriteOptions & Applied): Promise<KubeObject> {
  const { definition, namespace } = target;
  const { metadata } = object;
  checkIdentity(object, target);
  // Only the real server's store asks, which a dry run does not come to.
  if (metadata.resourceVersion && !options.dryRun)
    throw new StatusError("Unknown", "resourceVersion should not be set on objects to be created");
  admitKind(parts, definition);
  admitNew(parts, definition, namespace, metadata.name || (metadata.generateName ?? ""));
  const generated = !metadata.name && Boolean(metadata.generateName);
  for (let left = generated ? generatedTries : 1; ; left--) {
    const candidate = left > 1 ? copy(object) : object;
    if (generated) candidate.metadata.name = generatedName(metadata.generateName ?? "", parts.random);
    const created = await createNamed(parts, target, candidate, options);
    if (created) return created;
    if (left <= 1) throw taken(parts, target, candidate.metadata);
  }
}

function taken(parts: ServerParts, { definition, namespace }: Target, { name, generateName }: KubeObject["metadata"]): StatusError {
  const { plural, group } = definition;
  const ending = shelfOf(parts, definition).get(namespace, name)?.object.metadata.deletionTimestamp !== undefined;
  const refusal = alreadyExists(plural, group, name, ending ? "object is being deleted: " : "");
  if (!generateName) return refusal;
  // Also where a name was given: who asks again may be given another one.
  const message = `${refusal.message}, the server was not able to generate a unique name for the object`;
  return new StatusError("AlreadyExists", message, { ...refusal.details, retryAfterSeconds: 1 });
}

/** @returns `undefined` when the name is taken. */
async function createNamed(
  parts: ServerParts,
  { definition, namespace }: Target,
  object: KubeObject,
  options: WriteOptions & Applied,
): Promise<KubeObject | undefined> {
  const { metadata } = object;
  const nowMs = parts.clock.wall();
  const newUid = (): string => uuid(parts.random);
  const fits = parts.fields?.fits?.(definition, object) ?? true; // also a status that goes now
  if (definition.status && !definition.statusOnCreate) delete object.status;
  definition.setDefaults?.(object);
  stampNew(object, definition, newUid(), nowMs);
  const said = asSaid(object, definition);
  using taking = definition.allocate && parts.addresses.begin(metadata.name, options.dryRun); // held until the write has ended
  allocate(object, undefined, definition, taking);
  if (definition.prepare) {
    definition.prepare(object, undefined, { nowMs, newUid });
    definition.setDefaults?.(object); // of what was just filled in
  }
  check(object, undefined, { definition, namespace });
  warn(object, undefined, definition, options);
  options.admit?.({ definition, namespace, object, old: undefined });
  track(parts, { definition, namespace }, { said, next: object, old: undefined }, options);
  if (!fits) delete object.metadata.managedFields;
  if (shelfOf(parts, definition).get(namespace, metadata.name)) return undefined;
  if (options.dryRun) return object;
  const { group, plural } = storedResource(definition);
  const key = logKey(group, plural, namespace, metadata.name);
  const { outcome } = await parts.cache.write({ key, expected: 0, value: storedText(asReadBack(object, definition), definition) });
  if (outcome === "conflict") return undefined;
  return mustStand(parts, { definition, namespace }, metadata.name);
}

/** Computes the next state of an object. Gets a copy it may change. */
export type Change = (current: KubeObject) => KubeObject;

export interface UpdateOptions extends WriteOptions {
  /** `status`: only status changes; any other text, and everything but status does. */
  readonly subresource?: string;
  /** A patch of what is there: another uid in it is a change of the uid, not a condition. */
  readonly patch?: boolean;
}

/** A write by server-side apply, which has kept managedFields itself. */
export interface Applied {
  readonly applied?: boolean;
}

/**
 * Changes an object. A `resourceVersion` in what `change` returns must be the current one.
 * @throws StatusError NotFound, Conflict, Invalid
 */
export async function update(
  parts: ServerParts,
  target: Target,
  name: string,
  change: Change,
  options: UpdateOptions & Applied,
): Promise<KubeObject> {
  const { definition, namespace } = target;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const current = shelfOf(parts, definition).get(namespace, name);
    if (!current) throw notFound(definition.plural, definition.group, name);
    const old = presented(current, definition);
    const asked = change(copy(old));
    const wanted = wantedVersion(asked);
    if (!wanted && definition.versionedUpdate) throw mustNameVersion(name, definition);
    if (wanted && wanted !== old.metadata.resourceVersion) throw conflict(definition.plural, definition.group, name);
    using taking = definition.allocate && parts.addresses.begin(name, options.dryRun); // held until the write has ended
    const next = nextState(parts, target, { old, asked, taking }, options);
    const written = await replace(parts, target, current, next, options.dryRun);
    if (written) return written; // else W1: who named a version finds another one in the next round and loses there
  }
  throw conflict(definition.plural, definition.group, name, "too many others change it; try again");
}

/** The version a change is of; none and 0 leave it open. @throws StatusError 500 without a reason, as the server, for what is no number */
function wantedVersion({ metadata }: KubeObject): string | undefined {
  const { resourceVersion } = metadata;
  if (!resourceVersion || resourceVersion === "0") return undefined;
  if (/^\d+$/u.test(resourceVersion)) return resourceVersion;
  throw new StatusError("Unknown", `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
}

/** What is to be written for `asked`: fields of the server carried over, defaults, rules of the kind, everything checked. */
function nextState(
  parts: ServerParts,
  target: Target,
  { old, asked, taking }: { readonly old: KubeObject; readonly asked: KubeObject; readonly taking: Taking | undefined },
  options: UpdateOptions & Applied,
): KubeObject {
  const { definition, namespace } = target;
  const nowMs = parts.clock.wall();
  checkIdentity(asked, target, options.patch);
  if (asked.metadata.name !== old.metadata.name) throw renamed(asked, old);
  if (!options.patch) checkUid(asked, old, target);
  definition.setDefaults?.(asked); // of what was said; what is carried over has its defaults
  const wanted = options.subresource === "status" ? onlyStatus(asked, old, definition) : asked;
  if (options.subresource === undefined && definition.status) keepStatus(wanted, old);
  stampUpdated(wanted, old);
  const said = asSaid(wanted, definition);
  const next = asReadBack(wanted, definition); // an empty list where there was none is no change
  const { subresource } = options;
  if (subresource === undefined) allocate(next, old, definition, taking);
  definition.prepare?.(next, old, { nowMs, newUid: () => uuid(parts.random), ...(subresource !== undefined && { subresource }) });
  if (subresource !== "status") stampGeneration(next, old, definition);
  check(next, old, { definition, namespace });
  warn(next, old, definition, options);
  options.admit?.({ definition, namespace, object: next, old });
  track(parts, target, { said, next, old }, options);
  if (subresource === "status") definition.setDefaults?.(next); // what the rest of the object brings about is nobody's
  return next;
}

function keepStatus(next: KubeObject, old: KubeObject): void {
  if (old.status === undefined) delete next.status;
  else next.status = old.status;
}

/** Writes the state that follows `current` (keeps W2, W3). @returns `undefined` when somebody else wrote first. */
export async function replace(
  parts: ServerParts,
  { definition, namespace }: Target,
  current: Shelved,
  next: KubeObject,
  dryRun: boolean,
): Promise<KubeObject | undefined> {
  next.metadata.resourceVersion = String(current.revision);
  if (sameButTimes(next, presented(current, definition))) return presented(current, definition);
  const over = isOver(next);
  if (dryRun) return next;
  const { resourceVersion: _revision, ...metadata } = next.metadata;
  const { group, plural } = storedResource(definition);
  const { outcome } = await parts.cache.write({
    key: logKey(group, plural, namespace, current.name),
    expected: current.revision,
    value: over ? undefined : storedText({ ...next, metadata }, definition),
  });
  if (outcome === "conflict") return undefined;
  if (over) return next;
  const written = shelfOf(parts, definition).get(namespace, current.name);
  return written ? presented(written, definition) : next;
}

/** Being deleted, with nobody left to wait for. */
export function isOver({ metadata, spec, kind, apiVersion }: KubeObject): boolean {
  const waits = (metadata.finalizers?.length ?? 0) > 0 || (metadata.deletionGracePeriodSeconds ?? 0) > 0;
  // A namespace has finalizers of its own, for what is in it.
  const namespace = kind === "Namespace" && apiVersion === "v1";
  const contents = namespace ? ((spec as { finalizers?: readonly string[] } | undefined)?.finalizers?.length ?? 0) : 0;
  return metadata.deletionTimestamp !== undefined && !waits && contents === 0;
}

function mustStand(parts: ServerParts, { definition, namespace }: Target, name: string): KubeObject {
  const entry = shelfOf(parts, definition).get(namespace, name);
  // Somebody may have deleted it in the very moment between the commit and this line.
  if (!entry) throw notFound(definition.plural, definition.group, name);
  return presented(entry, definition);
}

export const otherApiVersion = (said: string, expected: string): StatusError =>
  badRequest(`the API version in the data (${said}) does not match the expected API version (${expected})`);

/**
 * Kind, version and namespace of an object must be those of the path, or absent.
 * @param patch It is what a patch made.
 * @throws StatusError BadRequest, and Invalid for another kind
 */
export function checkIdentity(object: KubeObject, { definition, namespace }: Target, patch = false): void {
  const apiVersion = apiVersionOf(definition);
  object.apiVersion ||= apiVersion;
  object.kind ||= definition.kind;
  const { metadata } = object;
  const otherKind = object.kind !== definition.kind;
  const otherVersion = object.apiVersion !== apiVersion;
  if (otherVersion && !(patch && !definition.strategicPatch)) throw otherApiVersion(object.apiVersion, apiVersion);
  if (otherKind || otherVersion)
    throw invalid(object.kind, groupVersionOf(object.apiVersion).group, metadata.name, [
      ...(otherKind ? [invalidValue("kind", object.kind, `must be ${definition.kind}`)] : []),
      ...(otherVersion ? [invalidValue("apiVersion", object.apiVersion, `must be ${apiVersion}`)] : []),
    ]);
  if (!definition.namespaced) delete metadata.namespace;
  else metadata.namespace ||= namespace;
  if (definition.namespaced && metadata.namespace !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

function mustNameVersion(name: string, { group, plural }: ResourceDefinition): StatusError {
  const field = "metadata.resourceVersion";
  const message = "Invalid value: 0: must be specified for an update";
  return new StatusError("Invalid", `${qualifiedResource(plural, group)} "${name}" is invalid: ${field}: ${message}`, {
    name,
    ...(group !== "" && { group }),
    kind: plural, // the server has no kind at hand here
    causes: [{ reason: "FieldValueInvalid", message, field }],
  });
}

function renamed(asked: KubeObject, old: KubeObject): StatusError {
  if (!asked.metadata.name) return badRequest(unnamed(old.metadata.name));
  return badRequest(`the name of the object (${asked.metadata.name}) does not match the name on the URL (${old.metadata.name})`);
}

function checkUid({ metadata }: KubeObject, old: KubeObject, { definition }: Target): void {
  if (metadata.uid && metadata.uid !== old.metadata.uid)
    throw conflict(
      definition.plural,
      definition.group,
      old.metadata.name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`,
    );
}

/** @throws StatusError Invalid when what is asked for cannot be had */
function allocate(
  object: KubeObject,
  old: KubeObject | undefined,
  { allocate: take, kind, group }: ResourceDefinition,
  taking: Taking | undefined,
): void {
  const problems = (taking && take?.(object, old, taking)) ?? [];
  if (problems.length > 0) throw invalid(kind, group, object.metadata.name, problems);
}

/** Problems told of one object; the rest is counted. Far more than anybody reads, far less than a body of 3 MiB can hold. */
const problemsMax = 1_000;

function problemsOf(object: KubeObject, old: KubeObject | undefined, { validate }: ResourceDefinition): readonly FieldProblem[] {
  try {
    const problems = validate?.(object, old) ?? [];
    return problems.length > problemsMax ? [...problems.slice(0, problemsMax), untold(String(problems.length - problemsMax))] : problems;
  } catch (error) {
    // JavaScript has no room to put lists of a hundred thousand together.
    if (error instanceof RangeError) return [untold("more")];
    throw error;
  }
}

const untold = (count: string): FieldProblem => ({
  type: "FieldValueTooMany",
  field: "<nil>",
  message: `Too many: ${count} problems of the object are not told`,
});

/** @throws StatusError Invalid with everything that is wrong. */
function check(object: KubeObject, old: KubeObject | undefined, { definition }: Target): void {
  const meta = validateMeta(definition, object, old);
  // A change is held against the rules of metadata twice, by the server and by the kind: causes come twice, as the real server has them.
  const problems = [...meta, ...(old ? meta : []), ...problemsOf(object, old, definition)];
  if (problems.length > 0) throw invalid(definition.kind, storedResource(definition).group, object.metadata.name ?? "", problems);
}

function warn(object: KubeObject, old: KubeObject | undefined, { warnings }: ResourceDefinition, options: UpdateOptions): void {
  if (warnings) options.warn?.(warnings(object, { old, subresource: options.subresource }));
}

/** The object before the kind's own rules fill it in: what they set is nobody's. */
function asSaid(object: KubeObject, { prepare, allocate: take }: ResourceDefinition): KubeObject {
  return prepare || take ? copy(object) : object;
}

function track(
  parts: ServerParts,
  { definition }: Target,
  { said, next, old }: { readonly said: KubeObject; readonly next: KubeObject; readonly old: KubeObject | undefined },
  options: UpdateOptions & Applied,
): void {
  if (!parts.fields || options.applied) return;
  const managed = parts.fields.track({
    definition,
    old,
    next: said,
    manager: options.fieldManager,
    subresource: options.subresource,
    nowMs: parts.clock.wall(),
  });
  if (managed === undefined) delete next.metadata.managedFields;
  else next.metadata.managedFields = [...managed];
}
