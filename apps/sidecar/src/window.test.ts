/**
 * Many commands at one entity of the SDK's: they are sent ahead, and still each is computed on what the one before left, whatever becomes of that:
 * handlers that wait, refuse, fail after they have emitted, or break.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics } from "@mecha/kit";
import { SeededRandom } from "@mecha/kit/testing";
import { openMemoryStore } from "@mecha/store-memory";
import { command, eventSourced, message, serve, t as field, valueEntity } from "mecha-sdk";
import { openSidecar } from "./sidecar.ts";

/** `before` is what the handler found, `after` what it left. */
const Told = message("Told", { before: field.int32, after: field.int32 });
const fields = { id: field.string, how: field.string, by: field.int32 };

/** How many handlers ran at once. */
let running = 0;
let runningMost = 0;

/** Handles a command as it asks: `add` is the change. */
async function handle(how: string, add: () => void, fail: (text: string) => never): Promise<void> {
  runningMost = Math.max(runningMost, ++running);
  try {
    if (how === "wait") await nextTurn();
    if (how === "refuse") fail("no");
    add();
    if (how === "undo") fail("after all not");
    if (how === "break") throw new Error("broken");
  } finally {
    running--;
  }
}

const Tally = eventSourced({
  service: "x.Tally",
  persistenceId: "tally",
  key: "id",
  state: () => ({ total: 0 }),
  events: { added: { by: field.int32 } },
  commands: { change: command(fields).replies(Told) },
  on: { added: (state, { by }) => void (state.total += by) },
  handle: {
    change({ how, by }, ctx) {
      const before = ctx.state.total;
      const add = (): void => ctx.emit("added", { by });
      if (how === "add") {
        add();
        return { before, after: ctx.state.total };
      }
      return handle(how, add, (text) => ctx.fail(text)).then(() => ({ before, after: ctx.state.total }));
    },
  },
  snapshotEvery: 7,
});

const Held = valueEntity({
  service: "x.Held",
  persistenceId: "held",
  key: "id",
  state: message("HeldState", { total: field.int32 }),
  commands: { change: command(fields).replies(Told) },
  handle: {
    async change({ how, by }, ctx) {
      const before = ctx.state.total;
      await handle(
        how,
        () => ctx.update({ total: before + by }),
        (text) => ctx.fail(text),
      );
      return { before, after: ctx.state.total };
    },
  },
});

interface Answer {
  readonly by: number;
  readonly told: { readonly before?: number; readonly after?: number } | undefined;
}

for (const service of ["x.Tally", "x.Held"]) {
  test(`${service}: 300 commands at once are one chain, without those that failed`, { timeout: 60_000 }, async () => {
    await using store = openMemoryStore();
    let look = (): void => undefined;
    await using sidecar = await openSidecar(
      { ingress: { host: "127.0.0.1", port: 0 }, version: "0" },
      { clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics, store, changed: () => look(), fatal: assert.fail },
    );
    await using server = await serve([Tally, Held], { host: "127.0.0.1", port: 0, log: noLog, handleSignals: false });
    sidecar.addFunction("f").started(server);
    await new Promise<void>((resolve) => {
      look = () => sidecar.functions[0]?.state.is === "ready" && resolve();
      look();
    });
    const random = new SeededRandom(5);
    const hows = ["add", "add", "add", "add", "wait", "wait", "refuse", "undo", "break"];
    const call = async (by: number, how: string): Promise<Answer> => {
      const response = await fetch(`http://127.0.0.1:${sidecar.port}/${service}/Change`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: "a", how, by }),
      });
      const told = (await response.json()) as Answer["told"];
      assert.ok(response.ok || how === "refuse" || how === "undo" || how === "break", `${how}: ${JSON.stringify(told)}`);
      return { by, told: response.ok ? told : undefined };
    };
    const answers = await Promise.all(Array.from({ length: 300 }, (_, at) => call(at + 1, hows[random.below(hows.length)] as string)));

    const applied = answers.filter(({ told }) => told !== undefined);
    const chain = new Map(applied.map(({ by, told }) => [told?.before ?? 0, { by, after: told?.after ?? 0 }]));
    assert.equal(chain.size, applied.length, "two commands found the same total");
    let total = 0;
    for (let step = chain.get(0); step !== undefined; step = chain.get(total)) {
      assert.equal(step.after, total + step.by);
      total = step.after;
    }
    assert.equal(
      total,
      applied.reduce((sum, { by }) => sum + by, 0),
      "the chain has all that were applied",
    );
    assert.equal(runningMost, 1, "handlers of one entity ran at once");
  });
}
