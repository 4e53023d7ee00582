/** Roles and bindings as the server holds them, and the decisions made from them. */
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, defaultRbacObjects, isReason, type KubeServer, type RbacObjects, type ResourceRef } from "@mecha/machinery";

const group = "rbac.authorization.k8s.io";

export function rbacObjectsOf(server: () => KubeServer): RbacObjects {
  return {
    role: (namespace, name) => server().object(`${group}/${namespace === "" ? "clusterroles" : "roles"}`, namespace, name),
    bindings: (namespace) =>
      namespace === "" ? server().objects(`${group}/clusterrolebindings`) : server().objects(`${group}/rolebindings`, namespace),
  };
}

const refs: Readonly<Record<string, ResourceRef>> = {
  ClusterRole: { apiVersion: `${group}/v1`, kind: "ClusterRole", plural: "clusterroles", namespaced: false },
  ClusterRoleBinding: { apiVersion: `${group}/v1`, kind: "ClusterRoleBinding", plural: "clusterrolebindings", namespaced: false },
};

/** Makes the roles every cluster has, where they are missing. */
export async function makeDefaultRoles(client: ApiClient, server: KubeServer): Promise<void> {
  const missing = defaultRbacObjects().filter(
    ({ kind, metadata }) => !server.object(`${group}/${refs[kind]?.plural ?? ""}`, "", metadata.name),
  );
  await Promise.all(missing.map((object) => make(client, object)));
}

async function make(client: ApiClient, object: KubeObject): Promise<void> {
  const ref = refs[object.kind];
  if (!ref) return;
  await client.create(ref, object).catch((error: unknown) => {
    if (!isReason(error, "AlreadyExists")) throw error;
  });
}
