/** Every built-in kind that is served. */
import { customResourceDefinition } from "./apiextensions/custom-resource-definition.ts";
import { deployment, replicaSet } from "./apps/deployment.ts";
import { controllerRevision, daemonSet, statefulSet } from "./apps/sets.ts";
import { selfSubjectReview, tokenReview } from "./authentication/reviews.ts";
import { localSubjectAccessReview, selfSubjectAccessReview, selfSubjectRulesReview, subjectAccessReview } from "./authorization/reviews.ts";
import { horizontalPodAutoscaler } from "./autoscaling/autoscaler.ts";
import { horizontalPodAutoscalerV1 } from "./autoscaling/autoscaler-v1.ts";
import { cronJob, job } from "./batch/batch.ts";
import { lease } from "./coordination/lease.ts";
import { endpoints, limitRange, node, replicationController, resourceQuota, serviceAccount } from "./core/cluster.ts";
import { configMap, secret } from "./core/config.ts";
import { namespace } from "./core/namespace.ts";
import { pod } from "./core/pod.ts";
import { service } from "./core/service.ts";
import { persistentVolume, persistentVolumeClaim } from "./core/storage.ts";
import { endpointSlice } from "./discovery/endpoint-slice.ts";
import { coreEvent, event } from "./events/event.ts";
import { ingress, ingressClass, networkPolicy } from "./networking/networking.ts";
import { podDisruptionBudget } from "./policy/disruption-budget.ts";
import { clusterRole, clusterRoleBinding, role, roleBinding } from "./rbac/rbac.ts";
import type { ResourceDefinition } from "./resource.ts";
import { priorityClass } from "./scheduling/priority-class.ts";

const kinds: readonly ResourceDefinition[] = [
  configMap,
  endpoints,
  coreEvent,
  limitRange,
  namespace,
  node,
  persistentVolumeClaim,
  persistentVolume,
  pod,
  replicationController,
  resourceQuota,
  secret,
  serviceAccount,
  service,
  controllerRevision,
  daemonSet,
  deployment,
  replicaSet,
  statefulSet,
  event,
  selfSubjectReview,
  tokenReview,
  localSubjectAccessReview,
  selfSubjectAccessReview,
  selfSubjectRulesReview,
  subjectAccessReview,
  horizontalPodAutoscaler,
  horizontalPodAutoscalerV1,
  cronJob,
  job,
  networkPolicy,
  ingressClass,
  ingress,
  podDisruptionBudget,
  clusterRoleBinding,
  clusterRole,
  roleBinding,
  role,
  customResourceDefinition,
  lease,
  priorityClass,
  endpointSlice,
];

/** Definitions by group, in the order discovery lists them: the core group first. */
export function allKinds(): readonly ResourceDefinition[] {
  return kinds;
}
