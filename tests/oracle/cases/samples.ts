/** A plain good object of each kind that is stored, and where it lives. */

export interface Sample {
  /** `/api/v1`, `/apis/apps/v1` */
  readonly root: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Without metadata.name. */
  readonly object: Readonly<Record<string, unknown>>;
  /** A merge patch that changes something that may change. */
  readonly change: Readonly<Record<string, unknown>>;
  /** Merge patch of the status subresource, where there is one. */
  readonly status?: Readonly<Record<string, unknown>>;
  /** A version beside that of another sample. */
  readonly older?: true;
  /** The field that names another object, which has to be in the same namespace. */
  readonly about?: string;
}

export const podSpec = { containers: [{ name: "app", image: "shop:1" }] };
export const template = { metadata: { labels: { app: "shop" } }, spec: podSpec };
const selector = { matchLabels: { app: "shop" } };
const labelled = { metadata: { labels: { changed: "yes" } } };
const condition = {
  type: "Ready",
  status: "True",
  reason: "Works",
  message: "it works",
  lastTransitionTime: "2030-01-01T00:00:00Z",
};

const core = (
  plural: string,
  kind: string,
  more: Omit<Sample, "root" | "plural" | "object" | "namespaced"> & { object?: object; cluster?: boolean },
): Sample => sample("/api/v1", "v1", plural, kind, more);
const grouped = (
  groupVersion: string,
  plural: string,
  kind: string,
  more: Omit<Sample, "root" | "plural" | "object" | "namespaced"> & { object?: object; cluster?: boolean },
): Sample => sample(`/apis/${groupVersion}`, groupVersion, plural, kind, more);

function sample(
  root: string,
  apiVersion: string,
  plural: string,
  kind: string,
  { object, cluster, ...rest }: Omit<Sample, "root" | "plural" | "object" | "namespaced"> & { object?: object; cluster?: boolean },
): Sample {
  return { root, plural, namespaced: cluster !== true, object: { apiVersion, kind, ...object }, ...rest };
}

