/** What can be seen of a CRDT's commands from outside: spans and metrics, as of other entities' commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FinishedSpan, MetricsRegistry, openTracer } from "@mecha/kit";
import { FakeClock, SeededRandom, settle } from "@mecha/kit/testing";
import type { CrdtDelta } from "../delta.ts";
import { CrdtBench } from "../../testing/crdt.ts";

const inc: CrdtDelta = { type: "gcounter", increment: 1n };

function begin() {
  const clock = new FakeClock();
  const spans: FinishedSpan[] = [];
  const metrics = new MetricsRegistry();
  const tracer = openTracer({ clock, random: new SeededRandom(1), sampleRatio: 1, sink: (span) => spans.push(span) });
  const bench = new CrdtBench({}, { clock, tracer, metrics });
  return { bench, clock, spans, metrics };
}

test("each command has a span while it is at the function; of several at once each its own", async () => {
  const { bench, spans } = begin();
  bench.send();
  bench.send();
  bench.send();
  await settle();
  bench.stream.reply(2, { update: inc });
  bench.stream.to.failure({ commandId: 1, description: "broken" });
  assert.deepEqual(
    spans.map(({ name, kind, attributes, fault }) => [name, kind, attributes["mecha.entity"], fault?.message]),
    [
      ["shop.Cart/Do", "client", "1", undefined],
      ["shop.Cart/Do", "client", "1", "broken"],
    ],
  );
  bench.stream.end();
  await settle();
  assert.equal(spans[2]?.fault?.message, "the function ended without an answer");
  await bench[Symbol.asyncDispose]();
  assert.equal(spans.length, 3, "each ends once");
});

test("commands, times and stored bytes are counted under the service's name", async () => {
  const { bench, clock, metrics } = begin();
  bench.send();
  await settle();
  await clock.advance(100);
  bench.stream.reply(1, { update: inc });
  await settle();
  bench.send();
  bench.stream.to.failure({ commandId: 2, description: "broken" });
  await clock.advance(1_000);
  const text = metrics.expose();
  const value = (name: string): number => Number(new RegExp(`^${name}\\{service="shop.Cart"\\} (\\S+)$`, "mu").exec(text)?.[1]);
  assert.deepEqual(
    ["received_commands_total", "completed_commands_total", "failed_commands_total", "activated_entities_total"].map((name) =>
      value(`mecha_${name}`),
    ),
    [2, 1, 1, 1],
  );
  assert.ok(value("mecha_persisted_bytes_total") > 0);
  for (const name of ["recovery", "command", "command_processing"]) assert.equal(value(`mecha_${name}_seconds_count`), 1, name);
  assert.equal(value("mecha_command_processing_seconds_sum"), 0.1);
  await bench[Symbol.asyncDispose]();
});
