/**
 * Deleting: at once, or once finalizers and the grace period are done with.
 *
 * D1 an object somebody still waits for (finalizers, grace) is only marked; the write that ends the last wait removes it (write.ts W3)
 * D2 `propagationPolicy` becomes a finalizer the garbage collector takes away: `foregroundDeletion` or `orphan`
 */
import type { KubeObject, ResourceDefinition } from "@mecha/kinds";
import { copy } from "../json.ts";
import { conflict, notFound } from "../status.ts";
import { logKey } from "../watch/cache.ts";
import type { Shelved } from "../watch/shelf.ts";
import { presented, type ServerParts, shelfOf, storedResource, type Target } from "./context.ts";
import { timeText } from "./metadata.ts";
import { admitRemoval } from "./namespaces.ts";
import type { DeleteOptions } from "./options.ts";
import { isOver, replace } from "./write.ts";

/** Of an object deleted with propagationPolicy Foreground: it goes after its dependents. */
export const foregroundFinalizer = "foregroundDeletion";
/** Of one deleted with propagationPolicy Orphan: its dependents stay. */
export const orphanFinalizer = "orphan";

const attemptsMax = 100;

export interface Removal {
  /** False: it stays until somebody else is done. */
  readonly removed: boolean;
  /** Its last state; once it is removed, of the revision that removed it. */
  readonly object: KubeObject;
}

/** @throws StatusError NotFound, Conflict when a precondition does not hold */
export async function remove(parts: ServerParts, target: Target, name: string, options: DeleteOptions): Promise<Removal> {
  const { definition, namespace } = target;
  admitRemoval(definition, name);
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const current = shelfOf(parts, definition).get(namespace, name);
    if (!current) throw notFound(definition.plural, definition.group, name);
    checkPreconditions(current.object, target, options);
    const marked = withDeletion(copy(presented(current, definition)), target, options, parts.clock.wall());
    const done = isOver(marked)
      ? await removeNow(parts, target, current, definition.gracePeriodSeconds ? marked : presented(current, definition), options.dryRun)
      : await mark(parts, target, current, marked, options);
    if (done) return done;
  }
  throw conflict(definition.plural, definition.group, name, "too many others change it; try again");
}

async function removeNow(
  parts: ServerParts,
  { definition, namespace }: Target,
  current: Shelved,
  object: KubeObject,
  dryRun: boolean,
): Promise<Removal | undefined> {
  if (dryRun) return { removed: true, object };
  const { group, plural } = storedResource(definition);
  const key = logKey(group, plural, namespace, current.name);
  const written = await parts.cache.write({ key, expected: current.revision, value: undefined });
  if (written.outcome === "conflict") return undefined;
  return { removed: true, object: { ...object, metadata: { ...object.metadata, resourceVersion: String(written.revision) } } };
}

async function mark(
  parts: ServerParts,
  target: Target,
  current: Shelved,
  marked: KubeObject,
  { dryRun }: DeleteOptions,
): Promise<Removal | undefined> {
  const object = await replace(parts, target, current, marked, dryRun);
  return object && { removed: false, object };
}

/** The object with its deletion begun: times, grace, finalizers of the policy (D2). */
function withDeletion(object: KubeObject, { definition }: Target, options: DeleteOptions, nowMs: number): KubeObject {
  const { metadata } = object;
  const finalizers = finalizersFor(metadata.finalizers ?? [], policyFor(definition, metadata, options));
  if (finalizers.length > 0) metadata.finalizers = finalizers;
  else delete metadata.finalizers;
  const usual = definition.gracePeriodSeconds?.(object) ?? 0;
  const grace = usual === 0 ? 0 : (options.gracePeriodSeconds ?? usual);
  if (metadata.deletionTimestamp !== undefined) {
    // A second delete may only shorten the wait.
    if (definition.gracePeriodSeconds !== undefined && grace < (metadata.deletionGracePeriodSeconds ?? 0)) {
      metadata.deletionGracePeriodSeconds = grace;
      metadata.deletionTimestamp = timeText(nowMs + grace * 1_000);
    }
    return object;
  }
  metadata.deletionTimestamp = timeText(nowMs + grace * 1_000);
  if (definition.beginDeletion === undefined) metadata.deletionGracePeriodSeconds = grace;
  if (metadata.generation !== undefined) metadata.generation++;
  definition.beginDeletion?.(object);
  return object;
}

/** As asked; else as an earlier delete began; else as the kind has it. */
function policyFor(
  { orphansByDefault }: ResourceDefinition,
  { finalizers = [] }: KubeObject["metadata"],
  { propagationPolicy }: DeleteOptions,
): DeleteOptions["propagationPolicy"] {
  if (propagationPolicy !== undefined || finalizers.includes(orphanFinalizer) || finalizers.includes(foregroundFinalizer))
    return propagationPolicy;
  return orphansByDefault ? "Orphan" : undefined;
}

function finalizersFor(present: readonly string[], policy: DeleteOptions["propagationPolicy"]): string[] {
  if (policy === undefined) return [...present];
  const others = present.filter((finalizer) => finalizer !== foregroundFinalizer && finalizer !== orphanFinalizer);
  if (policy === "Foreground") others.push(foregroundFinalizer);
  if (policy === "Orphan") others.push(orphanFinalizer);
  return others;
}

function checkPreconditions({ metadata }: KubeObject, { definition }: Target, { preconditions }: DeleteOptions): void {
  const { kind, group } = definition; // the server has the kind at hand here, not the resource
  const { uid, resourceVersion } = preconditions;
  if (uid !== undefined && uid !== metadata.uid)
    throw conflict(
      kind,
      group,
      metadata.name,
      `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    );
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    throw conflict(
      kind,
      group,
      metadata.name,
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    );
}
