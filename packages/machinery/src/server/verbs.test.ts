import assert from "node:assert/strict";
import { test } from "node:test";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { configMap, testServer, widget } from "./testing.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const widgets = "/apis/example.dev/v1/namespaces/default/widgets";

test("created objects get uid, revision and time, and can be read back", async () => {
  const { ask } = await testServer();
  const created = await ask("POST", maps, configMap("cart", { data: { a: "1" } }));
  assert.equal(created.status, 201);
  const { metadata } = created.body;
  assert.match(metadata.uid, /^[0-9a-f-]{36}$/u);
  assert.equal(metadata.creationTimestamp, "2026-01-01T00:00:00Z");
  assert.equal(metadata.namespace, "default");
  assert.equal(metadata.generation, undefined);
  assert.deepEqual((await ask("GET", `${maps}/cart`)).body, created.body);
});

test("a name that is taken is refused in the API's words", async () => {
  const { ask } = await testServer();
  await ask("POST", maps, configMap("cart"));
  const { status, body } = await ask("POST", maps, configMap("cart"));
  assert.equal(status, 409);
  assert.equal(body.message, 'configmaps "cart" already exists');
  assert.deepEqual(body.details, { name: "cart", kind: "configmaps" });
});

test("generateName makes a name nobody has", async () => {
  const { ask } = await testServer();
  const names = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const { body } = await ask("POST", maps, { metadata: { generateName: "cart-" } });
    assert.match(body.metadata.name, /^cart-[bcdfghjklmnpqrstvwxz2456789]{5}$/u);
    names.add(body.metadata.name);
  }
  assert.equal(names.size, 20);
});

test("dry run answers as if, and stores nothing", async () => {
  const { ask, server } = await testServer();
  const before = server.revision;
  assert.equal((await ask("POST", `${maps}?dryRun=All`, configMap("cart"))).status, 201);
  assert.equal((await ask("GET", `${maps}/cart`)).status, 404);
  await ask("POST", maps, configMap("cart"));
  const changed = await ask("PUT", `${maps}/cart?dryRun=All`, configMap("cart", { data: { a: "2" } }));
  assert.deepEqual(changed.body.data, { a: "2" });
  assert.equal((await ask("DELETE", `${maps}/cart?dryRun=All`)).status, 200);
  assert.equal((await ask("GET", `${maps}/cart`)).body.data, undefined);
  assert.equal(server.revision, before + 1);
});

for (const [what, path, object, status, message] of [
  [
    "a bad name",
    maps,
    configMap("Cart"),
    422,
    /^ConfigMap "Cart" is invalid: metadata\.name: Invalid value: "Cart": a lowercase RFC 1123 subdomain/u,
  ],
  ["no name", maps, { metadata: {} }, 422, /metadata\.name: Required value: name or generateName is required/u],
  ["another namespace", maps, configMap("a", {}, { namespace: "x" }), 400, /the namespace of the provided object does not match/u],
  ["a namespace that is not there", "/api/v1/namespaces/nope/configmaps", configMap("a"), 404, /^namespaces "nope" not found$/u],
  ["another version", maps, { ...configMap("a"), apiVersion: "v2" }, 400, /no kind "ConfigMap" is registered for version "v2"/u],
  ["another kind", maps, { ...configMap("a"), kind: "Secret" }, 400, /cannot be handled as a ConfigMap/u],
  [
    "a resourceVersion",
    maps,
    configMap("a", {}, { resourceVersion: "1" }),
    500,
    /resourceVersion should not be set on objects to be created/u,
  ],
  [
    "a wrong type",
    maps,
    configMap("a", { data: { x: 1 } }),
    400,
    /json: cannot unmarshal number into Go struct field ConfigMap\.data of type string/u,
  ],
  [
    "a bad label",
    maps,
    configMap("a", {}, { labels: { "a b": "" } }),
    422,
    /metadata\.labels: Invalid value: "a b": name part must consist/u,
  ],
  ["a bad label value", maps, configMap("a", {}, { labels: { a: "-" } }), 422, /a valid label must be an empty string/u],
  [
    "what the kind forbids",
    widgets,
    widget("a", { color: "mauve" }),
    422,
    /^Widget\.example\.dev "a" is invalid: spec\.color: Unsupported value: "mauve"/u,
  ],
] as const)
  test(`a create with ${what} is refused`, async () => {
    const { ask } = await testServer();
    const answer = await ask("POST", path, object);
    assert.equal(answer.status, status);
    assert.match(answer.body.message, message);
  });

