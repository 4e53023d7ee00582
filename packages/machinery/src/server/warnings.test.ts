/** Warnings of kinds: told with every change that is valid, once, whether it is then made or not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds } from "@mecha/kinds";
import { testServer } from "./testing.ts";

const services = "/api/v1/namespaces/default/services";
const close = '299 - "spec.trafficDistribution: \\"PreferClose\\" is deprecated; use \\"PreferSameZone\\""';
const service = (spec: object = {}): object => ({
  metadata: { name: "a" },
  spec: { ports: [{ port: 80 }], trafficDistribution: "PreferClose", ...spec },
});
const merge = { "content-type": "application/merge-patch+json" };

test("a create, an update, a patch and a dry run tell it; so does a create of a name that is taken", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const asked = [
    await ask("POST", `${services}?dryRun=All`, service()),
    await ask("POST", services, service()),
    await ask("POST", services, service()),
    await ask("PATCH", `${services}/a`, { metadata: { labels: { a: "b" } } }, merge),
    await ask("PATCH", `${services}/a`, {}, merge),
  ];
  assert.deepEqual(
    asked.map(({ status, headers }) => [status, headers["warning"]]),
    [201, 201, 409, 200, 200].map((status) => [status, close]),
  );
});

test("what is refused, read or deleted tells nothing; a status tells only of the status", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  await ask("POST", services, service());
  const asked = [
    await ask("POST", services, service({ type: "x" })),
    await ask("GET", `${services}/a`),
    await ask("PATCH", `${services}/a/status`, { metadata: { labels: { a: "b" } } }, merge),
    await ask("DELETE", `${services}/a`),
  ];
  assert.deepEqual(
    asked.map(({ headers }) => headers["warning"]),
    [undefined, undefined, undefined, undefined],
  );
});

test("it comes after what the body is told of, each text once", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const { headers } = await ask("POST", services, { ...service({ x: 1 }), y: 1 });
  assert.equal(headers["warning"], `299 - "unknown field \\"spec.x\\"", 299 - "unknown field \\"y\\"", ${close}`);
});

test("warnings that are too long together are cut, and no more come than fit", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const fields = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${String(i).padStart(2, "0")}${"x".repeat(400)}`, 1]));
  const { headers } = await ask("POST", services, { ...service(), ...fields });
  const texts = headers["warning"]?.split(", 299 - ") ?? [];
  assert.deepEqual([texts.length, texts[0]?.length], [16, '299 - ""'.length + 256 + 1]); // 4,096 characters; one quote is escaped
});

test("of more warnings than headers hold each is cut, and the first are told; how many there are does not matter", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const unknown = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`field${i}`, 0]));
  const { status, headers } = await ask("POST", "/api/v1/namespaces/default/configmaps", { metadata: { name: "a" }, ...unknown });
  const told = String(headers["warning"]).split(", ");
  assert.deepEqual([status, told[0], told.length < 300], [201, '299 - "unknown field \\"field0\\""', true]);
});

test("a pod of very many ports, files and owners is taken", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const ports = Array.from({ length: 10_000 }, () => ({ containerPort: 80 }));
  const items = Array.from({ length: 10_000 }, () => ({ key: "k", path: "p" }));
  const ownerReferences = Array.from({ length: 10_000 }, (_, i) => ({ apiVersion: "v1", kind: "Pod", name: "a", uid: String(i) }));
  const volumes = [{ name: "a", configMap: { name: "a", items } }];
  const pod = { metadata: { name: "a", ownerReferences }, spec: { volumes, containers: [{ name: "a", image: "a", ports }] } };
  const { status, headers } = await ask("POST", "/api/v1/namespaces/default/pods", pod);
  assert.match(
    String(headers["warning"]),
    /299 - "spec.containers\[0\].ports\[1\]: duplicate port definition with spec.containers\[0\].ports\[0\]"/u,
  );
  assert.equal(status, 201);
});
