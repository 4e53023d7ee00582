/**
 * Time as a dependency. Nothing below adapters/ and apps/ reads the machine's clock; it is handed a `Clock`, so that a test
 * can own time.
 */

/** Ends a pending timer. Calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void;

/** Two clocks and a timer. `wall` is for people and records, `monotonic` for durations and deadlines. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump. */
  wall(): number;
  /** Milliseconds since an arbitrary origin, with fractions. Never goes back. */
  monotonic(): number;
  /** Calls `fire` once, `delayMs` (0 or more) from now, from an empty stack. Pending timers do not keep the process alive. */
  after(delayMs: number, fire: () => void): CancelTimer;
}

/**
 * Resolves after `delayMs`, or rejects with the signal's reason as soon as it aborts.
 * @throws the signal's `reason` (our own signals carry a Fault).
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
