/** Our own kinds are served from the start, as CRDs like anybody's: `kubectl get crd` shows them, and a cluster takes the same ones (api/crds). */
import { ownCrds } from "@mecha/kinds";
import { ApiClient, type ApiTransport, type ResourceRef } from "@mecha/machinery";

const crds: ResourceRef = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};

/** Creates the CRDs that are not there, and brings those of an older version up to date. */
export async function ensureOwnKinds(transport: ApiTransport): Promise<void> {
  const client = new ApiClient(transport, { fieldManager: "mecha" });
  for (const crd of ownCrds()) await client.apply(crds, crd, { force: true });
}
