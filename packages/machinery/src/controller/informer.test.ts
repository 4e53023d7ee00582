import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "@mecha/kit/testing";
import type { KubeObject } from "@mecha/kinds";
import { configMap } from "../server/testing.ts";
import { Informer } from "./informer.ts";
import { configMaps, type ControllerBench, controllerBench, until } from "./testing.ts";

const map = (name: string, x = ""): KubeObject => configMap(name, { data: { x } }, { namespace: "default" });

function listen(informer: Informer): string[] {
  const told: string[] = [];
  informer.listen({
    added: ({ metadata }, first) => told.push(`${first ? "first" : "added"} ${metadata.name}`),
    updated: ({ metadata }) => told.push(`updated ${metadata.name}`),
    deleted: ({ metadata }) => told.push(`deleted ${metadata.name}`),
  });
  return told;
}

function start(bench: ControllerBench): { readonly informer: Informer; readonly told: string[]; readonly end: () => Promise<void> } {
  const informer = new Informer(configMaps, { namespace: "default" }, bench.ports);
  const told = listen(informer);
  const ending = new AbortController();
  const running = informer.run(ending.signal);
  return {
    informer,
    told,
    end: async () => {
      ending.abort();
      await running;
    },
  };
}

test("first list, then news, in order", async () => {
  const bench = await controllerBench();
  await bench.client.create(configMaps, map("a"));
  const { informer, told, end } = start(bench);
  await informer.synced;
  await bench.client.create(configMaps, map("b"));
  await bench.client.update(configMaps, map("a", "2")).catch(() => undefined); // without a version: refused, no news
  await bench.client.patch(configMaps, { namespace: "default", name: "a" }, "merge", { data: { x: "2" } });
  await bench.client.delete(configMaps, { namespace: "default", name: "b" });
  await until("all told", () => told.length === 4);
  assert.deepEqual(told, ["first a", "added b", "updated a", "deleted b"]);
  assert.deepEqual(
    informer.list().map(({ metadata, data }) => [metadata.name, data]),
    [["a", { x: "2" }]],
  );
  await end();
});

test("what happened while the watch was down shows after it: changes, creations, deletions, another object of the same name", async () => {
  const bench = await controllerBench();
  for (const name of ["kept", "changed", "gone", "again"]) await bench.client.create(configMaps, map(name));
  const { informer, told, end } = start(bench);
  await informer.synced;
  told.length = 0;
  bench.broken.add("WATCH").add("GET");
  bench.cutWatches();
  const { ask } = bench.server;
  const at = "/api/v1/namespaces/default/configmaps";
  await ask("PATCH", `${at}/changed`, { data: { x: "9" } }, { "content-type": "application/merge-patch+json" });
  await ask("DELETE", `${at}/gone`);
  await ask("DELETE", `${at}/again`);
  await ask("POST", at, map("again"));
  await ask("POST", at, map("new"));
  await until("it waits", () => bench.clock.pending > 0);
  bench.broken.clear();
  await bench.clock.advance(60_000);
  await until("all told", () => told.length >= 5);
  assert.deepEqual(told.toSorted(), ["added again", "added new", "deleted again", "deleted gone", "updated changed"]);
  assert.deepEqual(
    informer
      .list()
      .map(({ metadata }) => metadata.name)
      .toSorted(),
    ["again", "changed", "kept", "new"],
  );
  await end();
});

test("failures wait 0.8 s and more, up to 30 s, and are logged", async () => {
  const bench = await controllerBench();
  bench.broken.add("GET");
  const { end } = start(bench);
  const waits: unknown[] = [];
  for (let at = 0; at < 8; at++) {
    await until("a failure", () => bench.log.lines.length > at);
    waits.push(bench.log.lines[at]?.fields["waitMs"]);
    await until("it waits", () => bench.clock.pending > 0);
    await bench.clock.advance(60_000);
  }
  const [first, second] = waits as number[];
  assert.ok(first !== undefined && first >= 800 && first < 1_600, String(first));
  assert.ok(second !== undefined && second >= 1_600, String(second));
  assert.ok((waits as number[]).every((wait) => wait <= 60_000));
  await end();
});

test("an index finds objects by a value, also after they changed", async () => {
  const bench = await controllerBench();
  const { informer, end } = start(bench);
  const byX = informer.index("x", (object) => Object.values((object["data"] ?? {}) as Record<string, string>));
  await informer.synced;
  await bench.client.create(configMaps, map("a", "1"));
  await bench.client.create(configMaps, map("b", "1"));
  await until("both", () => byX("1").length === 2);
  await bench.client.patch(configMaps, { namespace: "default", name: "a" }, "merge", { data: { x: "2" } });
  await until("moved", () => byX("2").length === 1);
  assert.deepEqual(
    byX("1").map(({ metadata }) => metadata.name),
    ["b"],
  );
  await end();
});

test("after any history of writes and cuts the cache is what a list says", async () => {
  const step = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    do: fc.constantFrom("put" as const, "delete" as const, "cut" as const),
    x: fc.integer({ min: 0, max: 99 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer(), async (steps, seed) => {
      const bench = await controllerBench();
      const { informer, end } = start({ ...bench, ports: { ...bench.ports, random: new SeededRandom(seed) } });
      for (const one of steps) {
        const id = { namespace: "default", name: one.name };
        if (one.do === "cut") bench.cutWatches();
        else if (one.do === "delete") await bench.client.delete(configMaps, id).catch(() => undefined);
        else await put(bench, one.name, String(one.x));
      }
      await informer.synced;
      const wanted = async (): Promise<string> =>
        JSON.stringify((await bench.client.listAll(configMaps, { namespace: "default" })).items.map(versionOf));
      const list = await wanted();
      const cached = (): string => JSON.stringify(informer.list().map(versionOf).toSorted());
      await bench.clock.advance(60_000);
      await until("the cache is the list", () => cached() === list);
      await end();
    }),
    { numRuns: 40 },
  );
});

async function put(bench: ControllerBench, name: string, x: string): Promise<void> {
  const id = { namespace: "default", name };
  if (await bench.client.find(configMaps, id)) await bench.client.patch(configMaps, id, "merge", { data: { x } });
  else await bench.client.create(configMaps, map(name, x));
}

const versionOf = ({ metadata }: KubeObject): string => `${metadata.name}@${metadata.resourceVersion ?? ""}`;
