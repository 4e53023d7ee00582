import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { WatchEvent } from "../client.ts";
import { mastersGroup } from "./access.ts";
import { inProcessTransport } from "./in-process.ts";
import { configMap, type TestServer, testServer, widget } from "./testing.ts";
import { type Watching } from "./watch.ts";

const maps = "/api/v1/namespaces/default/configmaps";

const widgetsPath = "/apis/example.dev/v1/namespaces/default/widgets";

type Told = readonly [type: string, name: string];

async function told(watching: Watching): Promise<Told[]> {
  const events = (await watching.read()) ?? [];
  return events.map(({ type, object }) => [type, (object as any).metadata.name]);
}

test("a watch without a version begins with what there is, then tells changes in order", async () => {
  const { ask, watch } = await testServer();
  await ask("POST", maps, configMap("a"));
  using watching = await watch(`${maps}?watch=1`);
  await ask("POST", maps, configMap("b"));
  await ask("PUT", `${maps}/a`, configMap("a", { data: { x: "1" } }));
  await ask("DELETE", `${maps}/b`);
  assert.deepEqual(await told(watching), [
    ["ADDED", "a"],
    ["ADDED", "b"],
    ["MODIFIED", "a"],
    ["DELETED", "b"],
  ]);
});

test("a deletion carries the last state under the deletion's revision", async () => {
  const { ask, watch, server } = await testServer();
  const { body } = await ask("POST", maps, configMap("a", { data: { x: "1" } }));
  using watching = await watch(`${maps}?watch=1&resourceVersion=${body.metadata.resourceVersion}`);
  await ask("DELETE", `${maps}/a`);
  const [event] = (await watching.read()) ?? [];
  assert.deepEqual([event?.type, (event?.object as any).data], ["DELETED", { x: "1" }]);
  assert.equal((event?.object as any).metadata.resourceVersion, String(server.revision));
});

test("objects that begin or cease to match are ADDED or DELETED for that watcher", async () => {
  const { ask, watch, server } = await testServer();
  await ask("POST", maps, configMap("a"));
  using watching = await watch(`${maps}?watch=1&labelSelector=on&resourceVersion=${server.revision}`);
  const merge = { "content-type": "application/merge-patch+json" };
  await ask("PATCH", `${maps}/a`, { metadata: { labels: { on: "1" } } }, merge);
  await ask("PATCH", `${maps}/a`, { metadata: { labels: { on: "2" } } }, merge);
  await ask("PATCH", `${maps}/a`, { metadata: { labels: { on: null } } }, merge);
  await ask("DELETE", `${maps}/a`);
  assert.deepEqual(await told(watching), [
    ["ADDED", "a"],
    ["MODIFIED", "a"],
    ["DELETED", "a"],
  ]);
});

test("sendInitialEvents ends the beginning with a bookmark that says so", async () => {
  const { ask, watch } = await testServer();
  await ask("POST", maps, configMap("a"));
  const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
  using watching = await watch(`${maps}?${query}`);
  const events = (await watching.read()) ?? [];
  assert.deepEqual(
    events.map(({ type }) => type),
    ["ADDED", "BOOKMARK"],
  );
  assert.equal((events[1]?.object as any).metadata.annotations["k8s.io/initial-events-end"], "true");
  assert.equal((await ask("GET", `${maps}?watch=1&sendInitialEvents=true`)).status, 422);
});

test("bookmarks come by and by, and a watch ends when its time is over", async () => {
  const { watch, clock, server } = await testServer();
  using watching = await watch(`${maps}?watch=1&allowWatchBookmarks=true&timeoutSeconds=90`);
  await clock.advance(60_000);
  const [bookmark] = (await watching.read()) ?? [];
  assert.equal(bookmark?.type, "BOOKMARK");
  assert.equal((bookmark?.object as any).metadata.resourceVersion, String(server.revision));
  await clock.advance(30_000);
  assert.deepEqual(
    (await watching.read())?.map(({ type }) => type),
    ["BOOKMARK"],
  );
  assert.equal(await watching.read(), undefined);
  assert.equal(clock.pending, 0);
});

