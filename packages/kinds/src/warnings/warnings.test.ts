/** Texts are compared with a real server's by `npm run oracle:kube -- warnings/`; here, when they come and that they come to every kind with a template. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds } from "../all.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { created } from "../testing.ts";

const kinds = allKinds();
const find = (name: string): (typeof kinds)[number] => {
  const definition = kinds.find(({ kind }) => kind === name);
  assert.ok(definition, name);
  return definition;
};

function told(kind: string, body: JsonObject, old?: JsonObject, subresource?: string): readonly string[] {
  const definition = find(kind);
  const metadata = { name: "a", generation: old ? 2 : 1 };
  const object = (said: JsonObject, more: JsonObject): KubeObject =>
    created(definition, { ...said, metadata: { ...metadata, ...more, ...(said["metadata"] as object) } });
  return definition.warnings?.(object(body, {}), { old: old && object(old, { generation: 1 }), subresource }) ?? [];
}

const pod = (more: JsonObject = {}, container: JsonObject = {}): JsonObject => ({
  spec: { containers: [{ name: "a", image: "b", ...container }], ...more },
});
const template = (more: JsonObject = {}): JsonObject => ({ spec: { template: pod(more) } });

const ofPods: readonly (readonly [what: string, pod: JsonObject, ...warnings: RegExp[]])[] = [
  ["nothing wrong", pod({ nodeSelector: { "kubernetes.io/os": "linux" }, imagePullSecrets: [{ name: "a" }] })],
  [
    "an old label",
    pod({ nodeSelector: { "beta.kubernetes.io/os": "linux" } }),
    /^spec\.nodeSelector\[beta\.kubernetes\.io\/os\]: deprecated since v1\.14/u,
  ],
  ["a pull secret without a name", pod({ imagePullSecrets: [{}] }), /^spec\.imagePullSecrets\[0\]\.name: invalid empty name ""$/u],
  [
    "a part of a byte",
    pod({}, { resources: { requests: { memory: "1500m" } } }),
    /^spec\.containers\[0\]\.resources\.requests\[memory\]: fractional byte value "1500m"/u,
  ],
  ["less than a thousandth below a byte", pod({}, { resources: { requests: { memory: "999999999n" } } })],
  [
    "an old volume",
    pod({ volumes: [{ name: "v", rbd: { monitors: ["m"], image: "i" } }] }),
    /^spec\.volumes\[0\]\.rbd: deprecated in v1\.28/u,
  ],
  [
    "a variable that goes on from itself and one that does not",
    pod(
      {},
      {
        env: [
          { name: "A", value: "1" },
          { name: "A", value: "$(A):2" },
          { name: "A", value: "3" },
        ],
      },
    ),
    /^spec\.containers\[0\]\.env\[2\]: hides previous definition of "A"/u,
  ],
  [
    "one port of two containers",
    {
      spec: {
        containers: [
          { name: "a", image: "b", ports: [{ containerPort: 1 }] },
          { name: "c", image: "b", ports: [{ containerPort: 1 }] },
        ],
      },
    },
    /^spec\.containers\[1\]\.ports\[0\]: duplicate port definition with spec\.containers\[0\]\.ports\[0\]$/u,
  ],
  [
    "a file where another needs a folder",
    pod({
      volumes: [
        {
          name: "v",
          secret: {
            secretName: "s",
            items: [
              { key: "a", path: "x/y" },
              { key: "b", path: "x" },
            ],
          },
        },
      ],
    }),
    /^volume "v" \(Secret "s"\): overlapping paths: "x" with "x\/y"$/u,
  ],
];

for (const [what, body, ...warnings] of ofPods)
  test(`a pod: ${what}`, () => {
    const said = told("Pod", body);
    assert.equal(said.length, warnings.length, said.join("\n"));
    for (const [i, warning] of warnings.entries()) assert.match(said[i] ?? "", warning);
  });

const bad = { terminationGracePeriodSeconds: -1 };

test("each kind with a template looks at it, names its place, and is silent while it stays", () => {
  for (const kind of ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "ReplicationController", "Job"]) {
    assert.match(told(kind, template(bad))[0] ?? "", /^spec\.template\.spec\.terminationGracePeriodSeconds: must be >= 0/u, kind);
    assert.deepEqual(told(kind, template(bad), undefined, "status"), [], kind);
    assert.deepEqual(told(kind, template({ hostNetwork: true })), [], kind);
  }
  const cron = (more: JsonObject): JsonObject => ({ spec: { schedule: "@daily", jobTemplate: template(more) } });
  assert.match(told("CronJob", cron(bad))[0] ?? "", /^spec\.jobTemplate\.spec\.template\.spec\.terminationGracePeriodSeconds/u);
});

test("a change of the generation tells again, another does not; a pod is told once", () => {
  assert.equal(told("Deployment", template(bad), template(bad)).length, 1);
  const same = { metadata: { generation: 1 } };
  assert.deepEqual(told("Deployment", { ...template(bad), ...same }, template(bad)), []);
  assert.deepEqual(told("Pod", pod({ imagePullSecrets: [{}] }), pod()), []);
});

test("names that are no host names are told of where pods get theirs from them", () => {
  for (const kind of ["Pod", "Deployment", "ReplicaSet", "Job", "ReplicationController", "CronJob"])
    assert.match(
      told(kind, { metadata: { name: "a.b" } })[0] ?? "",
      /^metadata\.name: this is used in .*: \[must not contain dots\]$/u,
      kind,
    );
  assert.deepEqual(told("DaemonSet", { metadata: { name: "a.b" } }), []);
});

test("as many elements and as long texts as a body can hold are looked at in a moment", () => {
  const many = <T>(element: T): readonly T[] => Array.from({ length: 100_000 }, () => element);
  const long = 1_000_000; // quadratic work on it takes half an hour
  const fewTold = (body: JsonObject): void => {
    const { length } = told("Pod", body);
    assert.ok(length > 0 && length < 10_000, `${length}`);
  };
  fewTold(pod({}, { ports: many({ containerPort: 1 }) }));
  const secret = (items: readonly object[]): JsonObject => pod({ volumes: [{ name: "v", secret: { secretName: "s", items } }] });
  fewTold(secret(many({ key: "k", path: "x" })));
  assert.deepEqual(told("Pod", secret([{ key: "k", path: `${"/".repeat(long)}x` }])), []);
  for (const text of [`${"0".repeat(long)}.x`, `${"00.".repeat(long)}x`, `1.2.3.${"0".repeat(long)}`])
    assert.ok(told("Pod", pod({ dnsConfig: { nameservers: [text] } })).length <= 1);
  const annotations = { "controller.kubernetes.io/pod-deletion-cost": `-${"0".repeat(long)}x` };
  assert.equal(find("Pod").validate?.(created(find("Pod"), { ...pod(), metadata: { name: "a", annotations } }), undefined).length, 1);
});
