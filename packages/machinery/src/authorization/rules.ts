/** Which requests a rule of RBAC covers (rbac/v1 PolicyRule; Kubernetes, "Using RBAC Authorization"). Pure. */
import type { AccessRequest } from "../server/access.ts";

/** rbac/v1 PolicyRule. */
export interface PolicyRule {
  readonly verbs?: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  /** Empty or absent: all. */
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** The rule allows the request. */
export function covers(rule: PolicyRule, request: AccessRequest): boolean {
  if (!includesOrAll(rule.verbs, request.verb)) return false;
  return "path" in request ? coversPath(rule, request.path) : coversResource(rule, request);
}

function coversPath({ nonResourceURLs = [] }: PolicyRule, path: string): boolean {
  return nonResourceURLs.some((url) => url === "*" || url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1))));
}

function coversResource(rule: PolicyRule, request: Exclude<AccessRequest, { readonly path: string }>): boolean {
  const { resource, subresource, group, name } = request;
  const wanted = subresource === undefined ? resource : `${resource}/${subresource}`;
  // `*/scale` is that subresource of everything; a plain `*` is everything, subresources too.
  const named = (rule.resources ?? []).some(
    (one) => one === "*" || one === wanted || (subresource !== undefined && one === `*/${subresource}`),
  );
  if (!named || !includesOrAll(rule.apiGroups, group)) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || names.includes(name);
}

const includesOrAll = (values: readonly string[] = [], value: string): boolean => values.includes("*") || values.includes(value);

/** Everything `rule` allows is allowed by `rules`: nobody may give what they have not (escalation). Each combination is looked at by itself. */
export function coversRule(rules: readonly PolicyRule[], rule: PolicyRule): boolean {
  return [...singles(rule)].every((single) => rules.some((owned) => includesSingle(owned, single)));
}

type Single =
  | { readonly verb: string; readonly url: string }
  | { readonly verb: string; readonly group: string; readonly resource: string; readonly name: string | undefined };

function* singles({ verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule): Generator<Single> {
  for (const verb of verbs) {
    for (const url of nonResourceURLs) yield { verb, url };
    for (const group of apiGroups) {
      for (const resource of resources) {
        for (const name of resourceNames.length > 0 ? resourceNames : [undefined]) yield { verb, group, resource, name };
      }
    }
  }
}

function includesSingle(owned: PolicyRule, single: Single): boolean {
  if (!includesOrAll(owned.verbs, single.verb)) return false;
  if ("url" in single) return coversPath(owned, single.url);
  const { group, resource, name } = single;
  const slash = resource.indexOf("/");
  const subresource = slash < 0 ? undefined : resource.slice(slash + 1);
  const resources = owned.resources ?? [];
  const named = resources.some((one) => one === "*" || one === resource || (subresource !== undefined && one === `*/${subresource}`));
  if (!named || !includesOrAll(owned.apiGroups, group)) return false;
  const names = owned.resourceNames ?? [];
  return names.length === 0 || (name !== undefined && names.includes(name));
}
