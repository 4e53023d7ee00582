/** Traces of a running Mecha at a real OTLP receiver: the caller's trace goes through ingress and function into the events. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { copyCart, mechaMain, startUp } from "../support/cart.ts";
import { startNode } from "../support/program.ts";

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

test("a sampled trace goes through ingress and function into the event; an unsampled one leaves nothing", async () => {
  await using sink = await receiver();
  await using cart = await copyCart();
  await using mecha = await startUp(cart.path, [], { env: sink.env });
  assert.equal((await addTea(mecha.ingress, "a", { traceparent: `00-${traceId}-${callerSpan}-01` })).status, 200);
  assert.equal((await addTea(mecha.ingress, "a", { traceparent: `00-${traceId}-${callerSpan}-01` }, -1)).status, 400);
  assert.equal((await addTea(mecha.ingress, "b", { traceparent: `00-${"1".repeat(32)}-${callerSpan}-00` })).status, 200);
  const history = startNode(mechaMain, ["entities", "history", "shop.Cart", "a", "-C", cart.path, "-o", "json"]);
  await history.exit;
  mecha.program.kill("SIGTERM");
  await mecha.program.exit;

  assert.deepEqual([...sink.services], ["shopping-cart"]);
  assert.ok(sink.spans.every((span) => span.traceId === traceId));
  const [served, failed] = sink.spans.filter(({ kind }) => kind === 2);
  const [called, refused] = sink.spans.filter(({ kind }) => kind === 3);
  assert.equal(sink.spans.length, 4);
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
