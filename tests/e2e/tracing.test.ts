/** Traces of a running Mecha at a real OTLP receiver: the caller's trace goes through ingress and function into the events. */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { copyCart, mechaMain, startUp } from "../support/cart.ts";
import type { TempDir } from "../support/files.ts";
import { eventually, startNode } from "../support/program.ts";

interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

/** Takes what arrives at `/v1/traces`. */
async function receiver() {
  const spans: ReceivedSpan[] = [];
  const services = new Set<string>();
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      assert.deepEqual([request.method, request.url, request.headers["x-key"]], ["POST", "/v1/traces", "a b"]);
      const [resource] = JSON.parse(body).resourceSpans;
      services.add(resource.resource.attributes[0].value.stringValue);
      spans.push(...resource.scopeSpans[0].spans);
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    spans,
    services,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_HEADERS: "x-key=a%20b",
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";

function addTea(ingress: string, cart: string, headers: Record<string, string>, quantity = 1): Promise<Response> {
  const body = JSON.stringify({ sku: "tea", name: "Tea", quantity });
  return fetch(`${ingress}/carts/${cart}/items`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
}

/** A desk takes a request and has an order placed, as a side effect; its event makes a parcel, which leaves by a topic; the stock counts it. */
const flow = `
import { action, command, eventLog, eventSourced, message, serve, t, topic, valueEntity } from "mecha-sdk";
const id = { id: t.string };
const Placed = message("flow.Placed", id);
const Parcel = message("flow.Parcel", id);
const Order = eventSourced({
  service: "flow.Order", key: "id", state: () => ({}), events: { placed: Placed }, on: { placed: () => undefined },
  commands: { place: command(Placed) },
  handle: { place: (order, ctx) => ctx.emit("placed", order) },
});
const Desk = action({
  service: "flow.Desk",
  commands: { buy: command(id).http("POST /buy/{id}") },
  handle: { buy: (order, ctx) => void ctx.effect(Order.commands.place, order) },
});
const Shipping = action({
  service: "flow.Shipping",
  commands: { pack: command(Placed).consumes(eventLog("flow.Order")).replies(Parcel).publishes(topic("parcels")) },
  handle: { pack: (order) => order },
});
const Stock = valueEntity({
  service: "flow.Stock", key: "id", state: () => ({ parcels: 0 }),
  commands: { leave: command(Parcel).consumes(topic("parcels")), get: command(id).http("GET /stock/{id}").replies({ parcels: t.int32 }) },
  handle: { leave: (_, ctx) => ctx.update({ parcels: ctx.state.parcels + 1 }), get: (_, ctx) => ctx.state },
});
await serve([Desk, Order, Shipping, Stock]);
`;

/** The cart, and beside it that function, whose topic callers may publish to. */
async function project(): Promise<TempDir> {
  const dir = await copyCart();
  const file = join(dir.path, "mecha.yaml");
  const added = "    - name: flow\n      directory: flow\n      command: node main.ts\n";
  await writeFile(
    file,
    (await readFile(file, "utf8")).replace("  functions:\n", (line) => line + added),
  );
  await mkdir(join(dir.path, "flow"));
  await writeFile(join(dir.path, "flow/main.ts"), flow);
  return dir;
}

/** From a span up to what has no parent here: `name (kind)` of each, then the last one's parent. */
function ancestry(spans: readonly ReceivedSpan[], span: ReceivedSpan): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  const own = `${span.name} (${span.kind})`;
  return parent === undefined ? [own, span.parentSpanId ?? "none"] : [own, ...ancestry(spans, parent)];
}

const [bought, published] = ["5".repeat(32), "9".repeat(32)];
const unsampled = { traceparent: `00-${"1".repeat(32)}-${callerSpan}-00` };

/** Buys something at the desk, and publishes a parcel; waits until the stock has heard of both. */
async function runFlow(ingress: string): Promise<void> {
  const headers = { "content-type": "application/json", traceparent: `00-${bought}-${callerSpan}-01` };
  assert.equal((await fetch(`${ingress}/buy/o1`, { method: "POST", headers, body: "{}" })).status, 200);
  const event = {
    "ce-specversion": "1.0",
    "ce-id": "e1",
    "ce-source": "/test",
    "ce-type": "flow.Parcel",
    "content-type": "application/json",
  };
  const sent = { method: "POST", headers: { ...event, traceparent: `00-${published}-${callerSpan}-01` }, body: '{"id":"p1"}' };
  assert.equal((await fetch(`${ingress}/_mecha/topics/parcels`, sent)).status, 200);
  for (const id of ["o1", "p1"])
    await eventually(`${id} has left`, async () => {
      const answer = await fetch(`${ingress}/stock/${id}`, { headers: unsampled });
      return ((await answer.json()) as { parcels: number }).parcels === 1 || undefined;
    });
}

/** One trace leads from the request over a side effect, an event log and a topic to another entity; another from an event that is published. */
function checkFlow(spans: readonly ReceivedSpan[]): void {
  const of = (trace: string): ReceivedSpan[] => spans.filter((span) => span.traceId === trace);
  const request = ["flow.Desk/Buy (2)", callerSpan];
  const paths = of(bought).map((span) => ancestry(of(bought), span).join(" ← "));
  assert.deepEqual(
    paths.sort(),
    [
      request,
      ["flow.Desk/Buy (3)", ...request],
      ["flow.Order/Place (3)", ...request],
      ["flow.Shipping/Pack (3)", ...request],
      ["mecha.Topics/parcels (3)", ...request],
      ["flow.Stock/Leave (3)", "mecha.Topics/parcels (3)", ...request],
    ]
      .map((path) => path.join(" ← "))
      .sort(),
  );
  assert.deepEqual(
    of(published)
      .map((span) => ancestry(of(published), span).join(" ← "))
      .sort(),
    ["flow.Stock/Leave (3) ← publish parcels (2) ← " + callerSpan, "publish parcels (2) ← " + callerSpan].sort(), // prettier-ignore
  );
  const why = (name: string, trace = bought): Record<string, unknown> =>
    Object.fromEntries(
      (of(trace).find((span) => span.name === name && span.kind === 3)?.attributes ?? [])
        .filter(({ key }) => /^cloudevents|origin|entity/u.test(key))
        .map(({ key, value }) => [key, value["stringValue"]]),
    );
  assert.deepEqual(why("flow.Order/Place"), { "mecha.entity": "o1", "mecha.origin": "side effect of flow.Desk.Buy" });
  assert.equal(why("flow.Shipping/Pack")["cloudevents.event_id"], "1:o1");
  assert.equal(why("flow.Shipping/Pack")["cloudevents.event_subject"], "o1");
  assert.equal(why("mecha.Topics/parcels")["mecha.origin"], "side effect of flow.Shipping.Pack");
  assert.deepEqual([why("flow.Stock/Leave")["mecha.entity"], why("flow.Stock/Leave")["cloudevents.event_source"]], ["o1", "flow.Shipping"]);
  assert.equal(why("flow.Stock/Leave", published)["cloudevents.event_id"], "e1");
}

test("a sampled trace goes through ingress, function, side effects, events and topics; an unsampled one leaves nothing", async () => {
  await using sink = await receiver();
  await using cart = await project();
  await using mecha = await startUp(cart.path, ["--allow-topic", "parcels"], { env: sink.env });
  await runFlow(mecha.ingress);
  assert.equal((await addTea(mecha.ingress, "a", { traceparent: `00-${traceId}-${callerSpan}-01` })).status, 200);
  assert.equal((await addTea(mecha.ingress, "a", { traceparent: `00-${traceId}-${callerSpan}-01` }, -1)).status, 400);
  assert.equal((await addTea(mecha.ingress, "b", unsampled)).status, 200);
  const history = startNode(mechaMain, ["entities", "history", "shop.Cart", "a", "-C", cart.path, "-o", "json"]);
  await history.exit;
  mecha.program.kill("SIGTERM");
  await mecha.program.exit;

  assert.deepEqual([...sink.services], ["shopping-cart"]);
  assert.deepEqual(new Set(sink.spans.map((span) => span.traceId)), new Set([traceId, bought, published]));
  checkFlow(sink.spans);
  const spans = sink.spans.filter((span) => span.traceId === traceId);
  const [served, failed] = spans.filter(({ kind }) => kind === 2);
  const [called, refused] = spans.filter(({ kind }) => kind === 3);
  assert.equal(spans.length, 4);
  assert.deepEqual([served!.name, served!.parentSpanId, served!.status.code], ["shop.Cart/AddItem", callerSpan, undefined]);
  assert.deepEqual([called!.name, called!.parentSpanId], ["shop.Cart/AddItem", served!.spanId]);
  assert.ok(BigInt(called!.startTimeUnixNano) >= BigInt(served!.startTimeUnixNano) - 1_000_000n);
  assert.ok(BigInt(called!.endTimeUnixNano) <= BigInt(served!.endTimeUnixNano) + 1_000_000n);
  assert.deepEqual([failed!.status, refused!.status], [{ code: 2, message: "quantity must be more than 0" }, { code: 2, message: "quantity must be more than 0" }]); // prettier-ignore
  assert.deepEqual(called!.attributes.find(({ key }) => key === "mecha.entity")?.value, { stringValue: "a" });
  const { events } = JSON.parse(history.stdout) as { events: readonly { readonly trace?: string }[] };
  assert.deepEqual(events.map(({ trace }) => trace), [`00-${traceId}-${served!.spanId}-01`]); // prettier-ignore
});

test("a receiver that is none is a mistake of usage, before anything starts", async () => {
  await using cart = await copyCart();
  await using program = startNode(mechaMain, ["up", cart.path], { env: { OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4317" } });
  assert.equal((await program.exit).code, 2);
  assert.match(program.output, /OTEL_EXPORTER_OTLP_ENDPOINT: expected an address like http:\/\/127\.0\.0\.1:4318/u);
});
