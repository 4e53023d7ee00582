/** Metrics of a running Mecha: read over HTTP, checked by Prometheus' own tool, and true. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { addItem, copyCart, getCart, startUp } from "../support/cart.ts";
import { eventually } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

test("metrics of real calls, under the reference's names and ours, pass promtool", { skip: skipUnless("promtool") }, async () => {
  await using cart = await copyCart();
  await using mecha = await startUp(cart.path, ["--metrics-port", "0"]);
  const [, url = ""] = await mecha.program.waitFor(/metrics +(http:\S+)/u);
  await addItem(mecha.ingress, "alice", { sku: "tea", quantity: 2 });
  await getCart(mecha.ingress, "alice");
  await assert.rejects(addItem(mecha.ingress, "alice", { sku: "tea", quantity: -1 }));
  await fetch(`${mecha.ingress}/nowhere`);

  let text = "";
  await eventually("three commands are counted", async () => {
    text = await (await fetch(url)).text();
    return /^cloudstate_eventsourced_received_commands_total\{\S+\} 3$/mu.test(text);
  });
  const value = (line: string): number => Number(new RegExp(`^${line.replaceAll(/[{}]/gu, "\\$&")} (\\S+)$`, "mu").exec(text)?.[1]);
  const name = /^cloudstate_eventsourced_received_commands_total\{entity_name="([^"]+)"\}/mu.exec(text)?.[1] ?? "";
  assert.deepEqual(
    {
      completed: value(`cloudstate_eventsourced_completed_commands_total{entity_name="${name}"}`),
      events: value(`cloudstate_eventsourced_persisted_events_total{entity_name="${name}"}`),
      activated: value(`cloudstate_eventsourced_activated_entities_total{entity_name="${name}"}`),
      processed: value(`cloudstate_eventsourced_command_processing_time_seconds_count{entity_name="${name}"}`),
      persisted: value(`cloudstate_eventsourced_persist_time_seconds_count{entity_name="${name}"}`),
      recovered: value(`cloudstate_eventsourced_recovery_time_seconds_count{entity_name="${name}"}`),
      ok: value(`mecha_ingress_requests_total{service="shop.Cart",method="AddItem",way="http",code="0"}`),
      invalid: value(`mecha_ingress_requests_total{service="shop.Cart",method="AddItem",way="http",code="3"}`),
      nowhere: value(`mecha_ingress_refused_total{status="404"}`),
      active: value("mecha_active_entities"),
    },
    { completed: 3, events: 1, activated: 1, processed: 3, persisted: 1, recovered: 1, ok: 1, invalid: 1, nowhere: 1, active: 1 },
  );
  assert.ok(value(`cloudstate_eventsourced_persisted_event_bytes_total{entity_name="${name}"}`) > 0);

  const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([checked.status, checked.stdout + checked.stderr], [0, ""]);
});
