/** What is told in headers of objects that are taken: of each kind on create, and on changes of what was told before. */
import { generateKeyPairSync } from "node:crypto";
import { hostClock, hostRandom } from "@mecha/host";
import { openAuthority } from "@mecha/pki";
import type { Case, Session } from "../session.ts";
import { nameOf } from "./crud.ts";
import { merged, type Variants, variantCases } from "./kinds.ts";
import { collection, named, type Sample, samples } from "./samples.ts";

type Change = Readonly<Record<string, unknown>>;
const container = (more: object): Change => ({ spec: { containers: [{ name: "a", image: "b", ...more }] } });
const volumes = (...list: readonly object[]): Change => ({ spec: { volumes: list.map((each, i) => ({ name: `v${i}`, ...each })) } });
const ports = (...list: readonly object[]): Change => container({ ports: list });
const notes = (annotations: Readonly<Record<string, string>>): Change => ({ metadata: { annotations } });
const nodeAffinity = (more: object): Change => ({ spec: { affinity: { nodeAffinity: more } } });
const preference = (values: readonly string[], key = "a"): Change => ({
  weight: 1,
  preference: { matchExpressions: [{ key, operator: "In", values }] },
});
const required = (key: string): Change => ({
  requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "Exists" }] }] },
});
const near = { topologyKey: "kubernetes.io/hostname" };

