/** Sequences of requests people and their programs make: several verbs on one object, each on what the one before left. */
import type { Case, Session } from "../session.ts";
import { nameOf } from "./crud.ts";
import { collection, podSpec, samples, template } from "./samples.ts";

export const userCases: readonly Case[] = [
  { name: "users/migration", run: migration },
  { name: "users/held", run: held },
  { name: "users/owners", run: owners },
  { name: "users/collections", run: collections },
  { name: "users/preconditions", run: preconditions },
  { name: "users/generated", run: generated },
  { name: "users/dry-run", run: dryRun },
  { name: "users/subresources", run: subresources },
  { name: "users/bookmarks", run: bookmarks },
  { name: "users/fields", run: fields },
  { name: "users/stale-watch", run: staleWatch },
];

const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const configMap = (name: string, more: object = {}): any => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, ...more });
const deployment = (name: string, spec: object = {}, metadata: object = {}): any => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, ...metadata },
  spec: { selector: { matchLabels: { app: "shop" } }, template, ...spec },
});

/** `kubectl apply`, `kubectl edit`, then `kubectl apply --server-side`: who owns what, and the annotation the first leaves. */
async function migration(session: Session): Promise<void> {
  const at = `/apis/apps/v1/namespaces/${await session.stage()}/deployments`;
  const said = deployment("d", { replicas: 2 }, { labels: { team: "a" } });
  const annotated = (object: any): any => ({
    ...object,
    metadata: { ...object.metadata, annotations: { "kubectl.kubernetes.io/last-applied-configuration": `${JSON.stringify(object)}\n` } },
  });
  const byApply = "fieldManager=kubectl-client-side-apply&fieldValidation=Strict";
  await session.post(`${at}?${byApply}`, annotated(said), { label: "apply makes it" });
  await session.patch("strategic", `${at}/d?fieldManager=kubectl-edit`, { spec: { replicas: 5 } }, { label: "edit" });
  const next = deployment("d", { replicas: 2, minReadySeconds: 3 }, { labels: { team: "b" } });
  const { metadata } = annotated(next);
  await session.patch("strategic", `${at}/d?${byApply}`, { metadata, spec: { replicas: 2, minReadySeconds: 3 } }, { label: "apply again" });
  await session.patch("strategic", `${at}/d?fieldManager=kubectl-edit`, { spec: { minReadySeconds: 4 } }, { label: "edit again" });
  await session.patch("apply", `${at}/d?fieldManager=kubectl`, next, { label: "server-side, against the edit" });
  await session.patch("apply", `${at}/d?fieldManager=other`, { ...next, spec: { ...next.spec, minReadySeconds: 9 } }, { label: "another" });
  await session.patch("apply", `${at}/d?fieldManager=kubectl`, deployment("d", { minReadySeconds: 4 }, { labels: { team: "b" } }), {
    label: "server-side, agreeing",
  });
  const { body } = await session.get(`${at}/d`, { label: "who owns what" });
  const merged = (body.metadata.managedFields as any[]).filter(({ manager }) => manager !== "kubectl-client-side-apply");
  await session.patch(
    "json",
    `${at}/d?fieldManager=kubectl`,
    [
      { op: "replace", path: "/metadata/managedFields", value: merged },
      { op: "replace", path: "/metadata/resourceVersion", value: body.metadata.resourceVersion },
    ],
    { label: "the old manager is dropped" },
  );
  await session.patch("apply", `${at}/d?fieldManager=kubectl`, deployment("d", {}, { labels: {} }), { label: "and its fields go" });
  await session.patch("strategic", `${at}/d?${byApply}`, { metadata: annotated(said).metadata }, { label: "back to client-side" });
  await session.patch("apply", `${at}/d?fieldManager=kubectl&force=true`, said, { label: "by force" });
}

