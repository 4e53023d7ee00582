/** Lists in pages, by selectors, at revisions; watches from everywhere. */
import type { Case, Session } from "../session.ts";

export const listCases: readonly Case[] = [
  { name: "lists/pages", run: pages },
  { name: "lists/expired", run: expired },
  { name: "lists/selectors", run: selectors },
  { name: "lists/revisions", run: revisions },
  { name: "lists/fields-of-kinds", run: fieldsOfKinds },
  { name: "watch/events", run: watchEvents },
  { name: "watch/initial-events", run: initialEvents },
  { name: "watch/selectors", run: watchSelectors },
  { name: "watch/forms", run: watchForms },
  { name: "watch/errors", run: watchErrors },
];

const labelSets: readonly Record<string, string>[] = [{ app: "a" }, { app: "b" }, { app: "a", tier: "web" }, { tier: "db", n: "5" }, {}];

async function maps(session: Session): Promise<string> {
  const at = `/api/v1/namespaces/${await session.stage()}/configmaps`;
  for (const [i, labels] of labelSets.entries()) {
    const metadata = { name: `m${i}`, ...(Object.keys(labels).length > 0 && { labels }) };
    await session.post(at, { apiVersion: "v1", kind: "ConfigMap", metadata }, { quiet: true });
  }
  return at;
}

/** Who takes any version may be given one of before the last writes by the real server, whose cache hears of them a little later. */
async function settle(session: Session, at: string): Promise<void> {
  const latest = (list: any): number => Math.max(...list.items.map((item: any) => Number(item.metadata.resourceVersion)));
  const wanted = latest((await session.get(at, { quiet: true })).body);
  await session.until("the cache has the last write", async () => {
    const { body } = await session.get(`${at}?resourceVersion=0`, { quiet: true });
    return body.items.length > 0 && latest(body) >= wanted;
  });
}

const namesIn = (body: any): unknown => body?.items?.map((item: any) => item.metadata.name);

async function pages(session: Session): Promise<void> {
  const at = await maps(session);
  const first = (await session.get(`${at}?limit=2`)).body;
  const token = encodeURIComponent(first.metadata.continue);
  await session.post(at, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "m15" } }, { quiet: true });
  await session.delete(`${at}/m3`, undefined, { quiet: true });
  const second = (await session.get(`${at}?limit=2&continue=${token}`, { label: "second page" })).body;
  session.note("pages are of one revision", first.metadata.resourceVersion === second.metadata.resourceVersion);
  session.note("second page", namesIn(second));
  const third = (await session.get(`${at}?limit=2&continue=${encodeURIComponent(second.metadata.continue)}`, { label: "third page" })).body;
  session.note("third page", namesIn(third));
  await session.get(`${at}?limit=2&labelSelector=app`, { label: "page by label" });
  await session.get(`${at}?limit=5`, { label: "page that holds all" });
  await session.get(`${at}?limit=0`, { label: "limit 0" });
  await session.get(`${at}?limit=2&continue=${token}&resourceVersion=${first.metadata.resourceVersion}`, {
    label: "continue and a version",
  });
  await session.get(`${at}?limit=2&continue=${token}&resourceVersion=0`, { label: "continue and version 0" });
  await session.get(`${at}?limit=2&resourceVersion=0`, { label: "limit and version 0", quiet: true });
}

/** Of a revision that is forgotten; the answer to a page of it says how to go on with what there is now. */
async function expired(session: Session): Promise<void> {
  const at = await maps(session);
  const { body } = await session.get(`${at}?limit=2`, { quiet: true });
  const token = (rv: unknown, more: object = {}): string => {
    const found = JSON.parse(Buffer.from(String(body.metadata.continue), "base64url").toString()) as object;
    return Buffer.from(JSON.stringify({ ...found, rv, ...more })).toString("base64url");
  };
  await session.get(`${at}?resourceVersion=1&resourceVersionMatch=Exact`, { label: "exact" });
  await session.get(`${at}?resourceVersion=1&limit=2`, { label: "limited" });
  await session.get(`${at}?resourceVersion=1&resourceVersionMatch=NotOlderThan`, { label: "not older", quiet: true });
  const old = await session.get(`${at}?limit=2&continue=${token(1)}`, { label: "a page" });
  const rest = `continue=${encodeURIComponent(String(old.body.metadata?.continue))}`;
  const second = await session.get(`${at}?limit=2&${rest}`, { label: "with what there is now" });
  await session.get(`${at}?limit=2&continue=${encodeURIComponent(String(second.body.metadata?.continue))}`, { label: "and on" });
  await session.get(`${at}?${rest}&labelSelector=app`, { label: "with what there is now, by label" });
  await session.get(`${at}?limit=2&continue=${token(0)}`, { label: "a page of version 0" });
  await session.get(`${at}?limit=2&continue=${token(999_999_999)}`, { label: "a page of a version to come" });
  await session.get(`${at}?limit=2&continue=${token(1, { start: "" })}`, { label: "a page that starts nowhere" });
  await session.get(`${at}?limit=2&continue=${token("x")}`, { label: "a page of version x" });
  await session.get(`${at}?limit=2&continue=${token(1, { v: "v2" })}`, { label: "a page of another form" });
}

