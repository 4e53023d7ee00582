/** When a timer is due: decided here, from schedules and times alone. The engine keeps timers by it, the SDK checks what users write. */
export { cronProblem, timeZoneProblem } from "./cron.ts";
export { catchUpAgeMs, catchUpMax, isLeftOut, nextDueMs, skipLateMs } from "./next.ts";
export {
  type CatchUp,
  catchUps,
  cronTextMax,
  dueMaxMs,
  everyMinMs,
  firstDueMs,
  readRecurrence,
  type Recurrence,
  recurrenceOf,
  type Schedule,
  scheduleProblem,
  writeRecurrence,
} from "./schedule.ts";