test("a version that is forgotten gets one ERROR event with 410; one of the future is refused", async () => {
  const first = await testServer();
  for (const name of ["a", "b", "c"]) await first.ask("POST", maps, configMap(name));
  await first.log.compact(first.server.revision);
  const { watch, ask, server } = await testServer({ log: first.log });
  using watching = await watch(`${maps}?watch=1&resourceVersion=1`);
  const [event] = (await watching.read()) ?? [];
  assert.deepEqual([event?.type, (event?.object as any).code, (event?.object as any).reason], ["ERROR", 410, "Expired"]);
  assert.equal(await watching.read(), undefined);
  assert.equal((await ask("GET", `${maps}?watch=1&resourceVersion=${server.revision + 1}`)).status, 504);
});

test("the old path of a watch: of a namespace, of all, of one object, and for nothing but looking", async () => {
  const { ask, watch } = await testServer();
  for (const name of ["a", "b"]) await ask("POST", maps, configMap(name));
  await ask("POST", widgetsPath, widget("a", {}));
  for (const [path, seen] of [
    ["/api/v1/watch/namespaces/default/configmaps", ["a", "b"]],
    ["/api/v1/watch/configmaps?watch=false", ["a", "b"]],
    ["/api/v1/watch/namespaces/default/configmaps/b", ["b"]],
    ["/api/v1/watch/namespaces/default/configmaps/b?fieldSelector=metadata.name=b", ["b"]],
    ["/api/v1/watch/namespaces/default", ["default"]],
    ["/apis/example.dev/v1/watch/widgets", ["a"]],
  ] as const) {
    using watching = await watch(path);
    assert.deepEqual(
      (await told(watching)).map(([, name]) => name),
      seen,
      path,
    );
  }
  const path = "/api/v1/watch/namespaces/default/configmaps";
  const other = await ask("GET", `${path}/b?fieldSelector=metadata.name=a`);
  assert.deepEqual([other.status, other.body.message], [400, "fieldSelector metadata.name doesn't match requested name"]);
  assert.equal((await ask("POST", path, configMap("c"))).status, 405);
  assert.equal((await ask("DELETE", `${path}/b`)).status, 405);
  for (const none of [`${path}/b/status`, "/api/v1/watch", "/api/v1/watch/watch/configmaps", "/api/v1/watch/gadgets"])
    assert.equal((await ask("GET", none)).status, 404, none);
});

test("a watcher that does not read is closed; others go on", async () => {
  const { ask, watch } = await testServer();
  using slow = await watch(`${maps}?watch=1`);
  using quick = await watch(`${maps}?watch=1`);
  const big = "x".repeat(400_000);
  let seen = 0;
  for (let i = 0; i < 12; i++) {
    await ask("POST", maps, configMap(`m${i}`, { data: { big } }));
    seen += (await told(quick)).length;
  }
  assert.equal(slow.slow, true);
  assert.equal(await slow.read(), undefined);
  assert.deepEqual([quick.slow, seen], [false, 12]);
});

test("a table watch says its columns once", async () => {
  const { ask, server } = await testServer();
  await ask("POST", maps, configMap("a"));
  const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
  const caller = { name: "admin", groups: [mastersGroup] };
  const served = await server.serve({ method: "GET", path: maps, query: "watch=1", headers }, caller);
  assert.ok(served.is === "watch");
  await ask("POST", maps, configMap("b"));
  const tables = ((await served.watching.read()) ?? []).map((event) => served.form.encode(event) as any);
  served.watching[Symbol.dispose]();
  assert.deepEqual(
    tables.map(({ kind, columnDefinitions }) => [kind, columnDefinitions?.length]),
    [
      ["Table", 2],
      ["Table", undefined],
    ],
  );
  assert.equal(tables[1].rows[0].object.kind, "PartialObjectMetadata");
});

/** One step of a history: who is written, how. */
const step = fc.record({
  name: fc.constantFrom("a", "b", "c", "d"),
  namespace: fc.constantFrom("default", "kube-system"),
  act: fc.constantFrom("write", "write", "label", "delete", "compact"),
  value: fc.nat(3),
});

