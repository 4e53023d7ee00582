/** What a ConfigWatch calls for: decided from what there is, so it can be tested without a cluster. */
import { createHash } from "node:crypto";
import type { KubeObject } from "mecha-operator";

/** On a Pod or a Pod template: the configuration it was started with. */
export const hashAnnotation = "ops.example.dev/config-hash";

export interface ConfigWatch extends KubeObject {
  readonly spec: {
    readonly configMaps?: readonly string[];
    readonly secrets?: readonly string[];
    readonly workload?: { readonly kind: string; readonly name: string };
    readonly podLabels?: Readonly<Record<string, string>>;
  };
  readonly status?: { readonly hash?: string; readonly conditions?: [] };
}

/** The watched objects, by kind and name; `undefined` = does not exist. */
export type Sources = ReadonlyMap<string, KubeObject | undefined>;

/** One text for all the data. An object that is missing counts as empty: when it comes, the hash changes. Metadata does not count. */
export function hashOf(sources: Sources): string {
  const data = [...sources]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, object]) => [name, sorted(object?.["data"]), sorted(object?.["binaryData"])]);
  return createHash("sha256").update(JSON.stringify(data)).digest("hex").slice(0, 16);
}

const sorted = (data: unknown): unknown => Object.entries(data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

export interface PodPlan {
  /** Started before the change: to be deleted. */
  readonly restart: readonly KubeObject[];
  /** Not seen before: started with what is in force now, to be marked so. */
  readonly adopt: readonly KubeObject[];
}

/** Pods that are going already need nothing. */
export function planPods(pods: readonly KubeObject[], hash: string): PodPlan {
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const startedWith = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[hashAnnotation];
  return {
    restart: staying.filter((pod) => startedWith(pod) !== undefined && startedWith(pod) !== hash),
    adopt: staying.filter((pod) => startedWith(pod) === undefined),
  };
}

export function matches(labels: Readonly<Record<string, string>>, { metadata }: KubeObject): boolean {
  return Object.entries(labels).every(([name, value]) => metadata.labels?.[name] === value);
}
