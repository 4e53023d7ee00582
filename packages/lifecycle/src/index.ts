/** Reconcilers: each folder decides in plan.ts and carries out in apply.ts. They know the API only through machinery's client, so they run against any server. */
export {
  type ConfigRef,
  environmentOf,
  type EnvironmentReading,
  type EnvironmentSources,
  expand,
  needs as environmentNeeds,
} from "./environment/index.ts";
export { GarbageCollector, type GarbagePorts } from "./garbage/index.ts";
export { namespaceController } from "./namespace/index.ts";
export { kubernetesService } from "./kubernetes-service/index.ts";
export type { ApiServerPlace } from "./kubernetes-service/plan.ts";
export { namespaceDefaults } from "./namespace-defaults/index.ts";
export { roleAggregation } from "./role-aggregation/index.ts";
