import assert from "node:assert/strict";
import { type IncomingHttpHeaders, request } from "node:http";
import { type TestContext, test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics, Secret } from "@mecha/kit";
import { listen, type Listener } from "@mecha/net";
import { type EntityAddress, openEngine, type Payload } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { packJson, packPrimitive } from "@mecha/wire";
import { LiveFeed } from "./live.ts";
import { FakeClock } from "@mecha/kit/testing";
import { type AdminView, adminHandler } from "./server.ts";

const token = "correct-horse";

interface Admin {
  readonly listener: Listener;
  readonly view: AdminView;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}
interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: any;
  readonly text: string;
}

/** An admin listener over a memory store with `carts` event-sourced entities of three events each, and one value. */
async function open(t: TestContext, carts = 3): Promise<Admin> {
  const store = openMemoryStore();
  for (let i = 0; i < carts; i++) await fill(store, `cart-${String(i).padStart(4, "0")}`);
  const value = await store.open(address("shop.Profile", "ada"), "value");
  await store.commit([{ ...step(value.handle, 0, []), value: { do: "update", value: packPrimitive({ type: "string", value: "Ada" }) } }]);
  const engine = openEngine({ store, clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics });
  const live = new LiveFeed(hostClock);
  const view: AdminView = { store, engine, live, descriptors: () => undefined, status: () => ({ project: "shop", functions: [] }) as any };
  let port = 0;
  const handler = adminHandler(view, { token: new Secret(token), port: () => port, log: noLog, clock: new FakeClock() });
  const listener = await listen({ host: "127.0.0.1", port: 0, clock: hostClock, log: noLog }, { grpc: () => undefined, http: handler });
  port = listener.port;
  t.after(async () => {
    live[Symbol.dispose]();
    await listener[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
  return { listener, view, get: (path, headers = { authorization: `Bearer ${token}` }) => send(port, { path, headers }) };
}

const address = (service: string, entityId: string): EntityAddress => ({ namespace: "default", service, persistenceId: "p", entityId });
const step = (entity: any, expectedSequence: number, events: Payload[]): any => ({
  entity,
  expectedSequence,
  events,
  cause: "AddItem",
  timeMs: 1_000,
});

async function fill(store: ReturnType<typeof openMemoryStore>, id: string): Promise<void> {
  const { handle } = await store.open(address("shop.Cart", id), "eventSourced");
  const events = [1, 2, 3].map((n) => packJson("added", { n }));
  await store.commit([{ ...step(handle, 0, events), snapshot: packJson("cart", { items: 3 }) }]);
  store.release(handle);
}

function send(port: number, options: { path: string; headers: Readonly<Record<string, string>>; method?: string }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        let body: unknown;
        try {
          body = JSON.parse(text);
        } catch {
          body = undefined; // the page, not JSON
        }
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, text });
      });
    });
    sent.once("error", reject);
    sent.end();
  });
}

test("without the token, or with a wrong one, the API says nothing", async (t) => {
  const admin = await open(t);
  const bearers = [
    {},
    { authorization: "Bearer wrong-horse-x" },
    { authorization: `Basic ${token}` },
    { authorization: `Bearer ${token}x` },
    { authorization: "Bearer " },
  ];
  for (const headers of bearers)
    for (const path of ["/v1/status", "/v1/entities", "/v1/events", "/v1/nonsense", "/v1/entities/shop.Cart/cart-0000"]) {
      const { status, body } = await admin.get(path, headers);
      assert.equal(status, 401, path);
      assert.equal(body.code, "unauthenticated");
    }
});

test("a page of another site, or another name for this host, is refused even with the token", async (t) => {
  const admin = await open(t);
  const { port } = admin.listener;
  const auth = { authorization: `Bearer ${token}` };
  const refused = [
    { host: "evil.example" },
    { host: `evil.example:${port}` },
    { host: "127.0.0.1:1" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: `https://127.0.0.1:${port}` },
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
  ];
  for (const headers of refused)
    assert.equal((await admin.get("/v1/status", { ...auth, ...headers } as any)).status, 403, JSON.stringify(headers));
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`])
    assert.equal((await admin.get("/v1/status", { ...auth, host, origin: `http://${host}` })).status, 200, host);
});

test("the page is for everybody on this machine, and may load nothing from elsewhere", async (t) => {
  const admin = await open(t);
  for (const [path, type] of [
    ["/", "text/html"],
    ["/page.js", "text/javascript"],
    ["/json.js", "text/javascript"],
    ["/events.js", "text/javascript"],
    ["/outbox.js", "text/javascript"],
    ["/page.css", "text/css"],
    ["/icon.svg", "image/svg+xml"],
  ] as const) {
    const { status, headers, text } = await admin.get(path, {});
    assert.equal(status, 200);
    assert.ok(headers["content-type"]?.startsWith(type));
    assert.match(String(headers["content-security-policy"]), /^default-src 'none'; script-src 'self';/u);
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.ok(!text.includes(token));
  }
  for (const path of ["/server.ts", "/../package.json", "/%2e%2e/package.json", "/page.js/", "//", "/v2/status"])
    assert.equal((await admin.get(path, {})).status, 404, path);
});

