/**
 * Judges timers by what their entity wrote down: a bell notes each setting, cancellation and firing as an event, so one list, in the order of commits, says
 * what a timer was and what became of it.
 *
 *   B1 a timer that is due and neither set anew nor cancelled has fired in the end     B2 no firing takes effect twice
 *   B3 nothing fires before it is due                                                  B4 only what is set fires: nothing after a cancellation, nothing of a
 *   B5 an interval keeps its phase: each due time is the first plus whole intervals       setting before
 *   B6 the numbers of firings ascend (one that the function refused has left no event)
 */
import type { Breach } from "./history.ts";

/** What a bell wrote down. Times are wall ms. */
export type BellEvent =
  | {
      readonly did: "set";
      readonly timer: string;
      /** First time it is due. Exact for timers set to a time. */
      readonly dueMs: number;
      readonly everyMs: number | undefined;
    }
  | { readonly did: "cancel"; readonly timer: string }
  | { readonly did: "ring"; readonly timer: string; readonly dueMs: number; readonly number: number; readonly atMs: number };

type Setting = Extract<BellEvent, { did: "set" }> & { rings: number; lastDueMs: number };

/** All breaches of all bells. `nowMs`: what was due by then must have fired. */
export function checkBells(bells: ReadonlyMap<string, readonly BellEvent[]>, nowMs: number): readonly Breach[] {
  return [...bells].flatMap(([bell, events]) => checkBell(bell, events, nowMs));
}

function checkBell(bell: string, events: readonly BellEvent[], nowMs: number): readonly Breach[] {
  const set = new Map<string, Setting>();
  /** Firings of every setting so far, so that one of an earlier setting is told from one that comes twice. */
  const rung = new Set<string>();
  const breaches: Breach[] = [];
  const breach = (rule: Breach["rule"], what: string): void => void breaches.push({ rule, entity: bell, what });
  for (const event of events) {
    if (event.did === "set") for (const firing of rung) if (firing.startsWith(`${event.timer} `)) rung.delete(firing);
    if (event.did === "set") set.set(event.timer, { ...event, rings: 0, lastDueMs: -Infinity });
    else if (event.did === "cancel") set.delete(event.timer);
    else {
      const problem = ringProblem(event, set.get(event.timer), rung);
      if (problem) breach(...problem);
      rung.add(firingOf(event));
      noteRing(event, set);
    }
  }
  for (const [timer, { dueMs, everyMs, lastDueMs }] of set) {
    const nextMs = lastDueMs === -Infinity ? dueMs : lastDueMs + (everyMs ?? Infinity);
    if (nextMs <= nowMs) breach("B1", `${timer} was due at ${String(nextMs)} and has not fired by ${String(nowMs)}`);
  }
  return breaches;
}

function firingOf({ timer, dueMs }: { readonly timer: string; readonly dueMs: number }): string {
  return `${timer} ${String(dueMs)}`;
}

function ringProblem(
  ring: Extract<BellEvent, { did: "ring" }>,
  setting: Setting | undefined,
  rung: ReadonlySet<string>,
): readonly [Breach["rule"], string] | undefined {
  const { timer, dueMs, number, atMs } = ring;
  const what = `${timer} due at ${String(dueMs)}`;
  if (rung.has(firingOf(ring))) return ["B2", `${what} fired again`];
  if (atMs < dueMs) return ["B3", `${what} fired at ${String(atMs)}`];
  if (!setting) return ["B4", `${what} fired and is not set`];
  const { everyMs } = setting;
  if (everyMs === undefined && dueMs !== setting.dueMs) return ["B4", `${what} fired, it was set to ${String(setting.dueMs)}`];
  if (everyMs !== undefined && (dueMs < setting.dueMs || (dueMs - setting.dueMs) % everyMs !== 0))
    return ["B5", `${what} is not ${String(setting.dueMs)} and whole intervals of ${String(everyMs)}`];
  return number > setting.rings ? undefined : ["B6", `${what} says it is number ${String(number)}, behind number ${String(setting.rings)}`];
}

/** One that fires once is over then. */
function noteRing({ timer, dueMs, number }: Extract<BellEvent, { did: "ring" }>, set: Map<string, Setting>): void {
  const setting = set.get(timer);
  if (!setting) return;
  if (setting.everyMs === undefined) set.delete(timer);
  else set.set(timer, { ...setting, rings: number, lastDueMs: dueMs });
}
