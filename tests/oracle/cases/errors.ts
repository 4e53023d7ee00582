/** What is refused, and in which words: paths, methods, bodies, names, versions, options. */
import type { Case, Session } from "../session.ts";
import { nameOf } from "./crud.ts";
import { collection, named, samples } from "./samples.ts";

const configMap = (metadata: object, more: object = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata,
  data: { a: "1" },
  ...more,
});

export const errorCases: readonly Case[] = [
  { name: "errors/paths", run: paths },
  { name: "errors/bodies", run: bodies },
  { name: "errors/identity", run: identity },
  { name: "errors/field-validation", run: fieldValidation },
  { name: "errors/names", run: names },
  { name: "errors/names-of-kinds", run: namesOfKinds },
  { name: "errors/metadata", run: metadata },
  { name: "errors/versions", run: versions },
  { name: "errors/options", run: options },
  { name: "errors/accept", run: accept },
  { name: "errors/yaml-words", run: yamlWords },
  { name: "errors/generate-name", run: generateName },
];

async function paths(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}`;
  for (const path of [
    "/nothing",
    "/api/v2",
    "/api/v1/gizmos",
    "/apis/nobody.dev",
    "/apis/nobody.dev/v1",
    "/apis/apps/v9",
    "/apis/apps/v1/gizmos",
    `${at}/gizmos/one`,
    `${at}/configmaps/one/status`,
    `${at}/pods/one/gizmo`,
    `${at}/nodes`,
    "/api/v1/configmaps/one",
    "/api/v1/namespaces/none/configmaps",
    "/api/v1/namespaces/none/configmaps/one",
    "/api/v1/namespaces/none",
    "/apis/apps/v1/deployments/",
  ])
    await session.get(path);
  for (const [method, path] of [
    ["PUT", `${at}/configmaps`],
    ["PATCH", `${at}/configmaps`],
    ["POST", `${at}/configmaps/one`],
    ["DELETE", "/api"],
    ["POST", "/api/v1"],
    ["POST", "/version"],
    ["DELETE", `${at}/services/one/status`],
    ["POST", `${at}/services/one/status`],
    ["GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"],
    ["DELETE", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews/x"],
    ["POST", "/api/v1/configmaps"],
    ["DELETE", "/api/v1/configmaps"],
    ["OPTIONS", `${at}/configmaps`],
    ["HEAD", `${at}/configmaps`],
  ] as const)
    await session.ask(method, path, method === "POST" || method === "PUT" || method === "PATCH" ? {} : undefined);
}

async function bodies(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  const good = configMap({ name: "good" });
  for (const [label, body] of Object.entries({
    nothing: "",
    "no JSON": "{",
    "not JSON at all": "hello",
    "a list": "[]",
    "a text": '"x"',
    null: "null",
    "a number": "1",
    "an empty object": "{}",
    "JSON and more": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}{}',
    "no kind": '{"apiVersion":"v1","metadata":{"name":"a1"}}',
    "no version": '{"kind":"ConfigMap","metadata":{"name":"a2"}}',
    "no metadata": '{"apiVersion":"v1","kind":"ConfigMap"}',
    "null metadata": '{"apiVersion":"v1","kind":"ConfigMap","metadata":null}',
    "metadata is a text": '{"apiVersion":"v1","kind":"ConfigMap","metadata":"x"}',
    "name is a number": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":1}}',
    "data is a list": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a3"},"data":[]}',
    "data holds a number": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a4"},"data":{"a":1}}',
    "data holds null": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a5"},"data":{"a":null}}',
    "data is null": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a6"},"data":null}',
    "bytes are not base64": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a7"},"binaryData":{"a":"%"}}',
    "immutable is a text": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a8"},"immutable":"true"}',
    "labels hold a number": '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a9","labels":{"a":1}}}',
    "other case": '{"apiVersion":"v1","kind":"ConfigMap","Metadata":{"name":"b1"},"DATA":{"a":"1"}}',
  }))
    await session.post(at, body, { label: `body: ${label}` });
  await session.post(at, "kind: ConfigMap\napiVersion: v1\nmetadata: {name: yaml}\ndata: {a: b}\n", {
    label: "YAML",
    headers: { "content-type": "application/yaml" },
  });
  await session.post(at, "a: [", { label: "bad YAML", headers: { "content-type": "application/yaml" } });
  for (const type of ["text/plain", "application/xml", "application/merge-patch+json", "", "application/json; charset=utf-8", "nonsense"])
    await session.post(`${at}?dryRun=All`, good, { label: `content type ${type}`, headers: { "content-type": type } });
  await session.post(at, good, { quiet: true });
  for (const type of ["application/json", "text/plain", "application/apply-patch+json", ""])
    await session.ask("PATCH", `${at}/good`, {}, { label: `patch type ${type}`, headers: { "content-type": type } });
  await session.put(`${at}/good`, "", { label: "update with nothing" });
  await session.delete(`${at}/good?dryRun=All`, "{", { label: "delete with half a body" });
  await session.delete(`${at}/good?dryRun=All`, { kind: "Pod", apiVersion: "v1" }, { label: "delete with another kind" });
  await session.delete(`${at}/good?dryRun=All`, { foo: 1 }, { label: "delete with an unknown option" });
}

async function identity(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/api/v1/namespaces/${namespace}/configmaps`;
  await session.post(at, configMap({ name: "a" }), { label: "made" });
  await session.post(at, { ...configMap({ name: "b" }), kind: "Secret" }, { label: "another kind" });
  await session.post(at, { ...configMap({ name: "b" }), kind: "Gizmo" }, { label: "an unknown kind" });
  await session.post(at, { ...configMap({ name: "b" }), apiVersion: "apps/v1" }, { label: "another group" });
  await session.post(at, { ...configMap({ name: "b" }), apiVersion: "v2" }, { label: "another version" });
  await session.post(at, { ...configMap({ name: "b" }), apiVersion: "a/b/c" }, { label: "a bad version" });
  await session.post(at, configMap({ name: "b", namespace: "other" }), { label: "another namespace" });
  await session.post("/api/v1/namespaces/none/configmaps", configMap({ name: "b" }), { label: "a namespace that is not there" });
  await session.post(at, configMap({ name: "b", resourceVersion: "1" }), { label: "create with a version" });
  await session.post(at, configMap({ name: "b", uid: "00000000-0000-4000-8000-000000000000" }), { label: "create with a uid" });
  await session.put(`${at}/a`, configMap({ name: "b" }), { label: "update under another name" });
  await session.put(`${at}/a`, configMap({}), { label: "update without a name" });
  await session.put(`${at}/a`, configMap({ name: "a", namespace: "other" }), { label: "update in another namespace" });
  await session.put(`${at}/a`, configMap({ name: "a", uid: "00000000-0000-4000-8000-000000000000" }), { label: "update of another uid" });
  await session.put(`${at}/none`, configMap({ name: "none" }), { label: "update of nothing" });
  await session.put(`${at}/none`, configMap({ name: "none", resourceVersion: "5" }), { label: "update of nothing, with a version" });
  await session.patch("merge", `${at}/none`, {}, { label: "patch of nothing" });
  await session.patch("merge", `${at}/a`, { metadata: { name: "b" } }, { label: "patch of the name" });
  await session.patch("merge", `${at}/a`, { metadata: { uid: "x" } }, { label: "patch of the uid" });
  await session.patch("merge", `${at}/a`, { metadata: { namespace: "b" } }, { label: "patch of the namespace" });
  await session.patch(
    "merge",
    `${at}/a`,
    { metadata: { creationTimestamp: "2000-01-01T00:00:00Z", generation: 7, selfLink: "x" } },
    { label: "patch of what is the server's" },
  );
  await session.patch("merge", `${at}/a`, { kind: "Secret" }, { label: "patch of the kind" });
  await session.patch("merge", `${at}/a`, { apiVersion: "v2" }, { label: "patch of the version" });
  await session.delete(`${at}/none`, undefined, { label: "delete of nothing" });
}

