/** Spans of requests, of calls of functions and of effects, by every way in, with a real function. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { hostClock, hostRandom } from "@mecha/host";
import { type FinishedSpan, noLog, noMetrics, openTracer } from "@mecha/kit";
import { openMemoryStore } from "@mecha/store-memory";
import { action, command, message, serve, t as field, valueEntity } from "mecha-sdk";
import { openSidecar } from "./sidecar.ts";

const Text = message("Text", { text: field.string });

const Counter = valueEntity({
  service: "x.Counter",
  persistenceId: "counter",
  key: "id",
  state: message("CounterState", { value: field.int32 }),
  commands: { add: command({ id: field.string }).replies(Text) },
  handle: {
    add(_input, ctx) {
      ctx.update({ value: (ctx.state?.value ?? 0) + 1 });
      return { text: "added" };
    },
  },
});

/** Answers the traceparent it got, and counts as a side effect. */
const Desk = action({
  service: "x.Desk",
  commands: { ask: command({ id: field.string }).replies(Text), watch: command({ id: field.string }).streamedOut().replies(Text) },
  handle: {
    ask({ id }, ctx) {
      ctx.effect(Counter.commands.add, { id }, { synchronous: true });
      return { text: traceparentOf(ctx.metadata) };
    },
    async *watch(_input, ctx) {
      yield { text: traceparentOf(ctx.metadata) };
    },
  },
});

function traceparentOf(metadata: readonly (readonly [string, unknown])[]): string {
  return metadata.flatMap(([name, value]) => (name === "traceparent" ? [String(value)] : [])).join();
}

async function begin(t: TestContext, traced = true) {
  const spans: FinishedSpan[] = [];
  const tracer = openTracer({ clock: hostClock, random: hostRandom, sampleRatio: 1, sink: (span) => spans.push(span) });
  const store = openMemoryStore();
  const ready = Promise.withResolvers<void>();
  const sidecar = await openSidecar(
    { ingress: { host: "127.0.0.1", port: 0 }, version: "0" },
    {
      clock: hostClock,
      random: hostRandom,
      log: noLog,
      metrics: noMetrics,
      ...(traced && { tracer }),
      store,
      changed: () => {
        if (sidecar?.functions[0]?.state.is === "ready") ready.resolve();
      },
      fatal: assert.fail,
    },
  );
  const running = await serve([Counter, Desk], { host: "127.0.0.1", port: 0, log: noLog, handleSignals: false });
  t.after(async () => {
    await sidecar[Symbol.asyncDispose]();
    await running[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
  sidecar.addFunction("f").started(running);
  await ready.promise;
  return { sidecar, spans, baseUrl: `http://127.0.0.1:${sidecar.port}` };
}
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
const parentOf = (text: string): string | undefined => text.split("-")[2];

test("an action's function gets our span as its parent; its effect belongs to the same trace and says whose it is", async (t) => {
  const { spans, baseUrl } = await begin(t);
  const headers = { "content-type": "application/json", traceparent };
  const response = await fetch(`${baseUrl}/x.Desk/Ask`, { method: "POST", headers, body: '{"id":"a"}' });
  const { text } = (await response.json()) as { text: string };
  const [served] = spans.filter(({ kind }) => kind === "server");
  const asked = spans.find(({ name, kind }) => name === "x.Desk/Ask" && kind === "client");
  const effect = spans.find(({ name }) => name === "x.Counter/Add");
  assert.equal(spans.length, 3);
  assert.ok(spans.every((span) => span.traceId === traceId));
  assert.deepEqual([served!.parentSpanId, asked!.parentSpanId, effect!.parentSpanId], ["00f067aa0ba902b7", served!.spanId, served!.spanId]);
  assert.equal(parentOf(text), asked!.spanId);
  assert.equal(effect!.attributes["mecha.origin"], "side effect of x.Desk.Ask");
});

for (const [way, transport] of [
  ["grpc", (baseUrl: string) => createGrpcTransport({ baseUrl })],
  ["grpc-web", (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
] as const) {
  test(`${way}: unary and streamed calls are traced, a trace begins where the caller brings none`, async (t) => {
    const { sidecar, spans, baseUrl } = await begin(t);
    const descriptors = sidecar.descriptors("x.Desk")!;
    const client: any = createClient(descriptors.service("x.Desk")!, transport(baseUrl));
    const input = (method: string) =>
      create(descriptors.service("x.Desk")!.methods.find(({ name }) => name === method)!.input, { id: "a" });
    const answers: string[] = [(await client.ask(input("Ask"), { headers: { traceparent } })).text];
    for await (const { text } of client.watch(input("Watch"))) answers.push(text);
    const servers = spans.filter(({ kind }) => kind === "server");
    assert.deepEqual(servers.map(({ name, attributes }) => [name, attributes["mecha.way"]]), [["x.Desk/Ask", way], ["x.Desk/Watch", way]]); // prettier-ignore
    assert.equal(servers[0]!.traceId, traceId);
    assert.equal(servers[1]!.parentSpanId, undefined);
    const calls = spans.filter(({ kind, name }) => kind === "client" && name.startsWith("x.Desk"));
    assert.deepEqual(answers.map(parentOf), calls.map(({ spanId }) => spanId)); // prettier-ignore
  });
}

test("a trace that is not sampled, and every trace without a tracer, reaches the function as it came", async (t) => {
  const quiet = `00-${traceId}-00f067aa0ba902b7-00`;
  const ask = async (baseUrl: string, header: string): Promise<string> => {
    const headers = { "content-type": "application/json", traceparent: header };
    const response = await fetch(`${baseUrl}/x.Desk/Ask`, { method: "POST", headers, body: '{"id":"a"}' });
    return ((await response.json()) as { text: string }).text;
  };
  const on = await begin(t);
  assert.equal(await ask(on.baseUrl, quiet), quiet);
  assert.equal(on.spans.length, 0);
  const off = await begin(t, false);
  assert.equal(await ask(off.baseUrl, traceparent), traceparent);
});