export const samples: readonly Sample[] = [
  core("configmaps", "ConfigMap", { object: { data: { a: "1" } }, change: { data: { b: "2" } } }),
  core("secrets", "Secret", { object: { stringData: { a: "1" } }, change: { data: { b: "Mg==" } } }),
  core("serviceaccounts", "ServiceAccount", { change: { automountServiceAccountToken: false } }),
  core("endpoints", "Endpoints", {
    object: { subsets: [{ addresses: [{ ip: "10.1.2.3" }], ports: [{ port: 80 }] }] },
    change: labelled,
  }),
  core("events", "Event", {
    object: {
      involvedObject: { kind: "Pod", name: "shop", apiVersion: "v1" },
      reason: "Started",
      message: "it started",
      type: "Normal",
      source: { component: "oracle" },
    },
    change: { count: 2 },
    about: "involvedObject",
  }),
  core("limitranges", "LimitRange", {
    object: { spec: { limits: [{ type: "Container", default: { cpu: "1" }, max: { memory: "1024Mi" } }] } },
    change: labelled,
  }),
  core("resourcequotas", "ResourceQuota", {
    object: { spec: { hard: { "count/secrets": "10" } } },
    change: { spec: { hard: { "count/secrets": "20" } } },
    status: { status: { hard: { "count/secrets": "10" }, used: { "count/secrets": "1" } } },
  }),
  core("namespaces", "Namespace", { cluster: true, change: labelled, status: { status: { conditions: [condition] } } }),
  core("nodes", "Node", {
    cluster: true,
    object: { spec: { taints: [{ key: "a", effect: "NoSchedule" }] } },
    change: { spec: { unschedulable: true } },
    status: { status: { capacity: { cpu: "2" }, conditions: [{ ...condition, lastHeartbeatTime: "2030-01-01T00:00:00Z" }] } },
  }),
  core("persistentvolumes", "PersistentVolume", {
    cluster: true,
    object: { spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/data" } } },
    change: labelled,
    status: { status: { phase: "Available" } },
  }),
  core("persistentvolumeclaims", "PersistentVolumeClaim", {
    object: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
    change: labelled,
    status: { status: { phase: "Bound", capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] } },
  }),
  core("pods", "Pod", {
    object: { spec: podSpec },
    change: { spec: { containers: [{ name: "app", image: "shop:2" }] } },
    status: { status: { phase: "Running", podIP: "10.1.2.3", podIPs: [{ ip: "10.1.2.3" }], conditions: [condition] } },
  }),
  core("replicationcontrollers", "ReplicationController", {
    object: { spec: { selector: { app: "shop" }, template } },
    change: { spec: { replicas: 2 } },
    status: { status: { replicas: 1, observedGeneration: 1 } },
  }),
  core("services", "Service", {
    object: { spec: { selector: { app: "shop" }, ports: [{ port: 80 }] } },
    change: { spec: { selector: { app: "other" } } },
    status: { status: { loadBalancer: {} } },
  }),
  grouped("apps/v1", "deployments", "Deployment", {
    object: { spec: { selector, template } },
    change: { spec: { replicas: 2 } },
    status: { status: { replicas: 1, updatedReplicas: 1, conditions: [{ ...condition, type: "Available" }] } },
  }),
  grouped("apps/v1", "replicasets", "ReplicaSet", {
    object: { spec: { selector, template } },
    change: { spec: { replicas: 2 } },
    status: { status: { replicas: 1 } },
  }),
  grouped("apps/v1", "statefulsets", "StatefulSet", {
    object: { spec: { serviceName: "shop", selector, template } },
    change: { spec: { replicas: 2 } },
    status: { status: { replicas: 1 } },
  }),
  grouped("apps/v1", "daemonsets", "DaemonSet", {
    object: { spec: { selector, template } },
    change: { spec: { minReadySeconds: 5 } },
    status: { status: { currentNumberScheduled: 1, numberMisscheduled: 0, desiredNumberScheduled: 1, numberReady: 1 } },
  }),
  grouped("apps/v1", "controllerrevisions", "ControllerRevision", {
    object: { revision: 1, data: { spec: { a: 1 } } },
    change: { revision: 2 },
  }),
  grouped("batch/v1", "jobs", "Job", {
    object: { spec: { template: { spec: { ...podSpec, restartPolicy: "Never" } } } },
    change: { spec: { parallelism: 2 } },
    status: { status: { active: 1, startTime: "2030-01-01T00:00:00Z" } },
  }),
  grouped("batch/v1", "cronjobs", "CronJob", {
    object: { spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: { spec: { ...podSpec, restartPolicy: "Never" } } } } } },
    change: { spec: { suspend: true } },
    status: { status: { lastScheduleTime: "2030-01-01T00:00:00Z" } },
  }),
  grouped("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", {
    object: { spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "shop" } } },
    change: { spec: { maxReplicas: 5 } },
    status: { status: { currentReplicas: 1, desiredReplicas: 2 } },
  }),
  grouped("coordination.k8s.io/v1", "leases", "Lease", {
    object: { spec: { holderIdentity: "me", leaseDurationSeconds: 15, acquireTime: "2030-01-01T00:00:00.000000Z" } },
    change: { spec: { holderIdentity: "you" } },
  }),
  grouped("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", {
    object: { addressType: "IPv4", endpoints: [{ addresses: ["10.1.2.3"] }], ports: [{ port: 80 }] },
    change: labelled,
  }),
  grouped("events.k8s.io/v1", "events", "Event", {
    object: {
      eventTime: "2030-01-01T00:00:00.000000Z",
      reportingController: "oracle.dev/controller",
      reportingInstance: "one",
      action: "Starting",
      reason: "Started",
      type: "Normal",
      note: "it started",
      regarding: { kind: "Pod", name: "shop", apiVersion: "v1" },
    },
    change: labelled,
    about: "regarding",
  }),
  grouped("rbac.authorization.k8s.io/v1", "roles", "Role", {
    object: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] },
    change: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }] },
  }),
  grouped("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", {
    object: {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [
        { kind: "User", name: "alice" },
        { kind: "ServiceAccount", name: "default", namespace: "default" },
      ],
    },
    change: { subjects: [{ kind: "Group", name: "devs", apiGroup: "rbac.authorization.k8s.io" }] },
  }),
  grouped("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", {
    cluster: true,
    object: { rules: [{ nonResourceURLs: ["/metrics"], verbs: ["get"] }] },
    change: labelled,
  }),
  grouped("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding", {
    cluster: true,
    object: {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ kind: "User", name: "bob" }],
    },
    change: labelled,
  }),
  grouped("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", {
    object: { spec: { minAvailable: 1, selector } },
    change: { spec: { minAvailable: "50%" } },
    status: { status: { disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 } },
  }),
  grouped("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", {
    object: { spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] } },
    change: { spec: { policyTypes: ["Ingress", "Egress"] } },
  }),
  grouped("autoscaling/v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", {
    object: {
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "shop" },
        maxReplicas: 3,
        targetCPUUtilizationPercentage: 60,
      },
    },
    change: { spec: { maxReplicas: 5 } },
    status: { status: { currentReplicas: 1, desiredReplicas: 2, currentCPUUtilizationPercentage: 5 } },
    older: true,
  }),
  grouped("networking.k8s.io/v1", "ingresses", "Ingress", {
    object: {
      spec: {
        rules: [
          {
            host: "shop.dev",
            http: { paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "shop", port: { number: 80 } } } }] },
          },
        ],
      },
    },
    change: { spec: { ingressClassName: "mine" } },
    status: { status: { loadBalancer: { ingress: [{ ip: "10.1.2.3" }] } } },
  }),
  grouped("networking.k8s.io/v1", "ingressclasses", "IngressClass", {
    cluster: true,
    object: { spec: { controller: "oracle.dev/ingress" } },
    change: labelled,
  }),
];

/** Path of a sample's collection. */
export function collection({ root, plural, namespaced }: Sample, namespace: string): string {
  return namespaced ? `${root}/namespaces/${namespace}/${plural}` : `${root}/${plural}`;
}

/** The sample under a name. @param namespace Where it is to be, for those that are about something there. */
export function named(
  { object, about }: Sample,
  name: string,
  metadata: Record<string, unknown> = {},
  namespace?: string,
): Record<string, unknown> {
  const there = about !== undefined && namespace !== undefined && { [about]: { ...(object[about] as object), namespace } };
  return { ...object, ...there, metadata: { name, ...metadata } };
}
