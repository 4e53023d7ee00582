import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "mecha-operator";
import { hashAnnotation, hashOf, matches, planPods } from "./plan.ts";

const object = (name: string, more: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, ...metadata },
  ...more,
});

test("the hash tells data, whatever its order, and not metadata", () => {
  const one = hashOf(new Map([["ConfigMap/a", object("a", { data: { x: "1", y: "2" } })]]));
  const same = hashOf(new Map([["ConfigMap/a", object("a", { data: { y: "2", x: "1" } }, { labels: { z: "3" } })]]));
  const other = hashOf(new Map([["ConfigMap/a", object("a", { data: { x: "1", y: "3" } })]]));
  const missing = hashOf(new Map([["ConfigMap/a", undefined]]));
  assert.equal(one, same);
  assert.equal(new Set([one, other, missing]).size, 3);
});

test("Pods of the old configuration are restarted, unknown ones adopted, those of now and those that go left alone", () => {
  const marked = (name: string, hash: string, metadata: object = {}): KubeObject =>
    object(name, {}, { annotations: { [hashAnnotation]: hash }, ...metadata });
  const [old, now, going, fresh] = [
    marked("old", "1"),
    marked("now", "2"),
    marked("going", "1", { deletionTimestamp: "x" }),
    object("fresh"),
  ];
  assert.deepEqual(planPods([old, now, going, fresh], "2"), { restart: [old], adopt: [fresh] });
});

test("after its own plan there is nothing left to do", () => {
  const adopted = object("a", {}, { annotations: { [hashAnnotation]: "2" } });
  assert.deepEqual(planPods([adopted], "2"), { restart: [], adopt: [] });
});

test("labels match when all of them are there", () => {
  const pod = object("p", {}, { labels: { app: "x", tier: "web" } });
  assert.deepEqual([matches({ app: "x" }, pod), matches({ app: "x", tier: "db" }, pod)], [true, false]);
});