async function selectors(session: Session): Promise<void> {
  const at = await maps(session);
  for (const selector of [
    "app=a",
    "app==a",
    "app!=a",
    "app in (a,b)",
    "app notin (a)",
    "app",
    "!app",
    "app,tier",
    "app=a,tier!=web",
    "n>4",
    "n<5",
    "n gt 4",
    "app in ()",
    "app=",
    " app = a ",
    "",
    "app=a,",
    ",",
    "x.dev/y=z",
    "a=b c",
    "(a)",
    "app in (a,",
  ])
    session.note(
      `labels ${selector}`,
      outcome((await session.get(`${at}?labelSelector=${encodeURIComponent(selector)}`, { quiet: true })).body),
    );
  for (const selector of [
    "metadata.name=m1",
    "metadata.name==m1",
    "metadata.name!=m1",
    `metadata.namespace=${session.namespace}`,
    "metadata.name=m1,metadata.name=m2",
    "metadata.name",
    "data.x=1",
    "=",
    "metadata.name=m\\,1",
    "metadata.name=a=b",
    "metadata.uid=x",
  ])
    session.note(
      `fields ${selector}`,
      outcome((await session.get(`${at}?fieldSelector=${encodeURIComponent(selector)}`, { quiet: true })).body),
    );
}

function outcome(body: any): unknown {
  return namesIn(body) ?? body;
}

async function revisions(session: Session): Promise<void> {
  const at = await maps(session);
  const before = (await session.get(at, { quiet: true })).body.metadata.resourceVersion;
  await session.post(at, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "later" } }, { quiet: true });
  await session.patch("merge", `${at}/m0`, { data: { x: "1" } }, { quiet: true });
  await settle(session, at);
  for (const query of [
    "resourceVersion=0",
    `resourceVersion=${before}`,
    `resourceVersion=${before}&resourceVersionMatch=NotOlderThan`,
    `resourceVersion=${before}&resourceVersionMatch=Exact`,
    `resourceVersion=${before}&resourceVersionMatch=Exact&limit=2`,
    `resourceVersion=${before}&limit=2`,
  ]) {
    const { body } = await session.get(`${at}?${query}`, { quiet: true });
    const label = query.replaceAll(before, "N");
    session.note(`list ?${label}`, {
      names: outcome(body),
      isAsked: body.metadata?.resourceVersion === before,
      isNewer: Number(body.metadata?.resourceVersion) > Number(before),
      more: body.metadata?.continue !== undefined,
      data: body.items?.[0]?.data,
    });
  }
  const one = await session.get(`${at}/m0?resourceVersion=${before}`, { quiet: true });
  session.note("get of an older version gives the newest", one.body.data);
  await session.get(`${at}/m0?resourceVersion=999999999`, { label: "get of a version to come" });
  await session.get(`${at}/m0?resourceVersion=x`, { label: "get of version x" });
}

/** Field selectors each kind knows. */
async function fieldsOfKinds(session: Session): Promise<void> {
  const namespace = await session.stage();
  const asked: Readonly<Record<string, readonly string[]>> = {
    [`/api/v1/namespaces/${namespace}/pods`]: [
      "spec.nodeName",
      "spec.restartPolicy",
      "spec.schedulerName",
      "spec.serviceAccountName",
      "spec.hostNetwork",
      "status.phase",
      "status.podIP",
      "status.podIPs",
      "status.nominatedNodeName",
      "status.hostIP",
    ],
    [`/api/v1/namespaces/${namespace}/events`]: [
      "involvedObject.kind",
      "involvedObject.uid",
      "involvedObject.fieldPath",
      "reason",
      "reportingComponent",
      "source",
      "type",
      "count",
    ],
    [`/apis/events.k8s.io/v1/namespaces/${namespace}/events`]: [
      "regarding.kind",
      "involvedObject.kind",
      "reportingController",
      "reason",
      "type",
      "note",
    ],
    [`/api/v1/namespaces/${namespace}/secrets`]: ["type", "immutable"],
    [`/api/v1/namespaces/${namespace}/services`]: ["spec.clusterIP", "spec.type", "spec.selector"],
    [`/api/v1/namespaces/${namespace}/replicationcontrollers`]: ["status.replicas", "spec.replicas"],
    "/api/v1/namespaces": ["status.phase", "name"],
    "/api/v1/nodes": ["spec.unschedulable", "spec.podCIDR"],
    [`/apis/apps/v1/namespaces/${namespace}/replicasets`]: ["status.replicas", "spec.replicas"],
    [`/apis/apps/v1/namespaces/${namespace}/deployments`]: ["status.replicas"],
    [`/apis/batch/v1/namespaces/${namespace}/jobs`]: ["status.successful", "status.active"],
    [`/apis/batch/v1/namespaces/${namespace}/cronjobs`]: ["spec.suspend"],
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": ["spec.group"],
  };
  for (const [at, fields] of Object.entries(asked))
    for (const field of fields) {
      const { status, body } = await session.get(`${at}?fieldSelector=${field}%3Dx`, { quiet: true });
      session.note(`${at} by ${field}`, [status, body.message]);
    }
}

