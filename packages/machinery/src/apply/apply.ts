/**
 * Server-side apply, and the record of who set which field: what happens to `metadata.managedFields` with each create, update, patch and apply.
 *
 * Invariants
 * A1 a field has any number of owners; whoever changes its value takes it from all others
 * A2 apply changes a field somebody else owns only with `force`, or when the value is the same: then both own it
 * A3 a field its applier gives up goes away, unless somebody else owns it
 * @see Kubernetes, "Server-Side Apply"; sigs.k8s.io/structured-merge-diff
 */
import type { JsonObject, KubeObject, ResourceDefinition } from "@mecha/kinds";
import { equal, goText, isObject, own } from "../json.ts";
import { badPatch, misshapen } from "../patch/refusal.ts";
import { StatusError } from "../status.ts";
import { misfits, misfitText } from "./check.ts";
import { compare, type Comparison, fieldSetOf } from "./compare.ts";
import { FieldSet, fieldStep, pathText } from "./field-set.ts";
import { lastAppliedSet, withLastApplied } from "./last-applied.ts";
import { capped, decodeManagers, encodeManagers, identityOf, isReset, type Manager, type Managers } from "./managers.ts";
import { mergeInto, withNamedFields, withoutFields } from "./merge.ts";
import { reconciled } from "./reconcile.ts";
import type { Schema } from "./shape.ts";

/** What is known of a request that writes. */
export interface FieldContext {
  /** Types of the request's version. */
  readonly schema: Schema;
  /** The request's version: `apps/v1`. */
  readonly apiVersion: string;
  /** Parameter `fieldManager`, or the first part of User-Agent; empty counts as `unknown`. */
  readonly manager: string;
  /** `status`, `scale`. */
  readonly subresource?: string;
  /** Fields this request cannot write, as `resetFields` tells. */
  readonly reset: FieldSet;
  readonly nowMs: number;
  /** What there is before anything is created. Default: nothing. */
  readonly empty?: JsonObject;
  /** Types of other served versions of the kind; a version without any is forgotten with all its managers. Absent: only the request's own. */
  readonly schemaOf?: (apiVersion: string) => Schema | undefined;
}

/** Fields nobody owns: who an object is, and what the server sets. */
const unowned = FieldSet.of([
  [fieldStep("apiVersion")],
  [fieldStep("kind")],
  [fieldStep("metadata")],
  ...["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"].map(
    (name) => [fieldStep("metadata"), fieldStep(name)],
  ),
]);
/** Owns what was there before anybody applied to an object without managedFields. */
const beforeFirstApply = "before-first-apply";
/** While an update is compared, its manager is a stranger even to itself. */
const currentOperation = "";

/** What a request to `subresource` (`undefined`: the object itself) leaves as it is. */
export function resetFields(
  subresource: string | undefined,
  { status, strategicPatch, statusKeeps = [] }: Pick<ResourceDefinition, "status" | "strategicPatch" | "statusKeeps">,
): FieldSet {
  if (subresource === "status")
    return FieldSet.of(["spec", ...(strategicPatch ? statusKeeps : ["metadata"])].map((path) => path.split(".").map(fieldStep)));
  return subresource === undefined && status ? FieldSet.of([[fieldStep("status")]]) : FieldSet.empty;
}

/**
 * `next` with its managedFields, after a create (`old` is `undefined`), an update or a patch that is no apply.
 * An object that has none keeps having none: its user cleared them.
 */
export function trackUpdate(old: KubeObject | undefined, next: KubeObject, context: FieldContext): KubeObject {
  const managers = managersOf(old, next, context);
  if (old !== undefined && managers.size === 0) return withManagers(next, managers);
  return withManagers(next, updated(old ?? context.empty ?? {}, next, managers, context, context.manager));
}

