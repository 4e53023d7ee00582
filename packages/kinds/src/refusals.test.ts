import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { allKinds } from "./all.ts";
import type { JsonObject, KubeObject } from "./object.ts";
import { created, problemsWith } from "./testing.ts";

const kinds = allKinds();
const pod = { containers: [{ name: "a", image: "b:1" }] };
const labels = { app: "a" };
const workload = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } };
const once = { template: { spec: { ...pod, restartPolicy: "Never" } } };
const cron = { schedule: "* * * * *", jobTemplate: { spec: once } };
const scaled = { maxReplicas: 2, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "a" } };
const volume = { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/a" } };
const claim = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } };
const limit = (item: JsonObject): JsonObject => ({ spec: { limits: [item] } });
const backend = { service: { name: "a", port: { number: 80 } } };

/** What is wrong with an object of a kind, by field and the words that tell it from other reasons. */
const refusals: readonly (readonly [kind: string, body: JsonObject, ...problems: string[]])[] = [
  ["apps/Deployment", { spec: { ...workload, strategy: { type: "x" } } }, 'spec.strategy: Unsupported value: {"Type":"x"'],
  [
    "apps/Deployment",
    { spec: { ...workload, selector: { matchLabels: { app: "a b" } } } },
    "spec.selector.matchLabels",
    "spec.selector: Invalid",
  ],
  ["apps/DaemonSet", { spec: { template: workload.template } }, "spec.template.metadata.labels"],
  ["apps/DaemonSet", { spec: { ...workload, updateStrategy: { type: "x" } } }, "spec.updateStrategy: Unsupported"],
  ["apps/StatefulSet", { spec: { ...workload, serviceName: "A_" } }, "spec.serviceName: Invalid"],
  ["apps/StatefulSet", { spec: { ...workload, ordinals: { start: -1 } } }, "spec.ordinals.start: Invalid value: -1"],
  [
    "apps/StatefulSet",
    { spec: { ...workload, persistentVolumeClaimRetentionPolicy: { whenScaled: "x" } } },
    'spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: "x"',
  ],
  ["apps/ControllerRevision", { revision: -1 }, "data: Required value", "revision: Invalid value: -1"],
  [
    "apps/Deployment",
    { spec: { ...workload, template: { metadata: { labels, annotations: { "a b": "" } }, spec: pod } } },
    'spec.template.annotations: Invalid value: "a b"',
  ],
  [
    "/Pod",
    {
      metadata: {
        annotations: {
          "controller.kubernetes.io/pod-deletion-cost": "+1",
          "seccomp.security.alpha.kubernetes.io/pod": "x",
          "container.seccomp.security.alpha.kubernetes.io/a": "localhost/../x",
          "container.apparmor.security.beta.kubernetes.io/b": "x",
        },
      },
      spec: pod,
    },
    "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid",
    "metadata.annotations.container.seccomp.security.alpha.kubernetes.io/a: Invalid",
    "metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid",
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/b]: Invalid value: "b": container not found',
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/b]: Invalid value: "x": invalid AppArmor profile name: "x"',
  ],
  [
    "batch/Job",
    { spec: { ...once, completionMode: "Indexed", completions: 100_001, parallelism: 100_001, backoffLimitPerIndex: 1 } },
    "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed",
    "spec.maxFailedIndexes: Required",
    "spec.parallelism: Invalid value: 100001: must be less than or equal to 10000 when completions are above 100000",
  ],
  [
    "batch/Job",
    { spec: { ...once, completionMode: "Indexed", completions: 1, backoffLimitPerIndex: 1, maxFailedIndexes: 2 } },
    "spec.maxFailedIndexes: Invalid value: 2: must be less than or equal to completions",
  ],
  [
    "/PersistentVolume",
    { metadata: { annotations: { "volume.beta.kubernetes.io/mount-options": "ro" } }, spec: volume },
    "metadata.annotations.volume.beta",
  ],
  [
    "/PersistentVolumeClaim",
    {
      spec: {
        ...claim,
        dataSource: { kind: "PersistentVolumeClaim", name: "a" },
        dataSourceRef: { kind: "PersistentVolumeClaim", name: "b" },
      },
    },
    "spec: Invalid value: {}: must match dataSourceRef",
  ],
  [
    "/PersistentVolumeClaim",
    { spec: { ...claim, dataSourceRef: { kind: "A", name: "b" } } },
    "spec.dataSource: Invalid",
    "spec.dataSourceRef: Invalid",
  ],
  [
    "networking.k8s.io/Ingress",
    { spec: { defaultBackend: { resource: { kind: "a/b" } } } },
    "spec.defaultBackend.resource.kind: Invalid",
    "spec.defaultBackend.resource.name: Required",
  ],
  [
    "batch/Job",
    {
      spec: {
        ...once,
        completionMode: "Indexed",
        completions: 5,
        successPolicy: { rules: [{ succeededIndexes: "0,2-3", succeededCount: 4 }] },
      },
    },
    "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number of indexes",
  ],
  [
    "batch/Job",
    {
      spec: {
        ...once,
        completionMode: "Indexed",
        completions: 5,
        successPolicy: { rules: ["1-2-3", "x", "5", "3-1", "1,1"].map((succeededIndexes) => ({ succeededIndexes })) },
      },
    },
    'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "1-2-3": error parsing succeededIndexes: the fragment',
    'spec.successPolicy.rules[1].succeededIndexes: Invalid value: "x": error parsing succeededIndexes: cannot convert',
    'spec.successPolicy.rules[2].succeededIndexes: Invalid value: "5": error parsing succeededIndexes: too large index: "5"',
    'spec.successPolicy.rules[3].succeededIndexes: Invalid value: "3-1": error parsing succeededIndexes: non-increasing order, previous: 3, current: 1',
    'spec.successPolicy.rules[4].succeededIndexes: Invalid value: "1,1": error parsing succeededIndexes: non-increasing order, previous: 1, current: 1',
  ],
  [
    "batch/CronJob",
    { spec: { ...cron, jobTemplate: { spec: { ...once, manualSelector: true, selector: {} } } } },
    "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated",
    'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
  ],
  [
    "autoscaling/HorizontalPodAutoscaler",
    { spec: { ...scaled, metrics: [{ type: "External", external: { metric: { name: "a/b" }, target: { type: "Value" } } }] } },
    "spec.metrics[0].external.metric.name: Invalid",
    "spec.metrics[0].external.target.averageValue: Required value: must set either a target value for metric or a per-pod target",
  ],
  [
    "/Pod",
    {
      spec: {
        containers: [
          {
            name: "a",
            image: "b",
            livenessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 0 },
            readinessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 1 },
          },
        ],
      },
    },
    "spec.containers[0].livenessProbe.terminationGracePeriodSeconds: Invalid value: 0",
    "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set",
  ],
  ["/Namespace", { spec: { finalizers: ["plain", "o.dev/f"] } }, 'spec.finalizers: Invalid value: "plain": name is neither'],
  ["batch/Job", { spec: { ...once, completionMode: "x" } }, "spec.completionMode: Unsupported"],
  ["batch/Job", { spec: { ...once, maxFailedIndexes: 1 } }, "spec.backoffLimitPerIndex: Required", "spec.maxFailedIndexes: Invalid"],
  ["batch/Job", { spec: { ...once, managedBy: "me" } }, "spec.managedBy: Invalid"],
  ["batch/Job", { spec: { ...once, successPolicy: { rules: [] } } }, 'spec.successPolicy: Invalid value: {"Rules":[]}'],
  ["batch/Job", { spec: { ...once, podReplacementPolicy: "x" } }, "spec.podReplacementPolicy: Unsupported"],
  [
    "batch/Job",
    { spec: { ...once, podFailurePolicy: { rules: [{ action: "FailIndex", onExitCodes: { operator: "In", values: [0] } }] } } },
    "spec.podFailurePolicy.rules[0].action: Invalid",
    "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0",
  ],
  [
    "batch/CronJob",
    { spec: { ...cron, schedule: "99 * * * *" } },
    'spec.schedule: Invalid value: "99 * * * *": end of range (99) above maximum (59)',
  ],
  ["batch/CronJob", { spec: { ...cron, schedule: "* * 0 * *" } }, "spec.schedule: Invalid"],
  ["batch/CronJob", { spec: { ...cron, schedule: "5-1 * * * *" } }, "spec.schedule: Invalid"],
  ["batch/CronJob", { spec: { ...cron, schedule: "*/0 * * * *" } }, "spec.schedule: Invalid"],
  ["batch/CronJob", { spec: { ...cron, schedule: "* * * foo *" } }, "spec.schedule: Invalid"],
  ["batch/CronJob", { spec: { ...cron, schedule: "0,30 9-17/2 1 jan-MAR mon" } }],
  ["batch/CronJob", { spec: { ...cron, schedule: "CRON_TZ=UTC @daily" } }, "spec.schedule: Invalid"],
  [
    "batch/CronJob",
    { spec: { ...cron, timeZone: "Mars/North" } },
    'spec.timeZone: Invalid value: "Mars/North": unknown time zone Mars/North',
  ],
  ["batch/CronJob", { spec: { ...cron, timeZone: "+01:00" } }, "spec.timeZone: Invalid"],
  ["batch/CronJob", { spec: { ...cron, timeZone: "Europe/Zurich" } }],
  [
    "/Service",
    { spec: { ports: [{ port: 80 }], externalIPs: ["x", "::1"] } },
    "spec.externalIPs[0]: Invalid",
    "spec.externalIPs[1]: Invalid",
  ],
  ["/Secret", { type: "kubernetes.io/dockercfg", data: { ".dockercfg": "eA==" } }, "data[.dockercfg]: Invalid"],
  ["/Secret", { type: "kubernetes.io/dockercfg", data: { ".dockercfg": "W10=" } }, "data[.dockercfg]: Invalid"],
  ["/Secret", { type: "kubernetes.io/dockercfg", data: { ".dockercfg": "e30=" } }],
  ["/Endpoints", { subsets: [{}] }, "subsets[0]: Required"],
  [
    "/Endpoints",
    { subsets: [{ addresses: [{ ip: "169.254.0.1", nodeName: "B_" }], ports: [{ port: 0, protocol: "x" }] }] },
    "subsets[0].addresses[0].nodeName: Invalid",
    "subsets[0].addresses[0].ip: Invalid",
    "subsets[0].ports[0].port: Invalid",
    "subsets[0].ports[0].protocol: Unsupported",
  ],
  ["/Endpoints", { subsets: [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ port: 80 }] }] }],
  ["events.k8s.io/Event", { regarding: { namespace: "b" } }, "eventTime: Required", "type: Invalid"],
  [
    "/Event",
    { eventTime: "2030-01-01T00:00:00.000000Z", involvedObject: { namespace: "b" }, reportingComponent: "a.b/c", action: "x" },
    "reportingInstance: Required",
    "reason: Required",
  ],
  ["/LimitRange", limit({ type: "Pod", default: { cpu: "1" } }), "spec.limits[0].default: Forbidden"],
  ["/LimitRange", limit({ type: "Pod", max: { gold: "1" } }), "spec.limits[0].max[gold]", "spec.limits[0].max[gold]"],
  ["/LimitRange", limit({ type: "PersistentVolumeClaim" }), "spec.limits[0].limits: Required"],
  ["/LimitRange", limit({ type: "Container", maxLimitRequestRatio: { cpu: "500m" } }), "spec.limits[0].maxLimitRequestRatio[cpu]: Invalid"],
  ["/ResourceQuota", { spec: { hard: { pods: "1500m" } } }, 'spec.hard[pods]: Invalid value: "1500m": must be an integer'],
  ["/ResourceQuota", { spec: { hard: { "count/jobs.batch": "1", "requests.nvidia.com/gpu": "1", "limits.cpu": "2" } } }],
  ["/ResourceQuota", { spec: { hard: { services: "1" }, scopes: ["BestEffort"] } }, "spec.scopes: Invalid"],
  [
    "/Node",
    { spec: { taints: [{ key: "a", effect: "x" }], podCIDRs: ["y"] } },
    "metadata.taints[0].effect: Unsupported",
    "spec.podCIDRs[0]: Invalid",
  ],
  ["/PersistentVolume", { spec: { ...volume, nfs: { server: "a", path: "/" } } }, "spec.nfs: Forbidden"],
  ["/PersistentVolume", { spec: { ...volume, hostPath: undefined } }, "spec: Required"],
  ["/PersistentVolume", { spec: { ...volume, hostPath: undefined, local: { path: "/a" } } }, "spec.nodeAffinity: Required"],
  [
    "/PersistentVolume",
    { spec: { ...volume, persistentVolumeReclaimPolicy: "x", volumeMode: "y" } },
    "spec.persistentVolumeReclaimPolicy",
    "spec.volumeMode",
  ],
  [
    "/PersistentVolume",
    { spec: { ...volume, capacity: { storage: "-1" } } },
    "spec.capacity[storage]: Invalid value: -1:",
    "spec.capacity[storage]: Invalid",
  ],
  ["/PersistentVolumeClaim", { spec: { ...claim, storageClassName: "A_" } }, "spec.storageClassName: Invalid"],
  ["/PersistentVolumeClaim", { spec: { ...claim, resources: { requests: { storage: "0" } } } }, "spec.resources[storage]: Invalid"],
  ["/ReplicationController", { spec: { selector: labels } }, "spec.template: Required"],
  ["autoscaling/HorizontalPodAutoscaler", { spec: { ...scaled, metrics: [{ type: "Resource" }] } }, "spec.metrics[0].resource: Required"],
  [
    "autoscaling/HorizontalPodAutoscaler",
    { spec: { ...scaled, scaleTargetRef: { apiVersion: "v1", kind: "Shop", name: "a" } } },
    "spec.scaleTargetRef.apiVersion: Invalid",
  ],
  [
    "autoscaling/HorizontalPodAutoscaler",
    { spec: { ...scaled, behavior: { scaleUp: { policies: [{ type: "Pods", value: 0, periodSeconds: 9_999 }] } } } },
    "spec.behavior.scaleUp.policies[0].value: Invalid",
    "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid",
  ],
  [
    "discovery.k8s.io/EndpointSlice",
    { addressType: "IPv6", endpoints: [{ addresses: ["10.1.2.3"] }], ports: [{ name: "a" }, { name: "a" }] },
    "endpoints[0].addresses: Invalid",
    "ports[1].name: Duplicate",
  ],
  ["rbac.authorization.k8s.io/ClusterRole", { aggregationRule: {} }, "aggregationRule.clusterRoleSelectors: Required"],
  ["networking.k8s.io/NetworkPolicy", { spec: { podSelector: {}, policyTypes: ["x"] } }, "spec.policyTypes[0]: Unsupported"],
  [
    "networking.k8s.io/NetworkPolicy",
    { spec: { podSelector: {}, egress: [{ to: [{}, { ipBlock: { cidr: "fd00::/8", except: ["fd00:1::/32", "fe00::/16"] } }] }] } },
    "spec.egress[0].to[0]: Required",
    "spec.egress[0].to[1].ipBlock.except[1]: Invalid",
  ],
  ["networking.k8s.io/Ingress", { spec: { defaultBackend: backend, rules: [{ host: "1.2.3.4" }] } }, "spec.rules[0].host: Invalid"],
  [
    "networking.k8s.io/Ingress",
    { spec: { defaultBackend: backend, rules: [{ host: "*.a.dev" }], tls: [{ hosts: ["A_"] }] } },
    "spec.tls[0].hosts[0]: Invalid",
  ],
  [
    "networking.k8s.io/Ingress",
    { spec: { defaultBackend: { ...backend, resource: { kind: "a", name: "b" } } } },
    "spec.defaultBackend: Invalid",
  ],
  ["networking.k8s.io/IngressClass", { spec: { controller: "x" } }, "spec.controller: Invalid"],
  [
    "networking.k8s.io/IngressClass",
    { spec: { controller: "a.dev/x", parameters: { kind: "a", name: "b", scope: "Namespace" } } },
    "spec.parameters.namespace: Required",
  ],
  ["policy/PodDisruptionBudget", { spec: { unhealthyPodEvictionPolicy: "x" } }, "spec.unhealthyPodEvictionPolicy: Unsupported"],
];