test("the API is read only", async (t) => {
  const admin = await open(t);
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const { status, headers } = await send(admin.listener.port, {
      method,
      path: "/v1/status",
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(status, 405);
    assert.equal(headers.allow, "GET, HEAD");
  }
});

test("entities are listed page by page, each once, in order", async (t) => {
  const admin = await open(t, 120);
  const seen: string[] = [];
  let next: string | undefined;
  do {
    const { status, body } = await admin.get(`/v1/entities?limit=50${next === undefined ? "" : `&after=${next}`}`);
    assert.equal(status, 200);
    seen.push(...body.entities.map((e: any) => e.id));
    next = body.next;
  } while (next !== undefined);
  assert.equal(seen.length, 121);
  assert.deepEqual(
    seen,
    [...new Set(seen)].toSorted((a, b) => (a === "ada" ? 1 : b === "ada" ? -1 : a < b ? -1 : 1)),
  );
});

test("a page that ends with the last entity has no next", async (t) => {
  const admin = await open(t, 49);
  const { body } = await admin.get("/v1/entities?limit=50");
  assert.equal(body.entities.length, 50);
  assert.equal(body.next, undefined);
});

test("search and service narrow the list, and pages of a search join", async (t) => {
  const admin = await open(t, 120);
  const first = (await admin.get("/v1/entities?search=cart-00&limit=60")).body;
  assert.equal(first.entities.length, 60);
  const second = (await admin.get(`/v1/entities?search=cart-00&limit=60&after=${first.next}`)).body;
  assert.equal(second.entities.length, 40);
  assert.equal(second.entities[0].id, "cart-0060");
  assert.equal(second.next, undefined);
  assert.deepEqual(
    (await admin.get("/v1/entities?service=shop.Profile")).body.entities.map((e: any) => e.id),
    ["ada"],
  );
});

test("an entity shows its snapshot or value decoded; one that is not there is 404", async (t) => {
  const admin = await open(t);
  const cart = (await admin.get("/v1/entities/shop.Cart/cart-0001")).body;
  assert.equal(cart.sequence, 3);
  assert.deepEqual(cart.snapshot.payload.json, { items: 3 });
  const ada = (await admin.get("/v1/entities/shop.Profile/ada")).body;
  assert.equal(ada.value.json, "Ada");
  const absent = await admin.get("/v1/entities/shop.Cart/nobody");
  assert.equal(absent.status, 404);
  assert.match(absent.body.message, /nothing is stored for shop\.Cart "nobody"/u);
});

test("history comes newest page first, and older and newer pages join without gap or overlap", async (t) => {
  const admin = await open(t);
  const path = "/v1/entities/shop.Cart/cart-0002/events";
  const newest = (await admin.get(`${path}?limit=2`)).body;
  assert.deepEqual(
    newest.events.map((e: any) => [e.sequence, e.cause, e.time, e.payload.json.n]),
    [
      [2, "AddItem", "1970-01-01T00:00:01.000Z", 2],
      [3, "AddItem", "1970-01-01T00:00:01.000Z", 3],
    ],
  );
  assert.equal(newest.after, undefined);
  const older = (await admin.get(`${path}?limit=2&before=${newest.before}`)).body;
  assert.deepEqual([older.events.map((e: any) => e.sequence), older.before, older.after], [[1], undefined, 1]);
  const upward = (await admin.get(`${path}?limit=2&after=1`)).body;
  assert.deepEqual(
    upward.events.map((e: any) => e.sequence),
    [2, 3],
  );
  assert.deepEqual((await admin.get(`${path}?after=3`)).body.events, []);
});

test("nonsense in path and query is answered with 400 and the parameter's name", async (t) => {
  const admin = await open(t);
  const cases: [string, RegExp][] = [
    ["/v1/entities?limit=0", /`limit`: expected a whole number from 1 to 500/u],
    ["/v1/entities?limit=501", /`limit`/u],
    ["/v1/entities?limit=1e2", /`limit`/u],
    ["/v1/entities?after=!!", /`after` is not a `next`/u],
    ["/v1/entities?after=WzFd", /`after` is not a `next`/u],
    ["/v1/entities/shop.Cart/%ff", /not percent-encoded UTF-8/u],
    ["/v1/entities/shop.Cart/cart-0000/events?before=0", /`before`/u],
    ["/v1/entities/shop.Cart/cart-0000/events?after=-1", /`after`/u],
  ];
  for (const [path, message] of cases) {
    const { status, body } = await admin.get(path);
    assert.equal(status, 400, path);
    assert.match(body.message, message);
  }
  assert.equal((await admin.get("/v1/entities/a/b/c/d")).status, 404);
});

test("the live stream tells changes, and ends when the feed closes", async (t) => {
  const admin = await open(t);
  const { promise: heard, resolve: hear } = Promise.withResolvers<string>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const sent = request(
    { host: "127.0.0.1", port: admin.listener.port, path: "/v1/events", headers: { authorization: `Bearer ${token}` } },
    (response) => {
      assert.equal(response.headers["content-type"], "text/event-stream");
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
        if (text.startsWith(": listening"))
          admin.view.live.change({ service: "shop.Cart", entityId: "x", sequence: 9, cause: "AddItem", timeMs: 0 });
        if (text.includes("data:")) hear(text);
      });
      response.on("end", () => end());
    },
  );
  sent.end();
  assert.match(
    await heard,
    /event: changes\ndata: \{"changes":\[\{"service":"shop\.Cart","id":"x","sequence":9,"cause":"AddItem","time":"1970-01-01T00:00:00\.000Z"\}\],"more":0\}\n\n/u,
  );
  admin.view.live[Symbol.dispose]();
  await ended;
});