async function fieldValidation(session: Session): Promise<void> {
  const namespace = await session.stage();
  const maps = `/api/v1/namespaces/${namespace}/configmaps`;
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const odd = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd","labells":{}},"dataa":{"a":"1"},"data":{"x":"1","x":"2"}}';
  const deep = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "odd" },
    spec: {
      replica: 1,
      selector: { matchLabels: { a: "b" } },
      template: {
        metadata: { labels: { a: "b" } },
        spec: { containers: [{ name: "a", image: "b", imagee: "c", ports: [{ containerport: 1, port: 2 }] }] },
      },
    },
  };
  for (const validation of ["Strict", "Warn", "Ignore", "", "Other"]) {
    const query = `?fieldValidation=${validation}&dryRun=All`;
    await session.post(`${maps}${query}`, odd, { label: `create, ${validation}` });
    await session.post(`${deployments}${query}`, deep, { label: `create deep, ${validation}` });
  }
  await session.post(maps, configMap({ name: "m" }), { quiet: true });
  for (const validation of ["Strict", "Warn", "Ignore"]) {
    const query = `?fieldValidation=${validation}&dryRun=All`;
    const body = odd.replaceAll("odd", "m");
    await session.put(`${maps}/m${query}`, body, { label: `update, ${validation}` });
    await session.patch("merge", `${maps}/m${query}`, '{"dataa":1,"data":{"y":"1","y":"2"}}', { label: `merge patch, ${validation}` });
    await session.patch("strategic", `${maps}/m${query}`, { dataa: 1 }, { label: `strategic patch, ${validation}` });
    await session.patch("json", `${maps}/m${query}`, [{ op: "add", path: "/dataa", value: 1 }], { label: `json patch, ${validation}` });
    const configuration = { apiVersion: "v1", kind: "ConfigMap", dataa: 1, data: { z: "1" } };
    await session.patch("apply", `${maps}/m${query}&fieldManager=m`, configuration, { label: `apply, ${validation}` });
    await session.patch("apply", `${maps}/m${query}&fieldManager=m`, "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n  a: y\n", {
      label: `apply with a field twice, ${validation}`,
    });
  }
}

