import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@mecha/kinds";
import { configMap, widget } from "../server/testing.ts";
import { type ControllerSpec, generationChanged, TerminalError, watchFor, watchOwned } from "./controller.ts";
import { Manager } from "./manager.ts";
import { configMaps, type ControllerBench, controllerBench, until, widgets } from "./testing.ts";

const namespace = "default";

function manage(bench: ControllerBench, spec: ControllerSpec): { readonly manager: Manager; readonly end: () => Promise<void> } {
  const manager = new Manager(bench.ports);
  manager.add(spec);
  const ending = new AbortController();
  const running = manager.run(ending.signal);
  return {
    manager,
    end: async () => {
      ending.abort();
      await running;
    },
  };
}

test("a controller makes what is missing, again when it is deleted, and its owner takes it along", async () => {
  const bench = await controllerBench();
  const { client } = bench;
  const seen: string[] = [];
  const { end } = manage(bench, {
    name: "widgets",
    watches: [watchFor(widgets, { isNews: generationChanged }), watchOwned(configMaps, widgets)],
    async reconcile(id) {
      seen.push(id.name);
      const owner = await client.find(widgets, id);
      if (!owner) return undefined;
      const { name, uid = "" } = owner.metadata;
      const ownerReferences = [{ apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true }];
      if (await client.find(configMaps, id)) return undefined;
      await client.create(configMaps, configMap(name, { data: { made: "yes" } }, { namespace, ownerReferences }));
      return undefined;
    },
  });
  await client.create(widgets, widget("w", { color: "red" }, { namespace }));
  await until("made", () => seen.length >= 1);
  const id = { namespace, name: "w" };
  let made: KubeObject | undefined;
  const look = async (): Promise<void> => void (made = await client.find(configMaps, id));
  await until("made", () => (void look(), made !== undefined));
  await client.delete(configMaps, id);
  const uid = made?.metadata.uid;
  await until("made again", () => (void look(), made !== undefined && made.metadata.uid !== uid));
  const before = seen.length;
  await client.patch(widgets, id, "merge", { status: { note: "x" } }, { subresource: "status" });
  await client.patch(widgets, id, "merge", { metadata: { labels: { a: "b" } } });
  await client.patch(widgets, id, "merge", { spec: { color: "blue" } });
  await until("the change of the spec is news", () => seen.length > before);
  assert.equal(seen.length, before + 1, "status and labels alone are none");
  await end();
});

test("a failing reconcile waits 5, 10, 20 ms and more, then settles; the failures are logged with their cause", async () => {
  const bench = await controllerBench();
  const at: number[] = [];
  const { end } = manage(bench, {
    name: "failing",
    watches: [watchFor(configMaps)],
    reconcile() {
      at.push(bench.clock.monotonic());
      return at.length <= 3 ? Promise.reject(new Error("not yet")) : Promise.resolve(undefined);
    },
  });
  await bench.client.create(configMaps, configMap("a", {}, { namespace }));
  await until("the first", () => at.length === 1);
  for (const ms of [5, 10, 20]) {
    await until("it waits", () => bench.clock.pending > 0);
    await bench.clock.advance(ms);
  }
  await until("the last", () => at.length === 4);
  assert.deepEqual(at, [0, 5, 15, 35]);
  assert.deepEqual(
    bench.log.lines.map(({ message, fields }) => [message, fields["key"], fields["cause"], fields["waitMs"]]),
    [5, 10, 20].map((waitMs) => ["reconcile failed", "default/a", "not yet", waitMs]),
  );
  await end();
});

test("what will not mend is not tried again until the object changes", async () => {
  const bench = await controllerBench();
  let times = 0;
  const { end } = manage(bench, {
    name: "hopeless",
    watches: [watchFor(configMaps)],
    reconcile() {
      times++;
      return Promise.reject(new TerminalError("this spec makes no sense"));
    },
  });
  await bench.client.create(configMaps, configMap("a", {}, { namespace }));
  await until("tried", () => times === 1);
  await bench.clock.advance(3_600_000);
  assert.equal(times, 1);
  await bench.client.patch(configMaps, { namespace, name: "a" }, "merge", { data: { x: "1" } });
  await until("tried after the change", () => times === 2);
  await end();
});

test("requeueAfterMs looks again without a change", async () => {
  const bench = await controllerBench();
  const at: number[] = [];
  const { end } = manage(bench, {
    name: "again",
    watches: [watchFor(configMaps)],
    reconcile() {
      at.push(bench.clock.monotonic());
      return Promise.resolve({ requeueAfterMs: 10_000 });
    },
  });
  await bench.client.create(configMaps, configMap("a", {}, { namespace }));
  await until("the first", () => at.length === 1 && bench.clock.pending > 0);
  await bench.clock.advance(10_000);
  await until("the second", () => at.length === 2);
  assert.deepEqual(at, [0, 10_000]);
  await end();
});

test("a reconcile that hangs is ended by its deadline and tried again", async () => {
  const bench = await controllerBench();
  let times = 0;
  const { end } = manage(bench, {
    name: "hanging",
    watches: [watchFor(configMaps)],
    timeoutMs: 1_000,
    reconcile: (_id, { signal }) =>
      new Promise((resolve, reject) => {
        times++;
        if (times > 1) resolve(undefined);
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      }),
  });
  await bench.client.create(configMaps, configMap("a", {}, { namespace }));
  await until("it hangs", () => times === 1 && bench.clock.pending > 0);
  await bench.clock.advance(1_000);
  await until("it failed", () => bench.log.lines.length > 0);
  await bench.clock.advance(10);
  await until("it is tried again", () => times === 2);
  assert.match(String(bench.log.lines[0]?.fields["cause"]), /no result within 1000 ms/);
  await end();
});

test("nothing is reconciled before every first list is in; then the manager is ready", async () => {
  const bench = await controllerBench();
  await bench.client.create(configMaps, configMap("a", {}, { namespace }));
  bench.broken.add("GET /apis/example.dev");
  let times = 0;
  const { manager, end } = manage(bench, {
    name: "two",
    watches: [watchFor(configMaps), watchFor(widgets)],
    reconcile() {
      times++;
      return Promise.resolve(undefined);
    },
  });
  await until("one list failed", () => bench.log.lines.length > 0);
  assert.deepEqual([times, manager.ready], [0, false]);
  bench.broken.clear();
  await bench.clock.advance(2_000);
  await until("worked", () => times === 1 && manager.ready);
  await end();
  assert.equal(manager.ready, false);
});

test("at the end what runs may finish, at most for the grace time", async () => {
  const bench = await controllerBench();
  const manager = new Manager(bench.ports, { graceMs: 5_000 });
  let running = false;
  manager.add({
    name: "slow",
    watches: [watchFor(configMaps)],
    reconcile: () => new Promise(() => (running = true)), // does not even look at its signal
  });
  const ending = new AbortController();
  let ended = false;
  const done = manager.run(ending.signal).then(() => (ended = true));
  await bench.client.create(configMaps, configMap("a", {}, { namespace }));
  await until("it runs", () => running);
  ending.abort();
  await bench.clock.advance(4_999);
  assert.equal(ended, false);
  await bench.clock.advance(1);
  await done;
  assert.deepEqual(
    bench.log.lines.map(({ message }) => message),
    ["reconciliations cut off"],
  );
});