test("timers are listed with what they do next, by service and entity, page by page", async (t) => {
  const admin = await open(t, 1);
  await setTimers(admin, "shop.Cart", "cart-0000", [
    { name: "expire", dueMs: 5_000, schedule: "~1 " },
    { name: "report", dueMs: 6_000, schedule: '~2 {"cron":"0 9 * * *","zone":"Europe/Berlin","catchUp":"skip"}' },
  ]);
  await setTimers(admin, "shop.Profile", "a/b", [{ name: "tick tock", dueMs: 7_000, schedule: '~3 {"every":1000}' }]);
  const { body } = await admin.get("/v1/timers");
  assert.deepEqual(body.timers[0], {
    service: "shop.Cart",
    id: "cart-0000",
    name: "expire",
    due: "1970-01-01T00:00:05.000Z",
    firing: 1,
    state: "set",
    catchUp: "once",
    command: "Expire",
    payload: { type: "json.cloudstate.io/x", json: { a: 1 } },
  });
  assert.deepEqual(
    body.timers.map(({ name, everyMs, cron, timeZone, catchUp }: any) => [name, everyMs, cron, timeZone, catchUp]),
    [
      ["expire", undefined, undefined, undefined, "once"],
      ["report", undefined, "0 9 * * *", "Europe/Berlin", "skip"],
      ["tick tock", 1_000, undefined, undefined, "once"],
    ],
  );
  const names = async (query: string): Promise<unknown> =>
    (await admin.get(`/v1/timers?${query}`)).body.timers.map(({ name }: any) => name);
  assert.deepEqual(await names("service=shop.Profile"), ["tick tock"]);
  assert.deepEqual(await names("service=shop.Profile&id=nobody"), []);
  const first = (await admin.get("/v1/timers?limit=2")).body;
  assert.equal(first.timers.length, 2);
  assert.deepEqual(await names(`limit=2&after=${first.next}`), ["tick tock"]);
  assert.equal((await admin.get("/v1/timers?id=a")).status, 400);
});

test("a timer that was given up says why, and that it is parked when it does not go on", async (t) => {
  const admin = await open(t, 1);
  await setTimers(admin, "shop.Cart", "cart-0000", [
    { name: "once", dueMs: 5_000, schedule: "~1 " },
    { name: "often", dueMs: 5_000, schedule: '~2 {"every":1000}' },
  ]);
  const { store } = admin.view;
  const { handle, sequence } = await store.open(address("shop.Cart", "cart-0000"), "eventSourced");
  const failed = { do: "failed", dueMs: 5_000, failure: "exhausted: too large" } as const;
  const timers = [
    { ...failed, name: "once" },
    { ...failed, name: "often", nextDueMs: 6_000 },
  ];
  await store.commit([{ ...step(handle, sequence, []), timers }]);
  const { body } = await admin.get("/v1/timers");
  assert.deepEqual(
    body.timers.map(({ name, state, failure, firing, due }: any) => [name, state, failure, firing, due]),
    [
      ["once", "parked", "exhausted: too large", 1, "1970-01-01T00:00:05.000Z"],
      ["often", "set", "exhausted: too large", 2, "1970-01-01T00:00:06.000Z"],
    ],
  );
});