async function names(session: Session): Promise<void> {
  const namespace = await session.stage();
  const bad = ["A", "a_b", "-a", "a-", "a..b", "a".repeat(254), "", "ä", "a/b", "%", ".", "a b"];
  for (const name of bad) {
    const shown = name.length > 20 ? `${name.slice(0, 5)}…` : name;
    await session.post(`/api/v1/namespaces/${namespace}/configmaps`, configMap({ name }), { label: `configmap ${shown}` });
    await session.post("/api/v1/namespaces", { metadata: { name } }, { label: `namespace ${shown}` });
    const service = { metadata: { name }, spec: { ports: [{ port: 80 }] } };
    await session.post(`/api/v1/namespaces/${namespace}/services`, service, { label: `service ${shown}` });
    await session.post(
      `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles`,
      { metadata: { name } },
      { label: `role ${shown}` },
    );
  }
  await session.post(`/api/v1/namespaces/${namespace}/configmaps`, configMap({ generateName: "A_" }), { label: "generateName" });
  await session.post(`/api/v1/namespaces/${namespace}/configmaps`, configMap({ generateName: "x".repeat(300) }), {
    label: "long generateName",
  });
}

/** Each kind has a rule for its names. */
async function namesOfKinds(session: Session): Promise<void> {
  const namespace = await session.stage();
  // A Job's name is a label too, which ours refuses in one place more: the same refusal, longer.
  for (const sample of samples.filter(({ plural }) => plural !== "jobs")) {
    const at = `${collection(sample, namespace)}?dryRun=All`;
    const post = (label: string, meta: object): Promise<unknown> => {
      const object = named(sample, "a", {}, namespace);
      const { name: _name, ...rest } = object["metadata"] as { name?: string };
      return session.post(at, { ...object, metadata: { ...rest, ...meta } }, { label: `${nameOf(sample)} ${label}` });
    };
    for (const name of ["a.b", "A_", "x:y", "a/b", "..", "a".repeat(64)]) await post(name.slice(0, 5), { name });
    for (const start of ["g_", "g."]) await post(`from ${start}`, { generateName: start });
    // A LimitRange is given a name of chance.
    if (sample.plural !== "limitranges") await post("without a name", {});
    await post("of a version", { name: "a", resourceVersion: "1" });
  }
}

