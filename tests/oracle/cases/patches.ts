/** Patches of each type, server-side apply, status and scale. */
import type { Case, Session } from "../session.ts";
import { template } from "./samples.ts";

export const patchCases: readonly Case[] = [
  { name: "patch/json", run: jsonPatches },
  { name: "patch/merge", run: mergePatches },
  { name: "patch/strategic", run: strategicPatches },
  { name: "apply/ownership", run: ownership },
  { name: "apply/lists", run: applyLists },
  { name: "apply/creates", run: applyCreates },
  { name: "apply/managed-fields", run: managedFields },
  { name: "subresources/status", run: status },
  { name: "subresources/scale", run: scale },
];

const configMap = (name: string, data: object = {}, metadata: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, ...metadata },
  data,
});
const deployment = (name: string, spec: object = {}): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: { selector: { matchLabels: { app: "shop" } }, template, ...spec },
});

async function jsonPatches(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  await session.post(at, configMap("a", { x: "1", y: "2" }, { finalizers: ["o.dev/a", "o.dev/b"] }), { quiet: true });
  for (const patch of [
    [{ op: "add", path: "/data/z", value: "3" }],
    [{ op: "replace", path: "/data/x", value: "9" }],
    [{ op: "remove", path: "/data/y" }],
    [{ op: "move", from: "/data/x", path: "/data/w" }],
    [{ op: "copy", from: "/data/z", path: "/data/v" }],
    [{ op: "test", path: "/data/z", value: "3" }],
    [{ op: "test", path: "/data/z", value: "4" }],
    [{ op: "test", path: "/data/none", value: null }],
    [{ op: "remove", path: "/data/none" }],
    [{ op: "replace", path: "/data/none", value: "1" }],
    [{ op: "add", path: "/none/deep", value: "1" }],
    [{ op: "add", path: "/data/a~1b~0c", value: "1" }],
    [{ op: "add", path: "/metadata/finalizers/-", value: "o.dev/c" }],
    [{ op: "add", path: "/metadata/finalizers/0", value: "o.dev/z" }],
    [{ op: "remove", path: "/metadata/finalizers/9" }],
    [{ op: "add", path: "/metadata/finalizers/x", value: "o.dev/z" }],
    [{ op: "other", path: "/data/x" }],
    [{ op: "add", value: "1" }],
    [{ op: "add", path: "/data/x" }],
    [{ op: "move", path: "/data/x" }],
    [{ path: "/data/x", value: "1" }],
    [{ op: "add", path: "data", value: "1" }],
    [{ op: "add", path: "", value: { a: 1 } }],
    [{ op: "add", path: "/data/x", value: 5 }],
    [],
    {},
    "x",
    null,
    Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/z", value: "3" })),
  ])
    await session.patch("json", `${at}/a?dryRun=All`, patch === null ? "null" : patch, {
      label: `json ${JSON.stringify(patch).slice(0, 80)}`,
    });
  await session.patch("json", `${at}/a`, "[", { label: "no JSON" });
}

async function mergePatches(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  await session.post(at, configMap("a", { x: "1", y: "2" }, { labels: { l: "1" } }), { quiet: true });
  for (const patch of [
    { data: { x: null, z: "3" } },
    { data: null },
    { metadata: { labels: null } },
    { metadata: null },
    { data: { x: 5 } },
    { data: [] },
    { data: {} },
    {},
    [],
    "x",
    { unknown: { deep: [1] } },
    { metadata: { finalizers: ["o.dev/a"] } },
    { immutable: true },
  ])
    await session.patch("merge", `${at}/a?dryRun=All`, JSON.stringify(patch), { label: `merge ${JSON.stringify(patch)}` });
  await session.patch("merge", `${at}/a`, "{", { label: "no JSON" });
  await session.patch("merge", `${at}/a`, "data: {x: '7'}", { label: "YAML" });
  await session.patch("merge", `${at}/a`, "null", { label: "null" });
}

