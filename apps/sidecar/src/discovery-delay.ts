/** Waits between attempts to discover a function. Pure. */

/** First wait, ms: a Node function listens about 100 ms after its start, and a person waits for it. */
export const discoveryFirstMs = 25;
/** Longest wait, ms, as the reference proxy (facts/cloudstate.md §1.8). */
export const discoveryLastMs = 10_000;
/** Growth: eight attempts in the first two seconds, then ever fewer. */
const factor = 1.6;
/** Part of the wait added by chance. */
const jitter = 0.2;

/** Wait after failed attempt number `attempt` (from 0), ms. @param chance 0 to 1. */
export function discoveryDelayMs(attempt: number, chance: number): number {
  // 1.6^13 already exceeds the bound; the exponent is bounded so that years of attempts stay finite.
  const steadyMs = Math.min(discoveryLastMs, discoveryFirstMs * factor ** Math.min(attempt, 13));
  return steadyMs * (1 + jitter * chance);
}
