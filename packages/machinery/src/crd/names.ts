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
  const { names, conflict } = acceptedOf(wanted, had, taken);
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
  const before = crd.status?.conditions ?? [];
  return {
    conditions: [
      ...before.filter(({ type }) => type !== "NamesAccepted" && type !== "Established"),
      ...[accepted, serving].map((next) => settled(next, before, nowMs)),
    ],
    acceptedNames: names,
    storedVersions: crd.status?.storedVersions ?? crd.spec.versions.filter(({ storage }) => storage).map(({ name }) => name),
  };
}

function fullNames(names: CrdNames): CrdNames {
  return { ...names, singular: names.singular ?? names.kind.toLowerCase(), listKind: names.listKind ?? `${names.kind}List` };
}

interface Accepted {
  /** Each name that is free, and for each that is not the one it had before. */
  readonly names: CrdNames;
  /** Of the last name that is not free. */
  readonly conflict: { readonly reason: string; readonly message: string } | undefined;
}

function acceptedOf(wanted: CrdNames, had: CrdNames | undefined, { resources, kinds }: TakenNames): Accepted {
  const inUse = (name: string | undefined, own: string | undefined, used: ReadonlySet<string>): string | undefined =>
    name !== undefined && name !== own && used.has(name) ? `${JSON.stringify(name)} is already in use` : undefined;
  const short = (wanted.shortNames ?? [])
    .map((name) => inUse(name, had?.shortNames?.includes(name) ? name : undefined, resources))
    .filter((text) => text !== undefined);
  const checks: [keyof CrdNames, string | undefined][] = [
    ["plural", inUse(wanted.plural, had?.plural, resources)],
    ["singular", inUse(wanted.singular, had?.singular, resources)],
    ["shortNames", short.length > 1 ? `[${short.join(", ")}]` : short[0]],
    ["kind", inUse(wanted.kind, had?.kind, kinds)],
    ["listKind", inUse(wanted.listKind, had?.listKind, kinds)],
  ];
  const refused = checks.filter(([, message]) => message !== undefined);
  const names: Record<string, unknown> = { ...wanted };
  for (const [field] of refused) {
    names[field] = had?.[field] ?? (field === "plural" || field === "kind" ? "" : undefined);
    if (names[field] === undefined) Reflect.deleteProperty(names, field);
  }
  const [field, message = ""] = refused.at(-1) ?? [];
  const reason = field && `${field.charAt(0).toUpperCase()}${field.slice(1)}Conflict`;
  return { names: names as unknown as CrdNames, conflict: reason === undefined ? undefined : { reason, message } };
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