for (const [cost, good] of [
  ["0", true],
  ["-2147483648", true],
  ["2147483647", true],
  ["-007", true],
  ["-2147483649", false],
  ["007", false],
  ["-", false],
] as const)
  test(`${good ? "a" : "no"} cost of a pod's deletion: ${cost}`, () => {
    const definition = kinds.find(({ kind }) => kind === "Pod");
    assert.ok(definition);
    const annotations = { "controller.kubernetes.io/pod-deletion-cost": cost };
    const said = problemsWith(definition, created(definition, { metadata: { name: "a", namespace: "b", annotations }, spec: pod }));
    assert.equal(said.length, good ? 0 : 1, said.join());
  });

for (const [kind, body, ...problems] of refusals)
  test(`${kind}: ${problems.length === 0 ? "nothing is wrong" : problems.join(", ")}`, () => {
    const definition = kinds.find((each) => `${each.group}/${each.kind}` === kind);
    assert.ok(definition);
    const metadata = definition.namespaced ? { name: "a", namespace: "b" } : { name: "a" };
    const said = problemsWith(definition, created(definition, { ...body, metadata: { ...metadata, ...(body["metadata"] as object) } }));
    assert.deepEqual(
      said.map((text, i) => (text.startsWith(problems[i] ?? text) && i < problems.length ? problems[i] : text)),
      problems,
    );
  });

