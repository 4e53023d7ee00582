/** Waits between attempts to discover a function. Pure. */

/** First wait, ms: a Node function listens 100 to 500 ms after its start, and a person waits for it. */
export const discoveryFirstMs = 25;
/** Longest wait, ms, as the reference Cloudstate proxy. */
export const discoveryLastMs = 10_000;
/** Part of the time waited so far: whoever waited a second learns of the answer a tenth of a second late, whoever waited a minute, six. */
const share = 0.1;
/** Part of the wait added by chance. */
const jitter = 0.2;

/**
 * Wait after a failed attempt, ms. A refused connection on loopback costs a fifth of a millisecond, so the short waits are cheap.
 * @param waitedMs Time since the first attempt.
 * @param chance 0 to 1.
 */
export function discoveryDelayMs(waitedMs: number, chance: number): number {
  return Math.min(discoveryLastMs, Math.max(discoveryFirstMs, waitedMs * share)) * (1 + jitter * chance);
}
