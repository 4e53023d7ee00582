import assert from "node:assert/strict";
import { test } from "node:test";
import { cells, created, problemsWith } from "../testing.ts";
import { configMap, secret } from "./config.ts";
import { namespace } from "./namespace.ts";
import { pod } from "./pod.ts";
import { service } from "./service.ts";

const metadata = { name: "a", namespace: "default" };

test("a ConfigMap's keys are checked, and an immutable one stays as it is", () => {
  const old = created(configMap, { metadata, data: { "a.b": "1" }, immutable: true });
  assert.deepEqual(problemsWith(configMap, old), []);
  assert.deepEqual(problemsWith(configMap, created(configMap, { metadata, data: { "a b": "1" } })), [
    "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
  ]);
  assert.deepEqual(problemsWith(configMap, created(configMap, { metadata, data: {} }), old), [
    "immutable: Forbidden: field is immutable when `immutable` is set",
    "data: Forbidden: field is immutable when `immutable` is set",
  ]);
  assert.deepEqual(cells(configMap, old).slice(0, 2), ["a", 1]);
});

test("a Secret takes texts and keeps bytes; its type is Opaque unless said, and says which keys it needs", () => {
  const object = created(secret, { metadata, stringData: { a: "ä" }, data: { a: "eA==", b: "eQ==" } });
  assert.deepEqual(object, { metadata, data: { a: "w6Q=", b: "eQ==" }, type: "Opaque" });
  assert.deepEqual(problemsWith(secret, created(secret, { metadata, type: "kubernetes.io/tls" })), [
    "data[tls.crt]: Required value",
    "data[tls.key]: Required value",
  ]);
  assert.equal(secret.selectableFields?.get("type")?.(object), "Opaque");
});

test("a Namespace is active, keeps its finalizer, and is labelled with its name", () => {
  assert.deepEqual(created(namespace, { metadata: { name: "shop" } }), {
    metadata: { name: "shop", labels: { "kubernetes.io/metadata.name": "shop" } },
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  });
});

test("a Service gets type, address, ports and policies", () => {
  const object = created(service, { metadata, spec: { selector: { app: "a" }, ports: [{ port: 80 }] } });
  assert.deepEqual(object["spec"], {
    ports: [{ protocol: "TCP", port: 80, targetPort: 80 }],
    selector: { app: "a" },
    clusterIP: "10.96.0.7",
    clusterIPs: ["10.96.0.7"],
    type: "ClusterIP",
    sessionAffinity: "None",
    ipFamilies: ["IPv4"],
    ipFamilyPolicy: "SingleStack",
    internalTrafficPolicy: "Cluster",
  });
  assert.deepEqual(cells(service, object).slice(1, 5), ["ClusterIP", "10.96.0.7", "<none>", "80/TCP"]);
  assert.deepEqual(problemsWith(service, object), []);
  const outside = created(service, { metadata, spec: { type: "NodePort", ports: [{ port: 80 }, { port: 80 }] } });
  assert.deepEqual(problemsWith(service, outside), [
    "spec.ports[0].name: Required value",
    "spec.ports[1].name: Required value",
    "spec.ports[1].nodePort: Duplicate value: 30001",
    'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,"NodePort":0}',
  ]);
  assert.deepEqual(cells(service, outside)[4], "80:30001/TCP,80:30001/TCP");
  assert.deepEqual(
    problemsWith(service, created(service, { metadata: { ...metadata, name: "A" }, spec: { type: "ExternalName" } })).length,
    2,
  );
});

test("a Pod's defaults: requests follow limits, probes and sources are filled in, its class is known", () => {
  const object = created(pod, {
    metadata,
    spec: {
      containers: [
        {
          name: "a",
          image: "shop",
          resources: { limits: { cpu: "1", memory: "1024Mi" } },
          ports: [{ containerPort: 80 }],
          readinessProbe: { httpGet: { port: "http" } },
          env: [{ name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
        },
      ],
      volumes: [{ name: "tmp" }, { name: "cfg", configMap: { name: "cfg" } }],
    },
  });
  assert.deepEqual(object["spec"], {
    volumes: [
      { name: "tmp", emptyDir: {} },
      { name: "cfg", configMap: { name: "cfg", defaultMode: 420 } },
    ],
    containers: [
      {
        name: "a",
        image: "shop",
        ports: [{ containerPort: 80, protocol: "TCP" }],
        env: [{ name: "POD", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } }],
        resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1", memory: "1Gi" } },
        readinessProbe: {
          httpGet: { path: "/", port: "http", scheme: "HTTP" },
          timeoutSeconds: 1,
          periodSeconds: 10,
          successThreshold: 1,
          failureThreshold: 3,
        },
        terminationMessagePath: "/dev/termination-log",
        terminationMessagePolicy: "File",
        imagePullPolicy: "Always",
      },
    ],
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    securityContext: {},
    schedulerName: "default-scheduler",
    enableServiceLinks: true,
  });
  assert.deepEqual(object["status"], { phase: "Pending", qosClass: "Guaranteed" });
  assert.deepEqual(problemsWith(pod, object), []);
});

test("only a Pod's image may change", () => {
  const make = (image: string, name: string): ReturnType<typeof created> =>
    created(pod, { metadata, spec: { containers: [{ name, image }] } });
  assert.deepEqual(problemsWith(pod, make("b:1", "a"), make("a:1", "a")), []);
  assert.match(
    problemsWith(pod, make("a:1", "b"), make("a:1", "a"))[0] ?? "",
    /^spec: Forbidden: pod updates may not change fields other than/,
  );
});

test("kubectl get pods says in one word how a pod is", () => {
  const word = (status: object, deletionTimestamp?: string): unknown[] => {
    const object = created(pod, {
      metadata,
      spec: { containers: [{ name: "a", image: "b" }], initContainers: [{ name: "i", image: "b" }] },
    });
    object["status"] = status;
    if (deletionTimestamp !== undefined) object.metadata.deletionTimestamp = deletionTimestamp;
    return cells(pod, object).slice(1, 4);
  };
  const running = { name: "a", ready: true, restartCount: 0, state: { running: {} } };
  assert.deepEqual(word({ phase: "Pending" }), ["0/1", "Pending", "0"]);
  assert.deepEqual(word({ phase: "Running", containerStatuses: [running] }), ["1/1", "Running", "0"]);
  assert.deepEqual(word({ phase: "Running", containerStatuses: [running] }, "2030-01-01T00:00:00Z"), ["1/1", "Terminating", "0"]);
  const crashed = {
    name: "a",
    restartCount: 3,
    state: { waiting: { reason: "CrashLoopBackOff" } },
    lastState: { terminated: { exitCode: 1, finishedAt: "2029-12-31T23:59:00Z" } },
  };
  assert.deepEqual(word({ phase: "Running", containerStatuses: [crashed] }), ["0/1", "CrashLoopBackOff", "3 (60s ago)"]);
  const starting = { name: "i", restartCount: 1, state: { running: {} } };
  assert.deepEqual(word({ phase: "Pending", initContainerStatuses: [starting] }), ["0/1", "Init:0/1", "1"]);
  assert.deepEqual(word({ phase: "Failed", containerStatuses: [{ name: "a", restartCount: 0, state: { terminated: { exitCode: 2 } } }] }), [
    "0/1",
    "ExitCode:2",
    "0",
  ]);
});
