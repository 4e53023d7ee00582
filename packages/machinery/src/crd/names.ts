/** Which names a CRD gets, and whether it is served: the part of the naming and establishing controllers that decides. */
import type { Crd, CrdCondition, CrdNames, CrdStatus } from "./crd.ts";
import { isTrue } from "./crd.ts";

/** Names other resources of the group use already. */
export interface TakenNames {
  /** Plurals, singulars and short names. */
  readonly resources: ReadonlySet<string>;
  /** Kinds and list kinds. */
  readonly kinds: ReadonlySet<string>;
}

/** Names taken in the CRD's group by other CRDs that had theirs accepted. */
export function takenNames(crd: Crd, all: Iterable<Crd>): TakenNames {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const other of all) {
    const names = other.status?.acceptedNames;
    if (other.spec.group !== crd.spec.group || other.metadata.name === crd.metadata.name || !names) continue;
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])]) if (name) resources.add(name);
    for (const name of [names.kind, names.listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

/** The status the CRD should have; equal to the one it has when nothing is to do. It is served once Established is true. */
export function crdStatus(crd: Crd, taken: TakenNames, nowMs: number): CrdStatus {
  const wanted = fullNames(crd.spec.names);
  const had = crd.status?.acceptedNames;
  const conflict = conflictOf(wanted, had, taken);
  const accepted = condition(
    "NamesAccepted",
    conflict === undefined,
    conflict?.reason ?? "NoConflicts",
    conflict?.message ?? "no conflicts found",
  );
  // A CRD that is served goes on being served under the names it has: its objects must stay reachable.
  const established = isTrue(crd, "Established") || conflict === undefined;
  const serving = established
    ? condition("Established", true, "InitialNamesAccepted", "the initial names have been accepted")
    : condition("Established", false, "NotAccepted", "not all names are accepted");
  const storage = crd.spec.versions.find((version) => version.storage)?.name;
  const stored = crd.status?.storedVersions ?? [];
  const before = crd.status?.conditions ?? [];
  const names = conflict === undefined ? wanted : had;
  return {
    conditions: [
      ...before.filter(({ type }) => type !== "NamesAccepted" && type !== "Established"),
      ...[accepted, serving].map((next) => settled(next, before, nowMs)),
    ],
    ...(names && { acceptedNames: names }),
    storedVersions: storage === undefined || stored.includes(storage) ? stored : [...stored, storage],
  };
}

function fullNames(names: CrdNames): CrdNames {
  return { ...names, singular: names.singular ?? names.kind.toLowerCase(), listKind: names.listKind ?? `${names.kind}List` };
}

function conflictOf(wanted: CrdNames, had: CrdNames | undefined, taken: TakenNames): { reason: string; message: string } | undefined {
  const { resources, kinds } = taken;
  const inUse = (name: string | undefined, own: string | undefined, used: ReadonlySet<string>): string | undefined =>
    name !== undefined && name !== own && used.has(name) ? `${JSON.stringify(name)} is already in use` : undefined;
  const short = (wanted.shortNames ?? [])
    .map((name) => inUse(name, had?.shortNames?.includes(name) ? name : undefined, resources))
    .filter((text) => text !== undefined);
  const checks: [string, string | undefined][] = [
    ["PluralConflict", inUse(wanted.plural, had?.plural, resources)],
    ["SingularConflict", inUse(wanted.singular, had?.singular, resources)],
    ["ShortNamesConflict", short.length > 1 ? `[${short.join(", ")}]` : short[0]],
    ["KindConflict", inUse(wanted.kind, had?.kind, kinds)],
    ["ListKindConflict", inUse(wanted.listKind, had?.listKind, kinds)],
  ];
  const last = checks.findLast(([, message]) => message !== undefined);
  return last && { reason: last[0], message: last[1] ?? "" };
}

function condition(type: string, holds: boolean, reason: string, message: string): CrdCondition {
  return { type, status: holds ? "True" : "False", reason, message };
}

/** The condition with the time it changed: that of the one before, if it says the same. */
function settled(next: CrdCondition, before: readonly CrdCondition[], nowMs: number): CrdCondition {
  const old = before.find(({ type }) => type === next.type);
  const time = old?.status === next.status ? old.lastTransitionTime : undefined;
  return { ...next, lastTransitionTime: time ?? new Date(Math.floor(nowMs / 1000) * 1000).toISOString().replace(".000Z", "Z") };
}
