/** What an engine counts of event-sourced entities under the reference's names: one row for each thing its own specs look at (facts/cloudstate.md §2.4). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import { Bench } from "./testing/bench.ts";
import { bodyOf, command, type Script } from "./testing/function.ts";

/** Does what the command says: `fail` fails the stream, `wait` answers nothing, anything else is recorded; after `c` with a snapshot. */
const script: Script = {
  command(stream, id, sent) {
    const body = bodyOf(sent);
    if (body === "fail") stream.to.failure({ commandId: id, description: "broken" });
    if (body === "fail" || body === "wait") return undefined;
    return { events: [body], ...(body === "c" && { snapshot: "abc" }) };
  },
};

type Figures = Readonly<Record<string, number>>;

/** Runs one entity through `steps`, and reads the figures that are asked for. */
const rows: readonly { readonly what: string; readonly steps: (bench: Bench) => Promise<unknown>; readonly counted: Figures }[] = [
  {
    what: "an entity that becomes active",
    steps: (bench) => bench.ask("1", "a"),
    counted: { activated_entities_total: 1, passivated_entities_total: 0, recovery_time_seconds: 1 },
  },
  {
    what: "one that is passivated, and how long it was active",
    async steps(bench) {
      await bench.ask("1", "a");
      await bench.clock.advance(31_000);
    },
    counted: { activated_entities_total: 1, passivated_entities_total: 1, entity_active_time_seconds: 1 },
  },
  {
    what: "one that fails, with its command",
    steps: (bench) => bench.ask("1", "fail"),
    counted: { failed_entities_total: 1, failed_commands_total: 1, completed_commands_total: 0 },
  },
  {
    what: "commands that come and are answered, and how long that takes",
    async steps(bench) {
      for (const body of ["a", "b", "c"]) await bench.ask("1", body);
    },
    counted: {
      received_commands_total: 3,
      completed_commands_total: 3,
      failed_commands_total: 0,
      command_processing_time_seconds: 3,
      command_total_time_seconds: 3,
    },
  },
  {
    what: "commands that wait: for the entity to load, and behind another",
    async steps(bench) {
      await bench.ask("1", "a");
      for (const body of ["wait", "b", "c"]) bench.send(command("1", body));
      await settle();
    },
    counted: { received_commands_total: 4, stashed_commands_total: 3, unstashed_commands_total: 1, command_stash_time_seconds: 1 },
  },
  {
    what: "events stored, their bytes, and how long that takes",
    async steps(bench) {
      for (const body of ["a", "four"]) await bench.ask("1", body);
    },
    counted: { persisted_events_total: 2, persisted_event_bytes_total: 5, persist_time_seconds: 2, persisted_snapshots_total: 0 },
  },
  {
    what: "snapshots stored, and their bytes",
    async steps(bench) {
      for (const body of ["a", "b", "c"]) await bench.ask("1", body);
    },
    counted: { persisted_snapshots_total: 1, persisted_snapshot_bytes_total: 3, persisted_events_total: 3 },
  },
  {
    what: "events and snapshots loaded, and their bytes",
    async steps(bench) {
      for (const body of ["a", "b", "c", "four"]) await bench.ask("1", body);
      await bench.clock.advance(31_000);
      await bench.ask("1", "e");
    },
    counted: {
      loaded_events_total: 1,
      loaded_event_bytes_total: 4,
      loaded_snapshots_total: 1,
      loaded_snapshot_bytes_total: 3,
      recovery_time_seconds: 2,
    },
  },
];

for (const { what, steps, counted } of rows) {
  test(`counted: ${what}`, async () => {
    const metrics = new MetricsRegistry();
    await using bench = new Bench(script, {}, undefined, { metrics });
    await steps(bench);
    await bench.clock.advance(1_000);
    const found = Object.keys(counted).map((name) => [name, metrics.value(`cloudstate_eventsourced_${name}`, "shop.cart")] as const);
    assert.deepEqual(Object.fromEntries(found), counted);
  });
}

test("every figure of the reference is in one of the rows", async () => {
  const metrics = new MetricsRegistry();
  await using _ = new Bench({}, {}, undefined, { metrics });
  const prefix = "cloudstate_eventsourced_";
  const told = metrics.describe().flatMap(({ name }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  assert.deepEqual([...new Set(rows.flatMap(({ counted }) => Object.keys(counted)))].sort(), told.sort());
});
