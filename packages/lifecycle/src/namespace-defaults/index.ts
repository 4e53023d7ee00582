/** Keeps in every namespace the account `default` and the ConfigMap kube-root-ca.crt; makes them again when somebody deletes them. */
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, type ControllerSpec, type Informer, type ObjectId, type ResourceRef, watchFor } from "@mecha/machinery";
import { namespaces } from "../namespace/apply.ts";
import { applyDefaults, configMaps, serviceAccounts } from "./apply.ts";
import { accountName, authorityName, planDefaults } from "./plan.ts";

/** @param authority PEM. @param informerOf Shared caches of the manager the controller is added to. */
export function namespaceDefaults(client: ApiClient, authority: string, informerOf: (resource: ResourceRef) => Informer): ControllerSpec {
  const [rooms, accounts, maps] = [informerOf(namespaces), informerOf(serviceAccounts), informerOf(configMaps)];
  const roomOf =
    (name: string) =>
    ({ metadata }: KubeObject): readonly ObjectId[] =>
      metadata.name === name && metadata.namespace !== undefined ? [{ name: metadata.namespace }] : [];
  return {
    name: "namespace-defaults",
    watches: [
      watchFor(namespaces),
      { resource: serviceAccounts, keysOf: roomOf(accountName) },
      { resource: configMaps, keysOf: roomOf(authorityName) },
    ],
    async reconcile({ name }) {
      const room = rooms.get({ name });
      if (!room) return undefined;
      const present = {
        account: accounts.get({ namespace: name, name: accountName }) !== undefined,
        authority: maps.get({ namespace: name, name: authorityName }),
      };
      await applyDefaults(client, name, planDefaults(room, present, authority), authority);
      return undefined;
    },
  };
}
