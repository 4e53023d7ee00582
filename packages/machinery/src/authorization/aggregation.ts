/** ClusterRoles made of others (rbac/v1 AggregationRule; Kubernetes, "Aggregated ClusterRoles"). Pure. */
import type { KubeObject } from "@mecha/kinds";
import { equal } from "../json.ts";
import { labelSelectorOf, type LabelSelectorObject, matchesLabels } from "../selector/labels.ts";
import type { PolicyRule } from "./rules.ts";

interface Role extends KubeObject {
  readonly rules?: readonly PolicyRule[] | null;
  readonly aggregationRule?: { readonly clusterRoleSelectors?: readonly LabelSelectorObject[] };
}

/** The rules a role should have: those of the roles it selects, selector by selector, each in the order of the names; `undefined` when it aggregates nothing. */
export function aggregatedRules(role: KubeObject, all: readonly KubeObject[]): readonly PolicyRule[] | undefined {
  const { aggregationRule, metadata } = role as Role;
  if (!aggregationRule) return undefined;
  const others = (all as readonly Role[])
    .filter((other) => other.metadata.name !== metadata.name)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: PolicyRule[] = [];
  for (const selector of (aggregationRule.clusterRoleSelectors ?? []).map(labelSelectorOf))
    for (const { rules: more } of others.filter(({ metadata: { labels } }) => matchesLabels(selector, labels)))
      for (const rule of more ?? []) if (!rules.some((known) => equal(known, rule))) rules.push(rule);
  return rules;
}

/** Does it have the rules it should have? */
export const hasRules = (role: KubeObject, rules: readonly PolicyRule[]): boolean => equal((role as Role).rules ?? [], rules);
