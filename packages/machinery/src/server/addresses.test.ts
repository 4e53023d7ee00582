import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds, isIpv4, type JsonObject } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import fc from "fast-check";
import { type Asked, testServer, type TestServer } from "./testing.ts";

const path = "/api/v1/namespaces/default/services";
const definitions = allKinds();
const merge = { "content-type": "application/merge-patch+json" };
const service = (name: string, spec: JsonObject = {}): JsonObject => ({
  metadata: { name },
  spec: { ports: [{ port: 80 }], ...spec },
});
const make = ({ ask }: TestServer, name: string, spec?: JsonObject, query = ""): Promise<Asked> =>
  ask("POST", path + query, service(name, spec));
const portOf = ({ body }: Asked): number => body.spec.ports[0].nodePort;

test("a Service gets an address and, where it wants one, a port of the nodes; the next write keeps them", async () => {
  const server = await testServer({ definitions });
  const { body } = await make(server, "a", { type: "NodePort" });
  assert.ok(isIpv4(body.spec.clusterIP) && body.spec.clusterIP.startsWith("10."), body.spec.clusterIP);
  assert.deepEqual(
    [body.spec.clusterIPs, body.spec.ipFamilies, body.spec.ipFamilyPolicy],
    [[body.spec.clusterIP], ["IPv4"], "SingleStack"],
  );
  assert.ok(portOf({ body } as Asked) >= 30_000 && portOf({ body } as Asked) <= 32_767);
  const again = await server.ask("PUT", `${path}/a`, service("a", { type: "NodePort" }));
  assert.deepEqual([again.status, again.body.metadata.resourceVersion], [200, body.metadata.resourceVersion]);
});

const refusals: readonly (readonly [what: string, spec: JsonObject, message: string])[] = [
  [
    "a taken address",
    { clusterIP: "10.96.0.9" },
    'spec.clusterIPs: Invalid value: ["10.96.0.9"]: failed to allocate IP 10.96.0.9: provided IP is already allocated',
  ],
  [
    "an address of another network",
    { clusterIP: "192.168.1.1" },
    'spec.clusterIPs: Invalid value: ["192.168.1.1"]: failed to allocate IP 192.168.1.1: the provided IP (192.168.1.1) is not in the valid range. The range of valid IPs is 10.96.0.0/12',
  ],
  [
    "the network's own address",
    { clusterIP: "10.96.0.0" },
    'spec.clusterIPs: Invalid value: ["10.96.0.0"]: failed to allocate IP 10.96.0.0: the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is 10.96.0.0/12',
  ],
  [
    "no address at all",
    { clusterIP: "ten" },
    'spec.clusterIPs[0]: Invalid value: "ten": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
  [
    "a taken port",
    { type: "NodePort", ports: [{ port: 80, nodePort: 30_009 }] },
    "spec.ports[0].nodePort: Invalid value: 30009: provided port is already allocated",
  ],
  [
    "a port outside the range",
    { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] },
    "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767",
  ],
  [
    "a node port without the type",
    { ports: [{ port: 80, nodePort: 30_010 }] },
    "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
  ],
  [
    "a second family",
    { ipFamilyPolicy: "RequireDualStack" },
    'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  ],
  ["another family", { ipFamilies: ["IPv6"] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
];

test("what cannot be had is refused in the words of the API, and takes nothing", async () => {
  const server = await testServer({ definitions });
  await make(server, "first", { type: "NodePort", clusterIP: "10.96.0.9", ports: [{ port: 80, nodePort: 30_009 }] });
  for (const [what, spec, message] of refusals) {
    const { status, body } = await make(server, "second", spec);
    assert.deepEqual([status, body.message], [422, `Service "second" is invalid: ${message}`], what);
  }
  // As on a cluster, a dry run does not look at the range.
  const body = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "dry" },
    spec: { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] },
  };
  assert.equal((await server.ask("POST", `${path}?dryRun=All`, body)).status, 201);
  // A refused one that had taken a free address gave it back.
  const half = { type: "NodePort", clusterIP: "10.96.0.10", ports: [{ port: 80, nodePort: 80 }] };
  assert.equal((await make(server, "third", half)).status, 422);
  assert.equal((await make(server, "third", { clusterIP: "10.96.0.10" })).status, 201);
});

