/**
 * Where a real kube-apiserver answers otherwise and ours may come to it yet: by case, the requests that differ (our own kinds: their numbers). A rule that
 * is not checked, or a refusal in other words. Whoever mends one takes its line away; the comparison fails until then.
 */
export const gaps: Readonly<Record<string, readonly string[]>> = {
  "crd/life": ["create", "get", "table", "version", "other names", "stored versions"],
  "access/impersonation": ["alice may not"],
  "access/tokens": ["answer"],
  "warnings/pods": ["parts of bytes", "negative grace"],
  "warnings/deployments.apps": ["parts of bytes", "app armor unread"],
  "warnings/replicasets.apps": ["parts of bytes"],
  "warnings/daemonsets.apps": ["parts of bytes"],
  "warnings/replicationcontrollers": ["parts of bytes"],
  "warnings/statefulsets.apps": ["parts of bytes"],
  "warnings/jobs.batch": ["parts of bytes", "many"],
  "warnings/cronjobs.batch": ["parts of bytes"],
  "warnings/persistentvolumes": ["annotations"],
  "warnings/nodes": ["config"],
  "warnings/endpointslices.discovery.k8s.io": ["addresses"],
  "warnings/names": ["jobs.batch too long", "statefulsets.apps with dots", "statefulsets.apps too long"],
};
