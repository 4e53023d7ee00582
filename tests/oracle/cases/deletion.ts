/** Deleting: finalizers, policies, preconditions, collections, namespaces, pods that end. */
import type { Case, Session } from "../session.ts";
import { template } from "./samples.ts";

export const deletionCases: readonly Case[] = [
  { name: "delete/finalizers", run: finalizers },
  { name: "delete/propagation", run: propagation },
  { name: "delete/preconditions", run: preconditions },
  { name: "delete/collections", run: collections },
  { name: "delete/namespaces", run: namespaces },
  { name: "delete/grace", run: grace },
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

async function finalizers(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  await session.post(at, configMap("a", {}, { finalizers: ["o.dev/one", "o.dev/two"] }), { quiet: true });
  await session.delete(`${at}/a`, undefined, { label: "delete" });
  await session.delete(`${at}/a`, undefined, { label: "delete again" });
  await session.patch(
    "merge",
    `${at}/a`,
    { metadata: { finalizers: ["o.dev/one", "o.dev/two", "o.dev/three"] } },
    { label: "no new finalizer" },
  );
  await session.patch("merge", `${at}/a`, { data: { still: "changes" } }, { label: "still changes" });
  await session.patch("merge", `${at}/a`, { metadata: { deletionTimestamp: null } }, { label: "not undone" });
  await session.post(at, configMap("a"), { label: "its name is taken" });
  await session.patch("merge", `${at}/a`, { metadata: { finalizers: ["o.dev/two"] } }, { label: "one less" });
  await session.patch("merge", `${at}/a?dryRun=All`, { metadata: { finalizers: null } }, { label: "none, dry run" });
  await session.patch("merge", `${at}/a`, { metadata: { finalizers: null } }, { label: "none" });
  await session.get(`${at}/a`, { label: "gone" });
  const from = (await session.get(at, { quiet: true })).body.metadata.resourceVersion;
  await session.post(at, configMap("b", {}, { finalizers: ["o.dev/one"] }), { quiet: true });
  await session.delete(`${at}/b`, undefined, { quiet: true });
  await session.patch("merge", `${at}/b`, { metadata: { finalizers: null } }, { quiet: true });
  await session.watch(`${at}?watch=1&timeoutSeconds=5&resourceVersion=${from}`, 3, { label: "what a watch sees" });
}

async function propagation(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  for (const policy of ["Foreground", "Orphan", "Background"]) {
    const name = policy.toLowerCase();
    await session.post(at, configMap(name), { quiet: true });
    await session.delete(`${at}/${name}`, { propagationPolicy: policy }, { label: policy });
    await session.get(`${at}/${name}`, { label: `${policy}, afterwards` });
    await session.delete(`${at}/${name}`, { propagationPolicy: "Background" }, { label: `${policy}, then Background` });
    await session.post(at, configMap(`${name}-q`), { quiet: true });
    await session.delete(`${at}/${name}-q?propagationPolicy=${policy}`, undefined, { label: `${policy} in the query` });
  }
  for (const orphan of [true, false]) {
    await session.post(at, configMap(`o-${orphan}`), { quiet: true });
    await session.delete(`${at}/o-${orphan}`, { orphanDependents: orphan }, { label: `orphanDependents ${orphan}` });
  }
  const apps = `/apis/apps/v1/namespaces/${session.namespace}`;
  for (const [plural, kind] of [
    ["replicasets", "ReplicaSet"],
    ["deployments", "Deployment"],
  ] as const) {
    await session.post(`${apps}/${plural}`, { ...deployment("d"), kind }, { quiet: true });
    await session.delete(`${apps}/${plural}/d`, undefined, { label: `${plural}, no policy` });
  }
  const jobs = `/apis/batch/v1/namespaces/${session.namespace}/jobs`;
  await session.post(
    jobs,
    {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "j" },
      spec: { template: { spec: { ...template.spec, restartPolicy: "Never" } } },
    },
    { quiet: true },
  );
  await session.delete(`${jobs}/j`, undefined, { label: "a job without policy" });
}

async function preconditions(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  const { metadata } = (await session.post(at, configMap("a"), { quiet: true })).body;
  const other = "00000000-0000-4000-8000-000000000000";
  await session.delete(`${at}/a`, { preconditions: { uid: other } }, { label: "another uid" });
  await session.delete(`${at}/a`, { preconditions: { resourceVersion: "1" } }, { label: "another version" });
  await session.delete(`${at}/a`, { preconditions: { uid: other, resourceVersion: "1" } }, { label: "both" });
  await session.delete(
    `${at}/a`,
    { preconditions: { uid: metadata.uid, resourceVersion: metadata.resourceVersion } },
    { label: "as it is" },
  );
}