const type = (events: readonly { readonly type: string; readonly object: any }[]): unknown =>
  events.map((event) => [event.type, event.object?.metadata?.name, event.object?.data]);

async function watchEvents(session: Session): Promise<void> {
  const at = await maps(session);
  const from = (await session.get(at, { quiet: true })).body.metadata.resourceVersion;
  const change = async (): Promise<void> => {
    await session.post(at, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "new" } }, { quiet: true });
    await session.patch("merge", `${at}/new`, { data: { x: "1" } }, { quiet: true });
    await session.patch("merge", `${at}/new`, { data: { x: "1" } }, { quiet: true });
    await session.delete(`${at}/new`, undefined, { quiet: true });
  };
  const live = await session.watch(`${at}?watch=1&timeoutSeconds=10&resourceVersion=${from}`, 3, { during: change, label: "live" });
  session.note("live", type(live));
  const again = await session.watch(`${at}?watch=1&timeoutSeconds=10&resourceVersion=${from}`, 3, { label: "afterwards" });
  session.note(
    "revisions grow",
    again.every(
      (event, i) => i === 0 || Number(event.object.metadata.resourceVersion) > Number(again[i - 1]?.object.metadata.resourceVersion),
    ),
  );
  await settle(session, at);
  await session.watch(`${at}?watch=1&timeoutSeconds=10&resourceVersion=0`, 5, { label: "from 0" });
  await session.watch(`${at}?watch=1&timeoutSeconds=10`, 5, { label: "from nowhere" });
  await session.watch(`${at}/m1?watch=1&timeoutSeconds=10`, 1, { label: "one object" });
  await session.watch(`/api/v1/watch/namespaces/${session.namespace}/configmaps?timeoutSeconds=1`, 1, { label: "the old path" });
}

async function initialEvents(session: Session): Promise<void> {
  const at = await maps(session);
  const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=10";
  await settle(session, at);
  await session.watch(`${at}?${query}&allowWatchBookmarks=true`, 6, { label: "with bookmarks" });
  await session.watch(`${at}?${query}&allowWatchBookmarks=true&resourceVersion=0`, 6, { label: "from 0" });
  const from = (await session.get(at, { quiet: true })).body.metadata.resourceVersion;
  await session.watch(`${at}?${query}&allowWatchBookmarks=true&resourceVersion=${from}`, 6, { label: "from a version" });
  await session.watch(`${at}?${query}`, 6, { label: "without bookmarks" });
  await session.watch(`${at}?${query}&allowWatchBookmarks=true&labelSelector=app`, 4, { label: "by label" });
}

async function watchSelectors(session: Session): Promise<void> {
  const at = await maps(session);
  const from = (await session.get(at, { quiet: true })).body.metadata.resourceVersion;
  await session.patch("merge", `${at}/m0`, { metadata: { labels: { app: "b" } } }, { quiet: true });
  await session.patch("merge", `${at}/m1`, { metadata: { labels: { app: "a" } } }, { quiet: true });
  await session.patch("merge", `${at}/m1`, { data: { x: "1" } }, { quiet: true });
  await session.patch("merge", `${at}/m4`, { data: { x: "1" } }, { quiet: true });
  await session.delete(`${at}/m1`, undefined, { quiet: true });
  const label = await session.watch(`${at}?watch=1&timeoutSeconds=10&resourceVersion=${from}&labelSelector=app%3Da`, 4, {
    label: "by label",
  });
  session.note("by label", type(label));
  await session.watch(`${at}?watch=1&timeoutSeconds=10&resourceVersion=${from}&fieldSelector=metadata.name%3Dm4`, 1, { label: "by field" });
}

async function watchForms(session: Session): Promise<void> {
  const at = await maps(session);
  await settle(session, at);
  for (const [label, accept] of [
    ["table", "application/json;as=Table;v=v1;g=meta.k8s.io"],
    ["metadata", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"],
  ] as const)
    await session.watch(`${at}?watch=1&timeoutSeconds=10`, 3, { label, headers: { accept } });
  const bookmarks = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=10&allowWatchBookmarks=true";
  await session.watch(`${at}?${bookmarks}`, 6, {
    label: "table with bookmarks",
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  });
  await session.get(`${at}?watch=1&timeoutSeconds=1&labelSelector=none`, { label: "yaml", headers: { accept: "application/yaml" } });
  await session.get(`${at}?watch=1&timeoutSeconds=1&labelSelector=none`, {
    label: "stream",
    headers: { accept: "application/json;stream=watch" },
  });
}

async function watchErrors(session: Session): Promise<void> {
  const at = await maps(session);
  await session.watch(`${at}?watch=1&timeoutSeconds=2&resourceVersion=1`, 1, { label: "too old" });
  await session.watch(`${at}?watch=1&timeoutSeconds=2&resourceVersion=999999999`, 1, { label: "to come" });
  await session.watch(`${at}?watch=1&timeoutSeconds=1&labelSelector=none`, 1, { label: "nothing within its time" });
  await session.get(`${at}/none?watch=1&timeoutSeconds=1`, { label: "one that is not there" });
}
