import { performance } from "node:perf_hooks";
import type { Clock } from "@mecha/kit";

/** Longest delay setTimeout takes (2^31 - 1 ms, about 24.8 days); it fires at once for more. */
const timeoutMaxMs = 2 ** 31 - 1;

/** The machine's clock. Its timers never keep the process alive. */
export const hostClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fire) {
    let timer: NodeJS.Timeout | undefined;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, timeoutMaxMs);
      timer = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : fire()), stepMs).unref();
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
