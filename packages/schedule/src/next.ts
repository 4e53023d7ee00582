/**
 * When a timer fires again, once it has fired.
 *
 * Invariants (next.test.ts, as properties)
 * N1 the next time is after the one that fired, and with `once` and `skip` after now too
 * N2 an interval keeps its phase: every time is the first one plus a whole number of intervals
 * N3 what `all` has to catch up with is bounded
 */
import { day } from "@mecha/kit";
import { cronNextMs } from "./cron.ts";
import type { Recurrence } from "./schedule.ts";

/** With `skip`, a firing that is later than this is left out, ms: long enough for a busy moment or a restart. */
export const skipLateMs = 60_000;
/** With `all`, missed firings of an interval that are made up for: the newest so many. */
export const catchUpMax = 1_000;
/** With `all`, missed firings of a cron expression that are made up for: those not older than this, ms; at most 10,080. */
export const catchUpAgeMs = 7 * day;

/** Whether the firing due at `dueMs` is left out because nobody wants it so late. */
export function isLeftOut({ catchUp }: Recurrence, dueMs: number, nowMs: number): boolean {
  return catchUp === "skip" && nowMs - dueMs > skipLateMs;
}

/** When a timer that was due at `dueMs` and fires at `nowMs` is due next (wall ms); `undefined` = never. */
export function nextDueMs(recurrence: Recurrence, dueMs: number, nowMs: number): number | undefined {
  const { everyMs, cron, catchUp } = recurrence;
  if (everyMs !== undefined) return nextOfInterval(everyMs, dueMs, nowMs, catchUp === "all");
  if (cron === undefined) return undefined;
  const from = Math.max(dueMs, catchUp === "all" ? nowMs - catchUpAgeMs : nowMs); // keeps N3
  return cronNextMs(cron.expression, cron.timeZone, from);
}

function nextOfInterval(everyMs: number, dueMs: number, nowMs: number, all: boolean): number {
  const missed = Math.max(0, Math.floor((nowMs - dueMs) / everyMs));
  const steps = all ? Math.max(1, missed - catchUpMax + 1) : missed + 1; // keeps N1, N3
  return dueMs + steps * everyMs; // keeps N2
}
