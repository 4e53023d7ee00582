import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, SeededRandom } from "./testing.ts";
import { type FinishedSpan, openTracer, parseTraceparent } from "./trace.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";

for (const [text, expected] of [
  [`00-${traceId}-${spanId}-01`, true],
  [`00-${traceId}-${spanId}-00`, false],
  [`00-${traceId}-${spanId}-03`, true],
  [`01-${traceId}-${spanId}-01-later`, true],
  [`00-${traceId}-${spanId}-01-later`, undefined],
  [`ff-${traceId}-${spanId}-01`, undefined],
  [`00-${"0".repeat(32)}-${spanId}-01`, undefined],
  [`00-${traceId}-${"0".repeat(16)}-01`, undefined],
  [`00-${traceId.toUpperCase()}-${spanId}-01`, undefined],
  ["", undefined],
] as const) {
  test(`traceparent ${JSON.stringify(text)}: ${expected === undefined ? "ignored" : expected ? "sampled" : "not sampled"}`, () =>
    assert.equal(parseTraceparent(text)?.sampled, expected));
}

function begin(sampleRatio = 1) {
  const spans: FinishedSpan[] = [];
  const clock = new FakeClock();
  const tracer = openTracer({ clock, random: new SeededRandom(1), sampleRatio, sink: (span) => spans.push(span) });
  return { spans, clock, tracer };
}

test("a root and its child: one trace, the child below the root, times and failure kept; ending twice is ending once", async () => {
  const { spans, clock, tracer } = begin();
  const root = tracer.start("a", "server", undefined, { x: 1 });
  const child = tracer.start("b", "client", root.traceparent);
  await clock.advance(5);
  child.end({ code: "notFound", message: "no" });
  child.end();
  root.end();
  const [b, a] = spans;
  assert.equal(spans.length, 2);
  assert.equal(a!.parentSpanId, undefined);
  assert.deepEqual([b!.traceId, b!.parentSpanId, b!.endMs - b!.startMs], [a!.traceId, a!.spanId, 5]);
  assert.deepEqual([b!.fault?.code, a!.attributes], ["notFound", { x: 1 }]);
  assert.equal(root.traceparent, `00-${a!.traceId}-${a!.spanId}-01`);
});

test("R1: a caller's trace goes on; one it does not sample is passed on as it came and nothing is recorded", () => {
  const { spans, tracer } = begin();
  tracer.start("a", "server", `00-${traceId}-${spanId}-01`).end();
  assert.deepEqual([spans[0]!.traceId, spans[0]!.parentSpanId], [traceId, spanId]);
  const quiet = tracer.start("a", "server", `00-${traceId}-${spanId}-00`);
  quiet.end();
  assert.deepEqual([quiet.traceparent, spans.length], [`00-${traceId}-${spanId}-00`, 1]);
});

test("R2: the decision is made at the root and holds below it", () => {
  const { spans, tracer } = begin(0);
  const root = tracer.start("a", "server", undefined);
  tracer.start("b", "client", root.traceparent).end();
  root.end();
  assert.equal(parseTraceparent(root.traceparent)?.sampled, false);
  assert.equal(spans.length, 0);
  const some = begin(0.5);
  for (let i = 0; i < 1_000; i++) some.tracer.start("a", "server", undefined).end();
  assert.ok(some.spans.length > 400 && some.spans.length < 600, String(some.spans.length));
});
