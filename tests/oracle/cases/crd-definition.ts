/** CustomResourceDefinitions the cases ask with. */
interface Definition {
  readonly schema: object;
  readonly scope?: string;
  readonly more?: object;
  readonly spec?: object;
  readonly names?: object;
}

/** Each case has a group of its own, so that none meets another's kinds. */
export function definition(group: string, { schema, scope = "Namespaced", more, spec, names }: Definition): any {
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema }, ...more };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `gizmos.${group}` },
    spec: {
      group,
      scope,
      names: { plural: "gizmos", singular: "gizmo", kind: "Gizmo", shortNames: ["gz"], ...names },
      versions: [version],
      ...spec,
    },
  };
}
