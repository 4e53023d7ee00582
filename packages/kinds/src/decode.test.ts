import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { decodeByType } from "./decode.ts";
import { kubernetesTypes } from "./tables/index.ts";

const types = kubernetesTypes();
const decode = (type: string, value: unknown) => decodeByType(types, `io.k8s.api.${type}`, value);

test("a Deployment gets what Go writes even when empty, loses what is null or unknown, and says what it did not know", () => {
  const { object, unknown } = decode("apps.v1.Deployment", {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "a", creationTimestamp: null, labels: {} },
    spec: {
      replicas: 0,
      paused: false,
      foo: 1,
      selector: { matchLabels: { a: "b" } },
      template: { spec: { containers: [{ name: "c", bar: {} }] } },
    },
  });
  assert.deepEqual(unknown, ["spec.template.spec.containers[0].bar", "spec.foo"]);
  assert.deepEqual(object, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "a" },
    spec: {
      replicas: 0,
      selector: { matchLabels: { a: "b" } },
      template: { metadata: {}, spec: { containers: [{ name: "c", resources: {} }] } },
      strategy: {},
    },
    status: {},
  });
});

test("values of a wrong type are refused as the server's decoder says it", () => {
  const refused = (type: string, value: unknown, message: string): void => {
    assert.throws(() => decode(type, value), new Fault("invalid", message));
  };
  refused(
    "apps.v1.Deployment",
    { spec: { replicas: "3" } },
    "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
  );
  refused(
    "core.v1.Pod",
    { spec: { volumes: [{ name: "v", configMap: { name: 5 } }] } },
    "json: cannot unmarshal number into Go struct field ConfigMapVolumeSource.spec.volumes.VolumeSource.configMap.LocalObjectReference.name of type string",
  );
  refused("core.v1.ConfigMap", { data: { a: 1 } }, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string");
  refused(
    "core.v1.Pod",
    { spec: { containers: {} } },
    "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
  );
  // As Go's encoding/base64 counts.
  for (const [text, byte] of [
    ["%", 0],
    ["1", 0],
    ["aGk", 0],
    ["aGk=aGk", 4],
    ["aGkxa", 4],
    ["aGkxä", 4],
    ["aG=k", 2],
    ["a=", 1],
    ["aG=", 3],
    ["aG==x", 4],
  ] as const)
    refused("core.v1.Secret", { data: { a: text } }, `illegal base64 data at input byte ${byte}`);
  refused(
    "core.v1.Pod",
    { spec: { activeDeadlineSeconds: 1.5 } },
    "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.activeDeadlineSeconds of type int64",
  );
  refused("core.v1.Secret", { type: 1.5 }, "json: cannot unmarshal number into Go struct field Secret.type of type string");
});

test("quantities, times and ports come out in the form the server keeps", () => {
  const { object } = decode("core.v1.Container", {
    name: "c",
    resources: { limits: { cpu: 0.5, memory: "1024Mi" }, requests: { cpu: "0.1" } },
  });
  assert.deepEqual(object["resources"], { limits: { cpu: "500m", memory: "1Gi" }, requests: { cpu: "100m" } });
  assert.equal(decode("core.v1.ObjectReference", { name: "" }).object["name"], undefined);
  assert.deepEqual(decode("coordination.v1.LeaseSpec", { renewTime: "2024-01-02T03:04:05.500000+01:00" }).object, {
    renewTime: "2024-01-02T02:04:05.500000Z",
  });
});

test("whatever comes, it is decoded or refused with a Fault; what was decoded decodes to itself", () => {
  const names = [
    "metadata",
    "spec",
    "template",
    "containers",
    "name",
    "ports",
    "status",
    "selector",
    "labels",
    "volumes",
    "resources",
    "limits",
  ];
  const { tree } = fc.letrec((tie) => ({
    leaf: fc.oneof(fc.constantFrom("a", "", "1Gi", "8080"), fc.integer(), fc.boolean(), fc.constant(null), fc.double({ noNaN: true })),
    tree: fc.oneof(
      { depthSize: "medium" },
      tie("leaf"),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie("tree"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("metadata", "spec", "status"), tree), (value) => {
      let object: unknown;
      try {
        object = decode("apps.v1.Deployment", value).object;
      } catch (error) {
        assert.ok(error instanceof Fault, String(error));
        return;
      }
      assert.deepEqual(decode("apps.v1.Deployment", object), { object, unknown: [] });
    }),
    { numRuns: 500 },
  );
});
