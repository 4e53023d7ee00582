import assert from "node:assert/strict";
import { test } from "node:test";
import { type KubeObject, programOf, projectLabel } from "@mecha/kinds";
import { projectOf, readProject } from "../../project/read.ts";
import type { FleetStatus } from "../fleet.ts";
import { settingsOf } from "../settings.ts";
import { fieldManager, functionFinding, newsOf, statusFor, stepFor } from "./plan.ts";
import { wantedServices, wantedStore } from "./wanted.ts";

const settings = (spec: string) =>
  settingsOf(
    {
      project: projectOf(
        readProject(`apiVersion: mecha.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\nspec: ${spec}\n`),
        "mecha.yaml",
      ),
      folder: "/home/ada/shop",
    },
    { folder: "." },
    undefined,
  );

const cart = (metadata: Partial<KubeObject["metadata"]> = {}, status?: unknown): KubeObject => ({
  apiVersion: "cloudstate.io/v1alpha1",
  kind: "StatefulService",
  metadata: { name: "cart", namespace: "default", generation: 2, ...metadata },
  ...(status !== undefined && { status }),
});
const applied = (manager: string, subresource?: string): NonNullable<KubeObject["metadata"]["managedFields"]> => [
  {
    manager,
    operation: "Apply",
    fieldsType: "FieldsV1",
    fieldsV1: {},
    apiVersion: "cloudstate.io/v1alpha1",
    ...(subresource !== undefined && { subresource }),
  },
];
const labels = { [projectLabel]: "shop" };
const deletionTimestamp = "2026-01-01T00:00:00Z";

test("the file's objects are applied, what left the file goes, and what others made runs", () => {
  const ours = { labels, managedFields: applied(fieldManager) };
  for (const [what, wanted, have, step] of [
    ["missing", cart(), undefined, "apply"],
    ["there", cart(), cart(), "apply"],
    ["being deleted", cart(), cart({ deletionTimestamp }), "end"],
    ["gone", undefined, undefined, "end"],
    ["left the file", undefined, cart(ours), "delete"],
    ["left the file of a project since renamed", undefined, cart({ ...ours, labels: { [projectLabel]: "old" } }), "delete"],
    ["left the file, and goes already", undefined, cart({ ...ours, deletionTimestamp }), "end"],
    ["somebody's own", undefined, cart({ managedFields: applied("kubectl") }), "run"],
    ["somebody's copy, label and all", undefined, cart({ labels, managedFields: applied("kubectl") }), "run"],
    ["somebody's own, with our status", undefined, cart({ labels, managedFields: applied(fieldManager, "status") }), "run"],
  ] as const)
    assert.equal(stepFor(wanted, have), step, what);
});

const served: FleetStatus = {
  name: "cart",
  replacing: false,
  state: "ready",
  pid: 7,
  host: "127.0.0.1",
  restarts: 0,
  services: [{ name: "shop.Cart", kind: "eventSourced", persistenceId: "cart", methods: [] }],
};

test("a function's state is the object's condition", () => {
  assert.deepEqual(functionFinding(served), { ready: true, reason: "Ready", message: "serves shop.Cart", replicas: 1 });
  const { pid: _, ...ended } = served;
  const waiting = functionFinding({ ...ended, state: "waiting", problem: "ended (exit code 1); starts again after 1.0 s" });
  assert.deepEqual(waiting, { ready: false, reason: "Restarting", message: "ended (exit code 1); starts again after 1.0 s", replicas: 0 });
});

test("a status is written once, and its time changes with the condition only", () => {
  const first = statusFor(cart(), functionFinding(served), 0);
  assert.deepEqual(first, {
    summary: "Ready",
    observedGeneration: 2,
    replicas: 1,
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "Ready",
        message: "serves shop.Cart",
        observedGeneration: 2,
        lastTransitionTime: "1970-01-01T00:00:00Z",
      },
    ],
  });
  assert.equal(statusFor(cart({}, first), functionFinding(served), 60_000), undefined);
  const timeOf = (status: Record<string, unknown> | undefined): unknown =>
    (status?.["conditions"] as { lastTransitionTime: string }[] | undefined)?.[0]?.lastTransitionTime;
  assert.equal(timeOf(statusFor(cart({ generation: 3 }, first), functionFinding(served), 60_000)), "1970-01-01T00:00:00Z");
  const refused = functionFinding({ ...served, state: "refused", problem: "no" });
  assert.equal(timeOf(statusFor(cart({}, first), refused, 60_000)), "1970-01-01T00:01:00Z");
  assert.deepEqual(newsOf(cart({}, first), refused), { type: "Warning", message: "no" });
  const waiting = functionFinding({ ...served, state: "waiting", problem: "ended (exit code 1); starts again after 1.0 s" });
  assert.equal(newsOf(cart({}, first), waiting)?.message, "ended (exit code 1)");
  assert.equal(newsOf(cart({}, first), functionFinding(served)), undefined);
});

test("objects say what the file says: a list of arguments is a shell line", () => {
  const [object] = wantedServices(
    settings(`{ functions: [{ name: cart, command: [node, "it's.ts", a b], env: [{ name: A, value: y }], port: 8080 }] }`),
  );
  assert.ok(object);
  const reading = programOf(object);
  assert.ok("program" in reading);
  const { container, ...program } = reading.program;
  assert.deepEqual(program, { directory: ".", command: `node 'it'\\''s.ts' 'a b'`, protocol: "auto", port: 8_080 });
  assert.deepEqual(container["env"], [{ name: "A", value: "y" }]);
  assert.deepEqual([object.metadata.namespace, object.metadata.labels], ["default", labels]);
});

test("the store is the project's", () => {
  const functions = "functions: [{ name: cart, command: node main.ts }]";
  const store = wantedStore(settings(`{ ${functions}, store: { directory: data/state, durability: relaxed } }`));
  assert.deepEqual([store.metadata.name, store["spec"]], ["shop", { embedded: { directory: "data/state", durability: "relaxed" } }]);
  assert.deepEqual(wantedStore(settings(`{ ${functions}, store: { kind: memory } }`))["spec"], { inMemory: true });
});