/** Of a pod, and so of a template. */
const pods: Readonly<Record<string, Change>> = {
  "node selector": { spec: { nodeSelector: { "beta.kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux" } } },
  "required nodes": nodeAffinity(required("failure-domain.beta.kubernetes.io/zone")),
  "preferred nodes": nodeAffinity({
    preferredDuringSchedulingIgnoredDuringExecution: [preference(["a b"]), preference(["x"], "beta.kubernetes.io/os")],
  }),
  spread: {
    spec: {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "beta.kubernetes.io/instance-type", whenUnsatisfiable: "DoNotSchedule" },
        { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "DoNotSchedule", labelSelector: {} },
      ],
    },
  },
  affinity: {
    spec: {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [near, { ...near, labelSelector: { matchLabels: { a: "b" } } }],
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: near }],
        },
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near] },
      },
    },
  },
  annotations: notes({
    "scheduler.alpha.kubernetes.io/critical-pod": "",
    "security.alpha.kubernetes.io/sysctls": "a=b",
    "security.alpha.kubernetes.io/unsafe-sysctls": "a=b",
  }),
  "seccomp of the pod": notes({ "seccomp.security.alpha.kubernetes.io/pod": "runtime/default" }),
  "seccomp of the pod in both": {
    ...notes({ "seccomp.security.alpha.kubernetes.io/pod": "runtime/default" }),
    spec: { securityContext: { seccompProfile: { type: "RuntimeDefault" } } },
  },
  "seccomp of a container": notes({ "container.seccomp.security.alpha.kubernetes.io/app": "unconfined" }),
  "old volumes": volumes(
    { glusterfs: { endpoints: "e", path: "p" } },
    { cephfs: { monitors: ["m"] } },
    { flocker: { datasetName: "d" } },
    { quobyte: { registry: "a:1", volume: "v" } },
    { storageos: { volumeName: "v" } },
    { photonPersistentDisk: { pdID: "p" } },
    { gitRepo: { repository: "r" } },
  ),
  "claim of the pod": volumes({
    ephemeral: { volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1500m" } } } } },
  }),
  "files over each other": volumes(
    {
      configMap: {
        name: "c",
        items: [
          { key: "a", path: "x" },
          { key: "b", path: "x/y/" },
          { key: "c", path: "xy" },
        ],
      },
    },
    {
      secret: {
        secretName: "s",
        items: [
          { key: "a", path: "x" },
          { key: "b", path: "x" },
        ],
      },
    },
    {
      downwardAPI: {
        items: [
          { path: "x/y", fieldRef: { fieldPath: "metadata.name" } },
          { path: "x", fieldRef: { fieldPath: "metadata.uid" } },
        ],
      },
    },
  ),
  "projected files over each other": volumes({
    projected: {
      sources: [
        { configMap: { name: "c", items: [{ key: "a", path: "x" }] } },
        { secret: { name: "s", items: [{ key: "a", path: "x/y" }] } },
        { downwardAPI: { items: [{ path: "x/z", fieldRef: { fieldPath: "metadata.name" } }] } },
      ],
    },
  }),
  "projected nothing": volumes({ projected: { sources: [{}] } }),
  "hosts twice": {
    spec: {
      hostAliases: [
        { ip: "10.0.0.1", hostnames: ["a"] },
        { ip: "10.0.0.1", hostnames: ["b"] },
        { ip: "FD00::1", hostnames: ["c"] },
      ],
    },
  },
  "pull secrets twice": { spec: { imagePullSecrets: [{ name: "a" }, { name: "b" }, { name: "a" }] } },
  "pull secrets without a name": { spec: { imagePullSecrets: [{}, {}] } },
  "parts of bytes": container({
    resources: {
      limits: { memory: "2500m", "ephemeral-storage": "1.5", cpu: "1500m" },
      requests: { memory: "100m", "ephemeral-storage": "999999999n" },
    },
  }),
  "parts of bytes at start": { spec: { initContainers: [{ name: "i", image: "b", resources: { requests: { memory: "0.5" } } }] } },
  environment: container({
    env: [
      { name: "A", value: "1" },
      { name: "A", value: "2" },
      { name: "B", value: "1" },
      { name: "B", value: "$(B):2" },
      { name: "C", value: "1" },
      { name: "C", value: "$(C)" },
      { name: "D", value: "1" },
      { name: "D", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    ],
  }),
  "a host's address without its port": ports({ containerPort: 80, hostIP: "10.0.0.1", name: "web" }),
  "ports twice": ports({ containerPort: 80 }, { containerPort: 80 }, { containerPort: 80, protocol: "UDP" }),
  "ports that overlap": ports({ containerPort: 80, hostPort: 8080 }, { containerPort: 80 }),
  "ports that may be one": ports({ containerPort: 80, hostPort: 8080 }, { containerPort: 80, hostPort: 8080, hostIP: "10.0.0.1" }),
  "ports of two containers": {
    spec: {
      containers: [
        { name: "a", image: "b", ports: [{ containerPort: 80, name: "web" }] },
        { name: "c", image: "b", ports: [{ containerPort: 81, name: "web" }, { containerPort: 80 }] },
      ],
    },
  },
  "negative grace": { spec: { terminationGracePeriodSeconds: -1 } },
  "name servers": { spec: { dnsConfig: { nameservers: ["2001:db8:0:0:0:0:0:1", "10.0.0.1"] } } },
  "two dozen": container({ env: Array.from({ length: 40 }, () => ({ name: "A", value: "1" })) }),
};

const appArmor = (profile: string): Change => notes({ "container.apparmor.security.beta.kubernetes.io/app": profile });
/** Of a template only: a pod's annotation becomes its field. */
const templates: Readonly<Record<string, Change>> = {
  ...pods,
  "app armor": appArmor("localhost/mine"),
  "app armor unread": appArmor("x"),
  "app armor in both": { ...appArmor("runtime/default"), spec: { securityContext: { appArmorProfile: { type: "RuntimeDefault" } } } },
};

const within = (wrap: (template: Change) => Change, of = templates): Record<string, Change> =>
  Object.fromEntries(Object.entries(of).map(([label, change]) => [label, wrap(change)]));
const inSpec = (template: Change): Change => ({ spec: { template } });
/** Enough to see that a kind looks at its template. */
const few = Object.fromEntries(
  Object.entries(templates).filter(([label]) => ["node selector", "parts of bytes", "app armor"].includes(label)),
);
const block = (cidr: string, except: readonly string[] = []): Change => ({ ipBlock: { cidr, except } });

const created: Variants = {
  pods: within((pod) => pod, pods),
  "deployments.apps": within(inSpec),
  "replicasets.apps": within(inSpec, few),
  "daemonsets.apps": within(inSpec, few),
  replicationcontrollers: within(inSpec, few),
  "statefulsets.apps": {
    ...within(inSpec, few),
    claims: { spec: { volumeClaimTemplates: [{ metadata: { name: "c" }, spec: claim("1500m") }] } },
    history: { spec: { revisionHistoryLimit: -1 } },
  },
  "jobs.batch": {
    ...within(inSpec, few),
    many: { spec: { completionMode: "Indexed", completions: 100_001, parallelism: 10_001, backoffLimitPerIndex: 1, maxFailedIndexes: 5 } },
    "not so many": { spec: { completionMode: "Indexed", completions: 100_001, parallelism: 10_000 } },
  },
  "cronjobs.batch": within((template) => ({ spec: { jobTemplate: { spec: { template } } } }), few),
  services: {
    hints: notes({ "service.kubernetes.io/topology-aware-hints": "auto" }),
    "headless and external": {
      spec: { clusterIP: "None", externalIPs: ["10.0.0.1"], loadBalancerIP: "FD00::1", sessionAffinity: "ClientIP" },
    },
    "external addresses": { spec: { externalIPs: ["FD00:0::1", "10.0.0.1"] } },
    "external name": { spec: { type: "ExternalName", externalName: "a.dev", externalIPs: ["10.0.0.1"], ports: null, selector: null } },
    "name of no use": { spec: { externalName: "a.dev" } },
    ranges: { spec: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.0/8", "FD00::/8"], loadBalancerIP: "FD00::1" } },
    distribution: { spec: { trafficDistribution: "PreferClose" } },
  },
  persistentvolumes: {
    annotations: notes({ "volume.beta.kubernetes.io/storage-class": "a", "volume.beta.kubernetes.io/mount-options": "ro" }),
    recycle: { spec: { persistentVolumeReclaimPolicy: "Recycle" } },
    zone: {
      spec: {
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "beta.kubernetes.io/os", operator: "Exists" }] }] } },
      },
    },
    ...Object.fromEntries(
      Object.entries({
        cephfs: { monitors: ["m"] },
        photonPersistentDisk: { pdID: "p" },
        storageos: { volumeName: "v", volumeNamespace: "n" },
        glusterfs: { endpoints: "e", path: "p" },
        rbd: { monitors: ["m"], image: "i" },
        flocker: { datasetName: "d" },
      }).map(([name, source]) => [name, { spec: { hostPath: null, [name]: source } }]),
    ),
  },
  persistentvolumeclaims: {
    annotation: notes({ "volume.beta.kubernetes.io/storage-class": "a" }),
    "parts of bytes": { spec: claim("1500m", "2500m") },
  },
  nodes: {
    "external id": { spec: { externalID: "x" } },
    ranges: { spec: { podCIDRs: ["FD00::/8", "10.0.0.0/8"] } },
    config: { spec: { configSource: { configMap: { name: "a", namespace: "b", kubeletConfigKey: "c" } } } },
  },
  serviceaccounts: { mountable: notes({ "kubernetes.io/enforce-mountable-secrets": "true" }) },
  resourcequotas: {
    "more asked than used": {
      spec: {
        hard: {
          "requests.cpu": "2",
          "limits.cpu": "1500m",
          memory: "2Gi",
          "limits.memory": "1Gi",
          "requests.ephemeral-storage": "1",
          "limits.ephemeral-storage": "2",
        },
      },
    },
  },
  endpoints: {
    addresses: { subsets: [{ addresses: [{ ip: "2001:DB8::1" }], notReadyAddresses: [{ ip: "2001:0db8::2" }], ports: [{ port: 1 }] }] },
  },
  "endpointslices.discovery.k8s.io": {
    addresses: { addressType: "IPv6", endpoints: [{ addresses: ["2001:DB8::1"] }] },
    names: { addressType: "FQDN", endpoints: [{ addresses: ["a.dev"] }] },
  },
  "networkpolicies.networking.k8s.io": {
    ranges: {
      spec: {
        ingress: [{ from: [block("FD00::/8", ["FD00:1::/32"]), { podSelector: {} }] }],
        egress: [{ to: [block("2001:db8:0::/48")] }],
      },
    },
  },
  "ingresses.networking.k8s.io": {
    annotation: notes({ "kubernetes.io/ingress.class": "a" }),
    "annotation and field": { ...notes({ "kubernetes.io/ingress.class": "a" }), spec: { ingressClassName: "a" } },
  },
};

