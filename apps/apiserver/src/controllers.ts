/**
 * Controllers a server needs to be whole: garbage collection, the end of namespaces, what every namespace has, the Service `kubernetes`,
 * roles made of others. On a cluster the cluster's own run instead.
 */
import type { Clock, Log, Metrics, Random } from "@mecha/kit";
import {
  type ApiServerPlace,
  GarbageCollector,
  kubernetesService,
  namespaceController,
  namespaceDefaults,
  roleAggregation,
} from "@mecha/lifecycle";
import { ApiClient, type ApiTransport, Manager } from "@mecha/machinery";

export interface ControllersPorts {
  readonly transport: ApiTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: Metrics;
  /** PEM; published into every namespace as the ConfigMap kube-root-ca.crt. */
  readonly authority: string;
  readonly place: ApiServerPlace;
}

/** Resolves when `signal` has aborted and what was under way has ended. */
export async function runControllers({ transport, authority, place, ...ports }: ControllersPorts, signal: AbortSignal): Promise<void> {
  const client = new ApiClient(transport, { fieldManager: "kube-controller-manager" });
  const manager = new Manager({ ...ports, client });
  manager.add(namespaceController(client));
  manager.add(namespaceDefaults(client, authority, (resource) => manager.informer(resource)));
  manager.add(kubernetesService(client, place, (resource, selection) => manager.informer(resource, selection)));
  manager.add(
    roleAggregation(new ApiClient(transport, { fieldManager: "clusterrole-aggregation-controller" }), (resource) =>
      manager.informer(resource),
    ),
  );
  await Promise.all([manager.run(signal), new GarbageCollector({ ...ports, client }).run(signal)]);
}
