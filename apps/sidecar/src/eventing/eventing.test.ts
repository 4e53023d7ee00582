/** Eventing through a real sidecar and functions on our SDK: entity to action, action to topic, topic to entity, from outside; poison, and what people do about it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { MetricsRegistry, noLog, Scope } from "@mecha/kit";
import { MemoryLog } from "@mecha/kit/testing";
import { openMemoryStore, openMemoryTopics } from "@mecha/store-memory";
import { type CloudEvent as CloudEventBytes, readHttpEvents } from "@mecha/wire/cloudevents";
import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";
import { action, anyEvent, command, eventLog, eventSourced, jsonEvent, message, openEvent, serve, t, topic, valueEntity } from "mecha-sdk";
import { openSidecar, type Sidecar } from "../index.ts";

const Added = message("shop.Added", { cart: t.string, sku: t.string });
const Cart = eventSourced({
  service: "shop.Cart",
  key: "cart",
  state: () => ({}),
  events: { added: Added, cleared: jsonEvent<{ why: string }>("cleared") },
  on: { added: () => undefined, cleared: () => undefined },
  commands: { add: command({ cart: t.string, sku: t.string }), clear: command({ cart: t.string, why: t.string }) },
  handle: {
    add: ({ cart, sku }, ctx) => ctx.emit("added", { cart, sku }),
    clear: ({ why }, ctx) => ctx.emit("cleared", { why }),
  },
});
/** What each consumer saw. */
const seen: string[] = [];
const waiters: (() => void)[] = [];
function saw(what: string): void {
  seen.push(what);
  for (const wake of waiters.splice(0)) wake();
}
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>((resolve) => waiters.push(resolve));
}

const failing = new Set<string>();
/** Traceparents that came with events of carts. */
const traces: string[] = [];
const Sold = message("shop.Sold", { sku: t.string, count: t.int32 });
const Feed = action({
  service: "shop.Feed",
  commands: {
    added: command(Added).consumes(eventLog("shop.Cart")).publishes(topic("sold")).replies(Sold),
    other: command(anyEvent).consumes(eventLog("shop.Cart")),
  },
  handle: {
    added({ sku }, ctx) {
      traces.push(...ctx.metadata.flatMap(([name, value]) => (name === "traceparent" ? [String(value)] : [])));
      if (failing.has(sku)) {
        saw(`failed ${sku}`);
        return ctx.fail(`no ${sku}`);
      }
      saw(`added ${ctx.cloudEvent?.id} ${ctx.cloudEvent?.source} ${ctx.cloudEvent?.subject}`);
      return { sku, count: 1 };
    },
    other(event) {
      saw(`other ${JSON.stringify(openEvent(event))}`);
    },
  },
});
/** Counts what was sold, from the topic. */
const Stock = valueEntity({
  service: "shop.Stock",
  key: "sku",
  state: () => ({ count: 0 }),
  commands: { sold: command(Sold).consumes(topic("sold")), get: command({ sku: t.string }).replies({ count: t.int32 }) },
  handle: {
    sold({ sku, count }, ctx) {
      ctx.update({ count: ctx.state.count + count });
      saw(`sold ${sku}`);
    },
    get: (_, ctx) => ({ count: ctx.state.count }),
  },
});

const scope = new Scope();
let sidecar: Sidecar;
const metrics = new MetricsRegistry();
const topics = openMemoryTopics({ maxAgeMs: 3_600_000, maxBytes: 1 << 20 });
const log = new MemoryLog();
before(async () => {
  const server = scope.own(await serve([Cart, Feed, Stock], { port: 0, host: "127.0.0.1", handleSignals: false, log: noLog }));
  let changed = (): void => undefined;
  sidecar = scope.own(
    await openSidecar(
      {
        ingress: { host: "127.0.0.1", port: 0, topics: ["sold"] },
        version: "0.0.0-test",
        deliveries: { attemptsMax: 3, backoffMinMs: 1, backoffMaxMs: 2 },
      },
      {
        ...{ clock: hostClock, random: hostRandom, log, metrics },
        store: scope.own(openMemoryStore()),
        topics: scope.own(topics),
        fatal: (fault) => assert.fail(fault),
        changed: () => changed(),
      },
    ),
  );
  sidecar.addFunction("shop").started({ host: "127.0.0.1", port: server.port });
  await new Promise<void>((resolve) => {
    changed = () => sidecar.functions[0]?.state.is === "ready" && resolve();
    changed();
  });
});
after(() => scope[Symbol.asyncDispose]());

