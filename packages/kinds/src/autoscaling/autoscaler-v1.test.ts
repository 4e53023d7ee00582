import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubeObject } from "../object.ts";
import { cells, created, problemsWith } from "../testing.ts";
import { horizontalPodAutoscalerV1 as hpa, toV1, toV2 } from "./autoscaler-v1.ts";

const metadata = { name: "web", namespace: "default" };
const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name: "web" };
const make = (spec: JsonObject): KubeObject => ({
  ...created(hpa, { metadata, spec: { scaleTargetRef, ...spec } }),
  apiVersion: "autoscaling/v1",
  kind: hpa.kind,
});

test("v1's one measure is a metric of v2, and comes back as it was", () => {
  const object = make({ maxReplicas: 3, targetCPUUtilizationPercentage: 60 });
  const stored = toV2(object);
  assert.deepEqual((stored["spec"] as JsonObject)["metrics"], [
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } } },
  ]);
  assert.deepEqual(toV1(stored), object);
  assert.deepEqual([stored["status"], object["status"]], [{ desiredReplicas: 0 }, { currentReplicas: 0, desiredReplicas: 0 }]);
  assert.deepEqual(cells(hpa, object).slice(1, 5), ["Deployment/web", "cpu: <unknown>/60%", "1", 3]);
  assert.deepEqual(problemsWith(hpa, make({ maxReplicas: 0 })), [
    "spec.maxReplicas: Required value: must be set and greater than 0",
    "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
  ]);
});

test("who says no measure aims at 80 %; what v1 has no fields for is in annotations, and survives an update through v1", () => {
  assert.equal((toV1(toV2(make({ maxReplicas: 1 })))["spec"] as JsonObject)["targetCPUUtilizationPercentage"], 80);
  const memory = { type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "1Gi" } } };
  const behavior = { scaleDown: { stabilizationWindowSeconds: 60 } };
  const stored: KubeObject = {
    apiVersion: "autoscaling/v2",
    kind: hpa.kind,
    metadata: { ...metadata, annotations: { own: "x" } },
    spec: { scaleTargetRef, maxReplicas: 2, metrics: [memory], behavior },
    status: { currentReplicas: 1 },
  };
  const seen = toV1(stored);
  assert.deepEqual(Object.keys(seen.metadata.annotations ?? {}).sort(), [
    "autoscaling.alpha.kubernetes.io/behavior",
    "autoscaling.alpha.kubernetes.io/metrics",
    "own",
  ]);
  assert.deepEqual(toV2(seen), stored);
  const unmeasured = toV1({ ...stored, status: { currentReplicas: 1, currentMetrics: null } });
  assert.deepEqual(unmeasured.metadata.annotations, seen.metadata.annotations);
  const broken = { ...seen, metadata: { ...metadata, annotations: { "autoscaling.alpha.kubernetes.io/metrics": "{" } } };
  assert.equal((toV1(toV2(broken))["spec"] as JsonObject)["targetCPUUtilizationPercentage"], 80);
});
