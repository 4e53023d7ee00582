/** Hazard 1 of the reference proxy (docs/reference/cloudstate-hazards.md): its replay has no back-pressure, so a long log fails the entity. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics } from "@mecha/kit";
import { openMemoryStore } from "@mecha/store-memory";
import { command, eventSourced, message, serve, t as field } from "mecha-sdk";
import { openSidecar } from "./sidecar.ts";

const Total = message("Total", { lines: field.int32, bytes: field.int32 });

/** An entity that never takes a snapshot. */
const Log = eventSourced({
  service: "x.Log",
  persistenceId: "log",
  key: "id",
  state: () => ({ lines: 0, bytes: 0 }),
  events: { written: { text: field.string } },
  commands: {
    write: command({ id: field.string, lines: field.int32 }).replies(Total),
    read: command({ id: field.string }).replies(Total),
  },
  on: {
    written(state, { text }) {
      state.lines++;
      state.bytes += text.length;
    },
  },
  handle: {
    write({ lines }, ctx) {
      for (let i = 0; i < lines; i++) ctx.emit("written", { text: "x".repeat(1_000) });
      return ctx.state;
    },
    read: (_input, ctx) => ctx.state,
  },
  snapshotEvery: 0,
});

test("12,000 events of 1 KB are replayed whole to a function that starts again", { timeout: 60_000 }, async () => {
  await using store = openMemoryStore();
  let look = (): void => undefined;
  await using sidecar = await openSidecar(
    { ingress: { host: "127.0.0.1", port: 0 }, version: "0" },
    { clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics, store, changed: () => look(), fatal: assert.fail },
  );
  const fn = sidecar.addFunction("f");
  const ready = (): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (sidecar.functions[0]?.state.is === "ready") resolve();
      };
      look();
    });
  const call = async (method: string, body: unknown): Promise<unknown> => {
    const url = `http://127.0.0.1:${sidecar.port}/x.Log/${method}`;
    const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    return response.json();
  };
  const options = { host: "127.0.0.1", port: 0, log: noLog, handleSignals: false };
  {
    await using first = await serve([Log], options);
    fn.started(first);
    await ready();
    for (let i = 0; i < 4; i++) await call("Write", { id: "a", lines: 3_000 });
    fn.ended();
  }
  await using second = await serve([Log], options);
  fn.started(second);
  await ready();
  assert.deepEqual(await call("Read", { id: "a" }), { lines: 12_000, bytes: 12_000_000 });
});
