/** Making definitions of the kinds Kubernetes has: what follows from group and kind is filled in, types and defaults are worked out when first used. */
import { defaultsOf } from "./defaults.ts";
import type { ResourceDefinition } from "./resource.ts";
import { defaultRules } from "./rules/defaults.ts";
import { kubernetesTypes } from "./tables/index.ts";

/** What a definition says itself. */
export type KindSpec = Pick<ResourceDefinition, "kind" | "plural"> &
  Partial<Omit<ResourceDefinition, "types" | "type" | "group" | "version" | "setDefaults" | "strategicPatch" | "listKind">>;

/** Definitions of one group and version; `prefix` is that of its types: `io.k8s.api.apps.v1.`. */
export function definer(
  group: string,
  version: string,
  prefix = `io.k8s.api.${group.split(".")[0] || "core"}.${version}.`,
): (spec: KindSpec) => ResourceDefinition {
  return (spec) => {
    const type = prefix + spec.kind;
    return {
      group,
      version,
      listKind: `${spec.kind}List`,
      singular: spec.kind.toLowerCase(),
      shortNames: [],
      categories: [],
      namespaced: true,
      status: false,
      strategicPatch: true,
      type,
      setDefaults: defaultsOf(kubernetesTypes, type, defaultRules),
      ...spec,
      get types() {
        return kubernetesTypes();
      },
    };
  };
}
