import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { allKinds } from "./all.ts";
import type { JsonObject } from "./object.ts";
import { apiVersionOf } from "./object.ts";
import { cells, created, problemsWith } from "./testing.ts";
import { fieldsOf } from "./type-table.ts";

const kinds = allKinds();
const byKind = (kind: string, group = ""): (typeof kinds)[number] => {
  const found = kinds.find((definition) => definition.kind === kind && definition.group === group);
  assert.ok(found, kind);
  return found;
};
const metadata = { name: "a", namespace: "default" };
const template = (labels?: object): JsonObject => ({ metadata: { labels }, spec: { containers: [{ name: "a", image: "b:1" }] } });

test("every kind has its type, names that are used once, and a status where it says so", () => {
  const paths = kinds.map((definition) => `${apiVersionOf(definition)}/${definition.plural}`);
  assert.equal(new Set(paths).size, paths.length);
  const short = kinds.flatMap((definition) => (definition.storedAs ? [] : definition.shortNames));
  assert.equal(new Set(short).size, short.length);
  for (const definition of kinds) {
    const row = definition.types.get(definition.type);
    assert.ok(row, definition.type);
    const fields = fieldsOf(definition.types, row);
    if (definition.status) assert.ok(fields.has("status"), `${definition.kind} has a status`);
    if (definition.scale) assert.ok(fields.has("spec"));
    assert.ok(definition.verbs || definition.types.has(`${definition.type}List`), `${definition.kind} has a list`);
  }
});

test("whatever an object holds, defaults, rules and columns end without an exception", () => {
  const names = [
    "spec",
    "status",
    "template",
    "containers",
    "selector",
    "matchLabels",
    "ports",
    "rules",
    "metrics",
    "type",
    "name",
    "subjects",
    "data",
    "binaryData",
    "schedule",
  ];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("a", "1", "Always", "25%", "", null),
      fc.integer({ min: -2, max: 100 }),
      fc.boolean(),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...names), tie("tree"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.dictionary(fc.constantFrom(...names), tree), fc.boolean(), (definition, fields, named) => {
      let object: ReturnType<typeof created>;
      try {
        object = created(definition, { ...fields, metadata: named ? metadata : {} });
      } catch (error) {
        assert.ok(error instanceof Fault, `${definition.kind}: ${String(error)}`);
        return;
      }
      problemsWith(definition, object);
      problemsWith(definition, object, object);
      cells(definition, object);
      for (const select of definition.selectableFields?.values() ?? []) assert.equal(typeof select(object), "string");
    }),
    { numRuns: 2_000 },
  );
});

const fine: [group: string, kind: string, body: JsonObject][] = [
  ["apps", "StatefulSet", { spec: { serviceName: "a", selector: { matchLabels: { a: "b" } }, template: template({ a: "b" }) } }],
  ["apps", "DaemonSet", { spec: { selector: { matchLabels: { a: "b" } }, template: template({ a: "b" }) } }],
  ["batch", "Job", { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "a", image: "b" }] } } } }],
  [
    "batch",
    "CronJob",
    {
      spec: {
        schedule: "*/5 * * * *",
        jobTemplate: { spec: { template: { spec: { restartPolicy: "OnFailure", containers: [{ name: "a", image: "b" }] } } } },
      },
    },
  ],
  ["", "PersistentVolumeClaim", { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
  ["", "ServiceAccount", {}],
  ["", "ReplicationController", { spec: { template: template({ a: "b" }) } }],
  ["rbac.authorization.k8s.io", "Role", { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] }],
  ["rbac.authorization.k8s.io", "RoleBinding", { roleRef: { kind: "Role", name: "a" }, subjects: [{ kind: "User", name: "jo" }] }],
  ["policy", "PodDisruptionBudget", { spec: { minAvailable: "50%", selector: { matchLabels: { a: "b" } } } }],
  ["networking.k8s.io", "NetworkPolicy", { spec: { podSelector: {} } }],
  [
    "networking.k8s.io",
    "Ingress",
    {
      spec: {
        rules: [
          { host: "a.b", http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "a", port: { number: 80 } } } }] } },
        ],
      },
    },
  ],
  [
    "autoscaling",
    "HorizontalPodAutoscaler",
    { spec: { maxReplicas: 3, scaleTargetRef: { kind: "Deployment", name: "a", apiVersion: "apps/v1" } } },
  ],
  ["coordination.k8s.io", "Lease", { spec: { holderIdentity: "a", leaseDurationSeconds: 15 } }],
  ["discovery.k8s.io", "EndpointSlice", { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }], ports: [{ port: 80 }] }],
  ["", "Event", { involvedObject: { kind: "Pod", name: "a", namespace: "default" } }],
];

