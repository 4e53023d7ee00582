/**
 * Role-based access control: who may do what, from the Roles and bindings the server itself holds. Nothing is denied by a rule; what no rule allows is not
 * allowed. Members of system:masters may do everything, also when every role was deleted.
 */
import type { KubeObject } from "@mecha/kinds";
import type { AccessDecision, AccessRequest, Authorizer, Caller } from "../server/access.ts";
import { mastersGroup } from "../server/access.ts";
import { covers, coversRule, type PolicyRule } from "./rules.ts";

/** The RBAC objects as they are now. Asked for each request: look-ups, no requests. */
export interface RbacObjects {
  /** By namespace and name; a ClusterRole's namespace is empty. */
  role(namespace: string, name: string): KubeObject | undefined;
  /** RoleBindings of a namespace, or all ClusterRoleBindings for the empty text. */
  bindings(namespace: string): Iterable<KubeObject>;
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Binding {
  readonly subjects?: readonly Subject[];
  readonly roleRef: { readonly kind: string; readonly name: string };
}

const serviceAccountPrefix = "system:serviceaccount:";

/** The user name of a service account. */
export function serviceAccountUser(namespace: string, name: string): string {
  return `${serviceAccountPrefix}${namespace}:${name}`;
}

export function rbacAuthorizer(objects: RbacObjects): Authorizer {
  return (caller, request) => {
    if (caller.groups.includes(mastersGroup)) return { allowed: true };
    for (const grant of grantsFor(objects, caller, "path" in request ? "" : request.namespace))
      if (covers(grant.rule, request)) return { allowed: true, reason: reasonOf(grant) };
    return denied(objects, caller, request);
  };
}

/** A rule, and how it came to hold for somebody. */
interface Grant {
  readonly rule: PolicyRule;
  readonly binding: KubeObject;
  /** Namespace of the binding; empty: it holds everywhere. */
  readonly scope: string;
  readonly subject: Subject;
}

function* grantsFor(objects: RbacObjects, caller: Caller, namespace: string): Generator<Grant> {
  for (const scope of namespace === "" ? [""] : ["", namespace]) {
    for (const binding of objects.bindings(scope)) {
      const { subjects, roleRef } = binding as unknown as Binding;
      const subject = subjects?.find((one) => isMeant(one, caller, scope));
      if (!subject) continue;
      for (const rule of rulesOf(objects.role(roleRef.kind === "Role" ? scope : "", roleRef.name))) yield { rule, binding, scope, subject };
    }
  }
}

/** Every rule that holds for `caller` in `namespace` (empty: only those of the whole cluster). */
export function* rulesFor(objects: RbacObjects, caller: Caller, namespace: string): Generator<PolicyRule> {
  for (const { rule } of grantsFor(objects, caller, namespace)) yield rule;
}

/** By which binding, as the server words it. */
function reasonOf({ binding, scope, subject }: Grant): string {
  const { roleRef } = binding as unknown as Binding;
  const { name } = binding.metadata;
  const by = scope === "" ? `ClusterRoleBinding ${JSON.stringify(name)}` : `RoleBinding ${JSON.stringify(`${name}/${scope}`)}`;
  const whom = subject.kind === "ServiceAccount" ? `${subject.name}/${subject.namespace ?? scope}` : subject.name;
  return `RBAC: allowed by ${by} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${subject.kind} ${JSON.stringify(whom)}`;
}

/** Rules of a role; none for a role that does not exist. */
export function rulesOf(role: KubeObject | undefined): readonly PolicyRule[] {
  return (role?.["rules"] ?? []) as readonly PolicyRule[];
}

/** What somebody who may not do everything may not hand on: rules they have not themselves. @returns Those rules. */
export function escalations(objects: RbacObjects, caller: Caller, namespace: string, rules: readonly PolicyRule[]): readonly PolicyRule[] {
  if (caller.groups.includes(mastersGroup)) return [];
  const owned = [...rulesFor(objects, caller, namespace)];
  return rules.filter((rule) => !coversRule(owned, rule));
}

function isMeant({ kind, name, namespace }: Subject, caller: Caller, scope: string): boolean {
  if (kind === "User") return caller.name === name;
  if (kind === "Group") return caller.groups.includes(name);
  if (kind === "ServiceAccount") return caller.name === serviceAccountUser(namespace ?? scope, name);
  return false;
}

/** The reason names roles that are bound and missing, which is the usual mistake. */
function denied(objects: RbacObjects, caller: Caller, request: AccessRequest): AccessDecision {
  const missing: string[] = [];
  const namespace = "path" in request ? "" : request.namespace;
  for (const scope of namespace === "" ? [""] : ["", namespace]) {
    for (const object of objects.bindings(scope)) {
      const { subjects, roleRef } = object as unknown as Binding;
      if (!subjects?.some((subject) => isMeant(subject, caller, scope))) continue;
      if (objects.role(roleRef.kind === "Role" ? scope : "", roleRef.name)) continue;
      missing.push(`${roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io "${roleRef.name}" not found`);
    }
  }
  if (missing.length === 0) return { allowed: false, reason: "" };
  return { allowed: false, reason: `RBAC: ${missing.length === 1 ? (missing[0] ?? "") : `[${missing.join(", ")}]`}` };
}
