import type { Clock } from "@mecha/kit";

/** The machine's clock, for child processes of tests (adapters do not import each other, so not the host's). */
export const hostClockForTests: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
