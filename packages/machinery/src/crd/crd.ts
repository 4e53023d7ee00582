/** CustomResourceDefinitions, apiextensions/v1: what this server reads of them. */
import type { KubeObject } from "@mecha/kinds";
import type { JsonSchema } from "./schema.ts";

export interface CrdNames {
  readonly plural: string;
  readonly singular?: string;
  readonly kind: string;
  readonly listKind?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

export interface CrdColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

export interface CrdVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly deprecated?: boolean;
  readonly deprecationWarning?: string;
  readonly schema?: { readonly openAPIV3Schema?: JsonSchema };
  readonly subresources?: {
    readonly status?: object;
    readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath?: string };
  };
  readonly additionalPrinterColumns?: readonly CrdColumn[];
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
}

export interface CrdCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface CrdStatus {
  readonly conditions?: readonly CrdCondition[];
  readonly acceptedNames?: CrdNames;
  readonly storedVersions?: readonly string[];
}

export interface CrdConversion {
  readonly strategy: string;
  readonly webhook?: { readonly clientConfig?: WebhookClientConfig; readonly conversionReviewVersions?: readonly string[] };
}

export interface WebhookClientConfig {
  readonly url?: string;
  readonly service?: { readonly namespace?: string; readonly name?: string; readonly path?: string; readonly port?: number };
}

export interface Crd extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly names: CrdNames;
    readonly scope: string;
    readonly versions: readonly CrdVersion[];
    readonly conversion?: CrdConversion;
    readonly preserveUnknownFields?: boolean;
  };
  readonly status?: CrdStatus;
}

export const isTrue = (crd: Crd, type: string): boolean =>
  crd.status?.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;

/**
 * Versions that can be asked for here, the CRD's order. Strategy None serves all that the CRD serves; what a webhook converts is served in the one version that
 * needs no conversion, the storage version: this server calls no webhooks.
 */
export function servedVersions({ spec: { versions, conversion } }: Crd): readonly CrdVersion[] {
  return versions.filter(({ served, storage }) => served && (storage || conversion?.strategy !== "Webhook"));
}
