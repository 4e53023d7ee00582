/** Every built-in kind that is served. */
import { deployment, replicaSet } from "./apps/deployment.ts";
import { configMap, secret } from "./core/config.ts";
import { namespace } from "./core/namespace.ts";
import { pod } from "./core/pod.ts";
import { service } from "./core/service.ts";
import type { ResourceDefinition } from "./resource.ts";

/** Definitions in the order discovery lists them: by group, then as kubectl users meet them. */
export function allKinds(): readonly ResourceDefinition[] {
  return [configMap, namespace, pod, secret, service, deployment, replicaSet];
}