async function collections(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  for (const [name, labels] of [
    ["a", { x: "1" }],
    ["b", { x: "2" }],
    ["c", {}],
    ["d", { x: "3" }],
  ] as const)
    await session.post(at, configMap(name, {}, { labels, ...(name === "d" && { finalizers: ["o.dev/f"] }) }), { quiet: true });
  await session.delete(`${at}?labelSelector=x%3D1&dryRun=All`, undefined, { label: "dry run" });
  await session.delete(`${at}?labelSelector=x%3D1`, undefined, { label: "by label" });
  await session.delete(`${at}?fieldSelector=metadata.name%3Dc`, undefined, { label: "by field" });
  await session.delete(`${at}?labelSelector=x%3D9`, undefined, { label: "nothing" });
  await session.delete(at, { propagationPolicy: "Orphan" }, { label: "all" });
  await session.get(at, { label: "what is left" });
  await session.patch("merge", `${at}/d`, { metadata: { finalizers: null } }, { quiet: true });
  await session.delete(`/api/v1/namespaces/${session.namespace}/services`, undefined, { label: "services" });
  await session.delete("/api/v1/namespaces?labelSelector=none", undefined, { label: "namespaces" });
}

async function namespaces(session: Session): Promise<void> {
  const name = await session.stage();
  await session.post(`/api/v1/namespaces/${name}/configmaps`, configMap("a"), { quiet: true });
  await session.delete(`/api/v1/namespaces/${name}?dryRun=All`, undefined, { label: "dry run" });
  await session.delete(`/api/v1/namespaces/${name}`, undefined, { label: "delete" });
  await session.delete(`/api/v1/namespaces/${name}`, undefined, { label: "delete again" });
  await session.post(`/api/v1/namespaces/${name}/configmaps`, configMap("b"), { label: "nothing new in it" });
  await session.patch("merge", `/api/v1/namespaces/${name}/configmaps/a`, { data: { x: "1" } }, { label: "what is there may change" });
  const { body } = await session.get(`/api/v1/namespaces/${name}`, { quiet: true });
  await session.put(`/api/v1/namespaces/${name}/finalize`, { ...body, spec: {} }, { label: "finalize" });
  await session.get(`/api/v1/namespaces/${name}`, { label: "afterwards" });
  await session.delete("/api/v1/namespaces/default", undefined, { label: "default" });
  await session.delete("/api/v1/namespaces/kube-system", undefined, { label: "kube-system" });
  await session.delete("/api/v1/namespaces", undefined, { label: "all of them" });
}

async function grace(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/pods`;
  const pod = (name: string, spec: object = {}): object => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { ...template.spec, ...spec },
  });
  await session.post(at, pod("waiting"), { quiet: true });
  await session.delete(`${at}/waiting`, undefined, { label: "one on no node" });
  await session.get(`${at}/waiting`, { label: "is gone" });
  await session.post(at, pod("running", { nodeName: "n", terminationGracePeriodSeconds: 20 }), { quiet: true });
  await session.delete(`${at}/running`, undefined, { label: "one on a node" });
  await session.get(`${at}/running`, { label: "is ending" });
  await session.delete(`${at}/running`, { gracePeriodSeconds: 50 }, { label: "not longer" });
  await session.delete(`${at}/running`, { gracePeriodSeconds: 5 }, { label: "shorter" });
  await session.delete(`${at}/running`, { gracePeriodSeconds: 0 }, { label: "at once" });
  await session.get(`${at}/running`, { label: "gone" });
  await session.post(at, pod("asked", { nodeName: "n" }), { quiet: true });
  await session.delete(`${at}/asked?gracePeriodSeconds=7`, undefined, { label: "in the query" });
  await session.delete(
    `${at}/asked`,
    { gracePeriodSeconds: 0, preconditions: { uid: "00000000-0000-4000-8000-000000000000" } },
    { label: "of another uid" },
  );
  const created = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "asked" } };
  await session.post(`${at}/asked/eviction`, created, { label: "eviction" });
  await session.post(`${at}/none/eviction`, { ...created, metadata: { name: "none" } }, { label: "eviction of nothing" });
  await session.post(`${at}/asked/eviction`, { ...created, metadata: { name: "other" } }, { label: "eviction of another" });
}