test("fields the kind does not have: strict refuses, warn warns, ignore says nothing; none is stored", async () => {
  const { ask } = await testServer();
  const text =
    '{"apiVersion":"example.dev/v1","kind":"Widget","metadata":{"name":"a"},"spec":{"color":"red","foo":1,"parts":[{"size":1,"bar":2}],"color":"blue"}}';
  const strict = await ask("POST", `${widgets}?fieldValidation=Strict`, text);
  assert.equal(strict.status, 400);
  assert.equal(
    strict.body.message,
    'Widget in version "v1" cannot be handled as a Widget: strict decoding error: duplicate field "spec.color", unknown field "spec.parts[0].bar", unknown field "spec.foo"',
  );
  const warned = await ask("POST", widgets, text);
  assert.equal(
    warned.headers.warning,
    String.raw`299 - "duplicate field \"spec.color\"", 299 - "unknown field \"spec.parts[0].bar\"", 299 - "unknown field \"spec.foo\""`,
  );
  assert.deepEqual(warned.body.spec, { color: "blue", parts: [{ size: 1 }] });
  const ignored = await ask("PUT", `${widgets}/a?fieldValidation=Ignore`, { ...warned.body, other: 1 });
  assert.equal(ignored.status, 200);
  assert.equal(ignored.headers.warning, undefined);
});

test("an update of an old version loses; one that changes nothing keeps the revision", async () => {
  const { ask } = await testServer();
  const { body: first } = await ask("POST", maps, configMap("cart", { data: { a: "1" } }));
  const { body: second } = await ask("PUT", `${maps}/cart`, { ...first, data: { a: "2" } });
  assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
  const lost = await ask("PUT", `${maps}/cart`, { ...first, data: { a: "3" } });
  assert.equal(lost.status, 409);
  assert.equal(
    lost.body.message,
    'Operation cannot be fulfilled on configmaps "cart": the object has been modified; please apply your changes to the latest version and try again',
  );
  assert.deepEqual((await ask("PUT", `${maps}/cart`, second)).body, second);
  assert.equal((await ask("PUT", `${maps}/other`, configMap("other"))).status, 404);
});

test("kinds of CRDs must name the version they update", async () => {
  const { ask } = await testServer();
  await ask("POST", widgets, widget("a"));
  const { status, body } = await ask("PUT", `${widgets}/a`, widget("a", { color: "red" }));
  assert.equal(status, 422);
  assert.match(body.message, /metadata\.resourceVersion: Invalid value: 0: must be specified for an update$/u);
});

test("status and the rest change apart, and only the rest counts as a generation", async () => {
  const { ask } = await testServer();
  const { body: created } = await ask("POST", widgets, { ...widget("a", { color: "red" }), status: { note: "mine" } });
  assert.equal(created.status, undefined);
  assert.equal(created.metadata.generation, 1);
  const merge = { "content-type": "application/merge-patch+json" };
  const status = await ask("PATCH", `${widgets}/a/status`, { spec: { color: "blue" }, status: { note: "x" } }, merge);
  assert.deepEqual([status.body.spec, status.body.status, status.body.metadata.generation], [{ color: "red" }, { note: "x" }, 1]);
  const spec = await ask("PATCH", `${widgets}/a`, { spec: { color: "blue" }, status: { note: "y" } }, merge);
  assert.deepEqual([spec.body.spec, spec.body.status, spec.body.metadata.generation], [{ color: "blue" }, { note: "x" }, 2]);
});

test("patches: json, merge, and strategic only for built-in kinds", async () => {
  const { ask } = await testServer();
  await ask("POST", maps, configMap("cart", { data: { a: "1" } }));
  await ask("POST", widgets, widget("a"));
  const json = await ask("PATCH", `${maps}/cart`, [{ op: "add", path: "/data/b", value: "2" }], {
    "content-type": "application/json-patch+json",
  });
  assert.deepEqual(json.body.data, { a: "1", b: "2" });
  const strategic = { "content-type": "application/strategic-merge-patch+json" };
  assert.deepEqual((await ask("PATCH", `${maps}/cart`, { data: { a: null } }, strategic)).body.data, { b: "2" });
  const refused = await ask("PATCH", `${widgets}/a`, {}, strategic);
  assert.equal(refused.status, 415);
  assert.match(
    refused.body.message,
    /accepted media types include: application\/json-patch\+json, application\/merge-patch\+json, application\/apply-patch\+yaml/u,
  );
});