/** What the request says, where it may say it; else what the object has. Entries nobody can read count as none. */
function managersOf(old: KubeObject | undefined, next: KubeObject, { subresource }: FieldContext): Managers {
  const stored = (): Managers => readable(old?.metadata.managedFields);
  if (subresource !== undefined) return stored();
  const said: unknown = next.metadata.managedFields;
  if (isReset(said)) return new Map();
  const managers = readable(said);
  return managers.size > 0 ? managers : stored();
}

function readable(entries: unknown): Managers {
  try {
    return decodeManagers(entries);
  } catch {
    return new Map(); // as the server: whoever broke them starts anew
  }
}

function updated(before: JsonObject, after: JsonObject, managers: Managers, context: FieldContext, name: string): Managers {
  const self = selfOf({ ...context, manager: name }, "Update");
  const id = identityOf(self);
  const [live, next] = [withoutManagers(before), withoutManagers(after)];
  const { left, comparison } = taken(live, next, known(managers, context), context, currentOperation, true);
  const set = comparison.modified.union(comparison.added).without(context.reset).difference(unowned);
  if (set.isEmpty) return capped(left);
  const previous = left.get(id);
  return capped(new Map(left).set(id, { ...self, set: previous ? set.union(previous.set) : set }));
}

/**
 * `live` after the configuration was applied, with managedFields; equal to `live` when that changes nothing.
 *
 * @param live `undefined` creates. Of the request's version.
 * @param applied What the manager wants; fields it named the last time and not now it gives up (A3).
 * @throws StatusError 409 with a cause per conflict; 400 for a wrong type or managedFields in the configuration; 500 without a reason when it does
 *   not fit the type, as the server does.
 */
export function applyPatch(
  live: KubeObject | undefined,
  applied: JsonObject,
  context: FieldContext & { readonly kind: string; readonly force: boolean },
): KubeObject {
  checkApplied(applied, context);
  const base: JsonObject = live ?? { apiVersion: context.apiVersion, kind: context.kind };
  const managers = ownersBefore(live, context);
  const conflicting = attempt(base, applied, managers, context, context.force);
  const outcome =
    "conflicts" in conflicting && forgiven(conflicting.conflicts, base, context)
      ? attempt(base, applied, managers, context, true)
      : conflicting;
  if ("conflicts" in outcome) throw conflictError(outcome.conflicts, context.subresource);
  return withManagers(context.manager === kubectl ? withLastApplied(outcome.object, applied) : outcome.object, outcome.managers);
}

/** The manager whose objects may come from client-side apply. */
const kubectl = "kubectl";

/** @throws StatusError for another kind or version, managedFields, or what does not fit the type */
export function checkApplied(
  applied: JsonObject,
  { apiVersion, kind, schema }: Pick<FieldContext, "apiVersion" | "schema"> & { readonly kind: string },
): void {
  const metadata = applied["metadata"];
  const gvk = kindText(applied["apiVersion"], applied["kind"]);
  if (applied["apiVersion"] !== apiVersion || applied["kind"] !== kind) throw badPatch(`invalid object type: ${gvk}`);
  if (isObject(metadata) && own(metadata, "managedFields") !== undefined && metadata["managedFields"] !== null)
    throw badPatch("metadata.managedFields must be nil");
  const problems = misfits(schema, applied);
  if (problems.length === 0) return;
  const [namespace, name] = ["namespace", "name"].map((field) => (isObject(metadata) ? goText(own(metadata, field) ?? "") : ""));
  throw misshapen(`failed to create typed patch object (${namespace ?? ""}/${name ?? ""}; ${gvk}): ${misfitText(problems)}`);
}

/** `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`. */
function kindText(apiVersion: unknown, kind: unknown): string {
  const version = typeof apiVersion === "string" ? apiVersion : "";
  return `${version.includes("/") ? version : `/${version}`}, Kind=${typeof kind === "string" ? kind : ""}`;
}

function ownersBefore(live: KubeObject | undefined, context: FieldContext): Managers {
  let managers: Managers;
  try {
    managers = decodeManagers(live?.metadata.managedFields);
  } catch (error) {
    throw misshapen(`failed to decode managed fields: ${(error as Error).message}`);
  }
  return managers.size > 0 || !live ? managers : updated(context.empty ?? {}, live, managers, context, beforeFirstApply);
}

