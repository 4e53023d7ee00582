/** Kinds of our own. */
import type { KubeObject } from "../object.ts";
import { crdOf } from "./crd.ts";
import { statefulService } from "./stateful-service.ts";
import { statefulStore } from "./stateful-store.ts";

export type { StatefulService } from "./stateful-service.ts";
export type { StatefulStore } from "./stateful-store.ts";

/** CRDs of all kinds of ours, as a cluster takes them. */
export function ownCrds(): readonly KubeObject[] {
  return [crdOf(statefulService), crdOf(statefulStore)];
}
