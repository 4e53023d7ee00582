/** The kind CustomResourceDefinition itself. */
import { kubernetesTypes, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import { validateCrd } from "./check-crd.ts";
import type { Crd } from "./crd.ts";

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** customresourcedefinitions.apiextensions.k8s.io/v1. */
export const customResourceDefinitions: ResourceDefinition = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  listKind: "CustomResourceDefinitionList",
  plural: "customresourcedefinitions",
  singular: "customresourcedefinition",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  namespaced: false,
  get types() {
    return kubernetesTypes();
  },
  type: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
  status: true,
  generation: true,
  strategicPatch: true,
  columns: [
    {
      name: "Name",
      type: "string",
      format: "name",
      description: "Name of the object: plural and group.",
      priority: 0,
      cell: ({ metadata }) => metadata.name,
    },
    {
      name: "Created At",
      type: "date",
      description: "When the server stored the object first.",
      priority: 0,
      cell: ({ metadata }) => metadata.creationTimestamp,
    },
  ],
  setDefaults: fillNames,
  validate: (object, old) => {
    const missing = ["group", "names", "scope", "versions"].filter(
      (field) => (object["spec"] as object | undefined)?.[field as never] === undefined,
    );
    if (missing.length > 0)
      return missing.map((field) => ({ type: "FieldValueRequired", field: `spec.${field}`, message: "Required value" }));
    return validateCrd(object, old);
  },
  nameRule: "subdomain",
};

/** Singular and list kind follow from the kind; conversion is by strategy None. */
function fillNames(object: KubeObject): void {
  const spec = (object as Crd).spec as Writable<Crd["spec"]> | undefined;
  if (!spec?.names?.kind) return;
  const { kind, singular, listKind } = spec.names;
  spec.names = { ...spec.names, singular: singular ?? kind.toLowerCase(), listKind: listKind ?? `${kind}List` };
  spec.conversion ??= { strategy: "None" };
}