test("scale is a small object that stands for the replicas", async () => {
  const { ask } = await testServer();
  await ask("POST", widgets, widget("a", { replicas: 2 }));
  await ask(
    "PATCH",
    `${widgets}/a/status`,
    { status: { replicas: 1, selector: "app=a" } },
    { "content-type": "application/merge-patch+json" },
  );
  const scale = await ask("GET", `${widgets}/a/scale`);
  assert.equal(scale.body.kind, "Scale");
  assert.deepEqual([scale.body.spec, scale.body.status], [{ replicas: 2 }, { replicas: 1, selector: "app=a" }]);
  const scaled = await ask("PATCH", `${widgets}/a/scale`, { spec: { replicas: 4 } }, { "content-type": "application/merge-patch+json" });
  assert.deepEqual(scaled.body.spec, { replicas: 4 });
  assert.equal((await ask("GET", `${widgets}/a`)).body.spec.replicas, 4);
  const old = await ask("PUT", `${widgets}/a/scale`, scale.body);
  assert.equal(old.status, 409);
  assert.match((await ask("PUT", `${widgets}/a/scale`, { spec: { replicas: -1 } })).body.message, /must be greater than or equal to 0/u);
});

test("a finalizer keeps the object; taking the last one away deletes it", async () => {
  const { ask } = await testServer();
  await ask("POST", widgets, widget("a", {}, { finalizers: ["example.dev/wait"] }));
  const deleted = await ask("DELETE", `${widgets}/a`);
  assert.equal(deleted.body.kind, "Widget");
  assert.equal(deleted.body.metadata.deletionTimestamp, "2026-01-01T00:00:00Z");
  assert.equal(deleted.body.metadata.deletionGracePeriodSeconds, 0);
  assert.equal(deleted.body.metadata.generation, 2);
  const json = { "content-type": "application/json-patch+json" };
  const added = await ask("PATCH", `${widgets}/a`, [{ op: "add", path: "/metadata/finalizers/-", value: "example.dev/more" }], json);
  assert.equal(added.status, 422);
  assert.match(
    added.body.message,
    /no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example\.dev\/more"\}/u,
  );
  assert.equal((await ask("PATCH", `${widgets}/a`, [{ op: "remove", path: "/metadata/finalizers" }], json)).status, 200);
  assert.equal((await ask("GET", `${widgets}/a`)).status, 404);
});

test("delete: Status with the uid; policies are finalizers; preconditions are kept", async () => {
  const { ask } = await testServer();
  const { body: a } = await ask("POST", widgets, widget("a"));
  const wrong = await ask("DELETE", `${widgets}/a`, { preconditions: { uid: "other" } });
  assert.equal(wrong.status, 409);
  assert.match(wrong.body.message, /the UID in the precondition \(other\) does not match the UID in record/u);
  const done = await ask("DELETE", `${widgets}/a`, { propagationPolicy: "Background", preconditions: { uid: a.metadata.uid } });
  assert.deepEqual(done.body, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name: "a", group: "example.dev", kind: "widgets", uid: a.metadata.uid },
  });
  await ask("POST", widgets, widget("b"));
  const foreground = await ask("DELETE", `${widgets}/b?propagationPolicy=Foreground`);
  assert.deepEqual(foreground.body.metadata.finalizers, ["foregroundDeletion"]);
});

test("deletecollection deletes what the selectors choose and answers the list", async () => {
  const { ask } = await testServer();
  for (const [name, app] of [
    ["a", "x"],
    ["b", "x"],
    ["c", "y"],
  ] as const)
    await ask("POST", maps, configMap(name, {}, { labels: { app } }));
  const { body } = await ask("DELETE", `${maps}?labelSelector=app%3Dx`);
  assert.deepEqual([body.kind, body.items.length], ["ConfigMapList", 2]);
  assert.deepEqual(
    (await ask("GET", maps)).body.items.map((item: any) => item.metadata.name),
    ["c"],
  );
});

