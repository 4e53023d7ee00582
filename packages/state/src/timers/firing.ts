/** One firing of a timer, and what becomes of it. Decides only. */
import type { Fault, FaultCode } from "@mecha/kit";
import type { CommandMetadata, EntityAddress } from "../model.ts";
import { isLasting } from "../outbox/chosen.ts";
import type { TimerChange, TimerRow } from "../rows.ts";

/**
 * Metadata of a firing's command: the timer's name, when it was due (RFC 3339), and the how manieth time it is since it was set: 1, 2, 3 …
 * Times that were left out or given up are counted; those that `once` joined into one are one. Callers cannot send these (the ingress drops them).
 */
export const firingMetadata = { timer: "mecha-timer", due: "mecha-timer-due", number: "mecha-timer-firing" } as const;

/** Characters kept of why a firing was given up. */
const failureMax = 1_000;

/** A timer's name in memory. */
export function timerKey({ namespace, service, persistenceId, entityId }: EntityAddress, name: string): string {
  return `${namespace}\0${service}\0${persistenceId}\0${entityId}\0${name}`;
}

/** A firing on its way through its entity. */
export class Firing {
  readonly key: string;
  readonly row: TimerRow;
  /** When the timer is due next; `undefined` = it was the last time. */
  readonly nextDueMs: number | undefined;
  /** Deduplication id (E12). It holds a space, as no caller's may. */
  readonly commandId: string;
  /** The timer was set anew or cancelled meanwhile: nobody wants this firing any more. */
  stale = false;
  /** Stored: the timer has moved on in the same commit. */
  done = false;
  /** The timer was found due again while this firing was under way. */
  again = false;

  constructor(row: TimerRow, settingId: string, nextDueMs: number | undefined) {
    this.key = timerKey(row.address, row.name);
    this.row = row;
    this.nextDueMs = nextDueMs;
    this.commandId = `timer ${settingId} ${row.dueMs}`;
  }

  /** What the firing's step does to the timer. */
  get change(): Extract<TimerChange, { do: "fired" }> {
    return { do: "fired", ...this.#moved };
  }

  /** What giving it up does to the timer: one that repeats goes on, another is parked. */
  givenUp(failure: string): Extract<TimerChange, { do: "failed" }> {
    return { do: "failed", ...this.#moved, failure: failure.slice(0, failureMax) };
  }

  get #moved(): { readonly name: string; readonly dueMs: number; readonly nextDueMs?: number } {
    const { name, dueMs } = this.row;
    return { name, dueMs, ...(this.nextDueMs !== undefined && { nextDueMs: this.nextDueMs }) };
  }

  /** Tells the command's handler which firing it is; a repeated attempt says the same. */
  get metadata(): CommandMetadata {
    const { name, dueMs, firings } = this.row;
    return [
      [firingMetadata.timer, name],
      [firingMetadata.due, new Date(dueMs).toISOString()],
      [firingMetadata.number, String(firings + 1)],
    ];
  }
}

export type AfterFiring =
  /** All timers of the service wait: its function cannot be reached. */
  | { readonly do: "holdService"; readonly pauseMs: number }
  | { readonly do: "retry"; readonly pauseMs: number }
  /** This firing is given up: a timer that repeats goes on, one that fires once is parked, where people find it. */
  | { readonly do: "giveUp" };

/** First and longest pause before a firing that failed is tried again, ms; doubles. */
export const firingBackoffMinMs = 500;
export const firingBackoffMaxMs = 60_000;
/**
 * How long a firing is known to its entity, ms. The timer itself says what has fired; this is for the moment in which a store cannot say what
 * became of the step. Short, because an interval of a second makes one every second.
 */
export const firingKeyTtlMs = 600_000;
/** Attempts of a firing whose failure is not a passing one: a handler that crashes, a reply that is too large, a command that is gone. */
export const firingAttemptsMax = 8;

/** Pause after an attempt that failed; `attempts` counts it. */
export function firingPauseMs(attempts: number): number {
  return Math.min(firingBackoffMaxMs, firingBackoffMinMs * 2 ** Math.min(attempts - 1, 30));
}

/** Failures of the moment: nothing was applied, and time mends them. Retried until they are. */
const passing: ReadonlySet<FaultCode> = new Set(["exhausted", "deadline", "aborted", "cancelled"]);

/**
 * What to do after an attempt that stored nothing. `attempts` counts it. What the user's code refused is no such failure: it is an answer, stored
 * with the timer's next time.
 */
export function afterFiring(fault: Fault, attempts: number): AfterFiring {
  const pauseMs = firingPauseMs(attempts);
  if (fault.code === "unavailable") return { do: "holdService", pauseMs };
  if ((passing.has(fault.code) && !isLasting(fault)) || attempts < firingAttemptsMax) return { do: "retry", pauseMs };
  return { do: "giveUp" };
}