async function metadata(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps?dryRun=All`;
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "00000000-0000-4000-8000-000000000000" };
  for (const [label, meta] of Object.entries({
    "label keys": { labels: { "a b": "x", "/x": "y", "UPPER.dev/x": "y", "a/b/c": "z", "": "e" } },
    "label values": { labels: { a: "x y", b: "-x", c: "x".repeat(64) } },
    "annotation keys": { annotations: { "a b": "x", "Upper.dev/Ok": "y" } },
    "annotations too large": { annotations: { a: "x".repeat(270_000) } },
    finalizers: { finalizers: ["plain", "a b", "x.dev/ok", "kubernetes"] },
    "finalizers twice": { finalizers: ["x.dev/a", "x.dev/a"] },
    "both deletion finalizers": { finalizers: ["orphan", "foregroundDeletion"] },
    "owners without everything": { ownerReferences: [{}] },
    "two controllers": {
      ownerReferences: [
        { ...owner, controller: true },
        { ...owner, name: "q", controller: true },
      ],
    },
    "an event as owner": { ownerReferences: [{ ...owner, kind: "Event" }] },
    "the same owner twice": { ownerReferences: [owner, owner] },
    "a bad version of the owner": { ownerReferences: [{ ...owner, apiVersion: "a/b/c" }] },
    managedFields: { managedFields: [{ manager: "x", operation: "Other", fieldsType: "V9" }] },
    "managedFields without operation": { managedFields: [{ manager: "x" }] },
    "negative generation": { generation: -1 },
    times: { creationTimestamp: "yesterday" },
    deletion: { deletionTimestamp: "2000-01-01T00:00:00Z", deletionGracePeriodSeconds: 5 },
  }))
    await session.post(at, configMap({ name: "m", ...meta }), { label });
}

async function versions(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  const first = (await session.post(at, configMap({ name: "a" }), { label: "made" })).body;
  await session.put(`${at}/a`, { ...first, data: { a: "2" } }, { label: "update" });
  await session.put(`${at}/a`, { ...first, data: { a: "3" } }, { label: "update of the old one" });
  await session.put(`${at}/a`, configMap({ name: "a" }), { label: "update without a version" });
  await session.put(`${at}/a`, configMap({ name: "a", resourceVersion: "0" }), { label: "update of version 0" });
  await session.put(`${at}/a`, configMap({ name: "a", resourceVersion: "x" }), { label: "update of version x" });
  await session.put(`${at}/a`, configMap({ name: "a", resourceVersion: "999999999" }), { label: "update of a version to come" });
  await session.patch(
    "merge",
    `${at}/a`,
    { metadata: { resourceVersion: first.metadata.resourceVersion }, data: { b: "1" } },
    { label: "patch of the old one" },
  );
  await session.patch("merge", `${at}/a`, { metadata: { resourceVersion: "x" } }, { label: "patch of version x" });
  const now = (await session.get(`${at}/a`, { quiet: true })).body;
  const same = (await session.put(`${at}/a`, now, { quiet: true })).body;
  session.note("an update that changes nothing writes nothing", now.metadata.resourceVersion === same.metadata.resourceVersion);
  const patched = (await session.patch("merge", `${at}/a`, { data: now.data }, { quiet: true })).body;
  session.note("nor does such a patch", now.metadata.resourceVersion === patched.metadata.resourceVersion);
  const dry = (await session.put(`${at}/a?dryRun=All`, { ...now, data: { dry: "run" } }, { label: "dry run" })).body;
  session.note("a dry run names the version that is", dry.metadata.resourceVersion === now.metadata.resourceVersion);
  const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "a" } };
  await session.put(`/apis/coordination.k8s.io/v1/namespaces/${session.namespace}/leases/a`, lease, { label: "update that creates" });
  await session.put(`/apis/coordination.k8s.io/v1/namespaces/${session.namespace}/leases/a`, lease, {
    label: "update of a lease without a version",
  });
}

async function options(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  await session.post(at, configMap({ name: "a" }), { quiet: true });
  for (const query of [
    "dryRun=Some",
    "dryRun=",
    "dryRun=All&dryRun=All",
    `fieldManager=${"x".repeat(129)}`,
    "fieldManager=%01",
    "pretty=maybe",
    "unknown=1",
  ])
    await session.post(`${at}?${query}`, configMap({ name: "b" }), { label: `create ?${query.slice(0, 30)}` });
  for (const query of ["force=true", "force=maybe", "dryRun=Some"])
    await session.patch("merge", `${at}/a?${query}`, {}, { label: `patch ?${query}` });
  await session.patch("apply", `${at}/a`, configMap({}), { label: "apply without a manager" });
  await session.patch("apply", `${at}/a?fieldManager=`, configMap({}), { label: "apply with an empty manager" });
  for (const query of [
    "propagationPolicy=Other",
    "gracePeriodSeconds=-1",
    "gracePeriodSeconds=x",
    "orphanDependents=true&propagationPolicy=Orphan",
    "dryRun=Some",
  ])
    await session.delete(`${at}/a?${query}`, undefined, { label: `delete ?${query}` });
  for (const body of [
    { propagationPolicy: "Other" },
    { gracePeriodSeconds: -5 },
    { orphanDependents: true, propagationPolicy: "Orphan" },
    { dryRun: ["Some"] },
    { preconditions: { uid: "x" } },
  ])
    await session.delete(`${at}/a`, { dryRun: ["All"], ...body }, { label: `delete ${JSON.stringify(body)}` });
  for (const query of [
    "labelSelector=a%3D%3D%3Db",
    "labelSelector=a%20in%20b",
    "labelSelector=a%20in%20(b%2Cc)%2C!d",
    "labelSelector=%C3%A4",
    "labelSelector=a%3E1",
    "labelSelector=a%3Ex",
    "fieldSelector=spec.x%3D1",
    "fieldSelector=metadata.name",
    "fieldSelector=metadata.name%3Da%2Cmetadata.namespace%3Db",
    "limit=-1",
    "limit=x",
    "continue=x",
    "continue=e30",
    "resourceVersion=x",
    "resourceVersion=-1",
    "resourceVersion=999999999",
    "resourceVersionMatch=Exact",
    "resourceVersionMatch=Other&resourceVersion=1",
    "resourceVersionMatch=Exact&resourceVersion=0",
    "resourceVersionMatch=NotOlderThan&resourceVersion=0",
    "timeoutSeconds=x",
    "watch=maybe&timeoutSeconds=1",
    "sendInitialEvents=true",
    "watch=true&resourceVersionMatch=Exact&timeoutSeconds=1",
    "watch=true&sendInitialEvents=true&timeoutSeconds=1",
    "watch=true&sendInitialEvents=true&resourceVersionMatch=Exact&timeoutSeconds=1",
    "watch=true&continue=x&timeoutSeconds=1",
    "watch=true&resourceVersion=x&timeoutSeconds=1",
  ])
    await session.get(`${at}?${query}`, { label: `list ?${query}` });
}

/** What plain words of YAML stand for: texts are taken, of others the refusal says what they are. */
async function yamlWords(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps?dryRun=All`;
  for (const word of [
    ...["1:20", "12:30:45", "2001-12-14", "2001-12-14T21:59:43Z", ".", "e5", "1e400", "0o17", "017", "08", "0o8", "0x1F", "0b101", "1_000"],
    ...["+5", "5.", ".5", "1e3", "-0", "yes", "No", "on", "y", "~", "Null", "!!str 5", "!!binary aGk=", "<<", "=", "'it''s'"],
  ]) {
    const headers = { "content-type": "application/yaml" };
    await session.post(at, `metadata:\n  name: a\n  annotations:\n    word: ${word}\n`, { label: `a word ${word}`, headers });
    await session.post(at, `metadata:\n  name: a\nimmutable: ${word}\n`, { label: `a flag ${word}`, headers });
  }
  const keys = "metadata:\n  name: a\n  annotations:\n    .: dot\n    5: five\n    1.5: more\n    yes: 'true'\n    1:20: time\n";
  await session.post(at, keys, { label: "keys", headers: { "content-type": "application/yaml" } });
}