test("pages of one list are of one revision, and expire", async () => {
  const { ask } = await testServer();
  for (const name of ["a", "b", "c", "d"]) await ask("POST", maps, configMap(name));
  const first = (await ask("GET", `${maps}?limit=2`)).body;
  assert.deepEqual([first.items.length, first.metadata.remainingItemCount], [2, 2]);
  await ask("DELETE", `${maps}/c`);
  await ask("POST", maps, configMap("aa"));
  await ask("PUT", `${maps}/d`, configMap("d", { data: { x: "1" } }));
  const second = (await ask("GET", `${maps}?limit=2&continue=${first.metadata.continue}`)).body;
  assert.deepEqual(
    second.items.map((item: any) => [item.metadata.name, item.data]),
    [
      ["c", undefined],
      ["d", undefined],
    ],
  );
  assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
  assert.equal(second.metadata.continue, undefined);
  assert.equal((await ask("GET", `${maps}?continue=nonsense`)).status, 400);
});

test("a page of a revision that is forgotten says how to go on with what there is now", async () => {
  const log = openMemoryObjectLog();
  for (let i = 0; i < 5; i++) await log.write({ key: "//secrets/n/a", expected: i, value: JSON.stringify({ metadata: { name: "a" } }) });
  await log.compact(5);
  const { ask } = await testServer({ log });
  for (const name of ["a", "b", "c", "d"]) await ask("POST", maps, configMap(name));
  const token = (fields: object): string => Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", ...fields })).toString("base64url");
  const expired = await ask("GET", `${maps}?limit=1&continue=${token({ rv: 3, start: "default/b\0" })}`);
  assert.deepEqual([expired.status, expired.body.reason], [410, "Expired"]);
  const second = (await ask("GET", `${maps}?limit=1&continue=${expired.body.metadata.continue}`)).body;
  const third = (await ask("GET", `${maps}?limit=1&continue=${second.metadata.continue}`)).body;
  assert.deepEqual(
    [second, third].flatMap(({ items }) => items.map(({ metadata }: any) => metadata.name)),
    ["c", "d"],
  );
  for (const [fields, status, message] of [
    [{ rv: 0, start: "x" }, 400, /incorrect encoded start resourceVersion/u],
    [{ rv: 3 }, 400, /encoded start key empty/u],
    [{ rv: "3", start: "x" }, 400, /cannot unmarshal string into Go struct field continueToken.rv of type int64/u],
    [{ rv: 1.5, start: "x" }, 400, /cannot unmarshal number 1.5 into/u],
    [{ rv: 999, start: "x" }, 504, /Too large resource version: 999/u],
  ] as const) {
    const { status: found, body } = await ask("GET", `${maps}?continue=${token(fields)}`);
    assert.equal(found, status);
    assert.match(body.message, message);
  }
});

test("resource versions of lists: future refused, exact served from the past, expired said", async () => {
  const { ask, server } = await testServer();
  const { body } = await ask("POST", maps, configMap("a"));
  await ask("DELETE", `${maps}/a`);
  const past = await ask("GET", `${maps}?resourceVersion=${body.metadata.resourceVersion}&resourceVersionMatch=Exact`);
  assert.equal(past.body.items.length, 1);
  const future = await ask("GET", `${maps}?resourceVersion=${server.revision + 10}`);
  assert.equal(future.status, 504);
  assert.match(future.body.message, /^Timeout: Too large resource version: \d+, current: \d+$/u);
  assert.equal((await ask("GET", `${maps}?resourceVersionMatch=Exact`)).status, 422);
});

test("selectors choose by labels and fields; unknown fields are refused", async () => {
  const { ask } = await testServer();
  await ask("POST", widgets, widget("a", { color: "red" }, { labels: { app: "x" } }));
  await ask("POST", widgets, widget("b", { color: "blue" }, { labels: { app: "y" } }));
  const names = async (query: string): Promise<string[]> =>
    (await ask("GET", `${widgets}?${query}`)).body.items.map((item: any) => item.metadata.name);
  assert.deepEqual(await names("fieldSelector=spec.color%3Dblue"), ["b"]);
  assert.deepEqual(await names("fieldSelector=metadata.name!%3Db"), ["a"]);
  assert.deepEqual(await names("labelSelector=app+in+(x,z)"), ["a"]);
  const unknown = await ask("GET", `${widgets}?fieldSelector=spec.size%3D1`);
  assert.deepEqual([unknown.status, unknown.body.message], [400, "field label not supported: spec.size"]);
  assert.equal((await ask("GET", `${widgets}?labelSelector=a+b+c`)).status, 400);
});

