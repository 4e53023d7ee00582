/** What requests do with kinds as they are served: who may be created by an update, what `/status` may say, how strict bodies are read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds, type JsonObject } from "@mecha/kinds";
import { type Asked, testServer } from "./testing.ts";

const definitions = allKinds();
const merge = { "content-type": "application/merge-patch+json" };
const apply = { "content-type": "application/apply-patch+yaml" };
const namespaced = (group: string, plural: string): string => `/${group}/namespaces/default/${plural}`;
const deployments = namespaced("apis/apps/v1", "deployments");
const deployment = (name: string, spec: JsonObject = {}): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: "a" } },
    template: { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "a", image: "a" }] } },
    ...spec,
  },
});

test("an update creates where Kubernetes has it so: leases, events, roles, endpoints, limits; nowhere else", async () => {
  const { ask } = await testServer({ definitions });
  const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }];
  const made: readonly (readonly [string, JsonObject])[] = [
    [namespaced("apis/coordination.k8s.io/v1", "leases"), {}],
    [namespaced("api/v1", "events"), { involvedObject: { namespace: "default" } }],
    [namespaced("api/v1", "endpoints"), {}],
    [namespaced("api/v1", "limitranges"), {}],
    [namespaced("apis/rbac.authorization.k8s.io/v1", "roles"), { rules }],
    ["/apis/rbac.authorization.k8s.io/v1/clusterroles", { rules }],
  ];
  for (const [path, body] of made) {
    const { status, body: object } = await ask("PUT", `${path}/a`, { metadata: { name: "a", resourceVersion: "7" }, ...body });
    assert.deepEqual([status, object.metadata.name], [201, "a"], JSON.stringify(object));
  }
  for (const plural of ["configmaps", "secrets", "pods", "persistentvolumeclaims"])
    assert.equal((await ask("PUT", `${namespaced("api/v1", plural)}/a`, { metadata: { name: "a" } })).status, 404, plural);
  const [leases] = made[0] ?? [""];
  const other = await ask("PUT", `${leases}/b`, { metadata: { name: "c" } });
  assert.deepEqual([other.status, other.body.message], [400, "the name of the object (c) does not match the name on the URL (b)"]);
  assert.equal((await ask("PUT", `${leases}/b`, { metadata: { name: "b", uid: "x" } })).status, 409);
});

test("a Lease, a budget and a CRD must name the version they update; other kinds need not", async () => {
  const { ask } = await testServer({ definitions });
  for (const [path, status] of [
    [namespaced("apis/coordination.k8s.io/v1", "leases"), 422],
    [namespaced("apis/policy/v1", "poddisruptionbudgets"), 422],
    [namespaced("api/v1", "configmaps"), 200],
  ] as const) {
    await ask("POST", path, { metadata: { name: "a" } });
    const { status: answered, body } = await ask("PUT", `${path}/a`, { metadata: { name: "a", labels: { a: "b" } } });
    assert.equal(answered, status, JSON.stringify(body));
    if (status === 422) assert.match(body.message, /metadata\.resourceVersion: Invalid value: 0: must be specified for an update$/u);
  }
});

test("a change through /status leaves spec; labels of a Deployment and owners of a Pod stay too, other metadata may change", async () => {
  const { ask } = await testServer({ definitions });
  await ask("POST", deployments, deployment("a", { replicas: 2 }));
  const patch = { metadata: { labels: { x: "y" }, annotations: { n: "1" } }, spec: { replicas: 5 }, status: { replicas: 3 } };
  const { body } = await ask("PATCH", `${deployments}/a/status?fieldManager=agent`, patch, merge);
  assert.deepEqual(
    [body.metadata.labels, body.metadata.annotations, body.spec.replicas, body.status.replicas, body.metadata.generation],
    [undefined, { n: "1" }, 2, 3, 1],
  );
  const entry = body.metadata.managedFields.find(({ manager }: any) => manager === "agent");
  assert.deepEqual(entry.fieldsV1, { "f:metadata": { "f:annotations": { ".": {}, "f:n": {} } }, "f:status": { "f:replicas": {} } });
  const pods = namespaced("api/v1", "pods");
  await ask("POST", pods, { metadata: { name: "p" }, spec: { containers: [{ name: "a", image: "a" }] } });
  const owner = { apiVersion: "v1", kind: "ConfigMap", name: "c", uid: "u" };
  const told = { metadata: { ownerReferences: [owner], labels: { x: "y" } }, status: { phase: "Running" } };
  const { body: pod } = await ask("PATCH", `${pods}/p/status`, told, merge);
  assert.deepEqual([pod.metadata.ownerReferences, pod.metadata.labels, pod.status.phase], [undefined, { x: "y" }, "Running"]);
});

test("a Scale is applied: its replicas are the manager's, and conflicts are told as with any apply", async () => {
  const { ask } = await testServer({ definitions });
  const scale = (replicas: unknown): JsonObject => ({
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: { name: "a" },
    spec: { replicas },
  });
  assert.equal((await ask("PATCH", `${deployments}/a/scale?fieldManager=s`, scale(3), apply)).status, 404);
  await ask("POST", deployments, deployment("b"));
  const other = await ask("PUT", `${deployments}/b/scale`, scale(3));
  assert.deepEqual([other.status, other.body.message], [400, "the name of the object (a) does not match the name on the URL (b)"]);
  assert.match(
    (await ask("PUT", `${deployments}/b/scale`, deployment("b"))).body.message,
    /^Deployment in version "v1" cannot be handled as a Scale/u,
  );
  await ask("PATCH", `${deployments}/a?fieldManager=owner`, deployment("a", { replicas: 2 }), apply);
  const refused = await ask("PATCH", `${deployments}/a/scale?fieldManager=s`, scale(3), apply);
  assert.deepEqual([refused.status, refused.body.message], [409, 'Apply failed with 1 conflict: conflict with "owner": .spec.replicas']);
  const { status, body } = await ask("PATCH", `${deployments}/a/scale?fieldManager=s&force=true`, scale(3), apply);
  assert.deepEqual([status, body.kind, body.spec], [200, "Scale", { replicas: 3 }]);
  const { body: after } = await ask("GET", `${deployments}/a`);
  const entry = after.metadata.managedFields.find(({ manager }: any) => manager === "s");
  assert.deepEqual(
    [entry.operation, entry.apiVersion, entry.subresource, entry.time, entry.fieldsV1],
    ["Apply", "apps/v1", "scale", undefined, { "f:spec": { "f:replicas": {} } }],
  );
  assert.match(
    (await ask("PATCH", `${deployments}/a/scale?fieldManager=s`, scale(-1), apply)).body.message,
    /must be greater than or equal to 0/u,
  );
  assert.match(
    (await ask("PATCH", `${deployments}/a/scale?fieldManager=s`, deployment("a"), apply)).body.message,
    /invalid object type: apps\/v1, Kind=Deployment/u,
  );
  await ask("PUT", `${deployments}/a/scale`, { spec: {} });
  const { body: stopped } = await ask("GET", `${deployments}/a`);
  assert.equal(stopped.spec.replicas, 0);
  assert.doesNotMatch(JSON.stringify(stopped.metadata.managedFields), /f:replicas/u, "a Scale without replicas sets none");
});

test("a container applied without its name is one without a name, refused as such", async () => {
  const { ask } = await testServer({ definitions });
  const nameless = { template: { metadata: { labels: { app: "a" } }, spec: { containers: [{ image: "x" }] } } };
  const { status, body } = await ask("PATCH", `${deployments}/a?fieldManager=owner`, deployment("a", nameless), apply);
  assert.equal(status, 422);
  assert.match(body.message, /spec\.template\.spec\.containers\[0\]\.name: Required value/u);
});

const twice: readonly (readonly [what: string, ask: () => readonly unknown[], strict: RegExp, warning: string])[] = [
  [
    "a created object",
    () => ["POST", maps, '{"metadata":{"name":"b"},"data":{"a":"1","a":"2"}}'],
    /ConfigMap: strict decoding error: duplicate field "data\.a"$/u,
    'duplicate field \\"data.a\\"',
  ],
  [
    "a created object in YAML",
    () => ["POST", maps, "metadata: {name: b}\ndata:\n  a: x\n  a: z\n", { "content-type": "application/yaml" }],
    /strict decoding error: yaml: unmarshal errors:\n {2}line 4: key "a" already set in map$/u,
    'line 4: key \\"a\\" already set in map',
  ],
  [
    "a merge patch",
    () => ["PATCH", `${maps}/a`, '{"data":{"a":"1","a":"2"}}', merge],
    /^ "" is invalid: patch: Invalid value: .*strict decoding error: duplicate field "data\.a"$/u,
    'duplicate field \\"data.a\\"',
  ],
  [
    "a json patch",
    () => [
      "PATCH",
      `${maps}/a`,
      '[{"op":"remove","op":"add","path":"/data/b","value":"1"}]',
      { "content-type": "application/json-patch+json" },
    ],
    /strict decoding error: json patch duplicate field "\[0\]\.op"$/u,
    'json patch duplicate field \\"[0].op\\"',
  ],
  [
    "an applied configuration",
    () => ["PATCH", `${maps}/a`, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: x\n  a: z\n", apply],
    /^error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n {2}line 6: key "a" already set in map$/u,
    'line 6: key \\"a\\" already set in map',
  ],
  [
    "one applied as JSON",
    () => ["PATCH", `${maps}/a`, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},\n"data":{"a":"x","a":"z"}}', apply],
    /line 2: key "a" already set in map$/u,
    'line 2: key \\"a\\" already set in map',
  ],
];
const maps = namespaced("api/v1", "configmaps");

test("fields that stand twice are refused, told or passed over, as the request wants it", async () => {
  for (const [what, request, strict, warning] of twice) {
    const { ask } = await testServer({ definitions });
    await ask("POST", maps, { metadata: { name: "a" }, data: { c: "1" } });
    const [method, path, body, headers] = request() as Parameters<typeof ask>;
    const answer = (fieldValidation: string): Promise<Asked> =>
      ask(method, `${path}?fieldManager=m&dryRun=All&fieldValidation=${fieldValidation}`, body, headers);
    assert.match((await answer("Strict")).body.message, strict, what);
    assert.equal((await answer("Warn")).headers.warning, `299 - "${warning}"`, what);
    const ignored = await answer("Ignore");
    assert.deepEqual([ignored.status < 300, ignored.headers.warning], [true, undefined], what);
  }
});

test("a patch that makes something of it no kind has is refused as a patch", async () => {
  const { ask } = await testServer({ definitions });
  await ask("POST", deployments, deployment("a"));
  const strategic = { "content-type": "application/strategic-merge-patch+json" };
  const unknown = await ask("PATCH", `${deployments}/a?fieldValidation=Strict`, { spec: { replica: 2 } }, strategic);
  assert.deepEqual(
    [unknown.status, unknown.body.message, unknown.body.details.causes[0].field],
    [422, ' "" is invalid: patch: Invalid value: "map[spec:map[replica:2]]": strict decoding error: unknown field "spec.replica"', "patch"],
  );
  const wrong = await ask("PATCH", `${deployments}/a`, { spec: { replicas: "two" } }, merge);
  assert.match(
    wrong.body.message,
    /^ "" is invalid: patch: Invalid value: "\{.*json: cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32$/u,
  );
});

test("streams to a Pod are refused with the reason; a Scale is a row of its own; Endpoints say what to use instead", async () => {
  const { ask } = await testServer({ definitions });
  const pods = namespaced("api/v1", "pods");
  assert.equal((await ask("GET", `${pods}/p/log`)).status, 404);
  await ask("POST", pods, { metadata: { name: "p" }, spec: { containers: [{ name: "a", image: "a" }] } });
  for (const [method, stream] of [
    ["GET", "log"],
    ["POST", "exec"],
    ["PATCH", "ephemeralcontainers"],
  ] as const) {
    const { status, body } = await ask(method, `${pods}/p/${stream}`);
    assert.deepEqual([status, body.reason], [400, "BadRequest"], stream);
    assert.match(body.message, /^pod p does not have a host assigned: this server keeps Pods and runs none/u);
  }
  await ask("POST", deployments, deployment("a", { replicas: 2 }));
  const table = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
  assert.deepEqual((await ask("GET", `${deployments}/a/scale`, undefined, table)).body.rows[0].cells, ["a", 2, 0, "0s"]);
  assert.match((await ask("GET", namespaced("api/v1", "endpoints"))).headers.warning ?? "", /use discovery\.k8s\.io\/v1 EndpointSlice/u);
});

test("what a kind's rules fill in is nobody's: who creates a Service or a Job owns what they said", async () => {
  const { ask } = await testServer({ definitions });
  const fields = ({ body }: Asked): string => JSON.stringify(body.metadata.managedFields[0].fieldsV1);
  const service = await ask("POST", namespaced("api/v1", "services"), { metadata: { name: "s" }, spec: { ports: [{ port: 80 }] } });
  assert.doesNotMatch(fields(service), /f:clusterIP|f:ipFamilies/u);
  const template = { spec: { restartPolicy: "Never", containers: [{ name: "a", image: "a" }] } };
  const job = await ask("POST", namespaced("apis/batch/v1", "jobs"), { metadata: { name: "j" }, spec: { template } });
  assert.equal(job.body.metadata.labels["job-name"], "j");
  assert.doesNotMatch(fields(job), /f:labels|f:selector/u);
  // Nor are fields owned which every object of the kind has, even empty.
  assert.doesNotMatch(fields(job), /"f:spec":\{"\.":\{\}/u);
});

test("who deletes Jobs and does not say what becomes of their pods is told, of one and of many", async () => {
  const { ask } = await testServer({ definitions });
  const jobs = namespaced("apis/batch/v1", "jobs");
  const warned = async (query: string): Promise<boolean> => (await ask("DELETE", `${jobs}${query}`)).headers["warning"] !== undefined;
  assert.deepEqual(
    [await warned(""), await warned("?propagationPolicy=Background"), await warned("?orphanDependents=true")],
    [true, false, false],
  );
});

test("the two fields of a pod's addresses say the same, and who says one has said both", async () => {
  const { ask } = await testServer({ definitions });
  const pods = namespaced("api/v1", "pods");
  await ask("POST", pods, { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "a", image: "a" }] } });
  const addresses = async (status: JsonObject): Promise<unknown> => {
    const { body } = await ask("PATCH", `${pods}/p/status?fieldManager=node`, { status }, merge);
    const { podIP, podIPs } = body.status;
    const own = body.metadata.managedFields.find(({ manager }: any) => manager === "node")?.fieldsV1["f:status"] ?? {};
    return [podIP, podIPs?.map(({ ip }: any) => ip), "f:podIP" in own, "f:podIPs" in own];
  };
  assert.deepEqual(await addresses({ podIPs: [{ ip: "10.0.0.1" }, { ip: "::1" }] }), ["10.0.0.1", ["10.0.0.1", "::1"], true, true]);
  assert.deepEqual(await addresses({ podIP: "10.0.0.2" }), ["10.0.0.2", ["10.0.0.2"], true, true]);
  assert.deepEqual(await addresses({ podIP: null, podIPs: null }), [undefined, undefined, false, false]);
});

test("names: a LimitRange without one gets one, some kinds take whatever fits a path, a StatefulSet has no dots", async () => {
  const { ask } = await testServer({ definitions });
  const post = (path: string, body: JsonObject): Promise<Asked> => ask("POST", path, body);
  assert.match((await post(namespaced("api/v1", "limitranges"), { metadata: {} })).body.metadata.name, /^[0-9a-f-]{36}$/u);
  const spec = { selector: { matchLabels: { a: "b" } } };
  assert.equal((await post(namespaced("apis/policy/v1", "poddisruptionbudgets"), { metadata: { name: "A_" }, spec })).status, 201);
  const refused: readonly (readonly [path: string, body: JsonObject, message: RegExp])[] = [
    [
      namespaced("apis/apps/v1", "statefulsets"),
      { ...deployment("a.b"), kind: "StatefulSet" },
      /metadata\.name: Invalid value: "a\.b": must not contain dots/u,
    ],
    [namespaced("apis/apps/v1", "controllerrevisions"), { metadata: { name: "A_" }, data: {} }, /metadata\.name: Invalid value: "A_"/u],
    ["/apis/scheduling.k8s.io/v1/priorityclasses", { metadata: {}, value: 1 }, /metadata\.name: Required value/u],
    [namespaced("apis/batch/v1", "cronjobs"), {}, /metadata\.name: Required value/u],
  ];
  for (const [path, body, message] of refused) {
    const answer = await post(path, body);
    assert.deepEqual([answer.status, message.test(answer.body.message)], [422, true], answer.body.message);
  }
  const versioned = { metadata: { name: "v", resourceVersion: "1" } };
  assert.deepEqual(
    [(await ask("POST", `${maps}?dryRun=All`, versioned)).status, (await post(maps, versioned)).status],
    [201, 500],
    "only what is stored may not have a version",
  );
  assert.equal((await post(maps, { metadata: { name: "n" }, binaryData: { a: null } })).status, 201);
});
