/** Admission plugins of the real server that act for nodes, volumes and quotas, of which a server without a cluster has none. */
export const pluginsLeftOut: readonly string[] = [
  "ServiceAccount",
  "DefaultTolerationSeconds",
  "TaintNodesByCondition",
  "Priority",
  "StorageObjectInUseProtection",
  "PersistentVolumeClaimResize",
  "DefaultStorageClass",
  "DefaultIngressClass",
  "RuntimeClass",
  "PodSecurity",
  "LimitRanger",
  "ResourceQuota",
];