/** An object finalizers hold: what may still be done to it. */
async function held(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  await session.post(at, deployment("d", {}, { finalizers: ["o.dev/a", "o.dev/b"] }), { quiet: true });
  await session.delete(`${at}/d`, { propagationPolicy: "Foreground" }, { label: "delete" });
  await session.patch("strategic", `${at}/d`, { metadata: { labels: { x: "y" } } }, { label: "label" });
  await session.patch("merge", `${at}/d`, { spec: { replicas: 3 } }, { label: "spec" });
  await session.patch("merge", `${at}/d/status`, { status: { replicas: 3 } }, { label: "status" });
  await session.patch("merge", `${at}/d/scale`, { spec: { replicas: 4 } }, { label: "scale" });
  await session.patch("apply", `${at}/d?fieldManager=m`, deployment("d", {}, { finalizers: ["o.dev/c"] }), {
    label: "a finalizer by apply",
  });
  await session.patch("strategic", `${at}/d`, { metadata: { finalizers: ["o.dev/c"] } }, { label: "a finalizer by patch" });
  const { body } = await session.get(`${at}/d`, { quiet: true });
  const { deletionTimestamp: _when, deletionGracePeriodSeconds: _grace, ...alive } = body.metadata;
  await session.put(`${at}/d`, { ...body, metadata: alive }, { label: "update as if it were not deleted" });
  await session.delete(`${at}/d`, { propagationPolicy: "Orphan" }, { label: "delete otherwise" });
  await session.delete(`${at}/d`, { preconditions: { uid: "00000000-0000-4000-8000-000000000000" } }, { label: "delete another" });
  await session.post(at, deployment("d"), { label: "its name is taken" });
  await session.post(at, { ...deployment("d"), metadata: { generateName: "d" } }, { label: "not for others" });
  await session.patch(
    "json",
    `${at}/d`,
    [
      { op: "test", path: "/metadata/finalizers/0", value: "o.dev/b" },
      { op: "remove", path: "/metadata/finalizers/0" },
    ],
    { label: "the wrong one" },
  );
  await session.patch(
    "strategic",
    `${at}/d`,
    { metadata: { "$deleteFromPrimitiveList/finalizers": ["o.dev/a"] } },
    { label: "one is done" },
  );
  await session.put(`${at}/d`, { ...body, metadata: { ...alive, resourceVersion: undefined, finalizers: [] } }, { label: "all are" });
  await session.get(`${at}/d`, { label: "gone" });
  await session.patch("apply", `${at}/d?fieldManager=m`, deployment("d"), { label: "made again" });
}

async function owners(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  const { uid } = (await session.post(at, configMap("owner"), { quiet: true })).body.metadata;
  const owner = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid };
  const owned = (name: string, ...ownerReferences: object[]): object => ({ ...configMap(name), metadata: { name, ownerReferences } });
  await session.post(at, owned("a", { ...owner, controller: true, blockOwnerDeletion: true }), { label: "a dependent" });
  await session.post(at, owned("b", owner, owner), { label: "the same twice" });
  await session.post(at, owned("c", { ...owner, controller: true }, { ...owner, name: "o", uid: "u", controller: true }), {
    label: "two controllers",
  });
  await session.post(at, owned("d", { apiVersion: "v1", kind: "ConfigMap", name: "owner" }), { label: "no uid" });
  await session.post(at, owned("e", { ...owner, apiVersion: "a/b/c" }), { label: "a bad version" });
  await session.post(at, owned("f", { ...owner, kind: "Event" }), { label: "an event" });
  await session.patch(
    "strategic",
    `${at}/a`,
    { metadata: { ownerReferences: [{ uid: "00000000-0000-4000-8000-000000000001", apiVersion: "v1", kind: "Pod", name: "p" }] } },
    { label: "another by patch" },
  );
  await session.patch(
    "strategic",
    `${at}/a`,
    { metadata: { ownerReferences: [{ $patch: "delete", uid }] } },
    { label: "orphaned by patch" },
  );
  await session.delete(`${at}/owner`, { propagationPolicy: "Foreground" }, { label: "foreground" });
  await session.delete(`${at}/owner`, { propagationPolicy: "Orphan" }, { label: "orphan after all" });
  await session.patch("json", `${at}/owner`, [{ op: "remove", path: "/metadata/finalizers" }], { label: "collected" });
  await session.post(at, configMap("o"), { quiet: true });
  await session.delete(`${at}/o`, { propagationPolicy: "Orphan", orphanDependents: true }, { label: "both policies" });
  await session.delete(`${at}/o`, { propagationPolicy: "Sideways" }, { label: "no policy" });
  await session.delete(`${at}/o?orphanDependents=true`, undefined, { label: "the old way" });
}

