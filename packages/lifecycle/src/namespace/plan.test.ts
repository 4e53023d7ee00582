import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@mecha/kinds";
import { type Condition, type Contents, planNamespace } from "./plan.ts";

const going = (conditions: readonly Condition[] = []): KubeObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "shop", deletionTimestamp: "2026-01-01T00:00:00Z" },
  spec: { finalizers: ["kubernetes", "someone.example/x"] },
  status: { phase: "Terminating", conditions },
});
const empty: Contents = { remaining: [], failures: [] };
const nowMs = Date.UTC(2026, 0, 1, 0, 0, 5);

test("a namespace that is not deleted is left alone", () => {
  const there = { ...going(), metadata: { name: "shop" } };
  assert.deepEqual(planNamespace(there, empty, nowMs), { do: "nothing" });
});

test("an empty one loses our finalizer, and only ours", () => {
  assert.deepEqual(planNamespace(going(), empty, nowMs), { do: "finish", finalizers: ["someone.example/x"] });
});

test("what is left, and for what it waits, is said in its conditions", () => {
  const remaining = [{ resource: "configmaps", count: 3, finalizers: new Map([["someone.example/hold", 2]]) }];
  const plan = planNamespace(going(), { remaining, failures: ["secrets: no answer"] }, nowMs);
  assert.ok(plan.do === "wait" && plan.changed);
  assert.deepEqual(
    plan.conditions.map(({ type, status, message }) => [type, status, message]),
    [
      ["NamespaceDeletionDiscoveryFailure", "False", "All resources successfully discovered"],
      ["NamespaceDeletionContentFailure", "True", "secrets: no answer"],
      ["NamespaceContentRemaining", "True", "Some resources are remaining: configmaps has 3 resource instances"],
      [
        "NamespaceFinalizersRemaining",
        "True",
        "Some content in the namespace has finalizers remaining: someone.example/hold in 2 resource instances",
      ],
    ],
  );
  const again = planNamespace(going(plan.conditions), { remaining, failures: ["secrets: no answer"] }, nowMs + 60_000);
  assert.ok(again.do === "wait" && !again.changed, "the same finding is not written again");
});

test("when the resources cannot be told, nothing is taken for empty", () => {
  const plan = planNamespace(going(), { ...empty, discoveryFailure: "no answer" }, nowMs);
  assert.equal(plan.do, "wait");
});
