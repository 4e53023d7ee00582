/** The collector on a server in memory: what people see after a delete. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KubeObject, OwnerReference } from "@mecha/kinds";
import { configMap, configMaps, eventually, lifecycleBench, type LifecycleBench } from "../testing.ts";
import { GarbageCollector } from "./index.ts";

const namespace = "default";

async function withCollector(run: (bench: LifecycleBench, make: Make) => Promise<void>): Promise<void> {
  const bench = await lifecycleBench();
  const ending = new AbortController();
  const collecting = new GarbageCollector(bench.ports).run(ending.signal);
  const make: Make = async (name, owners = [], more = {}) => {
    const references = owners.map(({ metadata, blocks }): OwnerReference => {
      const { name: owner, uid = "" } = metadata;
      return { apiVersion: "v1", kind: "ConfigMap", name: owner, uid, ...(blocks && { blockOwnerDeletion: true }) };
    });
    return await bench.client.create(
      configMaps,
      configMap(name, { ...(references.length > 0 && { ownerReferences: references }), ...more }),
    );
  };
  await run(bench, make);
  ending.abort();
  await collecting;
}

type Owner = KubeObject & { readonly blocks?: boolean };
type Make = (name: string, owners?: readonly Owner[], more?: Partial<KubeObject["metadata"]>) => Promise<KubeObject>;

const names = async ({ client }: LifecycleBench): Promise<string[]> =>
  (await client.listAll(configMaps, { namespace })).items.map(({ metadata }) => metadata.name).toSorted();
const become = (bench: LifecycleBench, ...wanted: string[]): Promise<void> =>
  eventually(bench, `left: ${wanted.join(", ")}`, async () => JSON.stringify(await names(bench)) === JSON.stringify(wanted));

test("in the background: the owner goes at once, what it owned after it, and what that owned", () =>
  withCollector(async (bench, make) => {
    const top = await make("top");
    await make("leaf", [await make("middle", [top])]);
    await make("other");
    await bench.client.delete(configMaps, { namespace, name: "top" }, { propagationPolicy: "Background" });
    assert.deepEqual(await names(bench), ["leaf", "middle", "other"]);
    await become(bench, "other");
  }));

test("in the foreground: the owner is there until everything that blocks it has gone", () =>
  withCollector(async (bench, make) => {
    const top = await make("top");
    await make("held", [{ ...top, blocks: true }], { finalizers: ["example.dev/hold"] });
    await make("free", [{ ...top, blocks: true }]);
    await bench.client.delete(configMaps, { namespace, name: "top" }, { propagationPolicy: "Foreground" });
    await become(bench, "held", "top");
    await bench.client.patch(configMaps, { namespace, name: "held" }, "merge", { metadata: { finalizers: null } });
    await become(bench);
  }));

test("orphans stay and forget their owner", () =>
  withCollector(async (bench, make) => {
    const top = await make("top");
    await make("child", [top]);
    await bench.client.delete(configMaps, { namespace, name: "top" }, { propagationPolicy: "Orphan" });
    await become(bench, "child");
    assert.equal((await bench.client.get(configMaps, { namespace, name: "child" })).metadata.ownerReferences, undefined);
  }));

test("what names an owner that never was, or another of its name, goes", () =>
  withCollector(async (bench, make) => {
    const there = await make("there");
    const impostor = { ...there, metadata: { ...there.metadata, uid: "00000000-0000-4000-8000-000000000000" } };
    await make("lost", [impostor]);
    await become(bench, "there");
  }));

test("of two owners one may go", () =>
  withCollector(async (bench, make) => {
    const [a, b] = [await make("a"), await make("b")];
    await make("shared", [a, b]);
    await bench.client.delete(configMaps, { namespace, name: "a" }, {});
    const owners = async (): Promise<readonly string[]> =>
      ((await bench.client.get(configMaps, { namespace, name: "shared" })).metadata.ownerReferences ?? []).map(({ name }) => name);
    await eventually(bench, "a forgotten", async () => (await owners()).join() === "b");
    await bench.client.delete(configMaps, { namespace, name: "b" }, {});
    await become(bench);
  }));

test("a kind nobody serves as owner: nothing is decided, and it is said", () =>
  withCollector(async (bench) => {
    const stranger = { apiVersion: "example.dev/v1", kind: "Stranger", name: "s", uid: "x" };
    await bench.client.create(configMaps, configMap("kept", { ownerReferences: [stranger] }));
    await eventually(bench, "said", () => Promise.resolve(bench.log.lines.length > 0));
    assert.match(String(bench.log.lines[0]?.fields["cause"]), /owner kind Stranger of example.dev\/v1 is not served/);
    assert.deepEqual(await names(bench), ["kept"]);
  }));

test("whatever owns what: after a delete in the background exactly that stays which an owner is left of, or never had one", async () => {
  const forest = fc.array(fc.array(fc.nat({ max: 7 }), { maxLength: 2 }), { minLength: 2, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(forest, fc.nat(), (parents, chosen) =>
      withCollector(async (bench, make) => {
        const made: KubeObject[] = [];
        // Owners are earlier objects, so there is no cycle.
        const owners = parents.map((some, at) => [...new Set(some.filter((parent) => parent < at))]);
        for (const [at, some] of owners.entries()) {
          made.push(
            await make(
              `m${String(at)}`,
              some.map((parent) => made[parent]).filter((one) => one !== undefined),
            ),
          );
        }
        const victim = chosen % parents.length;
        const gone = new Set([victim]);
        for (const [at, some] of owners.entries()) if (some.length > 0 && some.every((parent) => gone.has(parent))) gone.add(at);
        await bench.client.delete(configMaps, { namespace, name: `m${String(victim)}` }, { propagationPolicy: "Background" });
        await become(bench, ...made.map(({ metadata }) => metadata.name).filter((_, at) => !gone.has(at)));
      }),
    ),
    { numRuns: 15 },
  );
});
