/** How a change reaches the other replicas, as far as entities care. */
import type { WriteConsistency } from "./delta.ts";
import type { Resident } from "./residence.ts";

/** See the file's header. Absent in an engine that is alone. */
export interface Replication {
  /**
   * Calls `done` once as many replicas as `consistency` wants hold the resident's version of this moment durably, or, saying who is missing,
   * when it is too late.
   * @returns false when that is so already: `done` is not called then.
   */
  awaitSpread(resident: Resident, consistency: WriteConsistency, done: (problem: string | undefined) => void): boolean;
}