async function collections(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/api/v1/namespaces/${namespace}/configmaps`;
  const fill = async (): Promise<void> => {
    for (const i of [1, 2, 3, 4])
      await session.post(at, { ...configMap(`m${i}`), metadata: { name: `m${i}`, labels: { n: String(i % 2) } } }, { quiet: true });
  };
  const left = async (label: string): Promise<void> =>
    session.note(
      label,
      (await session.get(at, { quiet: true })).body.items.map(({ metadata }: any) => metadata.name),
    );
  await fill();
  await session.delete(`${at}?fieldSelector=metadata.name%3Dm1`, undefined, { label: "by name" });
  await session.delete(`${at}?fieldSelector=metadata.name!%3Dm2&labelSelector=n%3D0`, undefined, { label: "by both" });
  await left("left");
  await fill();
  await session.delete(`${at}?limit=2`, undefined, { label: "limited" });
  await left("left of a limit");
  await session.delete(at, { dryRun: ["All"] }, { label: "dry run in the body" });
  await session.delete(at, { preconditions: { uid: "00000000-0000-4000-8000-000000000000" } }, { label: "preconditions" });
  await left("left of preconditions");
  await fill();
  await session.delete(`${at}?labelSelector=n%20in%20(`, undefined, { label: "a bad selector" });
  await session.delete(`${at}?fieldSelector=data.x%3D1`, undefined, { label: "a field it has not" });
  await session.delete(`${at}?resourceVersion=1&resourceVersionMatch=Exact`, undefined, { label: "of an old version" });
  await session.delete(`${at}?labelSelector=n%3D1`, { propagationPolicy: "Foreground" }, { label: "foreground" });
  await session.delete(at, undefined, { label: "all", headers: { accept: table } });
  await left("left of all");
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  for (const [name, nodeName] of [
    ["a", "n"],
    ["b", undefined],
  ] as const)
    await session.post(pods, { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { ...podSpec, nodeName } }, { quiet: true });
  await session.delete(`${pods}?fieldSelector=spec.nodeName%3Dn`, { gracePeriodSeconds: 7 }, { label: "pods of a node" });
  await session.delete(pods, { gracePeriodSeconds: 0 }, { label: "pods at once" });
  await session.delete(`/api/v1/configmaps?labelSelector=none`, undefined, { label: "of all namespaces" });
}

async function preconditions(session: Session): Promise<void> {
  const at = `/apis/apps/v1/namespaces/${await session.stage()}/deployments`;
  const { uid, resourceVersion } = (await session.post(at, deployment("d"), { quiet: true })).body.metadata;
  const other = "00000000-0000-4000-8000-000000000000";
  await session.patch("merge", `${at}/d`, { metadata: { labels: { x: "y" } } }, { quiet: true });
  await session.delete(`${at}/d`, { preconditions: { uid, resourceVersion } }, { label: "of an old version" });
  await session.delete(`${at}/d`, { preconditions: { uid: other } }, { label: "of another uid" });
  await session.delete(`${at}/d`, { preconditions: { uid: other }, dryRun: ["All"] }, { label: "of another uid, dry run" });
  await session.delete(`${at}/d`, { preconditions: { uid: "" } }, { label: "of no uid" });
  await session.delete(`${at}/d`, { preconditions: { resourceVersion: "x" } }, { label: "of version x" });
  await session.delete(`${at}/d`, { preconditions: "x" }, { label: "no preconditions" });
  await session.patch("merge", `${at}/d`, { metadata: { resourceVersion } }, { label: "patch of an old version" });
  await session.patch("merge", `${at}/d`, { metadata: { uid: other } }, { label: "patch of another uid" });
  await session.patch("json", `${at}/d`, [{ op: "replace", path: "/metadata/resourceVersion", value: resourceVersion }], {
    label: "json patch of an old version",
  });
  await session.patch("strategic", `${at}/d/status`, { metadata: { resourceVersion }, status: { replicas: 1 } }, { label: "its status" });
  await session.patch("merge", `${at}/d/scale`, { metadata: { resourceVersion }, spec: { replicas: 1 } }, { label: "its scale" });
  await session.patch("apply", `${at}/d?fieldManager=m`, deployment("d", {}, { resourceVersion }), { label: "apply of an old version" });
  await session.patch("apply", `${at}/e?fieldManager=m`, deployment("e", {}, { resourceVersion }), { label: "apply of what is not there" });
  await session.patch("apply", `${at}/e?fieldManager=m`, deployment("e", {}, { uid: other }), {
    label: "apply of a uid that is not there",
  });
  const now = (await session.get(`${at}/d`, { quiet: true })).body.metadata.resourceVersion;
  await session.delete(`${at}/d`, { preconditions: { uid, resourceVersion: now } }, { label: "as it is" });
}

async function generated(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  const map = (metadata: object): object => ({ ...configMap("x"), metadata });
  await session.post(at, map({ generateName: "g-" }), { label: "once" });
  await session.post(at, map({ generateName: "g-" }), { label: "twice" });
  await session.post(at, map({ generateName: "g-", name: "named" }), { label: "with a name" });
  await session.post(at, map({ generateName: "g-", name: "named" }), { label: "with a name that is taken" });
  await session.post(`${at}?dryRun=All`, map({ generateName: "dry-" }), { label: "dry run" });
  await session.post(at, map({ generateName: "B_" }), { label: "bad letters" });
  await session.post(at, map({ generateName: "" }), { label: "empty" });
  await session.post(at, map({}), { label: "nothing" });
  await session.patch("apply", `${at}/x?fieldManager=m`, map({ generateName: "g-" }), { label: "apply" });
  await session.put(`${at}/named`, map({ generateName: "h-", name: "named" }), { label: "update of what it was made from" });
}

async function dryRun(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const { body } = await session.post(at, deployment("d"), { quiet: true });
  const dry = "dryRun=All";
  await session.post(`${at}?${dry}`, deployment("e"), { label: "create" });
  await session.post(`${at}?${dry}`, deployment("d"), { label: "create what is there" });
  await session.put(`${at}/d?${dry}`, { ...body, spec: { ...body.spec, replicas: 2 } }, { label: "update" });
  await session.put(`${at}/none?${dry}`, deployment("none"), { label: "update of nothing" });
  await session.patch("json", `${at}/d?${dry}`, [{ op: "replace", path: "/spec/replicas", value: 3 }], { label: "json" });
  await session.patch("merge", `${at}/d?${dry}`, { spec: { replicas: 3 } }, { label: "merge" });
  await session.patch("strategic", `${at}/d?${dry}`, { spec: { replicas: 3 } }, { label: "strategic" });
  await session.patch("apply", `${at}/d?${dry}&fieldManager=m`, deployment("d", { replicas: 3 }), { label: "apply" });
  await session.patch("apply", `${at}/f?${dry}&fieldManager=m`, deployment("f"), { label: "apply of something new" });
  await session.put(`${at}/d/status?${dry}`, { ...body, status: { replicas: 1 } }, { label: "status" });
  await session.patch("merge", `${at}/d/status?${dry}`, { status: { replicas: 1 } }, { label: "status by patch" });
  await session.patch("merge", `${at}/d/scale?${dry}`, { spec: { replicas: 6 } }, { label: "scale" });
  await session.patch(
    "apply",
    `${at}/d/scale?${dry}&fieldManager=m`,
    { apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 6 } },
    {
      label: "scale by apply",
    },
  );
  for (const policy of ["Foreground", "Orphan", "Background"])
    await session.delete(`${at}/d`, { propagationPolicy: policy, dryRun: ["All"] }, { label: `delete ${policy}` });
  await session.delete(`${at}/d`, { dryRun: ["All"] }, { label: "delete, in the body" });
  await session.delete(`${at}/d`, { dryRun: ["Some"] }, { label: "delete, in the body, bad" });
  await session.delete(`${at}/d?${dry}`, { dryRun: ["All"], gracePeriodSeconds: -1 }, { label: "delete, both" });
  await session.delete(`${at}?${dry}`, undefined, { label: "delete collection" });
  for (const query of ["dryRun=", "dryRun=None", "dryRun=All&dryRun=All", "dryRun=all", "dryRun=All,All"])
    await session.post(`${at}?${query}`, deployment("d"), { label: `create ?${query}` });
  await session.get(`${at}?${dry}`, { label: "a list takes no notice" });
  await session.get(`${at}/d`, { label: "as it was" });
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await session.post(
    pods,
    { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { ...podSpec, nodeName: "n" } },
    { quiet: true },
  );
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } };
  await session.post(`${pods}/p/eviction?${dry}`, eviction, { label: "eviction" });
  await session.post(`${pods}/p/eviction`, { ...eviction, deleteOptions: { dryRun: ["All"] } }, { label: "eviction, in the body" });
  await session.delete(`${pods}/p?${dry}`, undefined, { label: "delete a pod" });
  await session.get(`${pods}/p`, { label: "the pod as it was" });
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
  const token = await session.post(
    `${accounts}?${dry}`,
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    { quiet: true },
  );
  session.note("token", [token.status, token.body.kind, typeof token.body.status?.token]);
  await session.delete(`/api/v1/namespaces/${namespace}?${dry}`, undefined, { label: "delete the namespace" });
  await session.get(`/api/v1/namespaces/${namespace}`, { label: "the namespace as it was" });
}

/** Each type of patch on status and scale of each kind that has them. */
async function subresources(session: Session): Promise<void> {
  const namespace = await session.stage();
  for (const sample of samples.filter(({ status }) => status !== undefined)) {
    const at = collection(sample, namespace);
    const [kind, name] = [nameOf(sample), `${namespace}-s`];
    const one = `${at}/${name}/status`;
    await session.post(at, { ...sample.object, metadata: { name } }, { quiet: true });
    await session.patch("strategic", one, { ...sample.status, ...sample.change }, { label: `${kind} strategic` });
    await session.patch("json", one, [{ op: "add", path: "/metadata/labels", value: { by: "json" } }], { label: `${kind} json` });
    const [apiVersion, kindName] = [sample.object["apiVersion"], sample.object["kind"]];
    const applied = { apiVersion, kind: kindName, ...sample.status, ...sample.change, metadata: { name } };
    await session.patch("apply", `${one}?fieldManager=m&force=true`, applied, { label: `${kind} apply` });
    const { body } = await session.get(`${at}/${name}`, { quiet: true });
    await session.put(
      one,
      { ...sample.object, ...sample.status, metadata: { name, resourceVersion: body.metadata.resourceVersion } },
      {
        label: `${kind} update`,
      },
    );
    await session.delete(`${at}/${name}`, { gracePeriodSeconds: 0 }, { quiet: true });
  }
}

/** The bookmark that ends the initial events of an empty watch: an object of the kind that says nothing. */
async function bookmarks(session: Session): Promise<void> {
  const namespace = await session.stage();
  const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=10";
  for (const sample of samples)
    await session.watch(`${collection(sample, namespace)}?${query}&labelSelector=none`, 1, { label: nameOf(sample) });
}

/** What every kind can be found by, and what it cannot. */
async function fields(session: Session): Promise<void> {
  const namespace = await session.stage();
  for (const sample of samples)
    for (const field of ["metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "status.phase", "type"]) {
      const { status, body } = await session.get(`${collection(sample, namespace)}?fieldSelector=${field}%3Dx`, { quiet: true });
      session.note(`${nameOf(sample)} by ${field}`, [status, body.message, body.items]);
    }
}

/** A watch that is resumed too late, in each form. */
async function staleWatch(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  await session.post(at, configMap("a"), { quiet: true });
  const old = "watch=1&timeoutSeconds=5&resourceVersion=1";
  await session.watch(`${at}?${old}`, 1, { label: "plain" });
  await session.watch(`${at}?${old}&allowWatchBookmarks=true`, 1, { label: "with bookmarks" });
  await session.watch(`${at}?${old}&labelSelector=x`, 1, { label: "by label" });
  await session.watch(`${at}/a?${old}`, 1, { label: "one object" });
  await session.watch(`${at}?${old}`, 1, { label: "table", headers: { accept: table } });
  const partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
  await session.watch(`${at}?${old}`, 1, { label: "metadata", headers: { accept: partial } });
  await session.watch(`${at}?${old}&resourceVersionMatch=NotOlderThan&sendInitialEvents=false`, 1, { label: "without initial events" });
  await session.watch(`${at}?${old}&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&allowWatchBookmarks=true`, 2, {
    label: "with initial events",
  });
}