async function strategicPatches(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const containers = [
    {
      name: "a",
      image: "a:1",
      env: [
        { name: "X", value: "1" },
        { name: "Y", value: "2" },
      ],
      ports: [{ containerPort: 80 }],
      args: ["1", "2"],
    },
    { name: "b", image: "b:1" },
  ];
  const spec = { ...template.spec, containers, volumes: [{ name: "v", emptyDir: {} }], tolerations: [{ key: "k", operator: "Exists" }] };
  await session.post(at, deployment("d", { template: { ...template, spec } }), { quiet: true });
  const pod = (patch: object): object => ({ spec: { template: { spec: patch } } });
  for (const [label, patch] of Object.entries({
    "merge by name": pod({ containers: [{ name: "b", image: "b:2" }] }),
    "add by name": pod({ containers: [{ name: "c", image: "c:1" }] }),
    "delete by name": pod({ containers: [{ name: "b", $patch: "delete" }] }),
    "replace the list": pod({ containers: [{ $patch: "replace" }, { name: "z", image: "z" }] }),
    order: pod({ $setElementOrder: undefined, "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] }),
    "order and add": pod({
      "$setElementOrder/containers": [{ name: "c" }, { name: "b" }, { name: "a" }],
      containers: [{ name: "c", image: "c:1" }],
    }),
    "a list of values": pod({ containers: [{ name: "a", args: ["3"] }] }),
    "env by name": pod({
      containers: [
        {
          name: "a",
          env: [
            { name: "X", $patch: "delete" },
            { name: "Z", value: "3" },
          ],
        },
      ],
    }),
    "ports by number": pod({ containers: [{ name: "a", ports: [{ containerPort: 81 }] }] }),
    "no key": pod({ containers: [{ image: "x" }] }),
    "an atomic list": pod({ tolerations: [{ key: "other" }] }),
    "volume of another kind": pod({ volumes: [{ name: "v", emptyDir: null, configMap: { name: "c" } }] }),
    "volume with retained keys": pod({ volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "c" } }] }),
    "replace an object": { spec: { template: { metadata: { $patch: "replace", labels: { app: "shop" } } } } },
    "delete an object": { spec: { strategy: { $patch: "delete" } } },
    strategy: { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
    null: { spec: { replicas: null } },
    "an unknown directive": { spec: { $patch: "other" } },
    "a directive of the wrong type": { spec: { $patch: 5 } },
    labels: { metadata: { labels: { a: "b" } } },
    finalizers: { metadata: { finalizers: ["o.dev/a"] } },
    "delete from primitives": { metadata: { "$deleteFromPrimitiveList/finalizers": ["o.dev/none"] } },
    "a list where an object is": { spec: [] },
    "a text where a list is": pod({ containers: "x" }),
    "wrong type": { spec: { replicas: "x" } },
  }))
    await session.patch("strategic", `${at}/d?dryRun=All`, patch, { label });
  const account = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "s" },
    secrets: [{ name: "a" }],
    imagePullSecrets: [{ name: "p" }],
  };
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  await session.post(accounts, account, { quiet: true });
  await session.patch(
    "strategic",
    `${accounts}/s`,
    { secrets: [{ name: "b" }], imagePullSecrets: [{ name: "q" }] },
    { label: "service account" },
  );
  const service = { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { ports: [{ name: "a", port: 80 }] } };
  await session.post(`/api/v1/namespaces/${namespace}/services`, service, { quiet: true });
  const ports = {
    spec: {
      ports: [
        { name: "b", port: 81 },
        { name: "c", port: 80 },
      ],
    },
  };
  await session.patch("strategic", `/api/v1/namespaces/${namespace}/services/s?dryRun=All`, ports, { label: "service ports" });
}

