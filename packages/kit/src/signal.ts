/** Deadlines as abort signals, on a clock that a test can own. */
import type { Clock } from "./clock.ts";
import { Fault } from "./fault.ts";

/** A signal with a timer behind it. Dispose it when the wait is over, or the timer stays pending until it fires. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * A signal that aborts `delayMs` from now with Fault("deadline", `what`), or as soon as `parent` aborts, with its reason.
 *
 *     using deadline = deadlineSignal(clock, 5 * second, "connect to the user function", scope.signal);
 *     await connect(deadline.signal);
 */
export function deadlineSignal(clock: Clock, delayMs: number, what: string, parent?: AbortSignal): Deadline {
  const controller = new AbortController();
  const onParent = (): void => {
    cancel();
    controller.abort(parent?.reason);
  };
  const cancel = clock.after(delayMs, () => {
    parent?.removeEventListener("abort", onParent);
    controller.abort(new Fault("deadline", `${what}: no result within ${String(delayMs)} ms`));
  });
  if (parent?.aborted) onParent();
  else parent?.addEventListener("abort", onParent, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      cancel();
      parent?.removeEventListener("abort", onParent);
    },
  };
}

/** Aborts when the first of `signals` does, with that one's reason. `undefined` entries are left out. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}
