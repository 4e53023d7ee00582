import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultRbacObjects, Manager, type ResourceRef } from "@mecha/machinery";
import { eventually, lifecycleBench } from "../testing.ts";
import { roleAggregation } from "./index.ts";

const group = "rbac.authorization.k8s.io";
const roles: ResourceRef = { apiVersion: `${group}/v1`, kind: "ClusterRole", plural: "clusterroles", namespaced: false };
const rule = (resource: string, ...verbs: string[]) => ({ apiGroups: ["shop.dev"], resources: [resource], verbs });

test("a role made of others has their rules, follows them, and is part of the next; default roles take in somebody's kinds", async () => {
  const bench = await lifecycleBench();
  const { client } = bench;
  for (const object of defaultRbacObjects()) if (object.kind === "ClusterRole") await client.create(roles, object);
  const before = await client.get(roles, { name: "admin" });
  const manager = new Manager(bench.ports);
  manager.add(roleAggregation(client, (resource) => manager.informer(resource)));
  const ending = new AbortController();
  const running = manager.run(ending.signal);
  const resourcesOf = async (name: string): Promise<readonly string[]> => {
    const { rules } = (await client.get(roles, { name })) as unknown as { rules: { resources: string[] }[] | null };
    return (rules ?? []).flatMap(({ resources }) => resources);
  };
  const labels = { [`${group}/aggregate-to-view`]: "true" };
  const part = { ...roles, metadata: { name: "carts-view", labels }, rules: [rule("carts", "get")] };
  await client.create(roles, { apiVersion: part.apiVersion, kind: part.kind, metadata: part.metadata, rules: part.rules });
  const everywhere = (resource: string) => async (): Promise<boolean> =>
    (await Promise.all(["view", "edit", "admin"].map(resourcesOf))).every((resources) => resources.includes(resource));
  await eventually(bench, "the three default roles show carts", everywhere("carts"));
  await client.patch(roles, { name: "carts-view" }, "merge", { rules: [rule("orders", "get")] });
  await eventually(bench, "they follow", everywhere("orders"));
  await client.delete(roles, { name: "carts-view" });
  await eventually(bench, "they are as before", async () => !(await resourcesOf("admin")).includes("orders"));
  const after = await client.get(roles, { name: "admin" });
  assert.deepEqual(after["rules"], before["rules"], "what the default roles begin with is what the controller makes of them");
  assert.deepEqual(bench.log.lines, []);
  ending.abort();
  await running;
});

test("a role that selects nothing has no rules, and nobody writes it again and again", async () => {
  const bench = await lifecycleBench();
  const { client } = bench;
  const manager = new Manager(bench.ports);
  manager.add(roleAggregation(client, (resource) => manager.informer(resource)));
  const ending = new AbortController();
  const running = manager.run(ending.signal);
  const { apiVersion, kind } = roles;
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { nobody: "has" } }] };
  await client.create(roles, { apiVersion, kind, metadata: { name: "empty" }, aggregationRule, rules: [rule("carts", "get")] });
  const rulesOf = async () => (await client.get(roles, { name: "empty" }))["rules"] ?? null;
  await eventually(bench, "its rules are gone", async () => (await rulesOf()) === null);
  const { metadata } = await client.get(roles, { name: "empty" });
  await client.create(roles, { apiVersion, kind, metadata: { name: "other" }, rules: [] });
  await bench.clock.advance(60_000);
  assert.equal((await client.get(roles, { name: "empty" })).metadata.resourceVersion, metadata.resourceVersion);
  ending.abort();
  await running;
});