interface Conflict {
  readonly by: Manager;
  readonly set: FieldSet;
}

type Outcome = { readonly object: JsonObject; readonly managers: Managers } | { readonly conflicts: readonly Conflict[] };

function attempt(liveWithManagers: JsonObject, applied: JsonObject, all: Managers, context: FieldContext, force: boolean): Outcome {
  const { schema, reset } = context;
  const live = withoutManagers(liveWithManagers);
  const self = selfOf(context, "Apply");
  const id = identityOf(self);
  const managers = known(all, context);
  const last = managers.get(id);
  const merged = mergeInto(schema, live, applied);
  const claimed = new Map(managers).set(id, { ...self, set: fieldSetOf(schema, applied).without(reset) });
  // A map that lost its last field went with it; one the configuration names as empty is to be there.
  const object = last ? mergeInto(schema, pruned(merged, claimed, last, context), applied) : merged;
  const { left, conflicts } = taken(live, object, claimed, context, id, force);
  if (conflicts.length > 0) return { conflicts };
  const mine = left.get(id);
  const result = new Map(left);
  const set = mine?.set.difference(unowned);
  const unchanged = equal(live, object);
  const time = unchanged ? last?.time : (self.time ?? last?.time); // nothing happened, so nothing happened now
  if (!mine || !set || set.isEmpty) result.delete(id);
  else result.set(id, { ...without(mine, "time"), ...(time !== undefined && { time }), set });
  return { object, managers: result };
}

/** Takes out what the manager applied the last time and nobody claims now (A3). */
function pruned(merged: JsonObject, claimed: Managers, last: Manager, context: FieldContext): JsonObject {
  const schema = schemaFor(last.apiVersion, context);
  if (!schema || last.set.isEmpty) return merged;
  const lastSet = withNamedFields(schema, last.set);
  const setOf = (object: JsonObject): FieldSet => withNamedFields(schema, fieldSetOf(schema, object));
  const all = setOf(merged);
  const result = withoutFields(schema, merged, lastSet);
  // What somebody still claims comes back, and what the manager never had: a map goes with its last field, also with fields nobody told us of.
  const owned = [...claimed.values()].reduce((sum, { set }) => sum.union(set), FieldSet.empty);
  const back = withoutFields(schema, merged, all.difference(setOf(result).union(withNamedFields(schema, owned))));
  return withoutFields(schema, merged, all.difference(setOf(back)).intersection(lastSet));
}

/** What a change takes from the managers other than `self`: fields it writes (conflicts, unless forced) and fields it removes. */
function taken(
  before: JsonObject,
  after: JsonObject,
  managers: Managers,
  context: FieldContext,
  self: string,
  force: boolean,
): { readonly left: Managers; readonly comparison: Comparison; readonly conflicts: readonly Conflict[] } {
  const comparison = compared(before, after, context.schema, context);
  const conflicts: Conflict[] = [];
  const left = new Map<string, Manager>();
  for (const [id, manager] of managers) {
    if (id === self) {
      left.set(id, manager);
      continue;
    }
    const schema = schemaFor(manager.apiVersion, context);
    if (!schema) continue;
    const seen = schema === context.schema ? comparison : compared(before, after, schema, context);
    const written = manager.set.intersection(seen.modified.union(seen.added));
    if (!written.isEmpty) conflicts.push({ by: manager, set: written });
    const set = manager.set.difference(written).difference(seen.removed);
    if (!set.isEmpty) left.set(id, { ...manager, set });
  }
  return { left, comparison, conflicts: force ? [] : conflicts };
}

function compared(before: JsonObject, after: JsonObject, schema: Schema, { reset }: FieldContext): Comparison {
  const { added, modified, removed } = compare(schema, before, after);
  return { added: added.without(reset), modified: modified.without(reset), removed: removed.without(reset) };
}