async function call(method: string, body: unknown, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${sidecar.port}/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text);
}

test("an event goes to the action, its reply to the topic, the topic's message to the entity", async () => {
  await call("shop.Cart/Add", { cart: "c1", sku: "tea" });
  await until(() => seen.includes("sold tea"));
  assert.deepEqual(seen.splice(0), ["added 1:c1 shop.Cart c1", "sold tea"]);
  assert.deepEqual(await call("shop.Stock/Get", { sku: "tea" }), { count: 1 });
  assert.equal(metrics.value("mecha_events_delivered_total", "shop.Feed", "log:shop.Cart"), 1);
});

test("a caller's trace passes through events and topics, though nothing is traced here", async () => {
  const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
  await call("shop.Cart/Add", { cart: "c0", sku: "jam" }, { traceparent });
  await until(() => seen.includes("sold jam"));
  seen.splice(0);
  assert.deepEqual(traces.splice(0), [traceparent]);
  const { events } = await topics.read("sold", 0, 100);
  assert.equal(events.at(-1)?.trace, traceparent);
});

test("events that are JSON go to the method that takes any", async () => {
  await call("shop.Cart/Clear", { cart: "c1", why: "moved" });
  await until(() => seen.length > 0);
  assert.deepEqual(seen.splice(0), ['other {"type":"cleared","value":{"why":"moved"}}']);
});

test("JSON from outside reaches a method that takes the message; sent twice, it counts once", async () => {
  const headers = {
    "ce-id": "1",
    "ce-source": "/till",
    "ce-type": "shop.Sold",
    "ce-specversion": "1.0",
    "content-type": "application/json",
  };
  const events = readHttpEvents(headers, new TextEncoder().encode('{"sku":"milk","count":3}'));
  assert.equal(await sidecar.eventing.publish("sold", events), 1);
  assert.equal(await sidecar.eventing.publish("sold", events), 0);
  await until(() => seen.includes("sold milk"));
  assert.deepEqual(await call("shop.Stock/Get", { sku: "milk" }), { count: 3 });
  assert.deepEqual(seen.splice(0), ["sold milk"]);
  await assert.rejects(sidecar.eventing.publish("so ld", events), /topic "so ld" may have letters/);
});

test("the CloudEvents SDK publishes at the ingress, in each mode; what is sent again counts once", async () => {
  const url = `http://127.0.0.1:${sidecar.port}/_mecha/topics/sold`;
  const sale = new CloudEvent({ id: "sdk-1", source: "/sdk", type: "shop.Sold", data: { sku: "cocoa", count: 2 } });
  const answers: unknown[] = [];
  for (const mode of [Mode.BINARY, Mode.STRUCTURED])
    answers.push(JSON.parse(((await emitterFor(httpTransport(url), { mode })(sale)) as { body: string }).body));
  const headers = { "content-type": "application/cloudevents-batch+json" };
  const body = JSON.stringify([sale, sale.cloneWith({ id: "sdk-2" })]);
  answers.push(await (await fetch(url, { method: "POST", headers, body })).json());
  assert.deepEqual(answers, [{ published: 1, known: 0 }, { published: 0, known: 1 }, { published: 1, known: 1 }]); // prettier-ignore
  await until(() => seen.filter((one) => one === "sold cocoa").length === 2);
  assert.deepEqual(await call("shop.Stock/Get", { sku: "cocoa" }), { count: 4 });
  seen.splice(0);
  assert.equal(metrics.value("mecha_events_known_total", "sold"), 3); // one of the test before
  assert.equal(metrics.value("mecha_ingress_requests_total", "mecha.Topics", "sold", "http", "0"), 3);
});

