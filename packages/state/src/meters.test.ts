import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { Meters } from "./meters.ts";
import { TimerWheel } from "./timing/wheel.ts";

function begin() {
  const metrics = new MetricsRegistry();
  const clock = new FakeClock();
  const meters = new Meters(metrics, new TimerWheel(clock), () => ({ active: 3, open: 2 }));
  return { metrics, clock, meters };
}
const cart = { kind: "eventSourced", persistenceId: "carts" } as const;

test("counts reach the port within a second, each once, by service; an idle engine sets no timer", async () => {
  const { metrics, clock, meters } = begin();
  assert.equal(clock.pending, 0);
  meters.of("a").receivedCommands += 5;
  meters.of("b").persistedEvents += 1;
  meters.changed(0);
  meters.changed(0);
  assert.equal(metrics.value("mecha_received_commands_total", "a"), 0);
  await clock.advance(1_000);
  meters.of("a").receivedCommands++;
  meters.changed(1_000);
  await clock.advance(1_000);
  assert.equal(metrics.value("mecha_received_commands_total", "a"), 6);
  assert.equal(metrics.value("mecha_persisted_events_total", "b"), 1);
  assert.deepEqual([metrics.value("mecha_active_entities"), metrics.value("mecha_open_commands")], [3, 2]);
  await clock.advance(5_000);
  assert.equal(clock.pending, 0);
});

test("event-sourced entities are told under the reference's names too, by persistence id; others are not", () => {
  const { metrics, meters } = begin();
  meters.of("shop.Cart", cart).completed(5);
  meters.of("shop.Stock", { kind: "value", persistenceId: "stock" }).completed(5);
  meters.flush();
  assert.equal(metrics.value("mecha_completed_commands_total", "shop.Cart"), 1);
  assert.equal(metrics.value("mecha_completed_commands_total", "shop.Stock"), 1);
  assert.equal(metrics.value("cloudstate_eventsourced_completed_commands_total", "carts"), 1);
  assert.equal(metrics.value("cloudstate_eventsourced_completed_commands_total", "stock"), 0);
  assert.equal(metrics.value("cloudstate_eventsourced_command_total_time_seconds", "carts"), 1);
});

test("a service whose records get another name is counted under it from then on, and nothing is lost", () => {
  const { metrics, meters } = begin();
  meters.of("shop.Cart", cart).receivedCommands++;
  assert.equal(meters.of("shop.Cart", cart), meters.of("shop.Cart"));
  meters.of("shop.Cart", { ...cart, persistenceId: "baskets" }).receivedCommands++;
  meters.flush();
  assert.equal(metrics.value("mecha_received_commands_total", "shop.Cart"), 2);
  assert.equal(metrics.value("cloudstate_eventsourced_received_commands_total", "carts"), 1);
  assert.equal(metrics.value("cloudstate_eventsourced_received_commands_total", "baskets"), 1);
});

test("commits are timed, also those that fail", async () => {
  const { metrics, clock, meters } = begin();
  const good = meters.timed({ commit: () => Promise.resolve([]) }, clock);
  const bad = meters.timed({ commit: () => Promise.reject(new Error("no")) }, clock);
  await good.commit([]);
  await assert.rejects(bad.commit([]));
  assert.equal(metrics.value("mecha_commit_seconds"), 2);
});
