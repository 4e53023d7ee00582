/**
 * Defaults of the types Kubernetes has, one rule for each type that has some; facts of the API server 1.36. Kinds of one group share types with others
 * (every workload holds a PodSpec), so all rules are in one table.
 */
import { ensureObject, isObject, listAt, mapAt, numberAt, objectAt, objectsAt, setAbsent, setDefault, textAt } from "../access.ts";
import type { DefaultRule, DefaultRules } from "../defaults.ts";
import type { JsonObject } from "../object.ts";
import { imageTag } from "../values/image.ts";
import { defaultPodRequests } from "./pod-resources.ts";

/** 0644: files of volumes are readable by all, writable by their owner. */
const fileMode = 0o644;
/** Seconds a client stays with one endpoint of a Service that asks for it: three hours. */
const affinitySeconds = 10_800;

const defaultMode: DefaultRule = (volume) => setAbsent(volume, "defaultMode", fileMode);

const pullPolicy = (image: string): string => (imageTag(image) === "latest" ? "Always" : "IfNotPresent");

function container(value: JsonObject): void {
  setDefault(value, "imagePullPolicy", pullPolicy(textAt(value, "image")));
  setDefault(value, "terminationMessagePath", "/dev/termination-log");
  setDefault(value, "terminationMessagePolicy", "File");
}

function service({ spec, status }: JsonObject): void {
  if (!isObject(spec)) return;
  setDefault(spec, "sessionAffinity", "None");
  if (spec["sessionAffinity"] === "None") delete spec["sessionAffinityConfig"];
  if (spec["sessionAffinity"] === "ClientIP" && numberAt(spec, "sessionAffinityConfig.clientIP.timeoutSeconds") === 0)
    spec["sessionAffinityConfig"] = { clientIP: { timeoutSeconds: affinitySeconds } };
  setDefault(spec, "type", "ClusterIP");
  const type = spec["type"];
  for (const port of objectsAt(spec, "ports")) {
    setDefault(port, "protocol", "TCP");
    setDefault(port, "targetPort", port["port"]);
  }
  const outside = type === "NodePort" || type === "LoadBalancer" || (type === "ClusterIP" && listAt(spec, "externalIPs").length > 0);
  if (outside) setDefault(spec, "externalTrafficPolicy", "Cluster");
  if (type !== "ExternalName") setAbsent(spec, "internalTrafficPolicy", "Cluster");
  if (type !== "LoadBalancer") return;
  setAbsent(spec, "allocateLoadBalancerNodePorts", true);
  for (const ingress of objectsAt(status, "loadBalancer.ingress")) if (ingress["ip"]) setAbsent(ingress, "ipMode", "VIP");
}

/** What only a Pod gets, not a template. */
function pod({ spec }: JsonObject): void {
  if (!isObject(spec)) return;
  for (const list of ["containers", "initContainers"]) for (const value of objectsAt(spec, list)) requestsFromLimits(value);
  defaultPodRequests(spec);
  setAbsent(spec, "enableServiceLinks", true);
  if (spec["hostNetwork"] !== true) return;
  for (const list of ["containers", "initContainers"])
    for (const value of objectsAt(spec, list))
      for (const port of objectsAt(value, "ports")) setDefault(port, "hostPort", port["containerPort"]);
}

/** A container that says how much it may have asks for as much. */
function requestsFromLimits(value: JsonObject): void {
  const limits = mapAt(value, "resources.limits");
  if (Object.keys(limits).length === 0) return;
  const requests = ensureObject(ensureObject(value, "resources"), "requests");
  for (const [name, quantity] of Object.entries(limits)) setAbsent(requests, name, quantity);
}

function podSpec(spec: JsonObject): void {
  setDefault(spec, "dnsPolicy", "ClusterFirst");
  setDefault(spec, "restartPolicy", "Always");
  setAbsent(spec, "securityContext", {});
  setAbsent(spec, "terminationGracePeriodSeconds", 30);
  setDefault(spec, "schedulerName", "default-scheduler");
  // An older name of the same field is kept in step.
  if (spec["serviceAccountName"]) spec["serviceAccount"] = spec["serviceAccountName"];
  else if (spec["serviceAccount"]) spec["serviceAccountName"] = spec["serviceAccount"];
}

