/** Keeps the Service `kubernetes`, and where it leads; makes them again when somebody deletes them. */
import {
  type ApiClient,
  type ControllerSpec,
  type Informer,
  isReason,
  type ObjectId,
  type ResourceRef,
  type Selection,
} from "@mecha/machinery";
import { namespaces } from "../namespace/apply.ts";
import { type ApiServerPlace, planService, type Present, serviceId } from "./plan.ts";

const services: ResourceRef = { apiVersion: "v1", kind: "Service", plural: "services", namespaced: true };
const endpointSlices: ResourceRef = {
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  namespaced: true,
};
const endpoints: ResourceRef = { apiVersion: "v1", kind: "Endpoints", plural: "endpoints", namespaced: true };
const resources: Readonly<Record<keyof Present, ResourceRef>> = { service: services, endpoints, slice: endpointSlices };

const itself: Selection = { namespace: serviceId.namespace, fieldSelector: `metadata.name=${serviceId.name}` };

/** @param informerOf Shared caches of the manager the controller is added to. */
export function kubernetesService(
  client: ApiClient,
  place: ApiServerPlace,
  informerOf: (resource: ResourceRef, selection: Selection) => Informer,
): ControllerSpec {
  const [known, ends, slices] = [services, endpoints, endpointSlices].map((resource) => informerOf(resource, itself));
  const keysOf = (): readonly ObjectId[] => [serviceId];
  return {
    name: "kubernetes-service",
    // Its namespace is always there: the first look is because of it.
    watches: [
      { resource: namespaces, selection: { fieldSelector: `metadata.name=${serviceId.namespace}` }, keysOf },
      ...[services, endpoints, endpointSlices].map((resource) => ({ resource, selection: itself, keysOf })),
    ],
    async reconcile() {
      const present = { service: known?.get(serviceId), endpoints: ends?.get(serviceId), slice: slices?.get(serviceId) };
      for (const { do: verb, what, object } of planService(present, place)) {
        const done = verb === "create" ? client.create(resources[what], object) : client.update(resources[what], object);
        // Whoever was faster did the same: the watch tells, and brings the next look.
        await done.catch((error: unknown) => {
          if (!isReason(error, "AlreadyExists") && !isReason(error, "Conflict")) throw error;
        });
      }
      return undefined;
    },
  };
}