function claim(requests: string, limits?: string): Change {
  const resources = { requests: { storage: requests }, ...(limits !== undefined && { limits: { storage: limits } }) };
  return { accessModes: ["ReadWriteOnce"], resources };
}

/** `kind`, what is merged into its sample first, then one change after the other; `status:` before those of the status. */
const changed: readonly (readonly [kind: string, start: Change, changes: Readonly<Record<string, Change>>])[] = [
  [
    "deployments.apps",
    inSpec({ spec: { nodeSelector: { "beta.kubernetes.io/arch": "amd64" } } }),
    {
      labels: { metadata: { labels: { a: "b" } } },
      annotations: notes({ a: "b" }),
      replicas: { spec: { replicas: 2 } },
      "status: replicas": { status: { replicas: 1 } },
    },
  ],
  [
    "daemonsets.apps",
    inSpec({ spec: { nodeSelector: { "beta.kubernetes.io/arch": "amd64" } } }),
    { seconds: { spec: { minReadySeconds: 5 } }, template: inSpec({ metadata: { labels: { a: "b" } } }) },
  ],
  [
    "statefulsets.apps",
    { spec: { volumeClaimTemplates: [{ metadata: { name: "c" }, spec: claim("1500m") }], revisionHistoryLimit: -1 } },
    { labels: { metadata: { labels: { a: "b" } } }, template: inSpec({ spec: { terminationGracePeriodSeconds: -1 } }) },
  ],
  [
    "replicationcontrollers",
    inSpec({ spec: { nodeSelector: { "beta.kubernetes.io/arch": "amd64" } } }),
    { mended: inSpec({ spec: { nodeSelector: null } }), again: inSpec({ spec: { nodeSelector: { "beta.kubernetes.io/os": "x" } } }) },
  ],
  [
    "cronjobs.batch",
    { spec: { jobTemplate: inSpec({ spec: { nodeSelector: { "beta.kubernetes.io/arch": "amd64" } } }) } },
    { labels: { metadata: { labels: { a: "b" } } }, suspended: { spec: { suspend: true } } },
  ],
  [
    "pods",
    { spec: { nodeSelector: { "beta.kubernetes.io/arch": "amd64" } } },
    {
      labels: { metadata: { labels: { a: "b" } } },
      "status: addresses": { status: { podIP: "FD00::1", podIPs: [{ ip: "FD00::1" }], hostIP: "FD00::2", hostIPs: [{ ip: "FD00::2" }] } },
    },
  ],
  [
    "services",
    { spec: { type: "LoadBalancer", trafficDistribution: "PreferClose" } },
    {
      labels: { metadata: { labels: { a: "b" } } },
      nothing: {},
      "status: addresses": { status: { loadBalancer: { ingress: [{ ip: "FD00::1" }, { hostname: "a.dev" }] } } },
    },
  ],
  [
    "ingresses.networking.k8s.io",
    notes({ "kubernetes.io/ingress.class": "a" }),
    { labels: { metadata: { labels: { a: "b" } } }, "status: addresses": { status: { loadBalancer: { ingress: [{ ip: "FD00::1" }] } } } },
  ],
  ["serviceaccounts", notes({ "kubernetes.io/enforce-mountable-secrets": "true" }), { labels: { metadata: { labels: { a: "b" } } } }],
  ["persistentvolumes", { spec: { persistentVolumeReclaimPolicy: "Recycle" } }, { labels: { metadata: { labels: { a: "b" } } } }],
  [
    "nodes",
    { spec: { externalID: "x" } },
    {
      labels: { metadata: { labels: { a: "b" } } },
      "status: addresses": { status: { addresses: [{ type: "InternalIP", address: "FD00::1" }] } },
    },
  ],
  ["resourcequotas", { spec: { hard: { "requests.cpu": "2", "limits.cpu": "1" } } }, { labels: { metadata: { labels: { a: "b" } } } }],
];

