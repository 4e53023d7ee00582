/** What a reply asks of its entity's timers: checked, and turned into what is stored. Touches nothing. */
import {
  firstDueMs,
  readRecurrence,
  type Recurrence,
  recurrenceOf,
  type Schedule,
  scheduleProblem,
  writeRecurrence,
} from "@mecha/schedule";
import type { Payload, TimerAction } from "../model.ts";
import type { TimerChange } from "../rows.ts";

/** Timer changes in one reply. */
export const timersPerReplyMax = 100;
/** Longest name of a timer, UTF-16 units; the SDK allows 256 bytes. */
export const timerNameMax = 256;
/** Bytes of a timer's command: due ones are read a page at a time. */
export const timerPayloadMaxBytes = 64 * 1024;

/** A text naming what is wrong with the timers of a reply; `undefined` = nothing. */
export function timersProblem(timers: readonly TimerAction[]): string | undefined {
  if (timers.length > timersPerReplyMax) return `timers: ${timers.length} changes in one reply, at most ${timersPerReplyMax}`;
  for (const timer of timers) {
    const problem = timerProblem(timer);
    if (problem !== undefined) return `timer ${JSON.stringify(timer.name.slice(0, 60))}: ${problem}`;
  }
  return undefined;
}

function timerProblem(timer: TimerAction): string | undefined {
  if (timer.do === "cancel") return nameProblem(timer.name);
  return nameProblem(timer.name) ?? commandProblem(timer) ?? scheduleProblem(timer.schedule);
}

function nameProblem(name: string): string | undefined {
  if (name === "") return "it has no name";
  if (name.length > timerNameMax) return `the name has ${name.length} characters, at most ${timerNameMax}`;
  if (name.includes("\0") || !name.isWellFormed()) return "the name holds a character that cannot be stored";
  return undefined;
}

function commandProblem({ command, payload }: { readonly command: string; readonly payload: Payload }): string | undefined {
  if (command === "") return "it names no command";
  const bytes = payload.value.byteLength;
  if (bytes <= timerPayloadMaxBytes) return undefined;
  return `${bytes} bytes of ${payload.typeUrl}, at most ${timerPayloadMaxBytes}; keep large data in the entity's state`;
}

/** What keeps a timer that comes from elsewhere, in the form it is stored in, from being stored; `undefined` = nothing. */
export function storedTimerProblem(timer: {
  readonly name: string;
  readonly command: string;
  readonly schedule: string;
  readonly payload: Payload;
}): string | undefined {
  const recurrence = readSchedule(timer.schedule)?.recurrence;
  if (recurrence === undefined) return "its schedule is none that this version reads";
  return nameProblem(timer.name) ?? commandProblem(timer) ?? scheduleProblem(scheduleOf(recurrence));
}

/** A schedule that goes on like this. */
function scheduleOf({ everyMs, cron, catchUp }: Recurrence): Schedule {
  if (cron !== undefined) return { cron: cron.expression, timeZone: cron.timeZone, catchUp };
  return everyMs === undefined ? { afterMs: 0, catchUp } : { everyMs, catchUp };
}

/** Changes to store, in order. `newId` names each setting of a timer, so that no two firings are taken for one. */
export function timerChanges(timers: readonly TimerAction[], wallMs: number, newId: () => string): TimerChange[] {
  return timers.map((timer): TimerChange => {
    const { name } = timer;
    if (timer.do === "cancel") return { do: "cancel", name };
    const { schedule, command, payload, metadata } = timer;
    return {
      do: "set",
      name,
      dueMs: firstDueMs(schedule, wallMs),
      schedule: `${newId()} ${writeRecurrence(recurrenceOf(schedule))}`,
      command,
      payload,
      ...(metadata && { metadata }),
    };
  });
}

/** The engine's words in a stored timer: which setting it is, and how it goes on. `undefined`: another version's. */
export function readSchedule(text: string): { readonly id: string; readonly recurrence: Recurrence } | undefined {
  const space = text.indexOf(" ");
  const recurrence = space < 0 ? undefined : readRecurrence(text.slice(space + 1));
  return recurrence && { id: text.slice(0, space), recurrence };
}