test("a timer is cancelled by DELETE with the token; nothing else can be deleted", async (t) => {
  const admin = await open(t, 1);
  await setTimers(admin, "shop.Profile", "a/b", [{ name: "tick tock", dueMs: 7e12, schedule: '~3 {"every":1000}' }]);
  const { port } = admin.listener;
  const remove = (path: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) =>
    send(port, { path, headers, method: "DELETE" });
  const path = "/v1/timers/shop.Profile/a%2Fb/tick%20tock";
  assert.equal((await remove(path, {})).status, 401);
  assert.equal((await remove(path, { authorization: `Bearer ${token}`, origin: "http://evil.example" })).status, 403);
  assert.deepEqual([(await remove(path)).body, (await admin.get("/v1/timers")).body.timers], [{ cancelled: true }, []]);
  const again = await remove(path);
  assert.deepEqual(
    [again.status, again.body.message],
    [404, 'shop.Profile "a/b" has no timer "tick tock"; `mecha timers list` shows what is set'],
  );
  assert.equal((await remove("/v1/entities/shop.Cart/cart-0000")).status, 405);
});

test("messages that were given up are listed, tried again and discarded; those that wait are another list", async (t) => {
  const admin = await open(t, 1);
  await sendMessages(admin, 5);
  const { store } = admin.view;
  store.settle([1, 2, 3, 4].map((id) => ({ id, to: "dead", attempts: 7, failure: "unknown: it crashes" })));
  store.settle([{ id: 5, to: "waiting", attempts: 2, dueMs: 9_000, failure: "unavailable: later" }]);
  const { body } = await admin.get("/v1/outbox");
  assert.deepEqual(body.messages[0], {
    id: 1,
    state: "dead",
    source: { service: "shop.Cart", id: "cart-0000" },
    target: { service: "shop.Stock", id: "tea", command: "Take" },
    origin: "side effect of shop.Cart.AddItem",
    time: "1970-01-01T00:00:01.000Z",
    attempts: 7,
    failure: "unknown: it crashes",
    key: "k1",
    payload: { type: "json.cloudstate.io/x", json: { a: 1 } },
  });
  const ids = async (query: string): Promise<unknown> => (await admin.get(`/v1/outbox?${query}`)).body.messages.map(({ id }: any) => id);
  assert.deepEqual(await ids(""), [1, 2, 3, 4]);
  const first = (await admin.get("/v1/outbox?limit=3")).body;
  assert.deepEqual([first.messages.length, await ids(`after=${first.next}`)], [3, [4]]);
  const [waiting] = (await admin.get("/v1/outbox?state=waiting")).body.messages;
  assert.deepEqual([waiting.id, waiting.due, waiting.attempts], [5, "1970-01-01T00:00:09.000Z", 2]);
  assert.equal((await admin.get("/v1/outbox?state=lost")).status, 400);

  const act = (method: string, path: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }) =>
    send(admin.listener.port, { path, headers, method });
  assert.equal((await act("POST", "/v1/outbox/1/retry", {})).status, 401);
  assert.deepEqual((await act("POST", "/v1/outbox/1/retry")).body, { retried: true });
  const again = await act("POST", "/v1/outbox/1/retry");
  assert.deepEqual([again.status, again.body.message.slice(0, 27)], [404, "no message 1 was given up; "]);
  for (const id of [2, 5]) assert.deepEqual((await act("DELETE", `/v1/outbox/${id}`)).body, { discarded: true });
  assert.equal((await act("DELETE", "/v1/outbox/2")).status, 404);
  assert.deepEqual([await ids("state=dead"), await ids("state=waiting")], [[3, 4], [1]]);
});

/** As a step of cart-0000 would have. */
async function sendMessages({ view: { store } }: Admin, count: number): Promise<void> {
  const { handle, sequence } = await store.open(address("shop.Cart", "cart-0000"), "eventSourced");
  const outbox = Array.from({ length: count }, (_, at) => ({
    key: `k${at + 1}`,
    service: "shop.Stock",
    entityId: "tea",
    command: "Take",
    payload: packJson("x", { a: 1 }),
    hops: 1,
    origin: "side effect of shop.Cart.AddItem",
  }));
  await store.commit([{ ...step(handle, sequence, []), outbox }]);
  store.release(handle);
}

/** As steps of the entity would have set them. */
async function setTimers(
  { view: { store } }: Admin,
  service: string,
  id: string,
  timers: readonly { readonly name: string; readonly dueMs: number; readonly schedule: string }[],
): Promise<void> {
  const kind = service === "shop.Cart" ? "eventSourced" : "value";
  const { handle, sequence } = await store.open(address(service, id), kind);
  const set = timers.map((timer) => ({ do: "set" as const, ...timer, command: "Expire", payload: packJson("x", { a: 1 }) }));
  await store.commit([{ ...step(handle, sequence, []), timers: set }]);
  store.release(handle);
}
