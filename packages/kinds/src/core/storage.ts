/** Storage that outlives pods: claims, and the volumes they are given. */
import { mapAt, objectAt, sameJson, textAt, textsAt } from "../access.ts";
import { ageColumn, nameColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { forbiddenValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { persistentVolumeClaimWarnings, persistentVolumeWarnings } from "../warnings/cluster.ts";
import { settleDataSources, validateClaimSpec, validateVolume } from "./storage-rules.ts";

const define = definer("", "v1");
const modes: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};
/** The older place of a storage class. */
const classAnnotation = "volume.beta.kubernetes.io/storage-class";

/** `RWO,ROX`, each once, in the order of the table above. */
const modesText = (object: KubeObject, path: string): string => {
  const said = new Set(textsAt(object, path));
  return Object.entries(modes)
    .filter(([mode]) => said.has(mode))
    .map(([, short]) => short)
    .join(",");
};
const phase = (object: KubeObject): string =>
  object.metadata.deletionTimestamp === undefined ? textAt(object, "status.phase") : "Terminating";
const storageClass = (object: KubeObject): string =>
  mapAt(object, "metadata.annotations")[classAnnotation] ?? textAt(object, "spec.storageClassName");
const attributesClass = textColumn(
  "VolumeAttributesClass",
  "Class of the volume's changeable attributes.",
  (object) => textAt(object, "spec.volumeAttributesClassName") || "<unset>",
);
const volumeMode = textColumn(
  "VolumeMode",
  "Whether the volume is a file system or a raw device.",
  (object) => textAt(object, "spec.volumeMode") || "<unset>",
  1,
);

/** A claim's spec stays, but for a larger size and the volume the binder picks. */
function validateClaim(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const problems = validateClaimSpec(objectAt(object, "spec"), "spec");
  if (!old) return problems;
  const fixed = (claim: KubeObject): object => ({ ...objectAt(claim, "spec"), resources: {}, volumeAttributesClassName: undefined });
  const before = fixed(old);
  const now = {
    ...fixed(object),
    ...(textAt(old, "spec.volumeName") === "" && { volumeName: (before as { volumeName?: string }).volumeName }),
  };
  if (sameJson(before, now)) return problems;
  const why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
  return [...problems, forbiddenValue("spec", why)];
}

const hasVolume = (claim: KubeObject): boolean => textAt(claim, "spec.volumeName") !== "";

export const persistentVolumeClaim = define({
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  status: true,
  columns: [
    nameColumn,
    textColumn("Status", "Pending, Bound or Lost.", phase),
    textColumn("Volume", "Volume the claim was given.", (object) => textAt(object, "spec.volumeName")),
    textColumn("Capacity", "Size of that volume.", (object) =>
      hasVolume(object) ? (mapAt(object, "status.capacity")["storage"] ?? "0") : "",
    ),
    textColumn("Access Modes", "How many may mount it, and how.", (object) =>
      hasVolume(object) ? modesText(object, "status.accessModes") : "",
    ),
    textColumn("StorageClass", "Class of the storage.", storageClass),
    attributesClass,
    ageColumn,
    volumeMode,
  ],
  validate: validateClaim,
  warnings: persistentVolumeClaimWarnings,
  prepare(object, old) {
    if (old) return;
    settleDataSources(objectAt(object, "spec"));
    object["status"] = { phase: "Pending" };
  },
});

export const persistentVolume = define({
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  namespaced: false,
  status: true,
  columns: [
    nameColumn,
    textColumn("Capacity", "Size of the volume.", (object) => mapAt(object, "spec.capacity")["storage"] ?? "0"),
    textColumn("Access Modes", "How many may mount it, and how.", (object) => modesText(object, "spec.accessModes")),
    textColumn("Reclaim Policy", "What becomes of the volume when its claim goes.", (object) =>
      textAt(object, "spec.persistentVolumeReclaimPolicy"),
    ),
    textColumn("Status", "Available, Bound, Released or Failed.", phase),
    textColumn("Claim", "Claim that has the volume.", (object) =>
      objectAt(object, "spec")["claimRef"] === undefined
        ? ""
        : `${textAt(object, "spec.claimRef.namespace")}/${textAt(object, "spec.claimRef.name")}`,
    ),
    textColumn("StorageClass", "Class of the storage.", storageClass),
    attributesClass,
    textColumn("Reason", "Why the volume is in its status.", (object) => textAt(object, "status.reason")),
    ageColumn,
    volumeMode,
  ],
  validate: validateVolume,
  warnings: persistentVolumeWarnings,
  prepare(object, old, { nowMs }) {
    if (!old) object["status"] = { phase: "Pending" };
    else if (textAt(object, "status.phase") === textAt(old, "status.phase")) {
      const lastPhaseTransitionTime = textAt(old, "status.lastPhaseTransitionTime");
      if (lastPhaseTransitionTime !== "" && textAt(object, "status.lastPhaseTransitionTime") === "")
        object["status"] = { ...objectAt(object, "status"), lastPhaseTransitionTime };
      return;
    }
    object["status"] = { ...objectAt(object, "status"), lastPhaseTransitionTime: new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z") };
  },
});