async function accept(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  await session.post(at, configMap({ name: "a" }), { quiet: true });
  for (const type of [
    "text/html",
    "application/xml",
    "*/*",
    "application/*",
    "application/yaml",
    "text/html,application/json;q=0.5",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Table;v=v9;g=meta.k8s.io",
    "application/json;as=Other;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;stream=watch",
  ]) {
    await session.get(`${at}/a`, { label: `get ${type}`, headers: { accept: type } });
    await session.get(at, { label: `list ${type}`, headers: { accept: type } });
    await session.get("/api/v1/namespaces/none", { label: `error ${type}`, headers: { accept: type } });
  }
  await session.get("/api/v1", { label: "discovery text/html", headers: { accept: "text/html" } });
  await session.get(`${at}/a?pretty=true`, { label: "pretty" });
  await session.get(`${at}/a`, { label: "for curl", headers: { "user-agent": "curl/8.0" } });
  await session.post(`${at}?dryRun=All`, configMap({ name: "c" }), {
    label: "create as a table",
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  });
}

async function generateName(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  const made = (await session.post(at, configMap({ generateName: "gen-" }), { label: "made" })).body;
  session.note("form of the name", /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/u.test(made.metadata.name));
  await session.post(at, configMap({ generateName: "gen-", name: "named" }), { label: "with a name too" });
  const long = (await session.post(at, configMap({ generateName: "x".repeat(252) }), { label: "long", quiet: true })).body;
  session.note("length of a long one", long.metadata.name?.length);
}
