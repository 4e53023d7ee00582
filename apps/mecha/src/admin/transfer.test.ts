/** Export and import over the listener: who may, what a slow reader costs, what a failure half-way looks like. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { Fault, noLog, noMetrics, Secret } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { listen } from "@mecha/net";
import { openEngine, type Store } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { packPrimitive } from "@mecha/wire";
import { LiveFeed } from "./live.ts";
import { adminHandler } from "./server.ts";

const auth = { authorization: "Bearer t" };

async function open(t: TestContext): Promise<{ readonly url: string; readonly store: Store }> {
  const store = openMemoryStore();
  const engine = openEngine({ store, clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics });
  const live = new LiveFeed(hostClock);
  let port = 0;
  const view = { store, engine, live, descriptors: () => undefined, status: () => ({ project: "shop" }) as never };
  const handler = adminHandler(view, { token: new Secret("t"), port: () => port, log: noLog, clock: new FakeClock() });
  const listener = await listen({ host: "127.0.0.1", port: 0, clock: hostClock, log: noLog }, { grpc: () => undefined, http: handler });
  port = listener.port;
  t.after(async () => {
    live[Symbol.dispose]();
    await listener[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
  return { url: `http://127.0.0.1:${port}/v1`, store };
}

async function fill(store: Store, events: number, bytes = 1): Promise<void> {
  const address = { namespace: "default", service: "shop.Cart", persistenceId: "p", entityId: "a" };
  const { handle } = await store.open(address, "eventSourced");
  const payload = packPrimitive({ type: "string", value: "x".repeat(bytes) });
  for (let sequence = 0; sequence < events; sequence++)
    await store.commit([{ entity: handle, expectedSequence: sequence, events: [payload], cause: "Add", timeMs: 0 }]);
  store.release(handle);
}

test("only who has the token exports and imports, each by its own method", async (t) => {
  const { url } = await open(t);
  assert.equal((await fetch(`${url}/export`)).status, 401);
  assert.equal((await fetch(`${url}/import`, { method: "POST", body: "" })).status, 401);
  assert.equal((await fetch(`${url}/import`, { headers: auth })).status, 404);
  assert.equal((await fetch(`${url}/export`, { method: "POST", headers: auth, body: "" })).status, 405);
  assert.equal((await fetch(`${url}/import?line=0`, { method: "POST", headers: auth, body: "" })).status, 400);
  const origin = { origin: "https://evil.example" };
  assert.equal((await fetch(`${url}/import`, { method: "POST", headers: { ...auth, ...origin }, body: "" })).status, 403);
});

test("the export of one service, and its import by number of line", async (t) => {
  const { url, store } = await open(t);
  await fill(store, 2);
  const response = await fetch(`${url}/export?service=shop.Cart`, { headers: auth });
  assert.deepEqual([response.status, response.headers.get("content-type")], [200, "application/x-ndjson"]);
  const text = await response.text();
  assert.equal(text.split("\n").length, 5);
  assert.equal((await (await fetch(`${url}/export?service=shop.None`, { headers: auth })).text()).split("\n").length, 3);
  const send = async (body: string | Uint8Array<ArrayBuffer>, line: number): Promise<unknown> =>
    (await fetch(`${url}/import?line=${line}`, { method: "POST", headers: auth, body })).json();
  assert.deepEqual(await send(text, 1), { imported: 0, unchanged: 2 });
  assert.match(JSON.stringify(await send("{", 7)), /line 7: it is not JSON/u);
  assert.match(JSON.stringify(await send(Uint8Array.of(0x22, 0xff), 9)), /line 9 or one behind it is not UTF-8/u);
});

test("a reader that stops reading holds the export back", async (t) => {
  const { url, store } = await open(t);
  await fill(store, 200, 256 * 1024);
  let pages = 0;
  const events = store.events.bind(store);
  store.events = (...args) => (pages++, events(...args));
  const response = await fetch(`${url}/export`, { headers: auth });
  const reader = response.body!.getReader();
  await reader.read();
  let before = -1;
  while (before !== pages) {
    before = pages;
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  }
  assert.ok(pages < 60, `${pages} pages of 1 MiB were read for a reader that took one piece`);
  while (!(await reader.read()).done);
  assert.ok(pages > before);
});

test("a store that fails half-way ends the export with a line that says so", async (t) => {
  const { url, store } = await open(t);
  await fill(store, 1);
  store.timers = () => Promise.reject(new Fault("unavailable", "the store is closed"));
  const lines = (await (await fetch(`${url}/export`, { headers: auth })).text()).trim().split("\n");
  assert.deepEqual(JSON.parse(lines.at(-1) ?? ""), { record: "failed", message: "the store is closed" });
});
