/** The exporter against a real HTTP receiver. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Fault, type FinishedSpan, MetricsRegistry } from "@mecha/kit";
import { FakeClock, MemoryLog } from "@mecha/kit/testing";
import { encodeSpans } from "./encode.ts";
import { openOtlpExporter, tracesUrl } from "./index.ts";

const span = (name: string, more: Partial<FinishedSpan> = {}): FinishedSpan => ({
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  parentSpanId: undefined,
  name,
  kind: "server",
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_001.5,
  attributes: {},
  fault: undefined,
  ...more,
});
const resource = { serviceName: "shop", version: "1" };

async function receiver(statuses: number[] = []) {
  const requests: { url: string; headers: NodeJS.Dict<string | string[]>; names: string[] }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      const json = JSON.parse(body);
      requests.push({
        url: request.url ?? "",
        headers: request.headers,
        names: json.resourceSpans[0].scopeSpans[0].spans.map(({ name }: { name: string }) => name),
      });
      response.writeHead(statuses.shift() ?? 200).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const clock = new FakeClock();
  const log = new MemoryLog();
  const metrics = new MetricsRegistry();
  const url = tracesUrl(`http://127.0.0.1:${port}`);
  const exporter = openOtlpExporter({ url, headers: { "x-key": "k" }, resource, clock, log, metrics });
  return {
    requests,
    clock,
    log,
    metrics,
    exporter,
    /** Lets the fake clock run until so many requests have arrived. */
    async until(count: number) {
      for (let turn = 0; requests.length < count && turn < 2_000; turn++) {
        await clock.advance(100);
        await new Promise(setImmediate);
      }
      assert.equal(requests.length, count);
    },
    async [Symbol.asyncDispose]() {
      await exporter[Symbol.asyncDispose]();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a span as OTLP/JSON has it", () => {
  const json = JSON.parse(
    encodeSpans(resource, [
      span("a", { parentSpanId: "1".repeat(16), attributes: { n: 3, f: 0.5, b: true, s: "x" }, fault: new Fault("notFound", "no") }),
    ]),
  );
  assert.deepEqual(json.resourceSpans[0].resource.attributes[0], { key: "service.name", value: { stringValue: "shop" } });
  assert.deepEqual(json.resourceSpans[0].scopeSpans[0].spans[0], {
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId: "00f067aa0ba902b7",
    parentSpanId: "1111111111111111",
    name: "a",
    kind: 2,
    startTimeUnixNano: "1700000000000250000",
    endTimeUnixNano: "1700000000001500000",
    attributes: [
      { key: "n", value: { intValue: "3" } },
      { key: "f", value: { doubleValue: 0.5 } },
      { key: "b", value: { boolValue: true } },
      { key: "s", value: { stringValue: "x" } },
      { key: "rpc.grpc.status_code", value: { intValue: "5" } },
    ],
    status: { code: 2, message: "no" },
  });
});

test("spans wait for company for 5 s; 512 leave at once; what waits leaves at the end", async () => {
  await using r = await receiver();
  r.exporter.add(span("a"));
  r.exporter.add(span("b"));
  assert.equal(r.requests.length, 0);
  await r.until(1);
  assert.deepEqual([r.requests[0]!.url, r.requests[0]!.headers["x-key"], r.requests[0]!.names], ["/v1/traces", "k", ["a", "b"]]);
  for (let i = 0; i < 512; i++) r.exporter.add(span("c"));
  await r.until(2);
  r.exporter.add(span("last"));
  await r.exporter[Symbol.asyncDispose]();
  assert.deepEqual(r.requests[2]!.names, ["last"]);
  assert.equal(r.metrics.value("mecha_trace_spans_sent_total"), 515);
});

test("X1: past 2,048 spans in waiting more are dropped and counted", async () => {
  await using r = await receiver();
  for (let i = 0; i < 3_000; i++) r.exporter.add(span("a"));
  const dropped = r.metrics.value("mecha_trace_spans_dropped_total");
  // The batch that left at once made room.
  assert.ok(dropped >= 3_000 - 2_048 - 512 && dropped <= 3_000 - 2_048, String(dropped));
  await r.exporter[Symbol.asyncDispose]();
  assert.equal(r.metrics.value("mecha_trace_spans_sent_total"), 3_000 - dropped);
});

test("X2: a busy receiver is asked again, one that refuses is not; trouble is said once", async () => {
  await using r = await receiver([503, 429, 200, 400, 400]);
  r.exporter.add(span("a"));
  await r.until(3);
  assert.deepEqual(r.requests.map(({ names }) => names), [["a"], ["a"], ["a"]]); // prettier-ignore
  r.exporter.add(span("b"));
  await r.until(4);
  r.exporter.add(span("c"));
  await r.until(5);
  await r.exporter[Symbol.asyncDispose]();
  assert.equal(r.metrics.value("mecha_trace_spans_dropped_total"), 2);
  assert.deepEqual(r.log.lines.map(({ level, fields }) => [level, fields["error"]]), [["warn", "the receiver answered 400"]]); // prettier-ignore
});

test("nobody listens: closing does not wait for the pauses, and says what was lost", async () => {
  const log = new MemoryLog();
  const metrics = new MetricsRegistry();
  const exporter = openOtlpExporter({ url: "http://127.0.0.1:1/v1/traces", resource, clock: new FakeClock(), log, metrics });
  exporter.add(span("a"));
  await exporter[Symbol.asyncDispose]();
  assert.equal(metrics.value("mecha_trace_spans_dropped_total"), 1);
  assert.equal(log.lines.length, 1);
});

for (const [endpoint, expected] of [
  ["http://a:4318", "http://a:4318/v1/traces"],
  ["http://a:4318/", "http://a:4318/v1/traces"],
  ["https://a/otlp/", "https://a/otlp/v1/traces"],
  ["http://a:4318/v1/traces", "http://a:4318/v1/traces"],
] as const) {
  test(`endpoint ${endpoint} → ${expected}`, () => assert.equal(tracesUrl(endpoint), expected));
}

test("an endpoint that is none, or speaks gRPC, is refused with the fix", () => {
  assert.throws(() => tracesUrl("localhost"), /is no address; expected one like http:\/\/127\.0\.0\.1:4318/u);
  assert.throws(() => tracesUrl("grpc://a:4317"), /only http and https are spoken, not gRPC; the usual port is 4318/u);
});
