import assert from "node:assert/strict";
import { test } from "node:test";
import { Manager } from "@mecha/machinery";
import { eventually, lifecycleBench } from "../testing.ts";
import { kubernetesService } from "./index.ts";
import { type Present, planService, serviceId } from "./plan.ts";

const place = { serviceAddress: "10.96.0.1", address: "192.0.2.7", port: 6443 };
const nothing: Present = { service: undefined, endpoints: undefined, slice: undefined };

test("a cluster without the Service gets it, and where it leads; after that nothing is to be done", () => {
  const made = planService(nothing, place);
  assert.deepEqual(
    made.map(({ do: verb, what }) => [verb, what]),
    [
      ["create", "service"],
      ["create", "endpoints"],
      ["create", "slice"],
    ],
  );
  const present = Object.fromEntries(made.map(({ what, object }) => [what, object])) as unknown as Present;
  assert.deepEqual(planService(present, place), []);
  const moved = planService(present, { ...place, port: 7443 });
  assert.deepEqual(
    moved.map(({ do: verb, what }) => [verb, what]),
    [
      ["replace", "endpoints"],
      ["replace", "slice"],
    ],
  );
});

test("it is made again when somebody deletes it, with the same address", async () => {
  const bench = await lifecycleBench();
  const { client } = bench;
  const manager = new Manager(bench.ports);
  manager.add(kubernetesService(client, place, (resource, selection) => manager.informer(resource, selection)));
  const ending = new AbortController();
  const running = manager.run(ending.signal);
  const service = { apiVersion: "v1", kind: "Service", plural: "services", namespaced: true };
  const slices = { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", plural: "endpointslices", namespaced: true };
  const whole = async (): Promise<boolean> => {
    const found = await client.find(service, serviceId);
    const slice = await client.find(slices, serviceId);
    return (found?.["spec"] as { clusterIP?: string } | undefined)?.clusterIP === "10.96.0.1" && slice?.["addressType"] === "IPv4";
  };
  await eventually(bench, "made", whole);
  await client.delete(service, serviceId);
  await client.delete(slices, serviceId);
  await eventually(bench, "made again", whole);
  assert.deepEqual(bench.log.lines, []);
  ending.abort();
  await running;
});
