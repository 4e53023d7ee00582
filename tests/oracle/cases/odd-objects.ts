/** Objects people write by mistake, of the kinds they write most; each merged into its kind's sample. */
import type { Variants } from "./kinds.ts";

type Change = Readonly<Record<string, unknown>>;
const backend = { service: { name: "shop", port: { number: 80 } } };
const path = (more: object): Change => ({ spec: { rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend, ...more }] } }] } });
const metric = (more: object): Change => ({ spec: { metrics: [more] } });
const costing = (cost: string): Change => ({ metadata: { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } } });
const renewed = (renewTime: string): Change => ({ spec: { renewTime } });
const peer = (more: object): Change => ({ spec: { ingress: [{ from: [more] }] } });

export const oddObjects: Variants = {
  pods: {
    "least cost": costing("-2147483648"),
    "less than that": costing("-2147483649"),
    "cost with zeros": costing("-007"),
    "no cost": costing("-"),
    "too dear": costing("2147483648"),
  },
  "leases.coordination.k8s.io": {
    "a day ahead": renewed("2030-01-01T00:00:00.000000+24:00"),
    "an hour of minutes": renewed("2030-01-01T00:00:00.000000-01:60"),
    "more than a day ahead": renewed("2030-01-01T00:00:00.000000+25:00"),
    "more than an hour of minutes": renewed("2030-01-01T00:00:00.000000+01:61"),
    "too much of both": renewed("2030-01-01T00:00:00.000000+99:99"),
    "a comma": renewed("2030-01-01T00:00:00,5000000+01:00"),
    "before the first year": renewed("0000-01-01T00:00:00.000000+01:00"),
  },
  "deployments.apps": {
    "labels of other pods": { spec: { template: { metadata: { labels: { app: "other" } } } } },
    "selector of strings": { spec: { selector: { matchExpressions: [{ key: "app", operator: "in", values: ["shop"] }] } } },
    "no selector": { spec: { selector: null } },
    "negative replicas": { spec: { replicas: -1 } },
    "restart never": { spec: { template: { spec: { restartPolicy: "Never" } } } },
    "surge and unavailable zero": { spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: "0%" } } } },
    "rolling without type": { spec: { strategy: { type: "Recreate", rollingUpdate: { maxSurge: 1 } } } },
    "bad annotations of pods": { spec: { template: { metadata: { annotations: { "a b": "c", "/x": "d" } } } } },
    "bad labels of pods": { spec: { template: { metadata: { labels: { app: "shop", "a b": "c d" } } } } },
    "limit below request": {
      spec: {
        template: { spec: { containers: [{ name: "a", image: "b", resources: { requests: { cpu: "2" }, limits: { cpu: "1" } } }] } },
      },
    },
    "mount of nothing": {
      spec: { template: { spec: { containers: [{ name: "a", image: "b", volumeMounts: [{ name: "v", mountPath: "/v" }] }] } } },
    },
    "probe without handler": {
      spec: { template: { spec: { containers: [{ name: "a", image: "b", readinessProbe: { periodSeconds: 5 } }] } } },
    },
    "probe to no port": {
      spec: {
        template: {
          spec: { containers: [{ name: "a", image: "b", livenessProbe: { httpGet: { path: "x", port: "no-such-port-name" } } }] },
        },
      },
    },
    "ephemeral containers": { spec: { template: { spec: { ephemeralContainers: [{ name: "e", image: "b" }] } } } },
    "grace of a probe": {
      spec: {
        template: {
          spec: {
            containers: [
              {
                name: "a",
                image: "b",
                readinessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 5 },
                livenessProbe: { tcpSocket: { port: 1 }, terminationGracePeriodSeconds: 0 },
              },
            ],
          },
        },
      },
    },
  },
  services: {
    "name too long": { metadata: { name: "a".repeat(64) } },
    "port of letters": { spec: { ports: [{ port: 80, targetPort: "80" }] } },
    "two ports without names": { spec: { ports: [{ port: 80 }, { port: 81 }] } },
    "selector with spaces": { spec: { selector: { app: "a b" } } },
    "outside name with spaces": { spec: { type: "ExternalName", externalName: "a b", ports: null, selector: null } },
    "two addresses of one family": { spec: { clusterIP: "10.96.7.1", clusterIPs: ["10.96.7.1", "10.96.7.2"] } },
    "addresses that differ": { spec: { clusterIP: "10.96.7.1", clusterIPs: ["10.96.7.2"] } },
    "range with spaces": { spec: { type: "LoadBalancer", loadBalancerSourceRanges: [" 10.0.0.0/8 "] } },
    "range with bits": { spec: { type: "LoadBalancer", loadBalancerSourceRanges: ["10.0.0.1/8"] } },
    "external address with zeros": { spec: { externalIPs: ["010.0.0.1", "::ffff:10.0.0.1"] } },
  },
  "ingresses.networking.k8s.io": {
    "path without slash": path({ path: "x" }),
    "no path": path({ path: null }),
    "no path type": path({ pathType: null }),
    "implementation specific": path({ path: "x*", pathType: "ImplementationSpecific" }),
    "port by name and number": path({ backend: { service: { name: "shop", port: { number: 80, name: "web" } } } }),
    "no port": path({ backend: { service: { name: "shop" } } }),
    "name with dots": path({ backend: { service: { name: "a.b", port: { number: 80 } } } }),
    "resource backend": path({ backend: { resource: { apiGroup: "o.dev", kind: "Bucket", name: "b" } } }),
    "bad resource backend": path({ backend: { resource: { apiGroup: "o_dev", kind: "", name: "" } } }),
    "no paths": { spec: { rules: [{ host: "a.dev", http: {} }] } },
    "hosts with stars": { spec: { rules: [{ host: "a.*.dev" }, { host: "*" }, { host: "A.dev" }] } },
    "tls twice": {
      spec: {
        tls: [
          { hosts: ["a.dev"], secretName: "s" },
          { hosts: ["a.dev"], secretName: "A_" },
        ],
      },
    },
    nothing: { spec: { rules: null } },
  },
  "jobs.batch": {
    "restart always": { spec: { template: { spec: { restartPolicy: "Always" } } } },
    "selector of its own": { spec: { selector: { matchLabels: { a: "b" } } } },
    "manual without labels": { spec: { manualSelector: true, selector: { matchLabels: { a: "b" } } } },
    "name of hosts too long": { metadata: { name: "a".repeat(60) }, spec: { completionMode: "Indexed", completions: 1000 } },
    "many failed": { spec: { completionMode: "Indexed", completions: 3, backoffLimitPerIndex: -1, maxFailedIndexes: -2 } },
    "too parallel": { spec: { completionMode: "Indexed", completions: 3, parallelism: 100_001 } },
    "manager too long": { spec: { managedBy: `a.dev/${"b".repeat(80)}` } },
    "bad labels of pods": { spec: { template: { metadata: { labels: { "a b": "c d" }, annotations: { "a b": "" } } } } },
    "success by indexes": {
      spec: { completionMode: "Indexed", completions: 3, successPolicy: { rules: [{ succeededIndexes: "2-1,x" }] } },
    },
  },
  "cronjobs.batch": {
    "five stars too many": { spec: { schedule: "* * * * * *" } },
    "zone in the schedule": { spec: { schedule: "TZ=Europe/Zurich 0 * * * *" } },
    "zone and schedule": { spec: { schedule: "CRON_TZ=UTC @daily", timeZone: "Europe/Zurich" } },
    "local zone": { spec: { timeZone: "Local" } },
    "empty zone": { spec: { timeZone: "" } },
    "name too long": { metadata: { name: "a".repeat(53) } },
    "negative history": { spec: { successfulJobsHistoryLimit: -1, failedJobsHistoryLimit: -1, startingDeadlineSeconds: -1 } },
    "selector of jobs": { spec: { jobTemplate: { spec: { selector: { matchLabels: { a: "b" } }, manualSelector: true } } } },
    "every so often": { spec: { schedule: "@every 5m" } },
    "names of days": { spec: { schedule: "0 9-17/2 * JAN-MAR MON,7" } },
  },
  "horizontalpodautoscalers.autoscaling": {
    "less than none": { spec: { minReplicas: -1, maxReplicas: 0 } },
    "min over max": { spec: { minReplicas: 5, maxReplicas: 3 } },
    "none at least": { spec: { minReplicas: 0 } },
    "no target": { spec: { scaleTargetRef: { name: "" } } },
    "bad target": { spec: { scaleTargetRef: { kind: "a/b", name: "..", apiVersion: "a/b/c" } } },
    "utilization zero": metric({ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 0 } } }),
    "two targets": metric({
      type: "Resource",
      resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 5, averageValue: "1" } },
    }),
    "other type": metric({ type: "Pods", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 5 } } }),
    "unknown type": metric({ type: "Wishes" }),
    external: metric({ type: "External", external: { metric: { name: "a/b" }, target: { type: "Value", value: "-1" } } }),
    object: metric({
      type: "Object",
      object: { describedObject: { kind: "", name: "" }, metric: { name: "" }, target: { type: "Value" } },
    }),
    "behavior of nothing": { spec: { behavior: { scaleDown: { policies: [], stabilizationWindowSeconds: 5000, selectPolicy: "Mean" } } } },
    tolerance: { spec: { behavior: { scaleDown: { tolerance: "-0.1" } } } },
  },
  "poddisruptionbudgets.policy": {
    both: { spec: { minAvailable: 1, maxUnavailable: 1 } },
    neither: { spec: { minAvailable: null } },
    "over all": { spec: { minAvailable: "101%" } },
    "no share": { spec: { minAvailable: "many" } },
    negative: { spec: { minAvailable: -1 } },
    "selector of nothing": { spec: { selector: { matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }] } } },
    "policy of eviction": { spec: { unhealthyPodEvictionPolicy: "Never" } },
  },
  "networkpolicies.networking.k8s.io": {
    "peer of nothing": peer({}),
    "block and pods": peer({ ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} }),
    "block with bits": peer({ ipBlock: { cidr: "10.0.0.1/8" } }),
    "block of an address": peer({ ipBlock: { cidr: "10.0.0.1" } }),
    "except outside": peer({ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16", "10.0.0.0/8", "x"] } }),
    "bad selector": peer({ podSelector: { matchLabels: { "a b": "c d" } } }),
    "unknown type": { spec: { policyTypes: ["Ingress", "Both"] } },
    "types twice": { spec: { policyTypes: ["Ingress", "Ingress"] } },
    "three types": { spec: { policyTypes: ["Ingress", "Egress", "Ingress"] } },
    "port of letters": { spec: { ingress: [{ ports: [{ port: "web_1" }, { port: "80" }, { port: 0, protocol: "HTTP" }] }] } },
    "ports that end before": { spec: { egress: [{ ports: [{ port: 80, endPort: 79 }, { endPort: 80 }, { port: "web", endPort: 80 }] }] } },
  },
  "roles.rbac.authorization.k8s.io": {
    "no verbs": { rules: [{ apiGroups: [""], resources: ["pods"], verbs: [] }] },
    "no groups": { rules: [{ resources: ["pods"], verbs: ["get"] }] },
    "no resources": { rules: [{ apiGroups: [""], verbs: ["get"] }] },
    paths: { rules: [{ nonResourceURLs: ["/healthz"], verbs: ["get"] }] },
    "paths and resources": { rules: [{ nonResourceURLs: ["/healthz"], apiGroups: [""], resources: ["pods"], verbs: ["get"] }] },
    "no rules": { rules: null },
  },
  "rolebindings.rbac.authorization.k8s.io": {
    "no role": { roleRef: { name: "" } },
    "another kind": { roleRef: { kind: "Group" } },
    "another group": { roleRef: { apiGroup: "o.dev" } },
    "account without a namespace": { subjects: [{ kind: "ServiceAccount", name: "a" }] },
    "account of a group": { subjects: [{ kind: "ServiceAccount", name: "a", namespace: "b", apiGroup: "rbac.authorization.k8s.io" }] },
    "user of no group": { subjects: [{ kind: "User", name: "a", apiGroup: "o.dev" }] },
    nobody: { subjects: null },
    "no name": {
      subjects: [
        { kind: "User", name: "" },
        { kind: "Robot", name: "r" },
      ],
    },
    "bad name": { subjects: [{ kind: "ServiceAccount", name: "A_", namespace: "b" }] },
  },
  persistentvolumeclaims: {
    "no size": { spec: { resources: null } },
    "size of nothing": { spec: { resources: { requests: { storage: "0" } } } },
    "negative size": { spec: { resources: { requests: { storage: "-1Gi" } } } },
    "limit below request": { spec: { resources: { requests: { storage: "2Gi" }, limits: { storage: "1Gi" } } } },
    "unknown mode": { spec: { accessModes: ["ReadWriteSometimes"] } },
    "modes together": { spec: { accessModes: ["ReadWriteOncePod", "ReadWriteOnce"] } },
    "empty class": { spec: { storageClassName: "" } },
    "source of nothing": { spec: { dataSource: { kind: "", name: "" } } },
    "sources that differ": {
      spec: { dataSource: { kind: "PersistentVolumeClaim", name: "a" }, dataSourceRef: { kind: "PersistentVolumeClaim", name: "b" } },
    },
    "source of a group": { spec: { dataSourceRef: { apiGroup: "o_dev", kind: "Bucket", name: "b" } } },
    "source of the core": { spec: { dataSourceRef: { kind: "ConfigMap", name: "b" } } },
    "attributes class": { spec: { volumeAttributesClassName: "A_" } },
  },
};
