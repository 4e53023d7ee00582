/** The rules of CustomResourceDefinitions that need schemas, rules and patterns understood: what @mecha/kinds leaves to this package. */
import type { KubeObject, ResourceDefinition } from "@mecha/kinds";
import { isObject } from "../json.ts";
import { validateCrd } from "./check-crd.ts";
import type { Crd } from "./crd.ts";
import { crdWarnings } from "./warnings.ts";

export const crdGroup = "apiextensions.k8s.io";
export const crdPlural = "customresourcedefinitions";
/** Held until the objects of the kind are gone. */
export const cleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The definition with schemas checked; any other definition as it is. */
export function withSchemas(definition: ResourceDefinition): ResourceDefinition {
  if (definition.group !== crdGroup || definition.plural !== crdPlural) return definition;
  return {
    ...definition,
    setDefaults: (object) => {
      definition.setDefaults?.(object);
      fillNames(object);
    },
    beginDeletion: holdForCleanup,
    warnings: crdWarnings,
    validate: validateCrd, // the whole of it; what the definition checks by itself is a part
  };
}

/** It stays until the objects of its kind are gone. */
function holdForCleanup({ metadata }: KubeObject): void {
  const finalizers = metadata.finalizers ?? [];
  if (!finalizers.includes(cleanupFinalizer)) metadata.finalizers = [...finalizers, cleanupFinalizer];
}

/** A webhook's, as of everything that is HTTPS. */
const webhookPort = 443;

/** Singular and list kind follow from the kind; conversion is by strategy None, a webhook's service has a port. */
function fillNames(object: KubeObject): void {
  const spec = (object as Crd).spec as Writable<Crd["spec"]> | undefined;
  if (!spec?.names?.kind) return;
  const { kind, singular, listKind } = spec.names;
  spec.names = { ...spec.names, singular: singular || kind.toLowerCase(), listKind: listKind || `${kind}List` };
  spec.conversion ??= { strategy: "None" };
  const service = spec.conversion.webhook?.clientConfig?.service as { port?: number } | undefined;
  if (isObject(service)) service.port ??= webhookPort;
}
