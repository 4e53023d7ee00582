/** Objects that are wrong, one way each; merged into their kind's sample. */
import { badPods } from "./bad-pods.ts";
import type { Variants } from "./kinds.ts";

type Variant = Readonly<Record<string, unknown>>;

const selectors = (at: (selector: unknown) => Variant): Record<string, Variant> => ({
  "selector missing": at(null),
  "selector empty": at({}),
  "selector of others": at({ matchLabels: { app: "other" } }),
  "selector expression": at({
    matchExpressions: [
      { key: "app", operator: "In" },
      { key: "a b", operator: "Exists" },
      { key: "c", operator: "DoesNotExist", values: ["x"] },
      { key: "d", operator: "Near" },
    ],
  }),
  "selector values": at({ matchLabels: { app: "a b" } }),
});
const workloadSelectors = selectors((selector) => ({
  spec: { selector: selector === null ? null : { matchLabels: null, ...(selector as object) } },
}));
const templates: Record<string, Variant> = {
  "no template": { spec: { template: null } },
  "template without labels": { spec: { template: { metadata: null } } },
  "template restart": { spec: { template: { spec: { restartPolicy: "OnFailure" } } } },
  "template deadline": { spec: { template: { spec: { activeDeadlineSeconds: 5 } } } },
  "template containers": { spec: { template: { spec: { containers: [{ name: "A_", image: "" }] } } } },
  "no spec": { spec: null },
};

