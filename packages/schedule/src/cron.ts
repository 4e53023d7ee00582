/**
 * Cron expressions in a time zone: five fields (minute, hour, day of month, month, day of week), with lists, ranges, steps, names and `L`, or
 * `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Day of month and day of week both given: either will do, as in cron.
 *
 * When clocks change (tested in cron.test.ts)
 * K1 a time of day that does not exist fires at the first moment after the gap
 * K2 a time of day that exists twice fires the first time only
 * K3 what runs every hour, or every so many minutes, goes on in real time: neither left out nor doubled
 */
import { explain } from "@mecha/kit";
import { Cron, type CronOptions } from "croner";

/** `paused`: it computes times, it runs nothing. */
const options = (timeZone: string): CronOptions => ({ timezone: timeZone, mode: "5-part", paused: true });

/** What is wrong with a time zone; `undefined` = nothing. */
export function timeZoneProblem(timeZone: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return undefined;
  } catch {
    return `${JSON.stringify(timeZone)} is no time zone of the IANA database; write one such as Europe/Berlin or UTC`;
  }
}

/** What is wrong with an expression in a valid time zone; `undefined` = nothing. One that never falls due, such as 30 February, is wrong too. */
export function cronProblem(expression: string, timeZone: string): string | undefined {
  try {
    if (new Cron(expression, options(timeZone)).nextRun(new Date(0)) !== null) return undefined;
    return `${JSON.stringify(expression)} never falls due`;
  } catch (error) {
    const why = explain(error).replace(/^CronPattern: /u, "");
    return `${JSON.stringify(expression)} is no cron expression (minute hour day month weekday, such as "0 9 * * MON-FRI"): ${why}`;
  }
}

/** The first time after `afterMs` (wall), or `undefined` when there is none. */
export function cronNextMs(expression: string, timeZone: string, afterMs: number): number | undefined {
  return new Cron(expression, options(timeZone)).nextRun(new Date(afterMs))?.getTime();
}
