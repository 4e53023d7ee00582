import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import fc from "fast-check";
import { deployment } from "../apps/deployment.ts";
import { statefulSet } from "../apps/sets.ts";
import { pod } from "../core/pod.ts";
import type { JsonObject } from "../object.ts";
import { created, problemsWith, testContext } from "../testing.ts";

const metadata = { name: "a", namespace: "default" };
const withSpec = (spec: JsonObject): string[] =>
  problemsWith(pod, created(pod, { metadata, spec: { containers: [{ name: "a", image: "b" }], ...spec } }));
const withContainer = (more: JsonObject): string[] => withSpec({ containers: [{ name: "a", image: "b", ...more }] });
const withVolume = (source: JsonObject): string[] => withSpec({ volumes: [{ name: "v", ...source }] });

/** What is wrong with a container, after `spec.containers[0].`. */
const containers: readonly (readonly [JsonObject, ...string[]])[] = [
  [{ image: " b" }, 'image: Invalid value: " b": must not have leading or trailing whitespace'],
  [{ restartPolicy: "x" }, 'restartPolicy: Unsupported value: "x": supported values: "Always", "Never", "OnFailure"'],
  [{ livenessProbe: { exec: {} } }, "livenessProbe.exec.command: Required value"],
  [{ lifecycle: { preStop: {} } }, "lifecycle.preStop: Required value: must specify a handler type"],
  [{ lifecycle: { preStop: { sleep: { seconds: 3 } }, postStart: { httpGet: { port: 80 } } } }],
  [
    { livenessProbe: { httpGet: { port: 80, httpHeaders: [{ name: "a b", value: "" }] } } },
    `livenessProbe.httpGet.httpHeaders: Invalid value: "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
  ],
  [
    { env: [{ name: "a", valueFrom: { fieldRef: { fieldPath: "metadata.labels" } } }] },
    'env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
  ],
  [{ env: [{ name: "a", valueFrom: { fieldRef: { fieldPath: "metadata.annotations['A.dev/b']" } } }] }],
  [{ envFrom: [{}] }, 'envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
  [
    { resources: { requests: { "a.dev/gpu": "1" } } },
    "resources.limits: Required value: Limit must be set for non overcommitable resources",
  ],
  [{ resources: { limits: { "a.dev/gpu": "1500m" } } }, ...["limits", "requests"].map(wholeGpu)],
  [
    { resources: { limits: { "a.dev/gpu": "2" }, requests: { "a.dev/gpu": "1" } } },
    'resources.requests: Invalid value: "1": must be equal to a.dev/gpu limit of 2',
  ],
  [{ resources: { limits: { "hugepages-2Mi": "2Mi" } } }, "resources: Forbidden: HugePages require cpu or memory"],
  [{ volumeDevices: [{ name: "v", devicePath: "/d" }] }, 'volumeDevices[0].name: Not found: "v"'],
  [{ securityContext: { runAsUser: -1 } }, "securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"],
  [
    { securityContext: { seccompProfile: { type: "Localhost" } } },
    "securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost",
  ],
];

function wholeGpu(list: string): string {
  return `resources.${list}[a.dev/gpu]: Invalid value: "1500m": must be an integer`;
}

test("what is wrong with a container is said where it is", () => {
  for (const [more, ...problems] of containers)
    assert.deepEqual(
      withContainer(more),
      problems.map((problem) => `spec.containers[0].${problem}`),
    );
});

/** What is wrong with a volume, after `spec.volumes[0].`. */
const volumes: readonly (readonly [JsonObject, ...string[]])[] = [
  [{ emptyDir: { sizeLimit: "-1" } }, "emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"],
  [{ hostPath: { path: "/x", type: "y" } }, `hostPath.type: Unsupported value: "y": supported values: ${hostPathTypes()}`],
  [{ hostPath: { path: "/x" }, csi: { driver: "d" } }, "csi: Forbidden: may not specify more than 1 volume type"],
  [
    { configMap: { name: "c", items: [{ key: "k", path: "..x" }] } },
    `configMap.items[0].path: Invalid value: "..x": must not start with '..'`,
  ],
  [
    { configMap: { name: "c", defaultMode: 512 } },
    "configMap.defaultMode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive",
  ],
  [{ downwardAPI: { items: [{ path: "a" }] } }, "downwardAPI: Required value: one of fieldRef and resourceFieldRef is required"],
  [{ downwardAPI: { items: [{ path: "a", resourceFieldRef: { containerName: "a", resource: "limits.cpu" } }] } }],
  [
    { projected: { sources: [{ configMap: { name: "a" }, secret: { name: "b" } }] } },
    "projected.sources[0]: Forbidden: may not specify more than 1 volume type",
  ],
];

function hostPathTypes(): string {
  return ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"]
    .map((type) => JSON.stringify(type))
    .join(", ");
}

test("what is wrong with a volume is said where it is", () => {
  for (const [source, ...problems] of volumes)
    assert.deepEqual(
      withVolume(source),
      problems.map((problem) => `spec.volumes[0].${problem}`),
    );
});

const specs: readonly (readonly [JsonObject, ...string[]])[] = [
  [{ dnsPolicy: "None" }, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
  [{ dnsConfig: { nameservers: ["::1"], searches: [".", "a_b.dev."], options: [{ name: "ndots", value: "2" }] } }],
  [{ dnsConfig: { options: [{ value: "1" }] } }, "spec.dnsConfig.options[0]: Required value: must not be empty"],
  [
    { hostAliases: [{ ip: "x" }] },
    'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
  [
    { tolerations: [{ key: "a", tolerationSeconds: 5 }, { operator: "Exists" }] },
    "spec.tolerations[0].effect: Invalid value: \"\": effect must be 'NoExecute' when `tolerationSeconds` is set",
  ],
  [
    { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } },
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term",
  ],
  [
    { topologySpreadConstraints: [{ maxSkew: 0, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }] },
    "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
  ],
  [{ schedulingGates: [{ name: "a" }, { name: "a" }] }, 'spec.schedulingGates[1]: Duplicate value: "a"'],
  [{ os: { name: "beos" } }, 'spec.os: Unsupported value: "beos": supported values: "linux", "windows"'],
  [{ ephemeralContainers: [{ name: "e", image: "x" }] }, "spec.ephemeralContainers: Forbidden: cannot be set on create"],
  [{ resourceClaims: [{ name: "c", resourceClaimName: "x" }] }],
];

test("what is wrong with a pod is said where it is, and what is right is taken", () => {
  for (const [spec, ...problems] of specs) assert.deepEqual(withSpec(spec), problems);
});

test("a template may leave ports of the host to its pods, which have those of the container", () => {
  const ports = (hostPort?: number): JsonObject => ({
    hostNetwork: true,
    containers: [{ name: "a", image: "b", ports: [{ containerPort: 80, ...(hostPort && { hostPort }) }] }],
  });
  const template = (spec: JsonObject): string[] =>
    problemsWith(
      deployment,
      created(deployment, {
        metadata,
        spec: { selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } }, spec } },
      }),
    );
  assert.deepEqual(template(ports()), []);
  assert.deepEqual(withSpec(ports()), []);
  const why = "ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true";
  assert.deepEqual(template(ports(81)), [`spec.template.spec.containers[0].${why}`]);
  assert.deepEqual(withSpec(ports(81)), [`spec.containers[0].${why}`]);
});

test("a pod behind gates says that it is not scheduled; a StatefulSet's claims say what they are", () => {
  const gated = created(pod, { metadata, spec: { containers: [{ name: "a", image: "b" }], schedulingGates: [{ name: "g" }] } });
  assert.deepEqual(gated["status"], {
    phase: "Pending",
    conditions: [
      {
        type: "PodScheduled",
        status: "False",
        lastProbeTime: null,
        lastTransitionTime: new Date(testContext.nowMs).toISOString().replace(".000", ""),
        reason: "SchedulingGated",
        message: "Scheduling is blocked due to non-empty scheduling gates",
      },
    ],
    qosClass: "BestEffort",
  });
  const set = created(statefulSet, { metadata, spec: { volumeClaimTemplates: [{ metadata: { name: "c" } }] } });
  const [claim] = (set["spec"] as { volumeClaimTemplates: JsonObject[] }).volumeClaimTemplates;
  assert.deepEqual([claim?.["apiVersion"], claim?.["kind"]], ["v1", "PersistentVolumeClaim"]);
});

test("a pod with limits of its own asks for what its containers ask for together, else for as much", () => {
  const asks = (cpu: string, more: JsonObject = {}): JsonObject => ({ name: "c", image: "b", resources: { requests: { cpu } }, ...more });
  const spec = {
    resources: { limits: { cpu: "4", memory: "1Gi" } },
    containers: [asks("500m"), asks("1")],
    initContainers: [asks("250m", { restartPolicy: "Always" }), asks("1")],
  };
  const requests = (more: JsonObject): unknown => (created(pod, { metadata, spec: { ...spec, ...more } })["spec"] as typeof spec).resources;
  assert.deepEqual(requests({}), { ...spec.resources, requests: { cpu: "1750m", memory: "1Gi" } });
  assert.deepEqual(requests({ initContainers: [asks("3")] }), { ...spec.resources, requests: { cpu: "3", memory: "1Gi" } });
  const guaranteed = created(pod, { metadata, spec: { ...spec, containers: [{ name: "a", image: "b" }], initContainers: [] } });
  assert.deepEqual((guaranteed["status"] as JsonObject)["qosClass"], "Guaranteed");
});

test("whatever a pod says, its rules answer", () => {
  const json = fc.jsonValue({ maxDepth: 3 });
  const some = (...names: string[]): fc.Arbitrary<JsonObject> => fc.dictionary(fc.constantFrom(...names), json);
  const container = some("name", "env", "envFrom", "resources", "volumeMounts", "volumeDevices", "securityContext", "lifecycle");
  const volume = some("name", "secret", "projected", "downwardAPI", "hostPath", "emptyDir", "nfs");
  const rest = some("affinity", "tolerations", "dnsConfig", "dnsPolicy", "hostAliases", "securityContext", "schedulingGates", "os");
  fc.assert(
    fc.property(fc.array(container), fc.array(volume), rest, (all, mounted, more) => {
      try {
        withSpec({ ...more, containers: all, volumes: mounted });
      } catch (error) {
        assert.ok(error instanceof Fault, String(error)); // the decoder's: a value of another type
      }
    }),
  );
});
