/** A server in memory with a client, for tests of the controller runtime; transports that fail on demand. */
import { type FakeClock, MemoryLog, SeededRandom, settle } from "@mecha/kit/testing";
import type { ResourceDefinition, TypeTable } from "@mecha/kinds";
import { ApiClient, type ResourceRef } from "../api-client.ts";
import type { ApiTransport } from "../client.ts";
import { inProcessTransport } from "../server/in-process.ts";
import { admin, testServer, type TestServer } from "../server/testing.ts";
import { configMapDefinition, testDefinitions } from "../testing.ts";

export const configMaps: ResourceRef = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };
export const widgets: ResourceRef = { apiVersion: "example.dev/v1", kind: "Widget", plural: "widgets", namespaced: true };

const leaseTypes: TypeTable = new Map([
  ...[...configMapDefinition.types].filter(([name]) => name !== "ConfigMap"),
  [
    "Lease",
    {
      name: "Lease",
      fields: [
        { name: "metadata", ref: { type: "ObjectMeta" } },
        { name: "spec", ref: { scalar: "any" } },
      ],
    },
  ],
]);
/** As of coordination.k8s.io, its spec untyped. */
const leaseDefinition: ResourceDefinition = {
  ...configMapDefinition,
  group: "coordination.k8s.io",
  kind: "Lease",
  listKind: "LeaseList",
  plural: "leases",
  singular: "lease",
  shortNames: [],
  types: leaseTypes,
  type: "Lease",
};

export interface ControllerBench {
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  readonly server: TestServer;
  readonly client: ApiClient;
  readonly ports: { readonly client: ApiClient; readonly clock: FakeClock; readonly random: SeededRandom; readonly log: MemoryLog };
  /** Requests that begin with one of these texts ("GET /api/v1/configmaps") fail like a lost connection. */
  readonly broken: Set<string>;
  /** Ends every watch that is open, as a server does that is stopped. */
  cutWatches(): void;
}

export async function controllerBench(): Promise<ControllerBench> {
  const server = await testServer({ definitions: [...testDefinitions, leaseDefinition] });
  const inner = inProcessTransport(server.server, admin);
  const broken = new Set<string>();
  const watches = new Set<AbortController>();
  const check = (method: string, path: string): void => {
    if ([...broken].some((text) => `${method} ${path}`.startsWith(text))) throw new Error(`${method} ${path}: connection lost`);
  };
  const transport: ApiTransport = {
    async send(request, signal) {
      check(request.method, request.path);
      return await inner.send(request, signal);
    },
    async watch(request, signal) {
      check("WATCH", request.path);
      const cut = new AbortController();
      watches.add(cut);
      return await inner.watch(request, AbortSignal.any([signal, cut.signal]));
    },
  };
  const client = new ApiClient(transport, { fieldManager: "test" });
  const log = new MemoryLog();
  return {
    clock: server.clock,
    log,
    server,
    client,
    ports: { client, clock: server.clock, random: new SeededRandom(1), log },
    broken,
    cutWatches() {
      for (const watch of watches) watch.abort();
      watches.clear();
    },
  };
}

/** Turns of the event loop until `holds`; in memory everything comes about within some. @throws Error naming `what` when it does not. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (holds()) return;
    await settle();
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`it did not come about: ${what}`);
}
