/** Makes what a namespace lacks. */
import { type ApiClient, isReason, type ResourceRef } from "@mecha/machinery";
import { accountName, authorityName, type DefaultsAction } from "./plan.ts";

export const serviceAccounts: ResourceRef = { apiVersion: "v1", kind: "ServiceAccount", plural: "serviceaccounts", namespaced: true };
export const configMaps: ResourceRef = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };

/** Whoever was faster did the same; a namespace that began to go needs nothing. */
export async function applyDefaults(
  client: ApiClient,
  namespace: string,
  actions: readonly DefaultsAction[],
  authority: string,
): Promise<void> {
  for (const action of actions) {
    await run(client, namespace, action, authority).catch((error: unknown) => {
      if (!["AlreadyExists", "NotFound", "Forbidden"].some((reason) => isReason(error, reason as "NotFound"))) throw error;
    });
  }
}

async function run(client: ApiClient, namespace: string, action: DefaultsAction, authority: string): Promise<void> {
  const data = { "ca.crt": authority };
  switch (action.do) {
    case "makeAccount":
      await client.create(serviceAccounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: accountName, namespace } });
      return;
    case "makeAuthority":
      await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: authorityName, namespace }, data });
      return;
    case "mendAuthority":
      await client.patch(configMaps, { namespace, name: authorityName }, "merge", { data });
  }
}