/** Names that make bad host names. */
const namedKinds = [
  "pods",
  "deployments.apps",
  "replicasets.apps",
  "jobs.batch",
  "cronjobs.batch",
  "replicationcontrollers",
  "statefulsets.apps",
];

export function warningCases(): Case[] {
  return [
    ...variantCases("warnings", created),
    ...changed.map(([kind, start, changes]) => ({
      name: `warnings/changed ${kind}`,
      run: (session: Session) => tryChanges(session, kind, start, changes),
    })),
    { name: "warnings/names", run: tryNames },
    { name: "warnings/tls", run: tryPairs },
  ];
}

function sampleOf(kind: string): Sample {
  const sample = samples.find((one) => nameOf(one) === kind);
  if (!sample) throw new Error(`no sample of ${kind}`);
  return sample;
}

async function tryChanges(session: Session, kind: string, start: Change, changes: Readonly<Record<string, Change>>): Promise<void> {
  const sample = sampleOf(kind);
  const at = collection(sample, await session.stage());
  const name = `${session.namespace}-x`;
  await session.post(at, merged(named(sample, name), start), { label: "create" });
  await session.post(at, merged(named(sample, name), start), { label: "create again" });
  for (const [label, change] of Object.entries(changes))
    await session.patch("merge", `${at}/${name}${label.startsWith("status: ") ? "/status" : ""}`, change, { label });
}