function volume(value: JsonObject): void {
  if (Object.keys(value).every((name) => name === "name")) value["emptyDir"] = {};
}

function probe(value: JsonObject): void {
  setDefault(value, "timeoutSeconds", 1);
  setDefault(value, "periodSeconds", 10);
  setDefault(value, "successThreshold", 1);
  setDefault(value, "failureThreshold", 3);
}

function limitRangeItem(item: JsonObject): void {
  if (item["type"] !== "Container") return;
  const limit = ensureObject(item, "default");
  const request = ensureObject(item, "defaultRequest");
  for (const [name, value] of Object.entries(objectAt(item, "max"))) setAbsent(limit, name, value);
  for (const [name, value] of Object.entries(limit)) setAbsent(request, name, value);
  for (const [name, value] of Object.entries(objectAt(item, "min"))) setAbsent(request, name, value);
  for (const name of ["default", "defaultRequest"]) if (Object.keys(objectAt(item, name)).length === 0) delete item[name];
}

function replicationController(value: JsonObject): void {
  const labels = mapAt(value, "spec.template.metadata.labels");
  if (Object.keys(labels).length === 0) return;
  const spec = ensureObject(value, "spec");
  if (Object.keys(mapAt(spec, "selector")).length === 0) spec["selector"] = { ...labels };
  const meta = ensureObject(value, "metadata");
  if (Object.keys(mapAt(meta, "labels")).length === 0) meta["labels"] = { ...labels };
}

/** `stringData` is written, never read: its texts go into `data` and win there. */
function foldStringData(secret: JsonObject): void {
  const texts = Object.entries(mapAt(secret, "stringData"));
  delete secret["stringData"];
  if (texts.length === 0) return;
  const data: Record<string, string> = { ...mapAt(secret, "data") };
  for (const [key, value] of texts)
    data[key] = btoa(Array.from(new TextEncoder().encode(value), (byte) => String.fromCharCode(byte)).join(""));
  secret["data"] = data;
}

function namespace(value: JsonObject): void {
  const meta = ensureObject(value, "metadata");
  if (meta["name"]) ensureObject(meta, "labels")["kubernetes.io/metadata.name"] = meta["name"];
}

function rollingUpdate(strategy: JsonObject, unavailable: unknown, surge: unknown): void {
  setDefault(strategy, "type", "RollingUpdate");
  if (strategy["type"] !== "RollingUpdate") return;
  const rolling = ensureObject(strategy, "rollingUpdate");
  setAbsent(rolling, "maxUnavailable", unavailable);
  setAbsent(rolling, "maxSurge", surge);
}

function statefulSetSpec(spec: JsonObject): void {
  setDefault(spec, "podManagementPolicy", "OrderedReady");
  const strategy = ensureObject(spec, "updateStrategy");
  if (!strategy["type"]) {
    strategy["type"] = "RollingUpdate";
    ensureObject(strategy, "rollingUpdate");
  }
  const rolling = strategy["rollingUpdate"];
  if (strategy["type"] === "RollingUpdate" && isObject(rolling)) setAbsent(rolling, "partition", 0);
  const retention = ensureObject(spec, "persistentVolumeClaimRetentionPolicy");
  setDefault(retention, "whenDeleted", "Retain");
  setDefault(retention, "whenScaled", "Retain");
  setAbsent(spec, "replicas", 1);
  setAbsent(spec, "revisionHistoryLimit", 10);
  for (const claim of objectsAt(spec, "volumeClaimTemplates")) {
    setDefault(claim, "apiVersion", "v1");
    setDefault(claim, "kind", "PersistentVolumeClaim");
  }
}

function jobSpec(spec: JsonObject): void {
  setAbsent(spec, "manualSelector", false);
  if (spec["completions"] === undefined && spec["parallelism"] === undefined) spec["completions"] = 1;
  setAbsent(spec, "parallelism", 1);
  setAbsent(spec, "backoffLimit", spec["backoffLimitPerIndex"] === undefined ? 6 : 2_147_483_647);
  setAbsent(spec, "completionMode", "NonIndexed");
  setAbsent(spec, "suspend", false);
  setAbsent(spec, "podReplacementPolicy", isObject(spec["podFailurePolicy"]) ? "Failed" : "TerminatingOrFailed");
  for (const rule of objectsAt(spec, "podFailurePolicy.rules"))
    for (const condition of objectsAt(rule, "onPodConditions")) setDefault(condition, "status", "True");
}