async function ownership(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps/a`;
  const config = (data: object, metadata: object = {}): object => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", ...metadata },
    data,
  });
  const apply = (manager: string, body: unknown, label: string, more = ""): Promise<unknown> =>
    session.patch("apply", `${at}?fieldManager=${manager}${more}`, body, { label });
  await apply("one", config({ x: "1", y: "1" }), "one makes it");
  await apply("two", config({ y: "1", z: "2" }), "two shares y");
  await apply("two", config({ y: "2", z: "2" }), "two wants another y");
  await apply("three", config({ x: "3", y: "3", z: "3" }), "three wants everything");
  await apply("one", config({ x: "1" }), "one lets y go");
  await apply("two", config({ y: "2", z: "2" }), "now two may");
  await apply("two", config({ z: "2" }), "two lets y go: it is gone");
  await apply("three", config({ x: "3" }), "three by force", "&force=true");
  await apply("one", config({}), "one has nothing any more");
  await session.patch("merge", `${at}?fieldManager=editor`, { data: { x: "4", w: "4" } }, { label: "an editor takes x" });
  await apply("three", config({ x: "3" }), "three against the editor");
  await apply("three", config({ x: "4" }), "three agrees");
  await apply("three", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '4'\n  yaml: 'yes'\n", "YAML");
  await apply("four", config({}, { labels: { a: "b" }, annotations: { c: "d" }, finalizers: ["o.dev/f"] }), "metadata");
  await apply("four", config({}, { labels: { a: "c" } }), "less metadata");
  await apply("five", config({ x: "4" }, { resourceVersion: "1" }), "with an old version");
  await apply("five", config({}, { managedFields: [] }), "with managedFields");
  await apply("five", config({}, { uid: "00000000-0000-4000-8000-000000000000" }), "with another uid");
  await apply("five", { ...config({}), apiVersion: "v2" }, "of another version");
  await apply("five", { ...config({}), kind: "Secret" }, "of another kind");
  await apply("five", { data: {} }, "of no kind");
  await apply("five", config({}, { name: "b" }), "of another name");
  await apply("five", config({}, { namespace: "b" }), "of another namespace");
  await apply("five", "x: [", "no YAML");
  await apply("five", [], "a list");
  await apply("five", { ...config({}), data: { n: 5 } }, "a number for a text");
  await apply("five", { ...config({}), data: [] }, "a list for a map");
  await apply("five", { ...config({}), data: { n: null } }, "null");
  await apply("six", config({ q: "1" }), "dry run", "&dryRun=All");
  await session.get(at, { label: "at the end" });
}

async function applyLists(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/apis/apps/v1/namespaces/${namespace}/deployments/d`;
  const config = (containers: object[], more: object = {}): object =>
    deployment("d", { template: { ...template, spec: { containers, ...more } } });
  const apply = (manager: string, body: unknown, label: string, more = ""): Promise<unknown> =>
    session.patch("apply", `${at}?fieldManager=${manager}${more}`, body, { label });
  await apply("one", config([{ name: "a", image: "a:1", ports: [{ containerPort: 80 }], env: [{ name: "X", value: "1" }] }]), "made");
  await apply("two", config([{ name: "b", image: "b:1" }]), "two adds a container");
  await apply(
    "two",
    config([
      { name: "a", env: [{ name: "Y", value: "2" }] },
      { name: "b", image: "b:1" },
    ]),
    "and a variable to the first",
  );
  await apply("one", config([{ name: "a", image: "a:2", env: [{ name: "X", value: "1" }] }]), "one lets the port go");
  await apply("two", config([]), "two lets go: b is gone, a stays");
  await apply(
    "one",
    config([{ name: "a", image: "a:2", args: ["1", "2"] }], { tolerations: [{ key: "k", operator: "Exists" }] }),
    "atomic lists",
  );
  await apply("two", config([{ name: "a", args: ["1"] }], { tolerations: [{ key: "l" }] }), "conflicts of atomic lists");
  await apply("three", config([{ name: "a" }, { name: "a", image: "x" }]), "the same container twice");
  await apply("three", config([{ image: "x" }]), "a container without its key");
  await apply(
    "three",
    config([{ name: "a", ports: [{ containerPort: 80 }, { containerPort: 80, protocol: "UDP" }, { containerPort: 80, protocol: "TCP" }] }]),
    "ports with a default in their key",
  );
  await apply(
    "scaler",
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec: { replicas: 3 } },
    "a scaler takes replicas",
  );
  await apply("one", config([{ name: "a", image: "a:2" }]), "one again");
  await apply("one", { ...config([{ name: "a", image: "a:2" }]), status: { replicas: 5 } }, "status in an apply");
  await session.patch(
    "apply",
    `${at}/status?fieldManager=s`,
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, status: { replicas: 5 }, spec: { replicas: 9 } },
    { label: "apply to status" },
  );
  await session.patch(
    "apply",
    `${at}/scale?fieldManager=sc`,
    { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "d" }, spec: { replicas: 4 } },
    { label: "apply to scale" },
  );
  await session.patch(
    "apply",
    `${at}/scale?fieldManager=sc&force=true`,
    { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "d" }, spec: { replicas: 4 } },
    { label: "apply to scale by force" },
  );
  await session.get(at, { label: "at the end" });
}

