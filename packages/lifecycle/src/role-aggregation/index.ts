/** Keeps the rules of ClusterRoles that are made of others (`aggregationRule`), such as `view`, `edit` and `admin`. */
import type { KubeObject } from "@mecha/kinds";
import {
  aggregatedRules,
  type ApiClient,
  type ControllerSpec,
  hasRules,
  type Informer,
  type ObjectId,
  type ResourceRef,
} from "@mecha/machinery";

const clusterRoles: ResourceRef = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  namespaced: false,
};

/** @param informerOf Shared caches of the manager the controller is added to. */
export function roleAggregation(client: ApiClient, informerOf: (resource: ResourceRef) => Informer): ControllerSpec {
  const roles = informerOf(clusterRoles);
  // Any role may be a part of any that aggregates; those are few.
  const keysOf = (): readonly ObjectId[] =>
    roles
      .list()
      .filter(aggregates)
      .map(({ metadata: { name } }) => ({ name }));
  return {
    name: "clusterrole-aggregation",
    watches: [{ resource: clusterRoles, keysOf }],
    async reconcile({ name }) {
      const role = roles.get({ name });
      if (!role || role.metadata.deletionTimestamp !== undefined) return undefined;
      const rules = aggregatedRules(role, roles.list());
      if (rules === undefined || hasRules(role, rules)) return undefined;
      const { apiVersion, kind } = clusterRoles;
      await client.apply(clusterRoles, { apiVersion, kind, metadata: { name }, rules });
      return undefined;
    },
  };
}

const aggregates = (role: KubeObject): boolean => role["aggregationRule"] !== undefined;