/** A Job only: what a CronJob holds gets these when the Job is made. One without labels gets its template's. */
function job(value: JsonObject): void {
  jobSpec(ensureObject(value, "spec"));
  const labels = mapAt(value, "spec.template.metadata.labels");
  const meta = ensureObject(value, "metadata");
  // One map for both, as the server has it: labels the Job gets for its pods become its own.
  if (Object.keys(labels).length > 0 && Object.keys(mapAt(meta, "labels")).length === 0) meta["labels"] = labels;
}

function cronJobSpec(spec: JsonObject): void {
  setDefault(spec, "concurrencyPolicy", "Allow");
  setAbsent(spec, "suspend", false);
  setAbsent(spec, "successfulJobsHistoryLimit", 3);
  setAbsent(spec, "failedJobsHistoryLimit", 1);
}

function roleRef(ref: JsonObject): void {
  setDefault(ref, "apiGroup", "rbac.authorization.k8s.io");
}

function subject(value: JsonObject): void {
  if (value["kind"] === "User" || value["kind"] === "Group") setDefault(value, "apiGroup", "rbac.authorization.k8s.io");
}

function networkPolicySpec(spec: JsonObject): void {
  if (listAt(spec, "policyTypes").length > 0) return;
  spec["policyTypes"] = listAt(spec, "egress").length > 0 ? ["Ingress", "Egress"] : ["Ingress"];
}

function autoscalerSpec(spec: JsonObject): void {
  setAbsent(spec, "minReplicas", 1);
  if (listAt(spec, "metrics").length === 0)
    spec["metrics"] = [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }];
  const behavior = spec["behavior"];
  if (!isObject(behavior)) return;
  scalingRules(ensureObject(behavior, "scaleUp"), [
    { type: "Pods", value: 4, periodSeconds: 15 },
    { type: "Percent", value: 100, periodSeconds: 15 },
  ]);
  setAbsent(ensureObject(behavior, "scaleUp"), "stabilizationWindowSeconds", 0);
  scalingRules(ensureObject(behavior, "scaleDown"), [{ type: "Percent", value: 100, periodSeconds: 15 }]);
}

function scalingRules(rules: JsonObject, policies: readonly JsonObject[]): void {
  setAbsent(rules, "selectPolicy", "Max");
  if (listAt(rules, "policies").length === 0) rules["policies"] = policies.map((policy) => ({ ...policy }));
}

function crdSpec(spec: JsonObject): void {
  const names = ensureObject(spec, "names");
  setDefault(names, "singular", textAt(names, "kind").toLowerCase());
  setDefault(names, "listKind", `${textAt(names, "kind")}List`);
  if (spec["conversion"] === undefined) spec["conversion"] = { strategy: "None" };
}

