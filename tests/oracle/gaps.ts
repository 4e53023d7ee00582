/**
 * Where a real kube-apiserver answers otherwise and ours may come to it yet: by case, the requests that differ (our own kinds: their numbers). A rule that
 * is not checked, or a refusal in other words. Whoever mends one takes its line away; the comparison fails until then.
 */
export const gaps: Readonly<Record<string, readonly string[]>> = {
  "defaults/pods": ["volumes", "resources"],
  "defaults/deployments.apps": ["template: volumes", "template: resources"],
  "defaults/statefulsets.apps": ["template: volumes"],
  "defaults/jobs.batch": ["labels"],
  "defaults/secrets": ["tls"],
  "defaults/persistentvolumes": ["claimed"],
  "defaults/nodes": ["capacity"],
  "defaults/namespaces": ["finalizers"],
  "defaults/leases.coordination.k8s.io": ["transitions"],
  "defaults/ingresses.networking.k8s.io": ["annotation"],
  "invalid/pods": ["projected", "pull secrets"],
  "invalid/secrets": ["tls empty"],
  "invalid/serviceaccounts": ["secrets"],
  "invalid/namespaces": ["finalizers"],
  "invalid/nodes": ["provider"],
  "invalid/leases.coordination.k8s.io": ["times"],
  "crd/life": ["create", "get", "table", "version", "other names", "stored versions"],
  "crd/versions": ["changed as v1beta1", "applied as v1beta1"],
  "crd/invalid": ["unknown format"],
  "access/impersonation": ["alice may not"],
  "access/tokens": ["answer"],
};