async function act(
  { ask, log, server }: TestServer,
  { name, namespace, act: what, value }: Awaited<ReturnType<typeof fc.sample<any>>>[number],
): Promise<void> {
  const path = `/apis/example.dev/v1/namespaces/${namespace}/widgets`;
  if (what === "compact") await log.compact(server.revision - value);
  else if (what === "delete") await ask("DELETE", `${path}/${name}`);
  else if (what === "label") {
    const body = { metadata: { labels: { on: value === 0 ? null : String(value) } } };
    await ask("PATCH", `${path}/${name}`, body, { "content-type": "application/merge-patch+json" });
  } else if ((await ask("POST", path, widget(name, { replicas: value }))).status === 409)
    await ask("PATCH", `${path}/${name}`, { spec: { replicas: value } }, { "content-type": "application/merge-patch+json" });
}

/** What a client that follows list and watch believes. */
class Follower {
  readonly #query: string;
  readonly believed = new Map<string, string>();
  revision = "0";

  constructor(query: string) {
    this.#query = query;
  }

  async follow(server: TestServer): Promise<void> {
    const path = "/apis/example.dev/v1/widgets";
    if (this.revision === "0") await this.#list(server, path);
    using watching = await server.watch(
      `${path}?watch=1&resourceVersion=${this.revision}&${this.#query}&allowWatchBookmarks=true&timeoutSeconds=1`,
    );
    await server.clock.advance(1_000);
    for (let events = await watching.read(); events; events = await watching.read())
      for (const event of events) {
        if (event.type !== "ERROR") this.#take(event);
        else await this.#list(server, path); // 410: begin again
      }
  }

  async #list({ ask }: TestServer, path: string): Promise<void> {
    const { body } = await ask("GET", `${path}?${this.#query}`);
    this.believed.clear();
    for (const object of body.items) this.#take({ type: "ADDED", object });
    this.revision = body.metadata.resourceVersion;
  }

  #take({ type, object }: WatchEvent): void {
    const { namespace, name, resourceVersion } = object.metadata as { namespace: string; name: string; resourceVersion: string };
    this.revision = resourceVersion;
    if (type === "DELETED") this.believed.delete(`${namespace}/${name}`);
    else if (type !== "BOOKMARK") this.believed.set(`${namespace}/${name}`, JSON.stringify(object));
  }
}

test("after any history watch cache and list agree, and whoever follows list and watch has the same, over restarts", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 12 }), { minLength: 1, maxLength: 5 }), async (rounds) => {
      let server = await testServer();
      const followers = [new Follower(""), new Follower("labelSelector=on"), new Follower("labelSelector=on!%3D2")];
      for (const steps of rounds) {
        for (const one of steps) await act(server, one);
        for (const follower of followers) await follower.follow(server);
        server = await testServer({ log: server.log }); // the cache is read from the log anew
        for (const [i, query] of ["", "labelSelector=on", "labelSelector=on!%3D2"].entries()) {
          const { body } = await server.ask("GET", `/apis/example.dev/v1/widgets?${query}`);
          const listed = body.items.map((object: any) => [`${object.metadata.namespace}/${object.metadata.name}`, JSON.stringify(object)]);
          assert.deepEqual(new Map([...(followers[i]?.believed ?? [])].sort()), new Map(listed.sort()));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("in this process a watch is an iterable that ends with its signal", async () => {
  const { server, ask } = await testServer();
  const transport = inProcessTransport(server, { name: "c", groups: [mastersGroup] });
  const stop = new AbortController();
  const request = { method: "GET", path: maps, query: "watch=1", headers: {} } as const;
  const events = await transport.watch(request, stop.signal);
  await ask("POST", maps, configMap("a"));
  const seen: string[] = [];
  for await (const { type } of events) {
    seen.push(type);
    stop.abort();
  }
  assert.deepEqual(seen, ["ADDED"]);
  await assert.rejects(
    transport.watch({ ...request, path: "/api/v1/namespaces/default/configmaps", query: "watch=1&resourceVersion=x" }, stop.signal),
    {
      message: 'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
    },
  );
});
