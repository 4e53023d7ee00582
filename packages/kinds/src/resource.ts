/** A resource of the API: names, scope, type and the rules of its kind. Every served kind has exactly one definition, built-in or made from a CRD. */
import type { GroupVersion, JsonObject, KubeObject } from "./object.ts";
import type { TypeTable } from "./type-table.ts";
import type { IpFamily } from "./values/ip.ts";

/** Why a field is refused, in field/validation's words. `field` is a path such as `spec.containers[0].name`. */
export interface FieldProblem {
  readonly type:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid"
    | "FieldValueNotFound"
    | "InternalError";
  readonly field: string;
  /** Whole text as the server words it, without the field: `Invalid value: "x": must be …`. */
  readonly message: string;
}

/** A column of a Table answer (`kubectl get`). */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  /** `name` marks the column of the object's name. */
  readonly format?: string;
  readonly description: string;
  /** 0: always shown; above: only with `-o wide`. */
  readonly priority: number;
  /** The cell's value; `undefined` is shown as `<none>` or empty as the type has it. */
  readonly cell: (object: KubeObject, nowMs: number) => string | number | boolean | undefined;
}

/** Paths of the scale subresource (autoscaling/v1 Scale), as JSON paths from the object: `.spec.replicas`. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** Leads to a text (CRDs) or to a meta/v1 LabelSelector, which selectorText writes as one. */
  readonly labelSelectorPath?: string;
}

/** What an operation of a kind's own rules may look at. */
export interface KindContext {
  readonly nowMs: number;
  /** Version 4, new at each call. */
  readonly newUid: () => string;
  /** Through which the change came: `status`, `finalize`. */
  readonly subresource?: string;
}

/** What warnings may look at beside the object. */
export interface WarningContext {
  /** What was there before, on update. */
  readonly old: KubeObject | undefined;
  /** Through which the change came: a change of status is not told what is wrong with the spec. */
  readonly subresource: string | undefined;
}

/** What Services share and each has for itself. What is taken is given back when the change is not made, and when no Service has it any more. */
export interface AddressPools {
  /** Of the addresses there are. */
  readonly family: IpFamily;
  /** An address no Service has. @throws when there is none left */
  nextAddress(): string;
  /** @returns Why it cannot be had. */
  takeAddress(address: string): string | undefined;
  /** A port of all nodes no Service has. @throws when there is none left */
  nextPort(): number;
  /** @returns Why it cannot be had. */
  takePort(port: number): string | undefined;
}

/** A kind kept as another: the same objects under two names, as Events are. */
export interface StoredAs {
  readonly group: string;
  readonly plural: string;
  readonly toStored: (object: KubeObject) => KubeObject;
  readonly fromStored: (object: KubeObject) => KubeObject;
}

/** One served version of a kind. */
export interface ResourceDefinition extends GroupVersion {
  readonly kind: string;
  /** `DeploymentList`. */
  readonly listKind: string;
  /** Lower case: the path segment. */
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** `all` puts it into `kubectl get all`. */
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Verbs served; absent = all of create, delete, deletecollection, get, list, patch, update, watch. Reviews have `create` only and are never stored. */
  readonly verbs?: readonly string[];
  /** Types this kind is made of. */
  readonly types: TypeTable;
  /** Name of the kind's own type in `types`. */
  readonly type: string;
  /** Changes of status go through `/status` only; without it status is a plain field. */
  readonly status: boolean;
  /** Whoever creates it may say its status: Nodes, which register themselves. */
  readonly statusOnCreate?: boolean;
  /** Fields beside spec that a change through `/status` leaves as they are, as paths; CRDs leave all but status and metadata.managedFields. Absent: none. */
  readonly statusKeeps?: readonly string[];
  /** An update of what is not there creates it. */
  readonly createOnUpdate?: boolean;
  /** An update has to name the resourceVersion it is of. */
  readonly versionedUpdate?: boolean;
  /**
   * The server counts changes of the desired state in metadata.generation, from 1; absent = the kind has none (ConfigMaps, Leases, roles …).
   * `labels`: changes of labels count too.
   */
  readonly generation?: boolean | "labels";
  /** Changes of annotations count too: what runs a Deployment is told things by them. */
  readonly annotationsCount?: boolean;
  readonly scale?: ScalePaths;
  /** Subresources that lead to where the object runs (log, exec …). Nothing runs here, so that they are refused, with the reason. */
  readonly streams?: readonly string[];
  /** Told with every answer: what to use instead. */
  readonly deprecation?: string;
  /** Subresources that take a create, such as `pods/eviction`: what is sent there is of this kind. */
  readonly creates?: readonly { readonly name: string; readonly group: string; readonly version: string; readonly kind: string }[];
  /** Strategic merge patch is taken (built-in kinds); CRDs answer 415. */
  readonly strategicPatch: boolean;
  /** Absent: name and age. */
  readonly columns?: readonly PrinterColumn[];
  /** Field selectors beyond metadata.name and metadata.namespace. */
  readonly selectableFields?: ReadonlyMap<string, (object: KubeObject) => string>;
  /** Fills in defaults, in place. Runs on create and on every update, before validation. */
  readonly setDefaults?: (object: KubeObject) => void;
  /** On create (after defaults): what the server sets by itself, such as initial phase; on update: what is carried over from the old object. In place. */
  readonly prepare?: (object: KubeObject, old: KubeObject | undefined, context: KindContext) => void;
  /** Takes from what the cluster has only once, in place, before anything else of the kind is looked at; what is answered refuses the change by itself. */
  readonly allocate?: (object: KubeObject, old: KubeObject | undefined, pools: AddressPools) => readonly FieldProblem[];
  /** Everything wrong, all at once. `old` is set on update. */
  readonly validate?: (object: KubeObject, old: KubeObject | undefined) => readonly FieldProblem[];
  /**
   * What whoever wrote it should know of an object that is taken all the same: fields that do nothing, are deprecated, or cannot mean what they say.
   * Looked at once it is known to be valid; told in headers (kubectl prints them).
   */
  readonly warnings?: (object: KubeObject, context: WarningContext) => readonly string[];
  /** Drops what the schema does not know, in place, and says the paths of it. CRDs prune; built-in kinds, which have none, are read by `types`. */
  readonly prune?: (object: KubeObject) => readonly string[];
  /** Seconds a delete waits for the object's agent when the request names none; 0: nobody has to be waited for. Absent: kinds without agents. */
  readonly gracePeriodSeconds?: (object: KubeObject) => number;
  /** What becomes of an object's dependents when a delete does not say; absent: the garbage collector takes them in the background. */
  readonly orphansByDefault?: { readonly warning?: string };
  /** What else changes in an object when its deletion begins, in place. */
  readonly beginDeletion?: (object: KubeObject) => void;
  /** Annotations in which this version shows what it has no fields for: they stand in whole objects, and nowhere where only metadata is shown. */
  readonly fieldAnnotations?: readonly string[];
  /** Absent = kept under its own name. */
  readonly storedAs?: StoredAs;
  /** OpenAPI v3 schema of the kind as its CRD has it; kinds without one are described by `types`. */
  readonly openAPISchema?: JsonObject;
  /** Rules of names: `subdomain` (default), `label` (RFC 1123), `service` (RFC 1035), `path` (whatever can stand in a path: RBAC, budgets, core/v1 events). */
  readonly nameRule?: "subdomain" | "label" | "service" | "path";
  /** The start of a name that is to be made is not checked, only the name made of it. */
  readonly anyGenerateName?: true;
}