async function tryNames(session: Session): Promise<void> {
  const namespace = await session.stage();
  for (const kind of namedKinds) {
    const sample = sampleOf(kind);
    const at = `${collection(sample, namespace)}?dryRun=All`;
    await session.post(at, named(sample, "a.b"), { label: `${kind} with dots` });
    await session.post(at, named(sample, "a".repeat(64)), { label: `${kind} too long` });
  }
}

interface Pairs {
  readonly certificate: string;
  readonly key: string;
  readonly other: string;
  readonly rsa: string;
}

let pairs: Promise<Pairs> | undefined;

/** The same for both servers. */
function makePairs(): Promise<Pairs> {
  pairs ??= (async () => {
    const kept = new Map<string, string>();
    const files = {
      read: (name: string) => Promise.resolve(kept.get(name)),
      write: (name: string, content: string) => Promise.resolve(void kept.set(name, content)),
    };
    const authority = await openAuthority(files, { clock: hostClock, random: hostRandom });
    const { certificate, key } = await authority.leaf("one", { for: "server", name: "one", hosts: ["localhost"] });
    const { key: other } = await authority.leaf("two", { for: "server", name: "two", hosts: ["localhost"] });
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    return { certificate, key, other, rsa: privateKey.export({ type: "pkcs8", format: "pem" }) };
  })();
  return pairs;
}

async function tryPairs(session: Session): Promise<void> {
  const { certificate, key, other, rsa } = await makePairs();
  const at = `${collection(sampleOf("secrets"), await session.stage())}?dryRun=All`;
  const garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const tries: Readonly<Record<string, readonly [certificate: string, key: string]>> = {
    good: [certificate, key],
    "with a chain": [certificate + certificate, key],
    "another key": [certificate, other],
    "another kind of key": [certificate, rsa],
    switched: [key, certificate],
    "certificate twice": [certificate, certificate],
    "key before the certificate": [key + certificate, key],
    "certificate before the key": [certificate, certificate + key],
    empty: ["", ""],
    "no key": [certificate, ""],
    text: ["x", "y"],
    "keys only": [key + rsa, key],
    "certificates only": [certificate, certificate + certificate],
    "no certificate in it": [garbage, key],
    "no key in it": [certificate, garbage.replaceAll("CERTIFICATE", "PRIVATE KEY")],
    "another type": [certificate.replaceAll("CERTIFICATE", "X"), key],
  };
  for (const [label, [crt, pem]] of Object.entries(tries)) {
    const stringData = { "tls.crt": crt, "tls.key": pem };
    const { status, headers } = await session.post(
      at,
      { apiVersion: "v1", kind: "Secret", metadata: { name: "a" }, type: "kubernetes.io/tls", stringData },
      { quiet: true },
    );
    session.note(label, { status, warning: headers["warning"] ?? "" }); // the answer holds what is new in each run
  }
}
