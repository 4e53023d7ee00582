/** What is told of a pod's volumes: kinds of them that nothing runs any more, and files that would hide each other. */
import { isObject, objectAt, objectsAt, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { claimWarnings } from "./sizes.ts";

const gone = (deprecated: string, broken: string): string => `deprecated in ${deprecated}, non-functional in ${broken}+`;

/** By field, with the name it is told by when that is another one; in the order they are told. */
const deprecatedSources: readonly (readonly [source: string, why: string, told?: string])[] = [
  ["photonPersistentDisk", gone("v1.11", "v1.16")],
  ["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  ["scaleIO", gone("v1.16", "v1.22")],
  ["flocker", gone("v1.22", "v1.25")],
  ["storageos", gone("v1.22", "v1.25"), "storageOS"],
  ["quobyte", gone("v1.22", "v1.25")],
  ["glusterfs", gone("v1.25", "v1.26")],
  ["ephemeral", ""],
  ["cephfs", gone("v1.28", "v1.31")],
  ["rbd", gone("v1.28", "v1.31")],
];

/** Volumes of a pod at `field`. */
export function volumeWarnings(volumes: readonly JsonObject[], field: string): string[] {
  return [...volumes.flatMap((volume, i) => sourceWarnings(volume, `${field}[${i}]`)), ...volumes.flatMap(overlaps)];
}

function sourceWarnings(volume: JsonObject, field: string): string[] {
  return deprecatedSources.flatMap(([source, why, told = source]) => {
    if (!isObject(volume[source])) return [];
    if (source !== "ephemeral") return [`${field}.${told}: ${why}`];
    return claimWarnings(objectAt(volume, "ephemeral.volumeClaimTemplate.spec"), `${field}.ephemeral.volumeClaimTemplate.spec`);
  });
}

/** The same kinds as volumes of the cluster, in the order they are told there. */
const deprecatedVolumes = ["cephfs", "photonPersistentDisk", "scaleIO", "storageos", "glusterfs", "rbd"];

/** The source of a PersistentVolume. */
export function volumeSourceWarnings(spec: JsonObject, field: string): string[] {
  return deprecatedVolumes.flatMap((source) => {
    const [, why, told = source] = deprecatedSources.find(([name]) => name === source) ?? [];
    return isObject(spec[source]) ? [`${field}.${told}: ${why ?? ""}`] : [];
  });
}

interface File {
  readonly path: string;
  /** `ConfigMap "a"`; empty where there is one source only. */
  readonly source: string;
}

const files = (source: JsonObject, name: string): File[] =>
  objectsAt(source, "items").map((item) => ({ path: textAt(item, "path"), source: name }));
const shown = ({ path, source }: File): string => JSON.stringify(path) + (source === "" ? "" : ` (${source})`);
const named = (kind: string, name: string): string => `${kind} ${JSON.stringify(name)}`;

/** Files a volume would write to one place, or one of them where another needs a folder. */
function overlaps(volume: JsonObject): string[] {
  const name = textAt(volume, "name");
  const told = (what: string, list: readonly File[]): string[] =>
    collisions(list).map((pair) => `volume ${JSON.stringify(name)} (${what}): overlapping paths: ${pair}`);
  const { configMap, secret, downwardAPI, projected } = volume;
  return [
    ...(isObject(configMap) ? told(named("ConfigMap", textAt(configMap, "name")), files(configMap, "")) : []),
    ...(isObject(secret) ? told(named("Secret", textAt(secret, "secretName")), files(secret, "")) : []),
    ...(isObject(downwardAPI) ? told("DownwardAPI", files(downwardAPI, "")) : []),
    ...(isObject(projected) ? projectedWarnings(projected, name, told) : []),
  ];
}

const isEmptySource = (source: JsonObject): boolean => !Object.values(source).some(isObject);

function projectedWarnings(projected: JsonObject, name: string, told: (what: string, list: readonly File[]) => string[]): string[] {
  const sources = objectsAt(projected, "sources");
  const empty = sources.filter(isEmptySource).map(() => `volume ${JSON.stringify(name)} (Projected) has no sources provided`);
  return [...empty, ...told("Projected", sources.flatMap(projectedFiles))];
}

function projectedFiles(source: JsonObject): File[] {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle, podCertificate } = source;
  if (isObject(configMap)) return files(configMap, named("ConfigMap", textAt(configMap, "name")));
  if (isObject(secret)) return files(secret, named("Secret", textAt(secret, "name")));
  if (isObject(downwardAPI)) return files(downwardAPI, "DownwardAPI");
  if (isObject(serviceAccountToken)) return [{ path: textAt(serviceAccountToken, "path"), source: "ServiceAccountToken" }];
  if (isObject(clusterTrustBundle)) {
    const bundle = textAt(clusterTrustBundle, "name") || textAt(clusterTrustBundle, "signerName");
    return [{ path: textAt(clusterTrustBundle, "path"), source: named("ClusterTrustBundle", bundle) }];
  }
  if (!isObject(podCertificate)) return [];
  const parts = [
    ["certificateChainPath", "chain"],
    ["keyPath", "key"],
    ["credentialBundlePath", "credential bundle"],
  ] as const;
  return parts
    .map(([field, what]) => ({ path: textAt(podCertificate, field), source: `PodCertificate ${what}` }))
    .filter(({ path }) => path !== "");
}

/** Files of one volume held against each other, and collisions told of it: far more than volumes have, so that a body of very many costs no square of them. */
const comparedMax = 1_000;
const toldMax = 100;

/** `"a" with "a/b"` for each file and each one before it that is in its way. */
function collisions(list: readonly File[]): string[] {
  const cut = list
    .slice(0, comparedMax)
    .map((file) => ({ ...file, path: file.path.replace(/(?<!\/)\/+$/u, "") }))
    .filter(({ path }) => path !== "")
    .map((file) => ({ ...file, within: `${file.path}/` }));
  const told: string[] = [];
  for (const [i, file] of cut.entries()) {
    for (let j = 0; j < i && told.length < toldMax; j++) {
      const other = cut[j];
      if (other && (other.within.startsWith(file.within) || file.within.startsWith(other.within)))
        told.push(`${shown(file)} with ${shown(other)}`);
    }
  }
  return told;
}