test("headless Services and aliases have none; a change of type takes and gives back", async () => {
  const server = await testServer({ definitions });
  const headless = await make(server, "h", { clusterIP: "None" });
  assert.deepEqual([headless.body.spec.clusterIPs, headless.body.spec.ipFamilies], [["None"], ["IPv4", "IPv6"]]);
  const alias = await make(server, "a", { type: "ExternalName", externalName: "example.com" });
  assert.equal(alias.body.spec.clusterIP, undefined);
  const made = await server.ask("PATCH", `${path}/a`, { spec: { type: "NodePort", externalName: null } }, merge);
  assert.ok(isIpv4(made.body.spec.clusterIP) && portOf(made) >= 30_000);
  const inside = await server.ask("PATCH", `${path}/a`, { spec: { type: "ClusterIP" } }, merge);
  assert.deepEqual([inside.status, portOf(inside), inside.body.spec.externalTrafficPolicy], [200, undefined, undefined]);
  assert.equal((await make(server, "p", { type: "NodePort", ports: [{ port: 1, nodePort: portOf(made) }] })).status, 201);
  const changed = await server.ask("PATCH", `${path}/a`, { spec: { clusterIP: "10.96.0.77", clusterIPs: ["10.96.0.77"] } }, merge);
  assert.match(changed.body.message, /spec\.clusterIPs\[0\]: Invalid value: \["10\.96\.0\.77"\]: may not change once set$/u);
  const gone = await server.ask("PATCH", `${path}/a`, { spec: { type: "ExternalName", externalName: "example.com" } }, merge);
  assert.deepEqual([gone.status, gone.body.spec.clusterIP, gone.body.spec.ipFamilies], [200, undefined, undefined]);
  assert.equal((await make(server, "b", { clusterIP: inside.body.spec.clusterIP })).status, 201);
});

test("a dry run takes nothing", async () => {
  const server = await testServer({ definitions });
  assert.equal((await make(server, "a", { clusterIP: "10.96.0.5" }, "?dryRun=All")).status, 201);
  assert.equal((await make(server, "b", { clusterIP: "10.96.0.5" })).status, 201);
});

test("ranges are what the server is given; a full one is said, a wrong one refused at start", async () => {
  const services = { addresses: "172.30.0.0/28", ports: "31000-31001" };
  const server = await testServer({ definitions, services });
  for (let i = 0; i < 14; i++) assert.equal((await make(server, `s${i}`)).status, 201);
  const full = await make(server, "more");
  assert.deepEqual(
    [full.status, full.body.message],
    [500, 'Internal error occurred: failed to allocate a serviceIP for Service "more": range is full'],
  );
  await assert.rejects(
    testServer({ definitions, services: { ...services, addresses: "10.0.0.1/12" } }),
    /is no IPv4 network of \/8 to \/28/u,
  );
  await assert.rejects(testServer({ definitions, services: { ...services, ports: "3-" } }), /is no range of ports/u);
});

type Step = { readonly do: "create" | "delete" | "retype" | "restart"; readonly name: number; readonly ask?: number };
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom("create", "create", "delete", "retype", "restart"),
  name: fc.nat(9),
  ask: fc.option(fc.nat(5), { nil: undefined }),
}) as fc.Arbitrary<Step>;

test("whatever is written at once, deleted, or started again: no two Services have one address or port, and what is free can be had", async () => {
  const services = { addresses: "10.96.0.0/28", ports: "30000-30015" };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
      const log = openMemoryObjectLog();
      let server = await testServer({ definitions, services, log });
      for (const round of rounds) {
        const asked = round.filter(({ do: what }) => what !== "restart").map((one) => carryOut(server, one));
        await Promise.all(asked);
        if (round.some(({ do: what }) => what === "restart")) server = await testServer({ definitions, services, log });
        const { items } = (await server.ask("GET", path)).body;
        const addresses = items.flatMap((item: any) => item.spec.clusterIPs ?? []);
        const ports = items.flatMap((item: any) => item.spec.ports.flatMap((port: any) => port.nodePort ?? []));
        assert.equal(new Set(addresses).size, addresses.length, JSON.stringify(addresses));
        assert.equal(new Set(ports).size, ports.length, JSON.stringify(ports));
      }
      // Nothing is lost: every address that no Service has can be asked for.
      const { items } = (await server.ask("GET", path)).body;
      const taken = new Set(items.flatMap((item: any) => item.spec.clusterIPs ?? []));
      for (let last = 1; last <= 14; last++) {
        const clusterIP = `10.96.0.${last}`;
        assert.equal((await make(server, `free${last}`, { clusterIP })).status, taken.has(clusterIP) ? 422 : 201, clusterIP);
      }
    }),
    { numRuns: 25 },
  );
});

function carryOut(server: TestServer, { do: what, name, ask }: Step): Promise<Asked> {
  if (what === "delete") return server.ask("DELETE", `${path}/s${name}`);
  if (what === "retype")
    return server.ask("PATCH", `${path}/s${name}`, { spec: { type: ask === undefined ? "NodePort" : "ClusterIP" } }, merge);
  const spec = ask === undefined ? {} : { clusterIP: `10.96.0.${ask + 1}`, ports: [{ port: 80, nodePort: 30_000 + ask }] };
  return make(server, `s${name}`, { type: "NodePort", ...spec });
}