async function applyCreates(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/api/v1/namespaces/${namespace}`;
  await session.patch("apply", `${at}/configmaps/c?fieldManager=one`, configMap("c", { a: "1" }), { label: "config map" });
  await session.patch("apply", `${at}/configmaps/x?fieldManager=one`, configMap("c", { a: "1" }), { label: "of another name" });
  await session.patch(
    "apply",
    `${at}/configmaps/y?fieldManager=one`,
    { apiVersion: "v1", kind: "ConfigMap" },
    { label: "without metadata" },
  );
  await session.patch("apply", `${at}/configmaps/z?fieldManager=one&dryRun=All`, configMap("z"), { label: "dry run" });
  await session.get(`${at}/configmaps/z`, { label: "not made" });
  await session.patch("apply", `${at}/configmaps/B_D?fieldManager=one`, configMap("B_D"), { label: "bad name" });
  await session.patch("apply", `/api/v1/namespaces/none/configmaps/a?fieldManager=one`, configMap("a"), {
    label: "in a namespace that is not there",
  });
  await session.patch(
    "apply",
    `${at}/services/s?fieldManager=one`,
    { apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { clusterIP: "None", ports: [{ port: 80 }] } },
    { label: "service" },
  );
  await session.patch(
    "apply",
    `${at}/services/t?fieldManager=one`,
    { apiVersion: "v1", kind: "Service", metadata: { name: "t" }, spec: {} },
    { label: "bad service" },
  );
  await session.patch(
    "apply",
    `${at}/secrets/s?fieldManager=one`,
    { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { a: "b" } },
    { label: "secret" },
  );
  await session.patch("apply", `${at}/configmaps/none/status?fieldManager=one`, configMap("none"), { label: "status of a kind without" });
  await session.patch(
    "apply",
    `${at}/pods/none/status?fieldManager=one`,
    { apiVersion: "v1", kind: "Pod", metadata: { name: "none" } },
    { label: "status of nothing" },
  );
}

async function managedFields(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/api/v1/namespaces/${namespace}/configmaps`;
  await session.post(`${at}?fieldManager=maker`, configMap("a", { x: "1" }), { label: "made" });
  await session.patch("merge", `${at}/a?fieldManager=maker`, { data: { y: "1" } }, { label: "the same manager" });
  await session.patch("merge", `${at}/a?fieldManager=other`, { data: { x: "2" } }, { label: "another takes a field" });
  await session.patch("merge", `${at}/a?fieldManager=other`, { data: { x: null } }, { label: "and removes it" });
  await session.patch(
    "merge",
    `${at}/a`,
    { data: { z: "1" } },
    { label: "by the user agent", headers: { "user-agent": "agent/v2 (linux)" } },
  );
  await session.patch(
    "merge",
    `${at}/a`,
    { data: { zz: "1" } },
    { label: "by an agent without a slash", headers: { "user-agent": "Some Agent" } },
  );
  await session.patch("merge", `${at}/a`, { metadata: { managedFields: [{}] } }, { label: "reset" });
  await session.patch("apply", `${at}/a?fieldManager=one`, configMap("a", { x: "5" }), { label: "apply after the reset" });
  await session.patch("apply", `${at}/a?fieldManager=one`, configMap("a", { z: "5" }), { label: "and against what was before" });
  const { body } = await session.get(`${at}/a`, { quiet: true });
  await session.put(
    `${at}/a?fieldManager=putter`,
    { ...body, metadata: { ...body.metadata, managedFields: undefined } },
    { label: "update without managedFields" },
  );
  await session.patch("json", `${at}/a?fieldManager=js`, [{ op: "replace", path: "/metadata/managedFields", value: [{}] }], {
    label: "reset by json patch",
  });
  for (let i = 0; i < 12; i++) await session.patch("merge", `${at}/a?fieldManager=m${i}`, { data: { [`k${i}`]: "1" } }, { quiet: true });
  await session.get(`${at}/a`, { label: "many managers" });
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const body2 = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      labels: { a: "b" },
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n", uid: "00000000-0000-4000-8000-000000000000" }],
    },
    spec: {
      containers: [
        {
          name: "a",
          image: "b",
          ports: [{ containerPort: 80 }, { containerPort: 81, name: "n" }],
          env: [{ name: "x", value: "y" }],
          volumeMounts: [{ name: "v", mountPath: "/v" }],
        },
      ],
      volumes: [{ name: "v", emptyDir: {} }],
      tolerations: [{ key: "x", operator: "Exists" }],
    },
  };
  await session.post(`${pods}?fieldManager=maker`, body2, { label: "a pod" });
  await session.patch(
    "strategic",
    `${pods}/p/status?fieldManager=kubelet`,
    { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }], podIPs: [{ ip: "10.0.0.1" }] } },
    { label: "its status" },
  );
}

