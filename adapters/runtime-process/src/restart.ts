/** When a function that ended is started again. Pure: time and chance come in. */

/** Numbers of the back-off. */
export interface RestartPolicy {
  /** Delay after the first end, ms. */
  readonly firstMs: number;
  /** Longest delay, ms. */
  readonly maxMs: number;
  /** Each further end multiplies the delay by it. */
  readonly factor: number;
  /** Part of the delay added or taken away by chance, 0 to 1, so that functions that fell together do not rise together. */
  readonly jitter: number;
  /** A run at least this long counts as healthy: the next end starts over at `firstMs`. Longer than `maxMs`, else the longest delay is never reached twice. */
  readonly stableMs: number;
}

/** 1, 2, 4, 8, 10, 10 … s, each ± 20 %, as the reference Cloudstate proxy spaces its discovery (1 s to 10 s, jitter 0.2). */
export const restartPolicy: RestartPolicy = { firstMs: 1_000, maxMs: 10_000, factor: 2, jitter: 0.2, stableMs: 30_000 };

/** Ends in a row, none of them after a healthy run. */
export interface RestartHistory {
  readonly ends: number;
}

/**
 * The delay before the next start.
 * @param upMs How long the run that ended lasted.
 * @param chance 0 to 1.
 */
export function planRestart(
  history: RestartHistory,
  upMs: number,
  chance: number,
  policy: RestartPolicy,
): { readonly history: RestartHistory; readonly delayMs: number } {
  const ends = upMs >= policy.stableMs ? 1 : history.ends + 1;
  const steadyMs = Math.min(policy.maxMs, policy.firstMs * policy.factor ** (ends - 1));
  return { history: { ends }, delayMs: Math.round(steadyMs * (1 + policy.jitter * (2 * chance - 1))) };
}
