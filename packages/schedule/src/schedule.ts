/** What a schedule is, in words: as a function asks for it, and as it is stored. */
import { formatDuration } from "@mecha/kit";
import { cronNextMs, cronProblem, timeZoneProblem } from "./cron.ts";

/**
 * What becomes of firings that fell due while nothing could fire them: once Mecha is back, the timer fires `once`, for `all` of them (bounded), or
 * they are left out (`skip`).
 */
export type CatchUp = "once" | "all" | "skip";
export const catchUps: readonly CatchUp[] = ["once", "all", "skip"];

/** When a timer fires. Times in ms; `at` is wall time. */
export interface Schedule {
  /** First time. Both absent: `everyMs` from now, or the next time of `cron`. */
  readonly atMs?: number;
  readonly afterMs?: number;
  /** Then again, counted from the first time, so that it does not drift. */
  readonly everyMs?: number;
  /** Instead: the times of a cron expression. */
  readonly cron?: string;
  /** Of `cron`. Default UTC. */
  readonly timeZone?: string;
  /** Default `once`. */
  readonly catchUp?: CatchUp;
}

/** How a timer goes on after a firing. */
export interface Recurrence {
  readonly everyMs?: number;
  readonly cron?: { readonly expression: string; readonly timeZone: string };
  readonly catchUp: CatchUp;
}

/** Shortest interval, ms: each firing is a durable commit. */
export const everyMinMs = 100;
/** Longest cron expression, in characters. */
export const cronTextMax = 256;
/** Latest time a date can hold: the year 275760. */
export const dueMaxMs = 8.64e15;

/** What is wrong with a schedule, naming the property; `undefined` = nothing. */
export function scheduleProblem(schedule: Schedule): string | undefined {
  return firstProblem(schedule) ?? repeatProblem(schedule) ?? catchUpProblem(schedule);
}

function firstProblem({ atMs, afterMs, everyMs, cron }: Schedule): string | undefined {
  if (atMs !== undefined && afterMs !== undefined) return "at and after are both given; one of them says when it fires first";
  if (atMs === undefined && afterMs === undefined && everyMs === undefined && cron === undefined)
    return "it says no time; give at, after, every or cron";
  if (atMs !== undefined && !isTime(atMs)) return `at: expected a time, got ${atMs}`;
  if (afterMs !== undefined && !isTime(afterMs)) return `after: expected 0 ms or more, got ${afterMs}`;
  return undefined;
}

function repeatProblem({ atMs, afterMs, everyMs, cron, timeZone }: Schedule): string | undefined {
  if (timeZone !== undefined && cron === undefined) return "timeZone goes with cron only; an interval is the same everywhere";
  if (everyMs !== undefined) {
    if (cron !== undefined) return "every and cron are both given; choose one";
    if (!isTime(everyMs) || everyMs < everyMinMs) return `every: expected ${formatDuration(everyMinMs)} or more, got ${everyMs} ms`;
  }
  if (cron === undefined) return undefined;
  if (atMs !== undefined || afterMs !== undefined) return "cron says itself when it fires first; leave out at and after";
  if (cron.length > cronTextMax) return `cron: ${cron.length} characters, the most is ${cronTextMax}`;
  const zone = timeZone ?? "UTC";
  const wrongZone = timeZoneProblem(zone);
  if (wrongZone !== undefined) return `timeZone: ${wrongZone}`;
  const wrongCron = cronProblem(cron, zone);
  return wrongCron === undefined ? undefined : `cron: ${wrongCron}`;
}

function catchUpProblem({ catchUp }: Schedule): string | undefined {
  if (catchUp === undefined || catchUps.includes(catchUp)) return undefined;
  return `catchUp: expected ${catchUps.join(", ")}, got ${JSON.stringify(catchUp)}`;
}

function isTime(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0 && ms <= dueMaxMs;
}

/** When a schedule without a problem is due first, wall ms. It may be past: then it fires at once. */
export function firstDueMs({ atMs, afterMs, everyMs, cron, timeZone }: Schedule, nowMs: number): number {
  if (atMs !== undefined) return Math.floor(atMs);
  if (cron !== undefined) return cronNextMs(cron, timeZone ?? "UTC", nowMs) ?? dueMaxMs;
  return Math.min(dueMaxMs, Math.floor(nowMs + (afterMs ?? everyMs ?? 0)));
}

export function recurrenceOf({ everyMs, cron, timeZone, catchUp }: Schedule): Recurrence {
  return {
    ...(everyMs !== undefined && { everyMs: Math.floor(everyMs) }),
    ...(cron !== undefined && { cron: { expression: cron, timeZone: timeZone ?? "UTC" } }),
    catchUp: catchUp ?? "once",
  };
}

/** As it is stored: empty for a timer that fires once, whatever happens; else JSON. */
export function writeRecurrence(recurrence: Recurrence): string {
  const { everyMs, cron, catchUp } = recurrence;
  if (everyMs === undefined && cron === undefined && catchUp !== "skip") return "";
  return JSON.stringify({
    every: everyMs,
    cron: cron?.expression,
    zone: cron?.timeZone,
    catchUp: catchUp === "once" ? undefined : catchUp,
  });
}

/** @returns `undefined` for a text this version does not understand. */
export function readRecurrence(text: string): Recurrence | undefined {
  if (text === "") return { catchUp: "once" };
  try {
    const { every, cron, zone, catchUp = "once" } = JSON.parse(text) as Record<string, unknown>;
    if (!catchUps.includes(catchUp as CatchUp)) return undefined;
    const base = { catchUp: catchUp as CatchUp };
    if (typeof cron === "string" && typeof zone === "string") return { ...base, cron: { expression: cron, timeZone: zone } };
    if (typeof every === "number") return { ...base, everyMs: every };
    return every === undefined && cron === undefined ? base : undefined;
  } catch {
    return undefined; // not ours, or of a later version
  }
}