async function status(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  await session.post(at, { ...deployment("d"), status: { replicas: 7 } }, { label: "made with a status" });
  const { body } = await session.get(`${at}/d`, { quiet: true });
  await session.put(
    `${at}/d/status`,
    {
      ...body,
      spec: { ...body.spec, replicas: 9 },
      metadata: { ...body.metadata, labels: { a: "b" } },
      status: { replicas: 3, conditions: [{ type: "Available", status: "True" }] },
    },
    { label: "update of the status" },
  );
  await session.put(`${at}/d/status`, body, { label: "update of an old version" });
  await session.put(
    `${at}/d`,
    { ...body, metadata: { ...body.metadata, resourceVersion: undefined }, status: { replicas: 99 } },
    { label: "update of the object leaves the status" },
  );
  await session.patch("merge", `${at}/d/status`, { status: { replicas: -1 } }, { label: "a bad status" });
  await session.patch("merge", `${at}/d/status`, { status: null }, { label: "no status" });
  await session.patch(
    "strategic",
    `${at}/d/status`,
    {
      status: {
        conditions: [
          { type: "Progressing", status: "True" },
          { type: "Available", status: "False" },
        ],
      },
    },
    { label: "conditions by type" },
  );
  await session.patch("json", `${at}/d/status`, [{ op: "add", path: "/status/readyReplicas", value: 1 }], { label: "json" });
  await session.patch("merge", `${at}/d/status`, { spec: { replicas: 12 } }, { label: "only spec" });
  await session.get(`${at}/d/status`, { label: "read" });
  await session.get(`${at}/none/status`, { label: "of nothing" });
  await session.patch("merge", `${at}/none/status`, {}, { label: "patch of nothing" });
}

async function scale(session: Session): Promise<void> {
  const namespace = await session.stage();
  for (const plural of ["deployments", "replicasets", "statefulsets"]) {
    const at = `/apis/apps/v1/namespaces/${namespace}/${plural}`;
    const kind = { deployments: "Deployment", replicasets: "ReplicaSet", statefulsets: "StatefulSet" }[plural];
    await session.post(at, { ...deployment("d"), kind }, { quiet: true });
    const read = (await session.get(`${at}/d/scale`, { label: `${plural} read` })).body;
    await session.put(`${at}/d/scale`, { ...read, spec: { replicas: 3 } }, { label: `${plural} update` });
    await session.put(`${at}/d/scale`, { ...read, spec: { replicas: 4 } }, { label: `${plural} update of an old version` });
    await session.patch("merge", `${at}/d/scale`, { spec: { replicas: 5 } }, { label: `${plural} merge` });
    await session.patch("json", `${at}/d/scale`, [{ op: "replace", path: "/spec/replicas", value: 6 }], { label: `${plural} json` });
    await session.patch("strategic", `${at}/d/scale`, { spec: { replicas: 7 } }, { label: `${plural} strategic` });
    await session.patch("merge", `${at}/d/scale`, { spec: { replicas: -1 } }, { label: `${plural} negative` });
    await session.patch("merge", `${at}/d/scale?dryRun=All`, { spec: { replicas: 1 } }, { label: `${plural} dry run` });
    await session.put(
      `${at}/d/scale`,
      { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "e" }, spec: {} },
      { label: `${plural} of another name` },
    );
    await session.put(
      `${at}/d/scale`,
      { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" } },
      { label: `${plural} of another kind` },
    );
    await session.put(
      `${at}/d/scale`,
      { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name: "d" }, spec: {} },
      { label: `${plural} to nothing` },
    );
    await session.get(`${at}/d`, { label: `${plural} afterwards` });
    await session.get(`${at}/none/scale`, { label: `${plural} of nothing` });
  }
}
