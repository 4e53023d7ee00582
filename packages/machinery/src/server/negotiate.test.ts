/** Which form an answer takes, and which requests get none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds } from "@mecha/kinds";
import { mustProduce, negotiate, negotiatedError } from "./negotiate.ts";
import { type Asked, configMap, testServer } from "./testing.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const as = (kind: string, version = "v1"): string => `application/json;as=${kind};v=${version};g=meta.k8s.io`;

for (const [accept, media, shape] of [
  [undefined, "json", "object"],
  ["", "json", "object"],
  ["*/*", "json", "object"],
  ["application/*", "json", "object"],
  ["*/*,application/yaml", "yaml", "object"],
  ["application/json;q=0.5,application/yaml", "yaml", "object"],
  ["text/html,application/json;q=0.1", "json", "object"],
  ["application/json;stream=watch", "json", "object"],
  ["application/json;as=;v=;g=", "json", "object"],
  ["application/json;sv=v1", "json", "object"],
  [`${as("Other")},${as("Table", "v1beta1")}`, "json", "Table"],
  [as("PartialObjectMetadataList"), "json", "PartialObjectMetadataList"],
] as const)
  test(`Accept: ${accept ?? "(none)"} gives ${shape} as ${media}`, () => {
    const negotiated = negotiate(accept, true, false);
    assert.deepEqual([negotiated.media, negotiated.shape.as], [media, shape]);
  });

for (const accept of [
  "text/html",
  "application/json;q=0",
  "application/json;stream=other",
  "application/json;sv=v2",
  "application/json;g=meta.k8s.io",
  as("Table", "v9"),
  as("Other"),
])
  test(`Accept: ${accept} cannot be had`, () => {
    const message = "only the following media types are accepted: application/json, application/yaml";
    assert.throws(() => negotiate(accept, true, false), { message, code: 406 });
    assert.deepEqual(negotiatedError(accept, false), { media: "json", pretty: true });
  });

test("where there are no tables, asking for one is asking for something else, and a failure comes as JSON for people", () => {
  assert.throws(() => negotiate(as("Table"), false, false), { code: 406 });
  assert.deepEqual(negotiatedError("application/yaml;as=Table;v=v1;g=meta.k8s.io", false), { media: "json", pretty: true });
});

test("paths that know their media types want one by name, or everything", () => {
  for (const accept of [undefined, "", "*/*", "a/b, application/json;as=x", "application/*,*/*;q=0.1"])
    assert.doesNotThrow(() => mustProduce(accept, ["application/json"]), accept);
  for (const accept of ["application/*", "application/yaml", "x"])
    assert.throws(() => mustProduce(accept, ["application/json"]), {
      message: "406: Not Acceptable\n\nAvailable representations: application/json",
    });
});

test("a request whose form cannot be had does nothing, whatever it asks", async () => {
  const { ask, server } = await testServer();
  await ask("POST", maps, configMap("a"));
  const before = server.revision;
  const html = { accept: "text/html" };
  const said = ({ status, body, text }: Asked): unknown => [status, body.message, text.startsWith("{\n")];
  const known = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml";
  for (const [method, path] of [
    ["POST", maps],
    ["DELETE", `${maps}/a`],
    ["GET", `${maps}/none`],
    ["GET", "/api/v1"],
    ["GET", "/api"],
  ] as const)
    assert.deepEqual(said(await ask(method, path, undefined, html)), [406, known, true], path);
  for (const path of [maps, `${maps}?watch=1`])
    assert.deepEqual(said(await ask("GET", path, undefined, html)), [406, `${known}, application/json;stream=watch`, true], path);
  const other = "only the following media types are accepted: application/json, application/yaml";
  for (const path of ["/apis", "/apis/example.dev", "/apis/example.dev/v1", "/apis/example.dev/v1/namespaces/default/widgets"])
    assert.deepEqual(said(await ask("GET", path, undefined, html)), [406, other, true], path);
  assert.equal(server.revision, before);
});

test("a list is no object's metadata, and an object no list of it", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const wanted = async (path: string, kind: string): Promise<unknown> =>
    (await ask("GET", path, undefined, { accept: as(kind) })).body.message;
  const list = "you requested PartialObjectMetadata, but the requested object is a list";
  assert.equal(await wanted(maps, "PartialObjectMetadata"), `${list} (*core.ConfigMapList)`);
  assert.equal(await wanted("/apis/rbac.authorization.k8s.io/v1/clusterroles", "PartialObjectMetadata"), `${list} (*rbac.ClusterRoleList)`);
  assert.equal(await wanted("/apis/events.k8s.io/v1/events", "PartialObjectMetadata"), `${list} (*core.EventList)`);
  await ask("POST", maps, configMap("a"));
  for (const path of [`${maps}/a`, `${maps}?watch=1`])
    assert.equal(
      await wanted(path, "PartialObjectMetadataList"),
      "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)",
    );
});

test("annotations that stand for a version's missing fields are no metadata", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const sets = "/apis/apps/v1/namespaces/default/daemonsets";
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "a", image: "a" }] } };
  const spec = { selector: { matchLabels: { a: "b" } }, template };
  for (const [name, annotations] of [
    ["a", {}],
    ["b", { mine: "1" }],
  ] as const)
    await ask("POST", sets, { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name, annotations }, spec });
  const items = async (kind: string): Promise<any> => (await ask("GET", sets, undefined, { accept: as(kind) })).body;
  const rows = ((await items("Table")).rows as any[]).map(({ object }) => object.metadata.annotations);
  const listed = ((await items("PartialObjectMetadataList")).items as any[]).map(({ metadata }) => metadata.annotations);
  assert.deepEqual([rows, listed], Array(2).fill([undefined, { mine: "1" }]));
  const whole = (await ask("GET", `${sets}/b`)).body.metadata.annotations;
  assert.deepEqual(whole, { mine: "1", "deprecated.daemonset.template.generation": "1" });
});
