/** A server with the built-in kinds, in memory, and controllers on it; time is the test's. */
import { FakeClock, MemoryLog, SeededRandom, settle } from "@mecha/kit/testing";
import { allKinds, type KubeObject } from "@mecha/kinds";
import { ApiClient, inProcessTransport, KubeServer, mastersGroup, type ResourceRef } from "@mecha/machinery";
import { openMemoryObjectLog } from "@mecha/store-memory";

export const configMaps: ResourceRef = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };

export interface LifecycleBench {
  readonly client: ApiClient;
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  readonly ports: { readonly client: ApiClient; readonly clock: FakeClock; readonly random: SeededRandom; readonly log: MemoryLog };
}

export async function lifecycleBench(): Promise<LifecycleBench> {
  const clock = new FakeClock();
  const random = new SeededRandom(3);
  const server = await KubeServer.open({ log: openMemoryObjectLog(), clock, random, definitions: allKinds() });
  const client = new ApiClient(inProcessTransport(server, { name: "admin", groups: [mastersGroup] }), { fieldManager: "test" });
  const log = new MemoryLog();
  return { client, clock, log, ports: { client, clock, random, log } };
}

/** Lets time and the event loop go on until `holds`. @throws Error naming `what` when it does not within `seconds` of the fake clock. */
export async function eventually(bench: LifecycleBench, what: string, holds: () => Promise<boolean>, seconds = 120): Promise<void> {
  for (let step = 0; step < seconds * 10; step++) {
    for (let turn = 0; turn < 5; turn++) {
      if (await holds()) return;
      await settle();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await bench.clock.advance(100);
  }
  throw new Error(`it did not come about: ${what}; ${JSON.stringify(bench.log.lines.slice(-3))}`);
}

export function configMap(name: string, metadata: Partial<KubeObject["metadata"]> = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", ...metadata } };
}
