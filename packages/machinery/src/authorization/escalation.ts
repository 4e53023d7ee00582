/** Nobody makes a role that can do more than they can, or binds one to somebody, unless they may `escalate` or `bind` (Kubernetes, "Privilege escalation prevention"). */
import { notFound, StatusError } from "../status.ts";
import { type Authorizer, type Caller, mastersGroup } from "../server/access.ts";
import type { Admission, Admit } from "../server/specials.ts";
import { escalations, type RbacObjects, rulesOf } from "./rbac.ts";
import type { PolicyRule } from "./rules.ts";

const group = "rbac.authorization.k8s.io";
const version = "v1";

export function escalationGuard(authorize: Authorizer, objects: RbacObjects): Admit {
  return (change) => {
    const { definition, caller, namespace, object } = change;
    if (definition.group !== group) return;
    const may = (verb: string, resource: string, name: string): boolean =>
      authorize(caller, { verb, resource, group, version, namespace, name }).allowed;
    if (definition.plural === "roles" || definition.plural === "clusterroles") {
      if (unchanged(change, "rules") || may("escalate", definition.plural, object.metadata.name)) return;
      refuse(change, escalations(objects, caller, namespace, rulesOf(object)));
    } else {
      const { kind, name } = object["roleRef"] as { readonly kind: string; readonly name: string };
      if ((unchanged(change, "roleRef") && unchanged(change, "subjects")) || may("bind", kind === "Role" ? "roles" : "clusterroles", name))
        return;
      const bound = objects.role(kind === "Role" ? namespace : "", name);
      // Nobody knows what a role will hold that is not there yet.
      if (!bound && !caller.groups.includes(mastersGroup)) throw notFound(definition.plural, group, name);
      refuse(change, escalations(objects, caller, namespace, rulesOf(bound)));
    }
  };
}

const unchanged = ({ object, old }: Admission, field: string): boolean =>
  old !== undefined && JSON.stringify(object[field]) === JSON.stringify(old[field]);

function refuse({ definition, object, caller }: Admission, missing: readonly PolicyRule[]): void {
  if (missing.length === 0) return;
  const { plural } = definition;
  const { name } = object.metadata;
  throw new StatusError(
    "Forbidden",
    `${plural}.${group} ${JSON.stringify(name)} is forbidden: user ${JSON.stringify(caller.name)} (groups=${list(caller)}) is attempting to grant RBAC permissions not currently held:\n${missing.map(text).join("\n")}`,
    { name, group, kind: plural },
  );
}

const list = ({ groups }: Caller): string => `[${groups.map((one) => JSON.stringify(one)).join(" ")}]`;

/** A rule as the server words it. */
function text(rule: PolicyRule): string {
  const parts = [
    ["APIGroups", rule.apiGroups],
    ["Resources", rule.resources],
    ["ResourceNames", rule.resourceNames],
    ["NonResourceURLs", rule.nonResourceURLs],
    ["Verbs", rule.verbs],
  ] as const;
  return `{${parts
    .filter(([, values]) => (values?.length ?? 0) > 0)
    .map(([name, values]) => `${name}:[${(values ?? []).map((value) => JSON.stringify(value)).join(" ")}]`)
    .join(", ")}}`;
}
