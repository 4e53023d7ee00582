/** Objects that say little, so that defaults show; each merged into its kind's sample. */
import type { Variants } from "./kinds.ts";

const probe = { httpGet: { port: 80 } };
const container = (more: object): object => ({ spec: { containers: [{ name: "a", image: "b", ...more }] } });
const podSpecs: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "image with a tag": { spec: { containers: [{ name: "a", image: "reg.dev:5000/a/b:1.2" }] } },
  "image by digest": { spec: { containers: [{ name: "a", image: `b@sha256:${"0".repeat(64)}` }] } },
  "image with latest": { spec: { containers: [{ name: "a", image: "b:latest" }] } },
  probes: {
    spec: {
      containers: [
        {
          name: "a",
          image: "b",
          livenessProbe: probe,
          readinessProbe: { tcpSocket: { port: "web" }, periodSeconds: 3 },
          startupProbe: { exec: { command: ["x"] } },
          ports: [{ name: "web", containerPort: 80 }],
          lifecycle: { postStart: { httpGet: { port: 1 } }, preStop: { sleep: { seconds: 3 } } },
        },
        { name: "g", image: "b", livenessProbe: { grpc: { port: 5 } } },
      ],
    },
  },
  env: {
    spec: {
      containers: [
        {
          name: "a",
          image: "b",
          env: [
            { name: "A", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "B", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
            { name: "C", valueFrom: { configMapKeyRef: { name: "c", key: "k" } } },
            { name: "D", valueFrom: { secretKeyRef: { name: "c", key: "k", optional: true } } },
            { name: "E" },
          ],
          envFrom: [{ configMapRef: { name: "x" } }, { prefix: "P_", secretRef: { name: "y" } }],
        },
      ],
    },
  },
  volumes: {
    spec: {
      serviceAccountName: "default", // a token is of an account
      volumes: [
        { name: "empty" },
        { name: "dir", emptyDir: { medium: "Memory", sizeLimit: "1024Mi" } },
        { name: "cm", configMap: { name: "c" } },
        { name: "sec", secret: { secretName: "s", items: [{ key: "k", path: "p" }] } },
        { name: "host", hostPath: { path: "/x" } },
        { name: "down", downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } },
        {
          name: "proj",
          projected: {
            sources: [
              { serviceAccountToken: { path: "t" } },
              { configMap: { name: "c" } },
              { downwardAPI: { items: [{ path: "n", fieldRef: { fieldPath: "metadata.name" } }] } },
            ],
          },
        },
        { name: "pvc", persistentVolumeClaim: { claimName: "p" } },
        { name: "csi", csi: { driver: "d.dev" } },
        { name: "nfs", nfs: { server: "s", path: "/p" } },
        {
          name: "eph",
          ephemeral: { volumeClaimTemplate: { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1G" } } } } },
        },
        { name: "iscsi", iscsi: { targetPortal: "p", iqn: "iqn.2001-04.com.example:storage", lun: 1 } },
        { name: "rbd", rbd: { monitors: ["m"], image: "i" } },
        {
          name: "azure",
          azureDisk: { diskName: "d", diskURI: "/subscriptions/x/resourceGroups/r/providers/Microsoft.Compute/disks/d", kind: "Managed" },
        },
        { name: "scale", scaleIO: { gateway: "g", system: "s", secretRef: { name: "x" }, volumeName: "v" } },
        { name: "img", image: { reference: "img:latest" } },
      ],
    },
  },
  resources: {
    spec: {
      containers: [
        {
          name: "a",
          image: "b",
          resources: { limits: { cpu: "1000m", memory: "1024Mi", "ephemeral-storage": "1G" }, requests: { cpu: "0.5" } },
        },
        { name: "c", image: "b", resources: { requests: { memory: "0.1Gi", cpu: "1e-1" } } },
      ],
    },
  },
  guaranteed: { spec: { containers: [{ name: "a", image: "b", resources: { limits: { cpu: "1", memory: "1Gi" } } }] } },
  "best effort with an init container": { spec: { initContainers: [{ name: "i", image: "b", restartPolicy: "Always" }] } },
  "pod resources": { spec: { resources: { limits: { cpu: "2", memory: "1Gi" } }, containers: [{ name: "a", image: "b" }] } },
  "host network": { spec: { hostNetwork: true, containers: [{ name: "a", image: "b", ports: [{ containerPort: 80 }] }] } },
  "service account": { spec: { serviceAccountName: "default" } },
  "old service account": { spec: { serviceAccount: "default" } },
  security: {
    spec: {
      securityContext: { runAsUser: 5, fsGroup: 6 },
      containers: [{ name: "a", image: "b", securityContext: { privileged: true, procMount: "Default" } }],
    },
  },
  spreading: {
    spec: {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels: { a: "b" } } },
      ],
    },
  },
  affinity: {
    spec: {
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { topologyKey: "zone", labelSelector: {} } }],
        },
      },
    },
  },
  tolerations: { spec: { tolerations: [{ key: "a" }, { operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 }] } },
  dns: { spec: { dnsPolicy: "None", dnsConfig: { nameservers: ["1.2.3.4"], options: [{ name: "ndots", value: "2" }] } } },
  "host aliases": { spec: { hostAliases: [{ ip: "1.2.3.4", hostnames: ["a", "b"] }], hostname: "h", subdomain: "s" } },
  "on a node": { spec: { nodeName: "n" } },
  "scheduling gates": { spec: { schedulingGates: [{ name: "a.dev/gate" }] } },
  "with a status": { status: { phase: "Failed", message: "no" } },
  priority: { spec: { priority: 5 } },
  "priority class": { spec: { priorityClassName: "system-node-critical" } },
  "zero grace": { spec: { terminationGracePeriodSeconds: 0 } },
  ports: container({ ports: [{ containerPort: 80 }, { containerPort: 53, protocol: "UDP", hostPort: 53 }] }) as Record<string, unknown>,
};

