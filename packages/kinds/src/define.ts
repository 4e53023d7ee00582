/** Making definitions of the kinds Kubernetes has: what follows from group and kind is filled in, types and defaults are worked out when first used. */
import { decodeByType } from "./decode.ts";
import { type DefaultRule, defaultsOf } from "./defaults.ts";
import type { JsonObject } from "./object.ts";
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
      setDefaults: withStatus(spec, type, defaultsOf(kubernetesTypes, type, defaultRules)),
      ...spec,
      get types() {
        return kubernetesTypes();
      },
    };
  };
}

/** An object whose status was not said (a create drops it) has an empty one, with what its type writes even when empty. */
function withStatus(spec: KindSpec, type: string, rule: DefaultRule): DefaultRule {
  if (spec.status !== true) return rule;
  let empty: string | undefined;
  return (object: JsonObject) => {
    empty ??= JSON.stringify(decodeByType(kubernetesTypes(), type, {}).object["status"] ?? {});
    object["status"] ??= JSON.parse(empty) as unknown;
    rule(object);
  };
}
