/** Waiting with an end. */
import type { Clock } from "@mecha/kit";

/** Waits for `done`, `graceMs` at most. */
export async function within(graceMs: number, clock: Clock, done: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const cancel = clock.after(graceMs, late.resolve);
  try {
    await Promise.race([done, late.promise]);
  } finally {
    cancel();
  }
}