/** Managers of versions that are still served, their sets as today's types have them. */
function known(managers: Managers, context: FieldContext): Managers {
  const result = new Map<string, Manager>();
  for (const [id, manager] of managers) {
    const schema = schemaFor(manager.apiVersion, context);
    if (schema) result.set(id, { ...manager, set: reconciled(schema, manager.set) });
  }
  return result;
}

function schemaFor(apiVersion: string, context: FieldContext): Schema | undefined {
  return apiVersion === context.apiVersion ? context.schema : context.schemaOf?.(apiVersion);
}

function selfOf({ manager, apiVersion, subresource, nowMs }: FieldContext, operation: "Apply" | "Update"): Omit<Manager, "set"> {
  return {
    manager: manager === "" ? "unknown" : manager,
    operation,
    apiVersion,
    ...(subresource !== undefined && { subresource }),
    // As the server has it: what comes through the scale has no time of its own.
    ...(subresource !== "scale" && { time: new Date(Math.floor(nowMs / 1000) * 1000).toISOString().replace(".000Z", "Z") }),
  };
}

/** kubectl takes over without conflict what it applied from the client's side, as far as nobody changed it since. */
function forgiven(conflicts: readonly Conflict[], live: JsonObject, { manager, schema, apiVersion }: FieldContext): boolean {
  if (manager !== kubectl) return false;
  const allowed = lastAppliedSet(withoutManagers(live), schema, apiVersion);
  return allowed !== undefined && conflicts.every(({ set }) => set.difference(allowed).isEmpty);
}

function conflictError(conflicts: readonly Conflict[], subresource: string | undefined): StatusError {
  const sorted = [...conflicts].sort((a, b) => (identityOf(a.by) < identityOf(b.by) ? -1 : 1));
  // A Scale is applied in its own version, and so are those who hold its fields shown.
  const text = (by: Manager): string => managerText(subresource === "scale" ? { ...by, apiVersion: "autoscaling/v1" } : by);
  const causes = sorted.flatMap(({ by, set }) =>
    [...set.paths()].map((path) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${text(by)}`,
      field: pathText(path),
    })),
  );
  const [only] = causes;
  const list =
    causes.length === 1 && only
      ? `${only.message}: ${only.field}`
      : sorted
          .flatMap(({ by, set }) => [`conflicts with ${text(by)}:`, ...[...set.paths()].map((path) => `- ${pathText(path)}`)])
          .join("\n");
  return new StatusError("Conflict", `Apply failed with ${String(causes.length)} conflict${causes.length === 1 ? "" : "s"}: ${list}`, {
    causes,
  });
}

function managerText({ manager, operation, apiVersion, subresource }: Manager): string {
  const where = subresource === undefined ? "" : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(manager)}${where}${operation === "Update" ? ` using ${apiVersion}` : ""}`;
}

function withoutManagers(object: JsonObject): JsonObject {
  const metadata = object["metadata"];
  return isObject(metadata) && Object.hasOwn(metadata, "managedFields")
    ? { ...object, metadata: without(metadata, "managedFields") }
    : object;
}

function withManagers(object: JsonObject, managers: Managers): KubeObject {
  const metadata = isObject(object["metadata"]) ? without(object["metadata"], "managedFields") : {};
  const managedFields = encodeManagers(managers);
  return { ...object, metadata: { ...metadata, ...(managedFields.length > 0 && { managedFields }) } } as unknown as KubeObject;
}

function without<T extends object, K extends string>(object: T, name: K): Omit<T, K> {
  const { [name]: _, ...rest } = object as T & Record<K, unknown>;
  return rest;
}

/** The two differ at most in the times of their managedFields: nothing is to be written then. */
export function sameButTimes(a: KubeObject, b: KubeObject): boolean {
  return equal(withoutTimes(a), withoutTimes(b));
}

function withoutTimes(object: KubeObject): unknown {
  const { managedFields, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, managedFields: (managedFields ?? []).map((entry) => without(entry, "time")) } };
}