/** The same pods as templates of a workload. */
const templates = (names: readonly string[]): Record<string, Record<string, unknown>> =>
  Object.fromEntries(names.map((name) => [`template: ${name}`, { spec: { template: { spec: podSpecs[name]?.["spec"] } } }]));
const someTemplates = templates(["probes", "volumes", "resources", "host network", "env", "service account"]);

export const sparseObjects: Variants = {
  pods: podSpecs,
  "deployments.apps": {
    ...someTemplates,
    "max surge only": { spec: { strategy: { rollingUpdate: { maxSurge: 2 } } } },
    recreate: { spec: { strategy: { type: "Recreate" } } },
    rolling: { spec: { strategy: { type: "RollingUpdate" } } },
    "zero replicas": { spec: { replicas: 0 } },
    "labels from the template": { spec: { selector: { matchExpressions: [{ key: "app", operator: "Exists" }] } } },
  },
  "replicasets.apps": { ...templates(["probes"]), zero: { spec: { replicas: 0 } } },
  "statefulsets.apps": {
    ...templates(["volumes"]),
    claims: {
      spec: {
        volumeClaimTemplates: [
          { metadata: { name: "c" }, spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } },
        ],
      },
    },
    parallel: { spec: { podManagementPolicy: "Parallel" } },
    "on delete": { spec: { updateStrategy: { type: "OnDelete" } } },
    partition: { spec: { updateStrategy: { rollingUpdate: { partition: 2 } } } },
    retention: { spec: { persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete" } } },
    ordinals: { spec: { ordinals: { start: 5 } } },
    "no service": { spec: { serviceName: null } },
  },
  "daemonsets.apps": {
    ...templates(["host network"]),
    "on delete": { spec: { updateStrategy: { type: "OnDelete" } } },
    surge: { spec: { updateStrategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } },
  },
  "jobs.batch": {
    more: { spec: { completions: 3 } },
    indexed: { spec: { completions: 3, parallelism: 2, completionMode: "Indexed" } },
    "per index": { spec: { completions: 3, parallelism: 2, completionMode: "Indexed", backoffLimitPerIndex: 1 } },
    suspended: { spec: { suspend: true } },
    "on failure": { spec: { template: { spec: { restartPolicy: "OnFailure" } } } },
    "failure policy": { spec: { podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] }] } } },
    "own selector": {
      spec: { manualSelector: true, selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } } } },
    },
    labels: { spec: { template: { metadata: { labels: { mine: "1" } } } } },
    replacement: { spec: { podReplacementPolicy: "Failed" } },
    "success policy": { spec: { completions: 3, completionMode: "Indexed", successPolicy: { rules: [{ succeededCount: 1 }] } } },
    "managed by": { spec: { managedBy: "o.dev/me" } },
  },
  "cronjobs.batch": {
    policy: { spec: { concurrencyPolicy: "Forbid", timeZone: "Europe/Zurich" } },
    macros: { spec: { schedule: "@hourly" } },
    limits: { spec: { successfulJobsHistoryLimit: 0 } },
    "template metadata": { spec: { jobTemplate: { metadata: { labels: { a: "b" } } } } },
  },
  services: {
    headless: { spec: { clusterIP: "None" } },
    "headless without selector": { spec: { clusterIP: "None", selector: null } },
    "node port": { spec: { type: "NodePort" } },
    "node port given": { spec: { type: "NodePort", ports: [{ port: 80, nodePort: 30123 }] } },
    "load balancer": { spec: { type: "LoadBalancer" } },
    "local load balancer": { spec: { type: "LoadBalancer", externalTrafficPolicy: "Local" } },
    "external name": { spec: { type: "ExternalName", externalName: "a.dev", ports: null, selector: null } },
    affinity: { spec: { sessionAffinity: "ClientIP" } },
    ports: {
      spec: {
        ports: [
          { name: "a", port: 80, targetPort: "web" },
          { name: "b", port: 53, protocol: "UDP", targetPort: 5353 },
        ],
      },
    },
    "address given": { spec: { clusterIP: "10.96.200.200" } },
    "addresses given": { spec: { clusterIPs: ["10.96.200.201"] } },
    "external addresses": { spec: { externalIPs: ["1.2.3.4"] } },
    "two families preferred": { spec: { ipFamilyPolicy: "PreferDualStack" } },
    "two families required": { spec: { ipFamilyPolicy: "RequireDualStack" } },
    distribution: { spec: { trafficDistribution: "PreferClose" } },
    "internal local": { spec: { internalTrafficPolicy: "Local" } },
  },
  secrets: {
    data: { data: { a: "eA==" }, stringData: null },
    both: { data: { a: "eA==" }, stringData: { a: "b" } },
    tls: { type: "kubernetes.io/tls", stringData: { "tls.crt": "x", "tls.key": "y" } },
    immutable: { immutable: true },
    nothing: { stringData: null },
  },
  configmaps: { binary: { binaryData: { b: "eA==" } }, nothing: { data: null }, immutable: { immutable: true } },
  persistentvolumes: {
    filesystem: { spec: { volumeMode: "Filesystem", persistentVolumeReclaimPolicy: "Delete" } },
    block: { spec: { volumeMode: "Block" } },
    local: {
      spec: {
        hostPath: null,
        local: { path: "/x" },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "Exists" }] }] } },
      },
    },
    claimed: { spec: { claimRef: { name: "c", namespace: "d" } } },
    class: { spec: { storageClassName: "fast" } },
  },
  persistentvolumeclaims: {
    class: { spec: { storageClassName: "fast" } },
    block: { spec: { volumeMode: "Block" } },
    source: { spec: { dataSource: { kind: "PersistentVolumeClaim", name: "x" } } },
    selector: { spec: { selector: { matchLabels: { a: "b" } } } },
    size: { spec: { resources: { requests: { storage: "1.5Gi" } } } },
  },
  limitranges: {
    "max only": { spec: { limits: [{ type: "Container", max: { cpu: "2", memory: "1Gi" } }] } },
    "min only": { spec: { limits: [{ type: "Container", min: { cpu: "100m" } }] } },
    pods: { spec: { limits: [{ type: "Pod", max: { cpu: "2" } }] } },
  },
  resourcequotas: {
    hard: { spec: { hard: { cpu: "1000m", "requests.memory": "1024Mi", pods: "10" } } },
    scopes: { spec: { hard: { pods: "1" }, scopes: ["Terminating"] } },
  },
  nodes: { capacity: { status: { capacity: { cpu: "2000m" } } }, range: { spec: { podCIDR: "10.1.0.0/24" } }, nothing: { spec: null } },
  namespaces: {
    labels: { metadata: { labels: { a: "b" } } },
    finalizers: { spec: { finalizers: ["o.dev/f"] } },
    status: { status: { phase: "Terminating" } },
  },
  serviceaccounts: { secrets: { secrets: [{ name: "a" }], imagePullSecrets: [{ name: "b" }] } },
  endpoints: {
    order: {
      subsets: [
        {
          addresses: [{ ip: "10.1.2.4" }, { ip: "10.1.2.3" }],
          ports: [
            { name: "b", port: 2 },
            { name: "a", port: 1 },
          ],
        },
      ],
    },
    "not ready": {
      subsets: [{ notReadyAddresses: [{ ip: "10.1.2.4", targetRef: { kind: "Pod", name: "p" } }], ports: [{ port: 2, protocol: "UDP" }] }],
    },
    nothing: { subsets: null },
  },
  events: {
    series: { series: { count: 2, lastObservedTime: "2030-01-01T00:00:00.000000Z" } },
    times: { firstTimestamp: "2030-01-01T00:00:00Z", count: 1 },
  },
  "events.events.k8s.io": { series: { series: { count: 2, lastObservedTime: "2030-01-01T00:00:00.000000Z" } } },
  replicationcontrollers: {
    "no selector": { spec: { selector: null } },
    labels: { spec: { template: { metadata: { labels: { app: "shop", more: "1" } } } } },
  },
  "horizontalpodautoscalers.autoscaling": {
    metrics: {
      spec: { metrics: [{ type: "Resource", resource: { name: "memory", target: { type: "AverageValue", averageValue: "1024Mi" } } }] },
    },
    behavior: { spec: { behavior: { scaleDown: { stabilizationWindowSeconds: 5 } } } },
    "behavior up": { spec: { behavior: { scaleUp: { policies: [{ type: "Pods", value: 2, periodSeconds: 10 }] } } } },
    min: { spec: { minReplicas: 2 } },
    container: {
      spec: {
        metrics: [
          {
            type: "ContainerResource",
            containerResource: { name: "cpu", container: "a", target: { type: "Utilization", averageUtilization: 50 } },
          },
        ],
      },
    },
  },
  "leases.coordination.k8s.io": {
    nothing: { spec: null },
    transitions: { spec: { leaseTransitions: 0, renewTime: "2030-01-01T00:00:00Z" } },
  },
  "endpointslices.discovery.k8s.io": {
    ports: { ports: [{ name: "a", port: 1, protocol: "UDP", appProtocol: "http" }, {}] },
    conditions: {
      endpoints: [{ addresses: ["10.1.2.3"], conditions: { ready: true }, nodeName: "n", hints: { forZones: [{ name: "z" }] } }],
    },
    nothing: { endpoints: null, ports: null },
  },
  "rolebindings.rbac.authorization.k8s.io": {
    "no groups": {
      roleRef: { kind: "Role", name: "r", apiGroup: "" },
      subjects: [
        { kind: "Group", name: "g" },
        { kind: "User", name: "u" },
        { kind: "ServiceAccount", name: "s", namespace: "n" },
      ],
    },
    "no subjects": { subjects: null },
  },
  "clusterroles.rbac.authorization.k8s.io": {
    aggregated: { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: "b" } }] }, rules: null },
    nothing: { rules: null },
  },
  "networkpolicies.networking.k8s.io": {
    nothing: { spec: { ingress: null } },
    egress: {
      spec: {
        ingress: null,
        egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } }], ports: [{ port: "dns", protocol: "UDP" }] }],
      },
    },
    range: { spec: { ingress: [{ ports: [{ port: 1, endPort: 5 }] }] } },
  },
  "ingresses.networking.k8s.io": {
    "default backend": { spec: { rules: null, defaultBackend: { service: { name: "s", port: { name: "web" } } } } },
    tls: { spec: { tls: [{ hosts: ["a.dev"], secretName: "s" }] } },
    annotation: { metadata: { annotations: { "kubernetes.io/ingress.class": "x" } } },
  },
  "ingressclasses.networking.k8s.io": { parameters: { spec: { parameters: { kind: "P", name: "p", apiGroup: "o.dev" } } } },
  "poddisruptionbudgets.policy": {
    unavailable: { spec: { minAvailable: null, maxUnavailable: "10%" } },
    policy: { spec: { unhealthyPodEvictionPolicy: "AlwaysAllow" } },
    nothing: { spec: { minAvailable: null, selector: null } },
  },
};