const core: Readonly<Record<string, DefaultRule>> = {
  ConfigMapVolumeSource: defaultMode,
  Container: container,
  EphemeralContainer: container,
  DownwardAPIVolumeSource: defaultMode,
  EndpointPort: (port) => setDefault(port, "protocol", "TCP"),
  HTTPGetAction: (action) => {
    setDefault(action, "path", "/");
    setDefault(action, "scheme", "HTTP");
  },
  HostPathVolumeSource: (source) => setAbsent(source, "type", ""),
  ImageVolumeSource: (source) => setDefault(source, "pullPolicy", pullPolicy(textAt(source, "reference"))),
  LimitRangeItem: limitRangeItem,
  Namespace: namespace,
  NamespaceStatus: (status) => setDefault(status, "phase", "Active"),
  NodeSpec: (spec) => {
    // The older field says the first of the newer one.
    const [one, all] = [textAt(spec, "podCIDR"), listAt(spec, "podCIDRs")];
    if (one !== "" && all[0] !== one) spec["podCIDRs"] = [one];
    else if (one === "" && all.length > 0) spec["podCIDR"] = all[0];
  },
  NodeStatus: (status) => {
    if (status["allocatable"] === undefined && isObject(status["capacity"])) status["allocatable"] = { ...status["capacity"] };
  },
  ObjectFieldSelector: (selector) => setDefault(selector, "apiVersion", "v1"),
  PersistentVolumeSpec: (spec) => {
    setDefault(spec, "persistentVolumeReclaimPolicy", "Retain");
    setAbsent(spec, "volumeMode", "Filesystem");
  },
  PersistentVolumeStatus: (status) => setDefault(status, "phase", "Pending"),
  PersistentVolumeClaimSpec: (spec) => setAbsent(spec, "volumeMode", "Filesystem"),
  PersistentVolumeClaim: (claim) => setDefault(ensureObject(claim, "status"), "phase", "Pending"),
  Pod: pod,
  PodSpec: podSpec,
  PodStatus: (status) => {
    // Here too.
    const [one, first] = [textAt(status, "podIP"), textAt(listAt(status, "podIPs")[0], "ip")];
    if (one !== "" && first !== one) status["podIPs"] = [{ ip: one }];
    else if (one === "" && first !== "") status["podIP"] = first;
  },
  Probe: probe,
  ProjectedVolumeSource: defaultMode,
  ReplicationController: replicationController,
  ReplicationControllerSpec: (spec) => setAbsent(spec, "replicas", 1),
  Secret: (secret) => {
    foldStringData(secret);
    setDefault(secret, "type", "Opaque");
  },
  SecretVolumeSource: defaultMode,
  Service: service,
  ServiceAccountTokenProjection: (token) => setAbsent(token, "expirationSeconds", 3_600),
  Volume: volume,
};

/** A DaemonSet's count of changes of its template, from the time when it was a field. */
export const templateGeneration = "deprecated.daemonset.template.generation";

const apps: Readonly<Record<string, DefaultRule>> = {
  DeploymentSpec: (spec) => {
    setAbsent(spec, "replicas", 1);
    rollingUpdate(ensureObject(spec, "strategy"), "25%", "25%");
    setAbsent(spec, "revisionHistoryLimit", 10);
    setAbsent(spec, "progressDeadlineSeconds", 600);
  },
  ReplicaSetSpec: (spec) => setAbsent(spec, "replicas", 1),
  StatefulSetSpec: statefulSetSpec,
  DaemonSet: (set) => setAbsent(ensureObject(ensureObject(set, "metadata"), "annotations"), templateGeneration, "0"),
  DaemonSetSpec: (spec) => {
    rollingUpdate(ensureObject(spec, "updateStrategy"), 1, 0);
    setAbsent(spec, "revisionHistoryLimit", 10);
  },
};

const named = (prefix: string, rules: Readonly<Record<string, DefaultRule>>): (readonly [string, DefaultRule])[] =>
  Object.entries(rules).map(([name, rule]) => [prefix + name, rule] as const);

/** Every rule, by the full name of its type. */
export const defaultRules: DefaultRules = new Map([
  ...named("io.k8s.api.core.v1.", core),
  ...named("io.k8s.api.apps.v1.", apps),
  ...named("io.k8s.api.batch.v1.", { Job: job, CronJobSpec: cronJobSpec }),
  ...named("io.k8s.api.rbac.v1.", { RoleRef: roleRef, Subject: subject }),
  ...named("io.k8s.api.networking.v1.", {
    NetworkPolicyPort: (port: JsonObject) => setDefault(port, "protocol", "TCP"),
    NetworkPolicySpec: networkPolicySpec,
    IngressClassParametersReference: (parameters: JsonObject) => setAbsent(parameters, "scope", "Cluster"),
  }),
  ...named("io.k8s.api.discovery.v1.", {
    EndpointPort: (port: JsonObject) => {
      setAbsent(port, "name", "");
      setAbsent(port, "protocol", "TCP");
    },
  }),
  ...named("io.k8s.api.scheduling.v1.", { PriorityClass: (one: JsonObject) => setAbsent(one, "preemptionPolicy", "PreemptLowerPriority") }),
  ...named("io.k8s.api.autoscaling.v1.", { HorizontalPodAutoscalerSpec: (spec: JsonObject) => setAbsent(spec, "minReplicas", 1) }),
  ...named("io.k8s.api.autoscaling.v2.", { HorizontalPodAutoscalerSpec: autoscalerSpec }),
  ...named("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.", { CustomResourceDefinitionSpec: crdSpec }),
]);
