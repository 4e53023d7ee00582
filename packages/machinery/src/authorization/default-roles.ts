/**
 * Roles and bindings every cluster has (Kubernetes, "Default roles and role bindings"), as far as there is something here for them to allow. Made at each start
 * where they are missing; one that was changed is left alone, as with the annotation rbac.authorization.kubernetes.io/autoupdate: "false".
 */
import type { KubeObject } from "@mecha/kinds";
import { aggregatedRules } from "./aggregation.ts";
import type { PolicyRule } from "./rules.ts";

const readVerbs = ["get", "list", "watch"];
const writeVerbs = ["create", "delete", "deletecollection", "patch", "update"];

/** What an application's people work with, by group. Not: Nodes, PersistentVolumes, roles, quotas, which are the cluster's. */
const workloads: readonly (readonly [group: string, resources: readonly string[]])[] = [
  [
    "",
    [
      "configmaps",
      "endpoints",
      "events",
      "persistentvolumeclaims",
      "pods",
      "pods/log",
      "pods/status",
      "replicationcontrollers",
      "replicationcontrollers/scale",
      "serviceaccounts",
      "services",
    ],
  ],
  [
    "apps",
    [
      "controllerrevisions",
      "daemonsets",
      "deployments",
      "deployments/scale",
      "deployments/status",
      "replicasets",
      "replicasets/scale",
      "statefulsets",
      "statefulsets/scale",
    ],
  ],
  ["autoscaling", ["horizontalpodautoscalers"]],
  ["batch", ["cronjobs", "jobs"]],
  ["discovery.k8s.io", ["endpointslices"]],
  ["events.k8s.io", ["events"]],
  ["networking.k8s.io", ["ingresses", "networkpolicies"]],
  ["policy", ["poddisruptionbudgets"]],
  ["coordination.k8s.io", ["leases"]],
  ["cloudstate.io", ["statefulservices", "statefulstores"]],
];

const rulesOver = (verbs: readonly string[]): PolicyRule[] =>
  workloads.map(([group, resources]) => ({ apiGroups: [group], resources: [...resources], verbs: [...verbs] }));

const view: readonly PolicyRule[] = [{ apiGroups: [""], resources: ["namespaces"], verbs: readVerbs }, ...rulesOver(readVerbs)];
const edit: readonly PolicyRule[] = [
  ...rulesOver(writeVerbs),
  { apiGroups: [""], resources: ["secrets"], verbs: [...readVerbs, ...writeVerbs] },
  {
    apiGroups: [""],
    resources: ["pods/attach", "pods/exec", "pods/portforward", "pods/eviction", "serviceaccounts/token"],
    verbs: ["create", "get"],
  },
  { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["impersonate"] },
];
const admin: readonly PolicyRule[] = [
  { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: [...readVerbs, ...writeVerbs] },
  { apiGroups: ["authorization.k8s.io"], resources: ["localsubjectaccessreviews"], verbs: ["create"] },
];

const discoveryPaths = [
  "/api",
  "/api/*",
  "/apis",
  "/apis/*",
  "/healthz",
  "/livez",
  "/openapi",
  "/openapi/*",
  "/readyz",
  "/version",
  "/version/",
];

const clusterRoles: Readonly<Record<string, readonly PolicyRule[]>> = {
  "cluster-admin": [
    { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
    { nonResourceURLs: ["*"], verbs: ["*"] },
  ],
  "system:aggregate-to-admin": admin,
  "system:aggregate-to-edit": edit,
  "system:aggregate-to-view": view,
  "system:basic-user": [
    { apiGroups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], verbs: ["create"] },
    { apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"], verbs: ["create"] },
  ],
  "system:discovery": [{ nonResourceURLs: discoveryPaths, verbs: ["get"] }],
  "system:public-info-viewer": [{ nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version", "/version/"], verbs: ["get"] }],
  "system:monitoring": [
    { nonResourceURLs: ["/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*"], verbs: ["get"] },
  ],
  "system:auth-delegator": [
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  ],
};

/** Roles people are given, made of all roles with the label of their name; each is part of the next. Somebody's own kinds come in by that label. */
const aggregated: Readonly<Record<string, string | undefined>> = { admin: undefined, edit: "admin", view: "edit" };

const aggregateTo = (name: string): string => `rbac.authorization.k8s.io/aggregate-to-${name}`;
const ownPart = /^system:aggregate-to-(.+)$/u;

const clusterRoleBindings: Readonly<Record<string, readonly string[]>> = {
  "cluster-admin": ["system:masters"],
  "system:basic-user": ["system:authenticated"],
  "system:discovery": ["system:authenticated"],
  "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
  "system:monitoring": ["system:monitoring"],
};

const apiVersion = "rbac.authorization.k8s.io/v1";
const metadata = (name: string, aggregateInto?: string): KubeObject["metadata"] => ({
  name,
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
  labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...(aggregateInto !== undefined && { [aggregateTo(aggregateInto)]: "true" }) },
});

/** ClusterRoles and ClusterRoleBindings to make where they are missing. Aggregated roles have their rules already: nobody has to wait for a controller. */
export function defaultRbacObjects(): readonly KubeObject[] {
  const plain = Object.entries(clusterRoles).map(([name, rules]): KubeObject => ({
    apiVersion,
    kind: "ClusterRole",
    metadata: metadata(name, ownPart.exec(name)?.[1]),
    rules,
  }));
  const roles = [...plain];
  // The smallest first: the others are made of it.
  for (const [name, part] of Object.entries(aggregated).reverse()) {
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { [aggregateTo(name)]: "true" } }] };
    const role: KubeObject = { apiVersion, kind: "ClusterRole", metadata: metadata(name, part), aggregationRule };
    roles.push({ ...role, rules: aggregatedRules(role, roles) });
  }
  const bindings = Object.entries(clusterRoleBindings).map(([name, groups]): KubeObject => ({
    apiVersion,
    kind: "ClusterRoleBinding",
    metadata: metadata(name),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: groups.map((group) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group })),
  }));
  return [...roles, ...bindings];
}