test("a Job of a server knows its pods by its uid, and says so when its selector cannot", () => {
  const job = kinds.find(({ kind }) => kind === "Job");
  const metadata = { name: "a", namespace: "b", uid: "u" };
  const made = (spec: JsonObject): string[] => problemsWith(job!, created(job!, { metadata, spec: { ...once, ...spec } }));
  assert.deepEqual(made({}), []);
  assert.match(made({ selector: { matchLabels: { a: "b" } } })[0] ?? "", /`selector` not auto-generated$/);
  assert.match(made({ manualSelector: true })[0] ?? "", /^spec\.selector: Required value/);
  const other = { ...once.template, metadata: { labels: { "job-name": "other" } } };
  assert.match(made({ template: other })[0] ?? "", /must be 'a'$/);
});

test("whatever a stored object holds, looking at it only says what is wrong", () => {
  const leaf = fc.oneof(
    fc.constantFrom("", "x", "1", "None", "Indexed", "10.0.0.0/8", "::1", "a/b", "* * * * *"),
    fc.integer(),
    fc.constant(null),
  );
  const fields = [
    "spec",
    "type",
    "rules",
    "metrics",
    "addresses",
    "ports",
    "schedule",
    "selector",
    "limits",
    "max",
    "subsets",
    "endpoints",
    "ingress",
  ];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie("tree"), { maxLength: 3 }), fc.dictionary(fc.constantFrom(...fields), tie("tree"))),
  }));
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.dictionary(fc.constantFrom(...fields), tree), (definition, body) => {
      const object = { apiVersion: "v1", kind: definition.kind, metadata: { name: "a" }, ...(body as object) } as KubeObject;
      assert.ok(Array.isArray(definition.validate?.(object, undefined) ?? []));
      for (const old of [undefined, { ...object, metadata: { name: "a", generation: 1 } }, { metadata: {} } as KubeObject])
        for (const subresource of [undefined, "status"])
          assert.ok(Array.isArray(definition.warnings?.(object, { old, subresource }) ?? []));
    }),
    { numRuns: 300 },
  );
});
