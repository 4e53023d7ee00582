import assert from "node:assert/strict";
import { test } from "node:test";
import type { Metrics } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { Meters } from "./meters.ts";
import { TimerWheel } from "./timing/wheel.ts";

function recording(): { metrics: Metrics; values: Map<string, number> } {
  const values = new Map<string, number>();
  const add =
    (name: string) =>
    (by = 1, label?: string) => {
      const key = label === undefined ? name : `${name}{${label}}`;
      values.set(key, (values.get(key) ?? 0) + by);
    };
  const metrics: Metrics = {
    counter: (name) => ({ add: add(name) }),
    gauge: (name) => ({ set: (value) => values.set(name, value), add: add(name) }),
    histogram: (name) => ({ observe: add(name) }),
  };
  return { metrics, values };
}

test("counts reach the port within a second, each once, by service; an idle engine sets no timer", async () => {
  const { metrics, values } = recording();
  const clock = new FakeClock();
  const meters = new Meters(metrics, new TimerWheel(clock), () => ({ active: 3, open: 2 }));
  assert.equal(clock.pending, 0);
  meters.of("a").receivedCommands += 5;
  meters.of("b").persistedEvents += 1;
  meters.changed(0);
  meters.changed(0);
  assert.deepEqual([...values], []);
  await clock.advance(1_000);
  meters.of("a").receivedCommands++;
  meters.changed(1_000);
  await clock.advance(1_000);
  assert.deepEqual(Object.fromEntries(values), {
    "mecha_received_commands_total{a}": 6,
    "mecha_persisted_events_total{b}": 1,
    mecha_active_entities: 3,
    mecha_open_commands: 2,
  });
  await clock.advance(5_000);
  assert.equal(clock.pending, 0);
});
