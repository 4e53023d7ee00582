import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../object.ts";
import { cells, created, problemsWith } from "../testing.ts";
import { deployment } from "./deployment.ts";

const body = (spec: JsonObject = {}, pod: JsonObject = {}): JsonObject => ({
  metadata: { name: "web", namespace: "default" },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx:1.27" }], ...pod } },
    ...spec,
  },
});

test("a Deployment of a few lines gets the defaults a cluster gives it", () => {
  assert.deepEqual(created(deployment, body()), {
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: {
          containers: [
            {
              name: "web",
              image: "nginx:1.27",
              resources: {},
              terminationMessagePath: "/dev/termination-log",
              terminationMessagePolicy: "File",
              imagePullPolicy: "IfNotPresent",
            },
          ],
          restartPolicy: "Always",
          terminationGracePeriodSeconds: 30,
          dnsPolicy: "ClusterFirst",
          securityContext: {},
          schedulerName: "default-scheduler",
        },
      },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: "25%" } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
    },
    status: {},
  });
});

test("what is wrong is said as the server says it, all at once", () => {
  const wrong: [JsonObject, string[]][] = [
    [body(), []],
    [
      body({ selector: undefined }),
      [
        "spec.selector: Required value",
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      body({ selector: { matchLabels: { app: "other" } } }),
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    [body({ replicas: -1 }), ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]],
    [body({}, { containers: [] }), ["spec.template.spec.containers: Required value"]],
    [
      body({}, { containers: [{ name: "A_b" }] }),
      [
        "spec.template.spec.containers[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        "spec.template.spec.containers[0].image: Required value",
      ],
    ],
    [body({}, { restartPolicy: "Never" }), ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"']],
    [
      body({ strategy: { type: "Recreate", rollingUpdate: {} } }),
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      body({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      body({}, { containers: [{ name: "a", image: "b", resources: { limits: { memory: "1Gi" }, requests: { memory: "2Gi" } } }] }),
      ['spec.template.spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi'],
    ],
    [
      body({}, { containers: [{ name: "a", image: "b", volumeMounts: [{ name: "x", mountPath: "/x" }] }] }),
      ['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "x"'],
    ],
  ];
  for (const [request, problems] of wrong) assert.deepEqual(problemsWith(deployment, created(deployment, request)), problems);
});

test("a selector cannot be changed", () => {
  const old = created(deployment, body());
  const spec = {
    selector: { matchLabels: { tier: "a" } },
    template: { metadata: { labels: { tier: "a" } }, spec: { containers: [{ name: "a", image: "b" }] } },
  };
  assert.deepEqual(problemsWith(deployment, created(deployment, body(spec)), old), [
    'spec.selector: Invalid value: {"matchLabels":{"tier":"a"}}: field is immutable',
  ]);
});

test("kubectl get shows ready of wanted, and containers, images and selector when it is wide", () => {
  const object = created(deployment, body({ replicas: 3 }));
  object["status"] = { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 };
  object.metadata.creationTimestamp = "2029-12-31T23:30:00Z";
  assert.deepEqual(cells(deployment, object), ["web", "2/3", 3, 1, "30m", "web", "nginx:1.27", "app=web"]);
});

test("a changed status adds up", () => {
  const old = created(deployment, body());
  const wrong = { ...old, status: { replicas: 1, readyReplicas: 2, availableReplicas: -1 } };
  assert.deepEqual(problemsWith(deployment, wrong, old), [
    "status.availableReplicas: Invalid value: -1: must be greater than or equal to 0",
    "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
  ]);
  assert.deepEqual(problemsWith(deployment, wrong, wrong), []);
});
