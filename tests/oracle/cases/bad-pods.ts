/** Pods that are wrong, one way each; merged into the sample. */
type Variant = Readonly<Record<string, unknown>>;
const container = (more: object): Variant => ({ spec: { containers: [{ name: "a", image: "b", ...more }] } });
const volume = (more: object): Variant => ({ spec: { volumes: [{ name: "v", ...more }] } });

export const badPods: Readonly<Record<string, Variant>> = {
  "no containers": { spec: { containers: [] } },
  "no spec": { spec: null },
  "no name": { spec: { containers: [{ image: "b" }] } },
  "bad name": { spec: { containers: [{ name: "A_b", image: "b" }] } },
  "no image": { spec: { containers: [{ name: "a" }] } },
  "image with spaces": container({ image: " b" }),
  "names twice": {
    spec: {
      containers: [
        { name: "a", image: "b" },
        { name: "a", image: "b" },
      ],
    },
  },
  "name of an init container": { spec: { initContainers: [{ name: "app", image: "b" }] } },
  policies: container({ imagePullPolicy: "Sometimes", terminationMessagePolicy: "x" }),
  "restart policy": { spec: { restartPolicy: "Perhaps" } },
  "restart of a container": container({ restartPolicy: "Sometimes" }),
  "dns policy": { spec: { dnsPolicy: "x" } },
  "dns none": { spec: { dnsPolicy: "None" } },
  "dns config": {
    spec: { dnsConfig: { nameservers: ["x", "1.1.1.1", "1.1.1.2", "1.1.1.3"], searches: ["A_"], options: [{ value: "1" }] } },
  },
  ports: container({
    ports: [{ containerPort: 0 }, { containerPort: 70_000, name: "TooLongNameOfAPort" }, { containerPort: 1, protocol: "x", hostPort: -1 }],
  }),
  "port names twice": container({
    ports: [
      { containerPort: 1, name: "a" },
      { containerPort: 2, name: "a" },
    ],
  }),
  "host ports twice": container({
    ports: [
      { containerPort: 1, hostPort: 5 },
      { containerPort: 2, hostPort: 5 },
    ],
  }),
  "host network ports": {
    spec: { hostNetwork: true, containers: [{ name: "a", image: "b", ports: [{ containerPort: 80, hostPort: 81 }] }] },
  },
  env: container({
    env: [
      { name: "" },
      { name: "a=b" },
      { name: "x", value: "1", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
      { name: "y", valueFrom: {} },
    ],
  }),
  "env fields": container({
    env: [
      { name: "a", valueFrom: { fieldRef: { fieldPath: "metadata.nothing" } } },
      { name: "b", valueFrom: { fieldRef: { fieldPath: "metadata.labels['a b']" } } },
      { name: "c", valueFrom: { resourceFieldRef: { resource: "limits.x" } } },
      { name: "d", valueFrom: { configMapKeyRef: { name: "", key: "" } } },
      { name: "e", valueFrom: { secretKeyRef: { name: "x", key: "a b" } } },
    ],
  }),
  "env sources": container({
    envFrom: [{}, { prefix: "a=", configMapRef: { name: "A_" } }, { configMapRef: { name: "a" }, secretRef: { name: "b" } }],
  }),
  probe: container({ livenessProbe: {} }),
  "probe with two": container({ livenessProbe: { exec: { command: ["a"] }, tcpSocket: { port: 1 } } }),
  "probe numbers": container({
    readinessProbe: {
      tcpSocket: { port: 99_999 },
      periodSeconds: -1,
      timeoutSeconds: -1,
      successThreshold: -1,
      failureThreshold: -1,
      initialDelaySeconds: -1,
    },
  }),
  "liveness twice": container({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
  "probe http": container({
    livenessProbe: { httpGet: { path: "", port: "no_port_name_at_all", scheme: "ftp", httpHeaders: [{ name: "a b", value: "x" }] } },
  }),
  exec: container({ livenessProbe: { exec: {} }, lifecycle: { preStop: {}, postStart: { exec: { command: [] } } } }),
  resources: container({ resources: { limits: { cpu: "-1", memory: "x" } } }),
  "resources negative": container({ resources: { limits: { cpu: "-1" } } }),
  "request over limit": container({ resources: { limits: { cpu: "1" }, requests: { cpu: "2" } } }),
  // One each: the real server goes through a map in any order.
  "an unknown resource": container({ resources: { limits: { gold: "1" } } }),
  "half an extended resource": container({ resources: { limits: { "a.dev/gpu": "0.5" } } }),
  "bad name of a resource": container({ resources: { limits: { "a b": "1" } } }),
  "extended request without limit": container({ resources: { requests: { "a.dev/gpu": "1" } } }),
  "hugepages alone": container({ resources: { limits: { "hugepages-2Mi": "2Mi" } } }),
  mounts: container({
    volumeMounts: [
      { name: "none", mountPath: "/a" },
      { name: "", mountPath: "" },
    ],
  }),
  "mount paths": {
    spec: {
      volumes: [{ name: "v", emptyDir: {} }],
      containers: [
        {
          name: "a",
          image: "b",
          volumeMounts: [
            { name: "v", mountPath: "/a" },
            { name: "v", mountPath: "/a" },
            { name: "v", mountPath: "/b", subPath: "../x" },
            { name: "v", mountPath: "/c:d" },
            { name: "v", mountPath: "/e", subPath: "/abs", mountPropagation: "x" },
          ],
        },
      ],
    },
  },
  devices: container({ volumeDevices: [{ name: "none", devicePath: "/a" }] }),
  "working dir": container({ workingDir: "relative" }),
  "volume without name": { spec: { volumes: [{ emptyDir: {} }] } },
  "volumes twice": {
    spec: {
      volumes: [
        { name: "v", emptyDir: {} },
        { name: "v", emptyDir: {} },
      ],
    },
  },
  "volume of two kinds": volume({ emptyDir: {}, hostPath: { path: "/x" } }),
  "volume name": { spec: { volumes: [{ name: "V_", emptyDir: {} }] } },
  "host path": volume({ hostPath: { path: "", type: "x" } }),
  "host path climbing": volume({ hostPath: { path: "/a/../b" } }),
  "secret volume": volume({ secret: {} }),
  "secret items": volume({
    secret: {
      secretName: "s",
      items: [
        { key: "", path: "/a" },
        { key: "k", path: "../x" },
      ],
      defaultMode: 5000,
    },
  }),
  "config map volume": volume({ configMap: {} }),
  claim: volume({ persistentVolumeClaim: {} }),
  projected: {
    spec: {
      serviceAccountName: "default",
      volumes: [
        { name: "v", projected: { sources: [{}, { serviceAccountToken: { path: "", expirationSeconds: 5 } }, { secret: { name: "" } }] } },
      ],
    },
  },
  "token of no account": volume({ projected: { sources: [{ serviceAccountToken: { path: "a" } }] } }),
  "projected twice": volume({
    projected: {
      sources: [
        { configMap: { name: "a", items: [{ key: "a", path: "x" }] } },
        { configMap: { name: "b", items: [{ key: "a", path: "x" }] } },
      ],
    },
  }),
  downward: volume({
    downwardAPI: {
      items: [
        { path: "a" },
        { path: "b", fieldRef: { fieldPath: "spec.nodeName" } },
        { path: "..", fieldRef: { fieldPath: "metadata.name" } },
      ],
    },
  }),
  "empty dir": volume({ emptyDir: { sizeLimit: "-1" } }),
  nfs: volume({ nfs: { server: "", path: "relative" } }),
  csi: volume({ csi: { driver: "" } }),
  affinity: {
    spec: {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "", labelSelector: { matchLabels: { "a b": "c" } } }],
        },
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] },
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }],
        },
      },
    },
  },
  "node expressions": {
    spec: {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: "a", operator: "In" },
                  { key: "b", operator: "Exists", values: ["x"] },
                  { key: "c", operator: "Gt", values: ["x"] },
                  { key: "d", operator: "Nope" },
                ],
              },
            ],
          },
        },
      },
    },
  },
  tolerations: {
    spec: {
      tolerations: [
        { operator: "Exists", value: "x" },
        { operator: "Equal" },
        { key: "a b" },
        { key: "a", operator: "Nope" },
        { key: "a", effect: "x" },
        { key: "a", tolerationSeconds: 5 },
      ],
    },
  },
  spreading: {
    spec: {
      topologySpreadConstraints: [
        { maxSkew: 0, topologyKey: "", whenUnsatisfiable: "x" },
        { maxSkew: 1, topologyKey: "a", whenUnsatisfiable: "ScheduleAnyway", minDomains: 2 },
      ],
    },
  },
  security: {
    spec: {
      securityContext: { runAsUser: -1, fsGroup: -1, sysctls: [{ name: "a b" }], seccompProfile: { type: "x" }, supplementalGroups: [-1] },
      containers: [
        { name: "a", image: "b", securityContext: { runAsUser: -5, privileged: true, allowPrivilegeEscalation: false, procMount: "x" } },
      ],
    },
  },
  "host aliases": { spec: { hostAliases: [{ ip: "x", hostnames: ["A_"] }] } },
  hostname: { spec: { hostname: "A_", subdomain: "b_" } },
  "node name": { spec: { nodeName: "A_" } },
  "node selector": { spec: { nodeSelector: { "a b": "c d" } } },
  grace: { spec: { terminationGracePeriodSeconds: -1, activeDeadlineSeconds: 0 } },
  "service account name": { spec: { serviceAccountName: "A_" } },
  "service account missing": { spec: { serviceAccountName: "missing" } },
  "pull secrets": { spec: { imagePullSecrets: [{}] } },
  gates: { spec: { schedulingGates: [{ name: "a b" }, { name: "a" }, { name: "a" }] } },
  "readiness gates": { spec: { readinessGates: [{ conditionType: "a b" }] } },
  "ephemeral containers": { spec: { ephemeralContainers: [{ name: "e", image: "x" }] } },
  "scheduler name": { spec: { schedulerName: "A_" } },
  "priority class": { spec: { priorityClassName: "none" } },
  preemption: { spec: { preemptionPolicy: "x" } },
  os: { spec: { os: { name: "beos" } } },
  "set hostname": { spec: { setHostnameAsFQDN: true, hostPID: true, shareProcessNamespace: true } },
  overhead: { spec: { overhead: { cpu: "1" } } },
  "runtime class": { spec: { runtimeClassName: "none" } },
  "wrong types": { spec: { containers: "x" } },
  "a number as text": { spec: { terminationGracePeriodSeconds: "5" } },
  "a fraction": { spec: { terminationGracePeriodSeconds: 1.5 } },
  "too large a number": { spec: { priority: 99_999_999_999 } },
  claims: { spec: { resourceClaims: [{ name: "a" }, { name: "a", resourceClaimName: "x" }] } },
};
