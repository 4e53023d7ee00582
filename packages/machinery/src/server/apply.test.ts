import assert from "node:assert/strict";
import { test } from "node:test";
import { configMap, testServer, widget } from "./testing.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const widgets = "/apis/example.dev/v1/namespaces/default/widgets";
const yaml = { "content-type": "application/apply-patch+yaml" };
const merge = { "content-type": "application/merge-patch+json" };

test("every write notes who set what: manager, operation, subresource", async () => {
  const { ask } = await testServer();
  await ask("POST", `${widgets}?fieldManager=maker`, widget("a", { color: "red" }));
  await ask("PATCH", `${widgets}/a/status?fieldManager=agent`, { status: { note: "x" } }, merge);
  const { body } = await ask("PATCH", `${widgets}/a`, { spec: { color: "blue" } }, { ...merge, "user-agent": "kubectl/v1.33 (linux)" });
  assert.deepEqual(
    body.metadata.managedFields.map(({ manager, operation, subresource, fieldsV1 }: any) => [manager, operation, subresource, fieldsV1]),
    [
      ["agent", "Update", "status", { "f:status": { ".": {}, "f:note": {} } }],
      ["kubectl", "Update", undefined, { "f:spec": { "f:color": {} } }],
      ["maker", "Update", undefined, { "f:spec": {} }],
    ],
  );
});

test("apply creates, changes, gives up what is no longer named, and does nothing the second time", async () => {
  const { ask } = await testServer();
  const path = `${maps}/cart?fieldManager=m`;
  const created = await ask("PATCH", path, { ...configMap("cart"), data: { a: "1", b: "2" } }, yaml);
  assert.equal(created.status, 201);
  const changed = await ask("PATCH", path, { ...configMap("cart"), data: { a: "3" } }, yaml);
  assert.deepEqual([changed.status, changed.body.data], [200, { a: "3" }]);
  const again = await ask("PATCH", path, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cart}\ndata: {a: '3'}\n", yaml);
  assert.equal(again.body.metadata.resourceVersion, changed.body.metadata.resourceVersion);
});

test("two managers of one field conflict, in the API's words; force takes it over", async () => {
  const { ask } = await testServer();
  await ask("PATCH", `${widgets}/a?fieldManager=m1`, widget("a", { color: "red" }), yaml);
  const refused = await ask("PATCH", `${widgets}/a?fieldManager=m2`, widget("a", { color: "blue" }), yaml);
  assert.equal(refused.status, 409);
  assert.equal(refused.body.message, 'Apply failed with 1 conflict: conflict with "m1": .spec.color');
  const forced = await ask("PATCH", `${widgets}/a?fieldManager=m2&force=true`, widget("a", { color: "blue" }), yaml);
  assert.equal(forced.body.spec.color, "blue");
});

test("apply needs a manager, and force is for apply only", async () => {
  const { ask } = await testServer();
  const nameless = await ask("PATCH", `${maps}/cart`, configMap("cart"), yaml);
  assert.deepEqual(
    [nameless.status, /fieldManager: Required value: is required for apply patch/u.test(nameless.body.message)],
    [422, true],
  );
  await ask("POST", maps, configMap("cart"));
  const forced = await ask("PATCH", `${maps}/cart?force=true`, { data: {} }, merge);
  assert.match(forced.body.message, /force: Forbidden: may not be specified for non-apply patch/u);
  assert.equal((await ask("PATCH", `${maps}/nope/status?fieldManager=m`, configMap("nope"), yaml)).status, 404);
});

test("dry run of apply shows what it would be", async () => {
  const { ask } = await testServer();
  const { body } = await ask("PATCH", `${maps}/cart?fieldManager=m&dryRun=All`, { ...configMap("cart"), data: { a: "1" } }, yaml);
  assert.deepEqual(body.data, { a: "1" });
  assert.equal((await ask("GET", `${maps}/cart`)).status, 404);
});
