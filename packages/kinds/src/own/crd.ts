/** CustomResourceDefinitions of our own kinds, made from their schemas. api/crds holds them as YAML; `mecha up` serves them from the start. */
import type { JsonObject, KubeObject } from "../object.ts";
import type { Schema } from "./schema.ts";

/** What a kind of ours says of itself. */
export interface OwnKind<Spec, Status> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: Schema<Spec>;
  readonly status: Schema<Status>;
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath?: string };
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly jsonPath: string;
    readonly priority?: number;
    readonly description: string;
  }[];
}

/** An object of a kind of ours. */
export interface OwnObject<Spec, Status> extends KubeObject {
  spec: Spec;
  status?: Status;
}

/** `OwnObject` of a kind's own types. */
export type ObjectOfKind<K> = K extends OwnKind<infer Spec, infer Status> ? OwnObject<Spec, Status> : never;

/** The CRD, as `kubectl apply` takes it. */
export function crdOf(kind: OwnKind<unknown, unknown>): KubeObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      scope: "Namespaced",
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        ...(kind.shortNames.length > 0 && { shortNames: [...kind.shortNames] }),
        categories: ["mecha"],
      },
      versions: [
        {
          name: kind.version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schemaOf(kind) },
          subresources: { status: {}, ...(kind.scale && { scale: { ...kind.scale } }) },
          additionalPrinterColumns: [
            ...kind.columns.map((column) => ({ ...column })),
            {
              name: "Age",
              type: "date",
              jsonPath: ".metadata.creationTimestamp",
              description: "Time since the server stored the object first.",
            },
          ],
        },
      ],
    },
  };
}

function schemaOf({ description, kind, spec, status }: OwnKind<unknown, unknown>): JsonObject {
  return {
    type: "object",
    description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Group and version of the object's kind." },
      kind: { type: "string", description: `Always ${kind}.` },
      metadata: { type: "object" },
      spec: spec.json,
      status: status.json,
    },
  };
}
