import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubeObject } from "@mecha/kinds";
import { fleetFunction, fleetName, replicasNote, templateOf } from "./program.ts";
import { storeFinding, storeProblem } from "./stores.ts";

const service = (spec: JsonObject, metadata: Partial<KubeObject["metadata"]> = {}): KubeObject => ({
  apiVersion: "cloudstate.io/v1alpha1",
  kind: "StatefulService",
  metadata: { name: "cart", namespace: "default", creationTimestamp: "2026-01-01T00:00:00Z", ...metadata },
  spec,
});
const container = (more: JsonObject): JsonObject => ({ containers: [{ name: "cart", image: "example/cart", ...more }] });

test("what is run: the annotations, else the container's command; else it says what to write", () => {
  const command = { command: ["node", "main.js"], args: ["--x"], workingDir: "sub" };
  const annotations = { "mecha.dev/command": "npm start", "mecha.dev/directory": "here" };
  const read = (object: KubeObject): unknown => {
    const template = templateOf(object);
    if ("finding" in template) return [template.finding.reason, template.stop];
    return [template.program.command, template.program.directory, template.program.port];
  };
  assert.deepEqual(read(service(container(command))), [["node", "main.js", "--x"], "sub", undefined]);
  assert.deepEqual(read(service(container(command), { annotations })), ["npm start", "here", undefined]);
  const ports = [
    { name: "metrics", containerPort: 9_100 },
    { name: "user-port", containerPort: 8_080 },
  ];
  assert.deepEqual(read(service(container({ ...command, ports }))), [["node", "main.js", "--x"], "sub", 8_080]);
  assert.deepEqual(read(service(container({ ...command, ports: ports.slice(0, 1) }))), [["node", "main.js", "--x"], "sub", 9_100]);
  assert.deepEqual(read(service(container({ args: ["--x"] }))), ["ImageNotRunnable", false]);
  assert.deepEqual(read(service({ containers: [{ name: "a" }, { name: "b" }] })), ["SeveralContainers", false]);
  assert.deepEqual(read(service({ ...container(command), replicas: 0 })), ["ScaledToZero", true]);
  assert.deepEqual(read(service(container(command), { annotations: { "mecha.dev/protocol": "soap" } })), ["UnknownProtocol", false]);
});

test("folder, environment and arguments are those of this machine", () => {
  const config: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { LEVEL: "7" } };
  const object = service(
    container({
      command: ["node", "$(FILE)"],
      workingDir: "sub",
      env: [{ name: "FILE", value: "main.js" }],
      envFrom: [{ configMapRef: { name: "c" } }],
    }),
    { namespace: "shop" },
  );
  const template = templateOf(object);
  assert.ok("program" in template);
  assert.deepEqual(fleetFunction(template, object, { folder: "/home/ada", config: () => config }), {
    name: "shop/cart",
    command: ["node", "main.js"],
    directory: "/home/ada/sub",
    env: { LEVEL: "7", FILE: "main.js" },
    protocol: "auto",
    port: undefined,
    order: Date.parse("2026-01-01T00:00:00Z"),
  });
  const missing = fleetFunction(template, object, { folder: "/", config: () => undefined });
  assert.deepEqual("finding" in missing && [missing.finding.reason, missing.finding.message], [
    "EnvironmentIncomplete",
    "it cannot start: envFrom: there is no ConfigMap c",
  ]);
  assert.deepEqual([fleetName({ namespace: "default", name: "a" }), fleetName({ namespace: "n", name: "a" })], ["a", "n/a"]);
  assert.match(replicasNote(service({ replicas: 3 })), /3 replicas/u);
  assert.equal(replicasNote(service({ replicas: 1 })), "");
});

test("a store is ready when Mecha's own keeps what it promises", () => {
  const sqlite = { folder: "/shop", store: { kind: "sqlite", directory: "/shop/data", durability: "full" } } as const;
  const relaxed = { ...sqlite, store: { ...sqlite.store, durability: "relaxed" } } as const;
  const memory = { folder: "/shop", store: { kind: "memory", directory: "/shop/data" } } as const;
  const store = (spec: JsonObject): KubeObject => ({
    apiVersion: "cloudstate.io/v1alpha1",
    kind: "StatefulStore",
    metadata: { name: "s" },
    spec,
  });
  const embedded = (directory: string, durability = "full"): KubeObject => store({ embedded: { directory, durability } });
  for (const [what, object, kept, ready] of [
    ["the default folder is wherever Mecha keeps state", embedded(".mecha"), sqlite, true],
    ["the project's own", embedded("data"), sqlite, true],
    ["another", embedded("elsewhere"), sqlite, false],
    ["less durable than there is", embedded(".mecha", "relaxed"), sqlite, true],
    ["more durable than there is", embedded(".mecha"), relaxed, false],
    ["as durable as there is", embedded(".mecha", "relaxed"), relaxed, true],
    ["kept, where nothing is", embedded(".mecha"), memory, false],
    ["in memory", store({ inMemory: true }), memory, true],
    ["kept though it need not be", store({ inMemory: true }), sqlite, true],
    ["elsewhere", store({ postgres: { host: "db" } }), sqlite, false],
  ] as const)
    assert.equal(storeFinding(object, kept).ready, ready, what);
  assert.equal(storeProblem("s", embedded(".mecha"), sqlite), undefined);
  assert.equal(storeProblem("s", undefined, sqlite)?.reason, "StoreNotFound");
  assert.match(
    storeProblem("s", store({ cassandra: { host: "db" } }), sqlite)?.message ?? "",
    /^its StatefulStore s is not ready: .*no cassandra store/u,
  );
});
