/** Deleting a namespace, on a server in memory. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@mecha/kinds";
import { isReason, Manager } from "@mecha/machinery";
import { configMap, configMaps, eventually, lifecycleBench, type LifecycleBench } from "../testing.ts";
import { namespaces } from "./apply.ts";
import { namespaceController } from "./index.ts";

async function withController(run: (bench: LifecycleBench) => Promise<void>): Promise<void> {
  const bench = await lifecycleBench();
  const manager = new Manager(bench.ports);
  manager.add(namespaceController(bench.client));
  const ending = new AbortController();
  const running = manager.run(ending.signal);
  await bench.client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  await run(bench);
  ending.abort();
  await running;
}

test("a namespace goes with everything in it, and nothing else", () =>
  withController(async (bench) => {
    const { client } = bench;
    await client.create(configMaps, configMap("in", { namespace: "shop" }));
    await client.create(configMaps, configMap("out"));
    await client.delete(namespaces, { name: "shop" });
    const going = await client.get<KubeObject & { status: { phase: string } }>(namespaces, { name: "shop" });
    assert.equal(going.status.phase, "Terminating");
    await assert.rejects(client.create(configMaps, configMap("late", { namespace: "shop" })), (error) => isReason(error, "Forbidden"));
    await eventually(bench, "gone", async () => (await client.find(namespaces, { name: "shop" })) === undefined);
    assert.equal(await client.find(configMaps, { namespace: "shop", name: "in" }), undefined);
    assert.ok(await client.find(configMaps, { namespace: "default", name: "out" }));
  }));

test("while something in it waits, the namespace says for what; then it goes", () =>
  withController(async (bench) => {
    const { client } = bench;
    await client.create(configMaps, configMap("held", { namespace: "shop", finalizers: ["example.dev/hold"] }));
    await client.delete(namespaces, { name: "shop" });
    const messages = async (): Promise<string> =>
      JSON.stringify((await client.get<KubeObject & { status?: unknown }>(namespaces, { name: "shop" })).status);
    await eventually(bench, "said", async () => (await messages()).includes("example.dev/hold in 1 resource instances"));
    assert.match(await messages(), /configmaps has 1 resource instances/);
    await client.patch(configMaps, { namespace: "shop", name: "held" }, "merge", { metadata: { finalizers: null } });
    await eventually(bench, "gone", async () => (await client.find(namespaces, { name: "shop" })) === undefined);
  }));
