import assert from "node:assert/strict";
import { test } from "node:test";
import { Manager } from "@mecha/machinery";
import { namespaces } from "../namespace/apply.ts";
import { eventually, lifecycleBench } from "../testing.ts";
import { configMaps, serviceAccounts } from "./apply.ts";
import { namespaceDefaults } from "./index.ts";

test("every namespace has its account and the authority, also after somebody deleted or changed them", async () => {
  const bench = await lifecycleBench();
  const { client } = bench;
  const manager = new Manager(bench.ports);
  manager.add(namespaceDefaults(client, "PEM", (resource) => manager.informer(resource)));
  const ending = new AbortController();
  const running = manager.run(ending.signal);
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  const [account, authority] = [
    { namespace: "shop", name: "default" },
    { namespace: "shop", name: "kube-root-ca.crt" },
  ];
  const whole = async (): Promise<boolean> => {
    const map = await client.find(configMaps, authority);
    return (
      (await client.find(serviceAccounts, account)) !== undefined &&
      (map?.["data"] as { "ca.crt"?: string } | undefined)?.["ca.crt"] === "PEM"
    );
  };
  await eventually(bench, "made", whole);
  await client.delete(serviceAccounts, account);
  await client.patch(configMaps, authority, "merge", { data: { "ca.crt": "another" } });
  await eventually(bench, "made again", whole);
  assert.deepEqual(bench.log.lines, []);
  ending.abort();
  await running;
});