test("tables and metadata are what Accept asks for", async () => {
  const { ask, clock } = await testServer();
  await ask("POST", maps, configMap("a"));
  await clock.advance(65_000);
  const table = await ask("GET", maps, undefined, { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" });
  assert.equal(table.body.kind, "Table");
  assert.deepEqual(table.body.rows[0].cells, ["a", "65s"]);
  assert.equal(table.body.rows[0].object.kind, "PartialObjectMetadata");
  const partial = await ask("GET", `${maps}/a`, undefined, { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" });
  assert.deepEqual(Object.keys(partial.body), ["kind", "apiVersion", "metadata"]);
  const yaml = await ask("GET", `${maps}/a`, undefined, { accept: "application/yaml" });
  assert.match(yaml.text, /^kind: ConfigMap$|^apiVersion: v1$/mu);
  const none = await ask("GET", maps, undefined, { accept: "application/vnd.kubernetes.protobuf" });
  assert.equal(none.status, 406);
});

test("YAML bodies are taken, other media refused; people get indented answers", async () => {
  const { ask } = await testServer();
  const created = await ask("POST", maps, "metadata: {name: a}\ndata: {x: '1'}\n", { "content-type": "application/yaml" });
  assert.deepEqual([created.status, created.body.data], [201, { x: "1" }]);
  assert.equal((await ask("POST", maps, "x", { "content-type": "text/csv" })).status, 415);
  assert.match((await ask("GET", `${maps}/a`, undefined, { "user-agent": "curl/8" })).text, /^\{\n {2}"/u);
  assert.doesNotMatch((await ask("GET", `${maps}/a`)).text, /\n {2}"/u);
});

test("paths: unknown ones are 404, plain outside the groups of built-in kinds; methods that do not fit are 405", async () => {
  const { ask } = await testServer();
  for (const path of ["/nope", "/apis/x.dev/v1/widgets"])
    assert.deepEqual([(await ask("GET", path)).status, (await ask("GET", path)).text], [404, "404 page not found\n"], path);
  for (const path of [
    "/api/v1/gadgets",
    "/api/v1/namespaces/default/namespaces",
    "/api/v1/namespaces/../x",
    `${maps}/a/scale`,
    `${maps}/a/b/c`,
  ]) {
    const { status, body } = await ask("GET", path);
    assert.deepEqual([status, body.message, body.details], [404, "the server could not find the requested resource", {}], path);
  }
  assert.equal((await ask("PUT", maps, configMap("a"))).status, 405);
  assert.equal((await ask("POST", `${maps}/a`, configMap("a"))).status, 405);
  assert.equal((await ask("POST", "/api/v1/configmaps", configMap("a"))).status, 405);
  assert.equal((await ask("DELETE", "/api/v1/configmaps")).status, 405);
  assert.equal((await ask("POST", "/version")).status, 405);
});

/** Method, path, what is refused. */
const refused: readonly (readonly [method: "GET" | "POST", path: string, message: string])[] = [
  ["GET", maps, 'configmaps is forbidden: User "eve" cannot list resource "configmaps" in API group "" in the namespace "default"'],
  // Whether there is such a resource is not told.
  [
    "GET",
    "/apis/nobody.dev/v1/gizmos",
    'gizmos.nobody.dev is forbidden: User "eve" cannot list resource "gizmos" in API group "nobody.dev" at the cluster scope',
  ],
  [
    "POST",
    `${maps}/a`,
    'configmaps "a" is forbidden: User "eve" cannot create resource "configmaps" in API group "" in the namespace "default"',
  ],
  // A namespace is in itself.
  [
    "GET",
    "/api/v1/namespaces/default",
    'namespaces "default" is forbidden: User "eve" cannot get resource "namespaces" in API group "" in the namespace "default"',
  ],
  ["GET", "/nothing", 'forbidden: User "eve" cannot get path "/nothing"'],
];
test("nobody but members of system:masters gets anywhere", async () => {
  const { server } = await testServer();
  for (const [method, path, message] of refused) {
    const served = await server.serve({ method, path, query: "", headers: {} }, { name: "eve", groups: [] });
    assert.ok(served.is === "answer");
    const body = JSON.parse(new TextDecoder().decode(served.answer.body));
    assert.deepEqual([body.code, body.message, typeof body.details], [403, message, "object"]);
  }
});
