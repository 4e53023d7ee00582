/**
 * How soon a failed key is tried again, as controller-runtime has it (facts: platform §6.1): the longer of a per-key exponential wait and what a token
 * bucket over all keys leaves.
 */

export interface RateLimits {
  /** First wait of a key that failed, ms. Doubles with each failure in a row. */
  readonly baseMs: number;
  /** Longest wait of a key, ms. */
  readonly maxMs: number;
  /** Retries a second over all keys, in the long run. */
  readonly perSecond: number;
  /** Retries that may come at once. */
  readonly burst: number;
}

/** 5 ms to 1,000 s a key; 10 a second, 100 at once over all keys. */
export const rateLimitDefaults: RateLimits = { baseMs: 5, maxMs: 1_000_000, perSecond: 10, burst: 100 };

/** Counts failures in a row by key. A key that succeeded is forgotten, so the map is as large as there are failing keys. */
export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #failures = new Map<string, number>();
  /** Tokens left; below zero = borrowed from the future. */
  #tokens: number;
  #refilledMs = 0;

  constructor(limits: RateLimits = rateLimitDefaults) {
    this.#limits = limits;
    this.#tokens = limits.burst;
  }

  /** Ms until `key` may be tried again; counts a failure and takes a token. */
  next(key: string, nowMs: number): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    // 2^60 is past every limit; beyond 2^1023 it would be Infinity.
    const keyWaitMs = Math.min(this.#limits.maxMs, this.#limits.baseMs * 2 ** Math.min(failures, 60));
    return Math.max(keyWaitMs, this.#take(nowMs));
  }

  /** Failures of `key` in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The key succeeded. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  #take(nowMs: number): number {
    const { burst, perSecond } = this.#limits;
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * perSecond);
    this.#refilledMs = nowMs;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / perSecond) * 1000;
  }
}
