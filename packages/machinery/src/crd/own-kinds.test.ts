import assert from "node:assert/strict";
import { test } from "node:test";
import { type KubeObject, ownCrds, programOf, statefulServiceOf, statefulStoreOf } from "@mecha/kinds";
import type { Crd } from "./crd.ts";
import { definitionOf } from "./definition.ts";

const [services, stores] = ownCrds().map((crd) => definitionOf(crd as unknown as Crd)[0]);
const problems = (definition: typeof services, object: object): string[] => {
  const copy = structuredClone(object) as KubeObject;
  definition!.setDefaults?.(copy);
  return (definition!.validate?.(copy, undefined) ?? []).map(({ field, message }) => `${field}: ${message}`);
};

test("our CRDs are ones any cluster takes", () => {
  for (const crd of ownCrds()) assert.deepEqual(definitionOf(crd as unknown as Crd).length, 1, crd.metadata.name);
});

const store = (spec: object): object => ({
  apiVersion: "cloudstate.io/v1alpha1",
  kind: "StatefulStore",
  metadata: { name: "s", namespace: "default" },
  spec,
});

test("a StatefulStore is exactly one", () => {
  const wrong = "exactly one of inMemory, embedded, postgres, spanner and cassandra must be set";
  assert.deepEqual(problems(stores, store({ inMemory: true })), []);
  for (const spec of [{}, { inMemory: true, postgres: { host: "db" } }])
    assert.match(problems(stores, store(spec)).join("\n"), new RegExp(`^spec: Invalid value: .*${wrong}$`, "u"));
});

test("defaults are those of the operator", () => {
  const object = store({ postgres: { host: "db", credentials: { secret: { name: "pg" } } } }) as KubeObject;
  stores!.setDefaults?.(object);
  assert.deepEqual(object["spec"], {
    postgres: { host: "db", port: 5432, credentials: { secret: { name: "pg" }, usernameKey: "username", passwordKey: "password" } },
  });
});

test("functions of a project file are StatefulServices that are right, and read back as they were", () => {
  const context = { project: "shop", namespace: "default", store: "shop" };
  const entries = [
    { name: "cart", directory: ".", command: "node src/main.ts", env: [{ name: "A", value: "1" }], protocol: "auto", port: 9010 },
    { name: "stock", directory: "stock", command: "python main.py", env: [], protocol: "kalix", port: undefined },
  ];
  for (const entry of entries) {
    const object = statefulServiceOf(entry, context);
    assert.deepEqual(problems(services, object), []);
    const stored = structuredClone(object);
    services!.setDefaults?.(stored);
    assert.deepEqual(stored, object, "nothing is left for the server to fill in");
    const reading = programOf(stored);
    assert.ok("program" in reading);
    const { container, ...program } = reading.program;
    const env = (container["env"] ?? []) as unknown[];
    assert.deepEqual({ name: stored.metadata.name, ...program, env }, entry);
  }
  const kept = statefulStoreOf({ kind: "sqlite", directory: ".mecha", durability: "full" }, context);
  assert.deepEqual(problems(stores, kept), []);
  assert.deepEqual(problems(services, { ...statefulServiceOf(entries[0]!, context), spec: { containers: [] } }).length, 1);
});