test("objects as people write them are right", () => {
  for (const [group, kind, body] of fine) {
    const definition = byKind(kind, group);
    assert.deepEqual(problemsWith(definition, created(definition, { metadata, ...body })), [], kind);
  }
});

test("what the other kinds refuse", () => {
  const refused = (group: string, kind: string, body: JsonObject, ...problems: string[]): void => {
    const definition = byKind(kind, group);
    const named = definition.namespaced ? metadata : { name: "a" };
    assert.deepEqual(problemsWith(definition, created(definition, { metadata: named, ...body })), problems);
  };
  refused(
    "batch",
    "Job",
    { spec: { template: template() } },
    'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  );
  refused(
    "rbac.authorization.k8s.io",
    "Role",
    { rules: [{ verbs: [], apiGroups: [""], resources: ["pods"] }] },
    "rules[0].verbs: Required value: verbs must contain at least one value",
  );
  refused(
    "rbac.authorization.k8s.io",
    "ClusterRoleBinding",
    { roleRef: { kind: "Role", name: "a" } },
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
  );
  refused(
    "coordination.k8s.io",
    "Lease",
    { spec: { leaseDurationSeconds: 0 } },
    "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
  );
  refused(
    "autoscaling",
    "HorizontalPodAutoscaler",
    { spec: { minReplicas: 5, maxReplicas: 3, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "a" } } },
    "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`",
  );
});

test("the cells of kubectl get", () => {
  const shown = (group: string, kind: string, body: JsonObject): unknown[] => {
    const definition = byKind(kind, group);
    return cells(definition, created(definition, { metadata: { ...metadata, creationTimestamp: "2029-12-31T23:59:00Z" }, ...body }));
  };
  assert.deepEqual(shown(...fine[3]!), ["a", "*/5 * * * *", "<none>", "False", 0, "<none>", "60s", "a", "b", "<none>"]);
  assert.deepEqual(shown(...fine[11]!), ["a", "<none>", "a.b", "", "80", "60s"]);
  assert.deepEqual(shown(...fine[12]!), ["a", "Deployment/a", "cpu: <unknown>/80%", "1", 3, 0, "60s"]);
  assert.deepEqual(shown(...fine[14]!), ["a", "IPv4", "80", "10.0.0.1", "60s"]);
  const eventBody = {
    involvedObject: { kind: "Pod", name: "p", namespace: "default" },
    reason: "Started",
    type: "Normal",
    message: "m ",
    lastTimestamp: "2029-12-31T23:59:30Z",
    count: 2,
    source: { component: "c" },
  };
  assert.deepEqual(shown("", "Event", eventBody), ["30s", "Normal", "Started", "pod/p", "", "c", "m", "<unknown>", 2, "a"]);
});

test("an Event is one object under two names", () => {
  const stored = created(byKind("Event"), {
    apiVersion: "v1",
    kind: "Event",
    metadata,
    involvedObject: { kind: "Pod", name: "p" },
    message: "m",
    count: 2,
  });
  const modern = byKind("Event", "events.k8s.io");
  const shown = modern.storedAs!.fromStored(stored);
  assert.deepEqual(
    [shown.apiVersion, shown["note"], shown["regarding"], shown["deprecatedCount"]],
    ["events.k8s.io/v1", "m", { kind: "Pod", name: "p" }, 2],
  );
  assert.deepEqual(modern.storedAs!.toStored(shown), stored);
});