test("a log that is behind takes no more from outside, until it has stored what waits", async () => {
  const release: (() => void)[] = [];
  const append = topics.append.bind(topics);
  topics.append = async (messages) => {
    await new Promise<void>((resolve) => release.push(resolve));
    return append(messages);
  };
  const data = new Uint8Array(4 << 20);
  const event = (id: string): CloudEventBytes => ({ id, source: "/bulk", type: "bytes", extensions: {}, data });
  const waiting = Array.from({ length: 15 }, (_, at) => sidecar.eventing.publish("bulk", [event(String(at))]));
  await assert.rejects(sidecar.eventing.publish("bulk", [event("more")]), {
    code: "exhausted",
    message: /15 events .* wait to be stored; try again/,
  });
  for (const go of release.splice(0)) go();
  assert.deepEqual(
    await Promise.all(waiting),
    waiting.map(() => 1),
  );
  topics.append = append;
  assert.equal(await sidecar.eventing.publish("bulk", [event("more")]), 1);
});

test("a poison event is parked after its attempts; what is behind it goes on; people try it again, or let it go", async () => {
  failing.add("bomb");
  await call("shop.Cart/Add", { cart: "c2", sku: "bomb" });
  await call("shop.Cart/Add", { cart: "c2", sku: "cup" });
  await until(() => seen.includes("sold cup"));
  assert.deepEqual(seen.splice(0), ["failed bomb", "failed bomb", "failed bomb", "added 2:c2 shop.Cart c2", "sold cup"]);
  const { events } = await sidecar.eventing.parked({ limit: 10 });
  assert.deepEqual(
    events.map(({ id, subscriber, attempts, failure }) => [id, subscriber, attempts, failure]),
    [["l1", "shop.Feed/log/shop.Cart", 3, "unknown: no bomb"]],
  );
  assert.deepEqual(
    log.lines.filter(({ message: text }) => /event/.test(text)).map(({ level, message: text }) => `${level} ${text}`),
    ["warn event could not be delivered; it is tried again", "error event was parked; `mecha events parked` shows it"],
  );
  const [retried, parked] = log.lines.filter(({ message: text }) => /event/.test(text)).map(({ fields }) => fields);
  const about = {
    subscriber: "shop.Feed/log/shop.Cart",
    service: "shop.Feed",
    command: "Added",
    entity: "c2",
    source: "shop.Cart",
    event: "1:c2",
  };
  const shown = (fields: typeof retried, attempts: number) => {
    const { cause, ...rest } = fields ?? {};
    assert.deepEqual(rest, { ...about, type: "type.googleapis.com/shop.Added", attempts });
    assert.match(String(cause), /no bomb/);
  };
  shown(retried, 1);
  shown(parked, 3);
  await assert.rejects(sidecar.eventing.retryParked("l1"), /event l1 failed again, and stays parked/);
  failing.clear();
  await sidecar.eventing.retryParked("l1");
  assert.deepEqual((await sidecar.eventing.parked({ limit: 10 })).events, []);
  await assert.rejects(sidecar.eventing.skipParked("l1"), /no event l1 is parked/);
  await until(() => seen.includes("sold bomb"));
});

test("groups are shown with what they consume", () => {
  const groups = sidecar.eventing.groups().map(({ group, from, name, methods, connected }) => ({ group, from, name, methods, connected }));
  assert.deepEqual(groups, [
    { group: "shop.Feed", from: "eventLog", name: "shop.Cart", methods: ["shop.Feed.Added", "shop.Feed.Other"], connected: true },
    { group: "shop.Stock", from: "topic", name: "sold", methods: ["shop.Stock.Sold"], connected: true },
  ]);
});
