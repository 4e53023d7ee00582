/** Topics over HTTP, at a real socket, as the CloudEvents SDK of npm sends events; where they end up is scripted here (../eventing/eventing.test.ts has the whole way). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CloudEvent, emitterFor, HTTP, httpTransport, Mode } from "cloudevents";
import { Fault } from "@mecha/kit";
import { serve } from "./testing/fixture.ts";

interface Published {
  readonly topic: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly extensions: Readonly<Record<string, string>>;
  readonly data: string;
  readonly trace: string | undefined;
}

async function begin(answer: (count: number) => Promise<number> = async (count) => count, bodyMaxBytes = 4_096) {
  const published: Published[] = [];
  const served = await serve({ topics: ["orders", "a/b"], bodyMaxBytes }, async (topic, events, trace) => {
    for (const { id, source, type, extensions, data } of events)
      published.push({ topic, id, source, type, extensions, data: new TextDecoder().decode(data), trace });
    return answer(events.length);
  });
  const post = async (path: string, init: RequestInit) => {
    const response = await fetch(`${served.url}${path}`, { method: "POST", ...init });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  return { ...served, published, post };
}

const order = new CloudEvent({ id: "1", source: "/till", type: "shop.Ordered", partitionkey: "tea", data: { sku: "tea" } });
const sent = { id: "1", source: "/till", type: "shop.Ordered", extensions: { partitionkey: "tea" }, data: '{"sku":"tea"}' };

for (const mode of [Mode.BINARY, Mode.STRUCTURED])
  test(`the SDK's ${mode} mode`, async () => {
    await using served = await begin();
    const emit = emitterFor(httpTransport(`${served.url}/_mecha/topics/orders`), { mode });
    const { body } = (await emit(order)) as { body: string };
    assert.deepEqual(JSON.parse(body), { published: 1, known: 0 });
    assert.deepEqual(served.published, [{ topic: "orders", ...sent, trace: undefined }]);
  });

test("a batch; its trace is the request's", async () => {
  await using served = await begin(async () => 1);
  const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
  const body = JSON.stringify([order, order.cloneWith({ id: "2" })]);
  const answer = await served.post("/_mecha/topics/a%2Fb", {
    headers: { "content-type": "application/cloudevents-batch+json", traceparent },
    body,
  });
  assert.deepEqual([answer.status, answer.body], [200, '{"published":1,"known":1}']);
  assert.deepEqual(
    served.published.map(({ topic, id, trace }) => [topic, id, trace]),
    ["1", "2"].map((id) => ["a/b", id, traceparent]),
  );
});

const { headers: sdkHeaders } = HTTP.binary(order);
const binary = sdkHeaders as Record<string, string>;
const json = (value: unknown, type = "application/cloudevents+json"): RequestInit => ({
  headers: { "content-type": type },
  body: JSON.stringify(value),
});
const batch = "application/cloudevents-batch+json";
for (const [what, path, init, status, message] of [
  [
    "a topic nobody listed",
    "/_mecha/topics/returns",
    json(order),
    403,
    /the topic "returns" is not open to callers; list it to open it \(spec\.ingress\.topics/,
  ],
  ["a name that is not encoded", "/_mecha/topics/%ff", json(order), 400, /the topic "%ff" is not percent-encoded/],
  ["another method", "/_mecha/topics/orders", { method: "GET" }, 405, /published with POST, not GET/],
  ["no id", "/_mecha/topics/orders", json({ ...order.toJSON(), id: "" }), 400, /the event has no id/],
  ["no source", "/_mecha/topics/orders", { headers: { ...binary, "ce-source": "" }, body: "{}" }, 400, /the event has no source/],
  [
    "another version",
    "/_mecha/topics/orders",
    { headers: { ...binary, "ce-specversion": "0.3" }, body: "{}" },
    400,
    /specversion "0\.3", not 1\.0/,
  ],
  ["an attribute's name", "/_mecha/topics/orders", json({ ...order.toJSON(), aB: "1" }), 400, /has an attribute "aB"; names are/],
  ["a time that is none", "/_mecha/topics/orders", json({ ...order.toJSON(), time: "soon" }), 400, /has the time "soon"/],
  [
    "JSON that is none",
    "/_mecha/topics/orders",
    { headers: { "content-type": "application/cloudevents+json" }, body: "{" },
    400,
    /no JSON in UTF-8/,
  ],
  ["no event at all", "/_mecha/topics/orders", { headers: { "content-type": "application/json" }, body: "{}" }, 400, /has no ce- headers/],
  ["one of a batch", "/_mecha/topics/orders", json([order, { ...order.toJSON(), type: "" }], batch), 400, /event 2 of 2 has no type/],
  ["a batch that is none", "/_mecha/topics/orders", json(order, batch), 400, /announced as a batch of events, which is a JSON list/],
  [
    "a batch of too many",
    "/_mecha/topics/orders",
    json(
      Array.from({ length: 1_001 }, () => 1),
      batch,
    ),
    400,
    /the batch has 1001 events; the most is 1000/,
  ],
  ["a body that is too large", "/_mecha/topics/orders", { headers: binary, body: `"${"x".repeat(4_096)}"` }, 413, /larger than 4096 bytes/],
  [
    "a page of another site",
    "/_mecha/topics/orders",
    { headers: { ...binary, origin: "https://evil.example" }, body: "{}" },
    403,
    /requests from web pages of/,
  ],
] as const)
  // prettier-ignore
  test(`${what} is refused, and nothing is published`, async () => {
    await using served = await begin();
    const answer = await served.post(path, init);
    assert.match((JSON.parse(answer.body) as { message: string }).message, message);
    assert.equal(answer.status, status);
    assert.deepEqual(served.published, []);
  });

test("the answer follows the log's: not before it is durable, and what failed says so", async () => {
  let store: (count: number) => void = () => undefined;
  await using served = await begin(() => new Promise((resolve) => (store = resolve)));
  let answered = false;
  const answer = served.post("/_mecha/topics/orders", json(order)).finally(() => (answered = true));
  while (served.published.length === 0) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  store(1);
  assert.equal((await answer).status, 200);
});

test("a log that is behind asks callers to wait; one that failed is unavailable", async () => {
  let fault = new Fault("exhausted", "the log of topics is behind");
  await using served = await begin(() => Promise.reject(fault));
  const behind = await served.post("/_mecha/topics/orders", json(order));
  assert.deepEqual([behind.status, behind.headers.get("retry-after")], [429, "1"]);
  assert.match(behind.body, /"code":8,"message":"the log of topics is behind"/);
  fault = new Fault("unavailable", "topics.db failed");
  assert.equal((await served.post("/_mecha/topics/orders", json(order))).status, 503);
});

test("a sender that asks whether it may deliver is told so, at a topic that is open", async () => {
  await using served = await begin();
  const headers = { "webhook-request-origin": "eventemitter.example", "webhook-request-rate": "120" };
  const answer = await served.post("/_mecha/topics/orders", { method: "OPTIONS", headers });
  assert.equal(answer.status, 200);
  const told = ["allow", "webhook-allowed-origin", "webhook-allowed-rate"].map((name) => answer.headers.get(name));
  assert.deepEqual(told, ["POST", "eventemitter.example", "*"]);
  assert.equal((await served.post("/_mecha/topics/returns", { method: "OPTIONS", headers })).status, 403);
  assert.equal((await served.post("/_mecha/topics/orders", { method: "OPTIONS" })).status, 405);
});

test("without a log there are no topics", async () => {
  await using served = await serve({ topics: ["orders"] });
  const answer = await fetch(`${served.url}/_mecha/topics/orders`, { method: "POST", ...json(order) });
  assert.deepEqual([answer.status, await answer.text()], [404, '{"code":5,"message":"there are no topics here","details":[]}']);
});