export const badObjects: Variants = {
  pods: badPods,
  "deployments.apps": {
    ...workloadSelectors,
    ...templates,
    numbers: { spec: { replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1, progressDeadlineSeconds: -5 } },
    deadline: { spec: { minReadySeconds: 700 } },
    strategy: { spec: { strategy: { type: "x" } } },
    "recreate with numbers": { spec: { strategy: { type: "Recreate", rollingUpdate: { maxSurge: 1 } } } },
    rolling: { spec: { strategy: { rollingUpdate: { maxSurge: "x", maxUnavailable: "150%" } } } },
    "rolling nothing": { spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
    "rolling negative": { spec: { strategy: { rollingUpdate: { maxSurge: -1, maxUnavailable: "-5%" } } } },
  },
  "replicasets.apps": { ...workloadSelectors, ...templates, numbers: { spec: { replicas: -1, minReadySeconds: -1 } } },
  "statefulsets.apps": {
    ...workloadSelectors,
    ...templates,
    numbers: { spec: { replicas: -1, minReadySeconds: -1, revisionHistoryLimit: -1, ordinals: { start: -1 } } },
    policy: { spec: { podManagementPolicy: "x", updateStrategy: { type: "y" } } },
    partition: { spec: { updateStrategy: { rollingUpdate: { partition: -1, maxUnavailable: 0 } } } },
    "on delete with numbers": { spec: { updateStrategy: { type: "OnDelete", rollingUpdate: { partition: 1 } } } },
    retention: { spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: "x", whenScaled: "y" } } },
    claims: { spec: { volumeClaimTemplates: [{ metadata: { name: "A_" }, spec: {} }] } },
    "service name": { spec: { serviceName: "A_" } },
  },
  "daemonsets.apps": {
    ...workloadSelectors,
    ...templates,
    numbers: { spec: { minReadySeconds: -1, revisionHistoryLimit: -1 } },
    strategy: { spec: { updateStrategy: { type: "x" } } },
    "rolling nothing": { spec: { updateStrategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } } },
    "rolling both": { spec: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } } },
  },
  "controllerrevisions.apps": { "no data": { data: null }, revision: { revision: -1 } },
  "jobs.batch": {
    restart: { spec: { template: { spec: { restartPolicy: "Always" } } } },
    "no restart": { spec: { template: { spec: { restartPolicy: null } } } },
    numbers: { spec: { parallelism: -1, completions: -1, backoffLimit: -1, activeDeadlineSeconds: -1, ttlSecondsAfterFinished: -1 } },
    indexed: { spec: { completionMode: "Indexed" } },
    mode: { spec: { completionMode: "x" } },
    selector: { spec: { selector: { matchLabels: { a: "b" } } } },
    "manual selector": { spec: { manualSelector: true } },
    "per index": { spec: { backoffLimitPerIndex: 1 } },
    "max failed": { spec: { maxFailedIndexes: 1 } },
    "failure policy": {
      spec: {
        podFailurePolicy: {
          rules: [
            { action: "x" },
            { action: "FailIndex", onExitCodes: { operator: "In", values: [] } },
            { action: "Count", onPodConditions: [{ type: "" }] },
          ],
        },
      },
    },
    "success policy": { spec: { successPolicy: { rules: [] } } },
    replacement: { spec: { podReplacementPolicy: "x" } },
    "managed by": { spec: { managedBy: "a b" } },
    "no template": { spec: { template: null } },
    "no spec": { spec: null },
    labels: { spec: { template: { metadata: { labels: { "batch.kubernetes.io/job-name": "other" } } } } },
  },
  "cronjobs.batch": {
    schedule: { spec: { schedule: "x" } },
    "no schedule": { spec: { schedule: "" } },
    "six fields": { spec: { schedule: "* * * * * *" } },
    range: { spec: { schedule: "99 * * * *" } },
    "zone in the schedule": { spec: { schedule: "TZ=UTC * * * * *" } },
    zone: { spec: { timeZone: "Mars/North" } },
    "local zone": { spec: { timeZone: "Local" } },
    "empty zone": { spec: { timeZone: "" } },
    policy: { spec: { concurrencyPolicy: "x" } },
    numbers: { spec: { startingDeadlineSeconds: -1, successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: -1 } },
    restart: { spec: { jobTemplate: { spec: { template: { spec: { restartPolicy: "Always" } } } } } },
    "no spec": { spec: null },
    "long name": { metadata: { name: "a".repeat(53) } },
  },
  services: {
    "no ports": { spec: { ports: [] } },
    "no spec": { spec: null },
    "port numbers": { spec: { ports: [{ port: 0 }] } },
    "port twice": {
      spec: {
        ports: [
          { port: 80, name: "a" },
          { port: 80, name: "b" },
        ],
      },
    },
    "names missing": { spec: { ports: [{ port: 80 }, { port: 81 }] } },
    "names twice": {
      spec: {
        ports: [
          { port: 80, name: "a" },
          { port: 81, name: "a" },
        ],
      },
    },
    "bad names": { spec: { ports: [{ port: 80, name: "A_", protocol: "x", targetPort: "no port at all", appProtocol: "a b" }] } },
    target: { spec: { ports: [{ port: 80, targetPort: 99_999 }] } },
    "node port of a cluster address": { spec: { ports: [{ port: 80, nodePort: 30_000 }] } },
    "node port out of range": { spec: { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] } },
    "node ports twice": {
      spec: {
        type: "NodePort",
        ports: [
          { name: "a", port: 80, nodePort: 30_000 },
          { name: "b", port: 81, nodePort: 30_000 },
        ],
      },
    },
    type: { spec: { type: "x" } },
    "external name": { spec: { type: "ExternalName" } },
    "external name bad": { spec: { type: "ExternalName", externalName: "A_" } },
    "headless balancer": { spec: { type: "LoadBalancer", clusterIP: "None" } },
    address: { spec: { clusterIP: "x" } },
    "address elsewhere": { spec: { clusterIP: "1.2.3.4" } },
    "addresses differ": { spec: { clusterIP: "10.96.0.9", clusterIPs: ["10.96.0.10"] } },
    affinity: { spec: { sessionAffinity: "x" } },
    "affinity seconds": { spec: { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 99_999 } } } },
    "affinity config": { spec: { sessionAffinity: "None", sessionAffinityConfig: { clientIP: { timeoutSeconds: 5 } } } },
    "external addresses": { spec: { externalIPs: ["x", "127.0.0.1", "0.0.0.0", "169.254.0.1"] } },
    traffic: { spec: { internalTrafficPolicy: "x" } },
    "external traffic": { spec: { externalTrafficPolicy: "Local" } },
    "source ranges": { spec: { loadBalancerSourceRanges: ["10.0.0.0/8"] } },
    "source ranges bad": { spec: { type: "LoadBalancer", loadBalancerSourceRanges: ["x"] } },
    "health port": { spec: { healthCheckNodePort: 5 } },
    class: { spec: { loadBalancerClass: "x" } },
    families: { spec: { ipFamilies: ["IPv5"] } },
    "family policy": { spec: { ipFamilyPolicy: "x" } },
    selector: { spec: { selector: { "a b": "c" } } },
    distribution: { spec: { trafficDistribution: "x" } },
  },
  configmaps: {
    // One wrong name each: the real server goes through its maps in any order.
    keys: { data: { "a b": "1" } },
    "empty key": { data: { "": "2" } },
    "key climbing": { data: { "..": "3" } },
    "long key": { data: { ["x".repeat(254)]: "4" } },
    both: { data: { a: "1" }, binaryData: { a: "eA==" } },
    "too large": { data: { a: "x".repeat(1_048_577) } },
  },
  secrets: {
    keys: { data: { "a b": "eA==" } },
    tls: { type: "kubernetes.io/tls" },
    "tls empty": { type: "kubernetes.io/tls", data: { "tls.crt": "", "tls.key": "" } },
    docker: { type: "kubernetes.io/dockerconfigjson" },
    "docker no JSON": { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "eA==" } },
    dockercfg: { type: "kubernetes.io/dockercfg", data: { ".dockercfg": "eA==" } },
    basic: { type: "kubernetes.io/basic-auth", stringData: { other: "x" } },
    ssh: { type: "kubernetes.io/ssh-auth" },
    token: { type: "kubernetes.io/service-account-token" },
    "too large": { stringData: { a: "x".repeat(1_048_577) } },
    "no base64": { data: { a: "%%" } },
  },
  serviceaccounts: { secrets: { secrets: [{}], imagePullSecrets: [{ name: "" }] } },
  endpoints: {
    addresses: {
      subsets: [
        { addresses: [{ ip: "x" }, { ip: "127.0.0.1" }, { ip: "169.254.1.1" }, { ip: "224.0.0.1" }], ports: [{ port: 0 }, { port: 1 }] },
      ],
    },
    nothing: { subsets: [{}] },
    ports: {
      subsets: [{ addresses: [{ ip: "10.0.0.1", hostname: "A_", nodeName: "B_" }], ports: [{ port: 1, protocol: "x", name: "A_" }] }],
    },
  },
  events: {
    "no object": { involvedObject: null },
    "another namespace": { involvedObject: { namespace: "other" } },
    "new style": { eventTime: "2030-01-01T00:00:00.000000Z", reason: "", action: "" },
  },
  "events.events.k8s.io": {
    nothing: { eventTime: null, reportingController: null, reportingInstance: null, action: null, reason: null, type: null },
    controller: { reportingController: "a b", type: "Odd", note: "x".repeat(1_025), reason: "r".repeat(129), action: "a".repeat(129) },
    "old fields": { deprecatedCount: 3, deprecatedSource: { component: "x" } },
    series: { series: { count: 1 } },
    "another namespace": { regarding: { namespace: "other" } },
  },
  limitranges: {
    order: { spec: { limits: [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" }, default: { cpu: "5" } }] } },
    "types twice": { spec: { limits: [{ type: "Pod" }, { type: "Pod" }] } },
    "default of pods": { spec: { limits: [{ type: "Pod", default: { cpu: "1" } }] } },
    ratio: { spec: { limits: [{ type: "Container", maxLimitRequestRatio: { cpu: "0.5" } }] } },
    type: { spec: { limits: [{ type: "a b" }] } },
    claims: { spec: { limits: [{ type: "PersistentVolumeClaim" }] } },
    names: { spec: { limits: [{ type: "Container", max: { gold: "1" } }] } },
  },
  resourcequotas: {
    names: { spec: { hard: { gold: "1" } } },
    "name of two words": { spec: { hard: { "a b": "2" } } },
    values: { spec: { hard: { pods: "-1" } } },
    fraction: { spec: { hard: { pods: "1.5" } } },
    scopes: { spec: { hard: { services: "1" }, scopes: ["BestEffort", "NotBestEffort", "x"] } },
    "no quantity": { spec: { hard: { pods: "many" } } },
  },
  namespaces: {
    finalizers: { spec: { finalizers: ["a b", "plain"] } },
    labels: { metadata: { labels: { "kubernetes.io/metadata.name": "other" } } },
  },
  nodes: {
    taints: {
      spec: {
        taints: [
          { key: "", effect: "x" },
          { key: "a", effect: "NoSchedule" },
          { key: "a", effect: "NoSchedule" },
          { key: "b", value: "a b", effect: "NoExecute" },
        ],
      },
    },
    ranges: { spec: { podCIDRs: ["x"] } },
    "ranges differ": { spec: { podCIDR: "10.0.0.0/24", podCIDRs: ["10.0.1.0/24"] } },
    provider: { spec: { externalID: "x" } },
  },
  persistentvolumes: {
    nothing: { spec: { capacity: null, accessModes: [], hostPath: null } },
    "two sources": { spec: { nfs: { server: "s", path: "/p" } } },
    modes: { spec: { accessModes: ["x", "ReadWriteOncePod", "ReadWriteOnce"], volumeMode: "y" } },
    policy: { spec: { persistentVolumeReclaimPolicy: "x" } },
    "recycle of root": { spec: { hostPath: { path: "/" }, persistentVolumeReclaimPolicy: "Recycle" } },
    capacity: { spec: { capacity: { storage: "-1" } } },
    "capacity of others": { spec: { capacity: { cpu: "1" } } },
    class: { spec: { storageClassName: "A_" } },
    "local without node": { spec: { hostPath: null, local: { path: "/x" } } },
    "no spec": { spec: null },
  },
  persistentvolumeclaims: {
    nothing: { spec: { accessModes: [], resources: null } },
    modes: { spec: { accessModes: ["x"], volumeMode: "y" } },
    size: { spec: { resources: { requests: { storage: "0" } } } },
    negative: { spec: { resources: { requests: { storage: "-1" } } } },
    class: { spec: { storageClassName: "A_" } },
    selector: { spec: { selector: { matchLabels: { "a b": "c" } } } },
    source: { spec: { dataSource: { kind: "", name: "" } } },
    "no spec": { spec: null },
  },
  replicationcontrollers: {
    ...templates,
    selector: { spec: { selector: { app: "other" } } },
    numbers: { spec: { replicas: -1, minReadySeconds: -1 } },
  },
  "horizontalpodautoscalers.autoscaling": {
    numbers: { spec: { minReplicas: 0, maxReplicas: 0 } },
    order: { spec: { minReplicas: 5 } },
    target: { spec: { scaleTargetRef: { kind: "", name: "" } } },
    "target names": { spec: { scaleTargetRef: { kind: "a/b", name: "c/d", apiVersion: "e/f/g" } } },
    "target without group": { spec: { scaleTargetRef: { apiVersion: null } } },
    "target of the core": { spec: { scaleTargetRef: { apiVersion: "v1", kind: "ReplicationController" } } },
    "target of no group": { spec: { scaleTargetRef: { apiVersion: "v1", kind: "Shop" } } },
    metric: {
      spec: {
        metrics: [{ type: "x" }, { type: "Resource" }, { type: "Resource", resource: { name: "", target: { type: "Utilization" } } }],
      },
    },
    "metric of two": {
      spec: {
        metrics: [
          {
            type: "Pods",
            pods: { metric: { name: "a" }, target: { type: "AverageValue", averageValue: "1" } },
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 5 } },
          },
        ],
      },
    },
    utilization: {
      spec: { metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 0 } } }] },
    },
    "target kind": { spec: { metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Value", value: "1" } } }] } },
    behavior: {
      spec: {
        behavior: { scaleUp: { stabilizationWindowSeconds: -1, selectPolicy: "x", policies: [{ type: "y", value: 0, periodSeconds: 0 }] } },
      },
    },
    "no spec": { spec: null },
  },
  "leases.coordination.k8s.io": {
    numbers: { spec: { leaseDurationSeconds: 0, leaseTransitions: -1 } },
    holder: { spec: { holderIdentity: "" } },
    times: { spec: { renewTime: "yesterday" } },
    strategy: { spec: { strategy: "x" } },
    preferred: { spec: { preferredHolder: "you" } },
  },
  "endpointslices.discovery.k8s.io": {
    type: { addressType: "x" },
    "no type": { addressType: "" },
    addresses: { endpoints: [{ addresses: ["x", "127.0.0.1"] }, { addresses: [] }] },
    ports: { ports: [{ name: "A_" }, { name: "A_" }, { protocol: "x", port: 99_999 }] },
    names: { endpoints: [{ addresses: ["10.0.0.1"], hostname: "A_", nodeName: "B_" }] },
    v6: { addressType: "IPv6" },
    hints: { endpoints: [{ addresses: ["10.0.0.1"], hints: { forZones: [{ name: "" }] } }] },
  },
  "roles.rbac.authorization.k8s.io": {
    rules: { rules: [{}, { verbs: ["get"] }, { verbs: ["get"], apiGroups: [""] }, { apiGroups: [""], resources: ["pods"], verbs: [] }] },
    paths: { rules: [{ nonResourceURLs: ["/x"], verbs: ["get"] }] },
  },
  "clusterroles.rbac.authorization.k8s.io": {
    paths: { rules: [{ nonResourceURLs: ["x"], verbs: ["get"] }] },
    both: { rules: [{ nonResourceURLs: ["/x"], resources: ["pods"], apiGroups: [""], verbs: ["get"] }] },
    aggregation: { aggregationRule: { clusterRoleSelectors: [] } },
    "aggregation bad": { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { "a b": "c" } }] } },
  },
  "rolebindings.rbac.authorization.k8s.io": {
    role: { roleRef: { kind: "x", name: "", apiGroup: "y" } },
    "no role": { roleRef: null },
    subjects: {
      subjects: [
        { kind: "x", name: "" },
        { kind: "ServiceAccount", name: "A_" },
        { kind: "User", name: "u", apiGroup: "x" },
        { kind: "Group", name: "" },
      ],
    },
  },
  "clusterrolebindings.rbac.authorization.k8s.io": {
    role: { roleRef: { kind: "Role", name: "r" } },
    subjects: { subjects: [{ kind: "ServiceAccount", name: "a" }] },
  },
  "networkpolicies.networking.k8s.io": {
    types: { spec: { policyTypes: ["x"] } },
    "too many types": { spec: { policyTypes: ["Ingress", "Egress", "Ingress"] } },
    ports: { spec: { ingress: [{ ports: [{ port: 0 }, { port: "A_b" }, { protocol: "x" }, { port: 5, endPort: 1 }, { endPort: 3 }] }] } },
    peers: {
      spec: {
        ingress: [
          {
            from: [
              {},
              { ipBlock: { cidr: "x" } },
              { ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/8"] } },
              { podSelector: {}, ipBlock: { cidr: "10.0.0.0/8" } },
            ],
          },
        ],
      },
    },
    selector: { spec: { podSelector: { matchLabels: { "a b": "c" } } } },
  },
  "ingresses.networking.k8s.io": {
    nothing: { spec: { rules: null } },
    host: { spec: { rules: [{ host: "A_" }] } },
    "host address": { spec: { rules: [{ host: "1.2.3.4" }] } },
    wildcard: { spec: { rules: [{ host: "*.*.dev" }] } },
    path: {
      spec: { rules: [{ http: { paths: [{ path: "x", pathType: "Exact", backend: { service: { name: "s", port: { number: 1 } } } }] } }] },
    },
    "path type": {
      spec: { rules: [{ http: { paths: [{ path: "/x", pathType: "y", backend: { service: { name: "s", port: { number: 1 } } } }] } }] },
    },
    "no path type": { spec: { rules: [{ http: { paths: [{ path: "/x", backend: { service: { name: "s", port: { number: 1 } } } }] } }] } },
    "no paths": { spec: { rules: [{ http: { paths: [] } }] } },
    backend: { spec: { rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend: {} }] } }] } },
    "backend port": { spec: { rules: null, defaultBackend: { service: { name: "A_", port: { name: "a", number: 5 } } } } },
    "backend both": {
      spec: { rules: null, defaultBackend: { service: { name: "s", port: { number: 5 } }, resource: { kind: "x", name: "y" } } },
    },
    class: { spec: { ingressClassName: "A_" } },
    "class twice": { metadata: { annotations: { "kubernetes.io/ingress.class": "x" } }, spec: { ingressClassName: "y" } },
    tls: { spec: { tls: [{ hosts: ["A_"], secretName: "B_" }] } },
    "path climbing": {
      spec: {
        rules: [{ http: { paths: [{ path: "/a/../b", pathType: "Prefix", backend: { service: { name: "s", port: { number: 1 } } } }] } }],
      },
    },
  },
  "ingressclasses.networking.k8s.io": {
    controller: { spec: { controller: "x" } },
    "no controller": { spec: { controller: "" } },
    parameters: { spec: { parameters: { kind: "", name: "", scope: "x" } } },
    "parameters namespace": { spec: { parameters: { kind: "a", name: "b", scope: "Cluster", namespace: "c" } } },
    "parameters scope": { spec: { parameters: { kind: "a", name: "b", scope: "Namespace" } } },
  },
  "poddisruptionbudgets.policy": {
    both: { spec: { maxUnavailable: 1 } },
    numbers: { spec: { minAvailable: -1 } },
    percent: { spec: { minAvailable: "150%" } },
    text: { spec: { minAvailable: "x" } },
    selector: { spec: { selector: { matchLabels: { "a b": "c" } } } },
    policy: { spec: { unhealthyPodEvictionPolicy: "x" } },
  },
};
