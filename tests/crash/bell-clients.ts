/**
 * Clients of bells: they set timers that fire once or again and again, set them anew and cancel them. What a bell wrote down is judged when what is due has
 * fired (bells.ts), which need not be at the end of a trial: timers go on while the next trials hurt Mecha.
 *
 * Besides the rules of bells.ts:
 *   B7 no acknowledged setting or cancellation is missing     B8 none is done twice
 */
import type { Random } from "@mecha/kit";
import { eventually } from "../support/program.ts";
import { Asking } from "./asking.ts";
import { type BellEvent, checkBells } from "./bells.ts";
import type { Breach } from "./history.ts";

/** Timers of a bell: few, so that they are set anew and cancelled. */
const timersPerBell = 3;
/** How far ahead one is set, ms: most become due while the trial, or the next one, runs. */
const aheadMaxMs = 600;
/** Time between two firings of an interval, ms. Long enough for those of many trials to go on at a time. */
const everyMinMs = 1_000;
const everyMaxMs = 4_000;

/** What a bell notes, as tests/crash/ledger/main.ts writes it. Firings have no id. */
type Note = BellEvent & { readonly commandId?: string };

export class BellClients {
  readonly bells: readonly string[];
  readonly #asking: Asking;
  readonly #random: Random;
  #unanswered = 0;

  constructor(asking: Asking, random: Random, bells: readonly string[]) {
    this.#asking = asking;
    this.#random = random;
    this.bells = bells;
  }

  get unanswered(): number {
    return this.#unanswered;
  }

  /** @returns whether it was answered. */
  async once(keyed: boolean): Promise<boolean> {
    const random = this.#random;
    const bell = this.bells[random.below(this.bells.length)] ?? "";
    const timer = `t${String(random.below(timersPerBell))}`;
    const id = this.#asking.nextId(bell);
    const cancels = random.below(4) === 0;
    const every = random.below(3) === 0 ? { everyMs: everyMinMs + random.below(everyMaxMs - everyMinMs) } : {};
    const body = { commandId: id, timer, ...(!cancels && { dueMs: Date.now() + random.below(aheadMaxMs), ...every }) };
    const path = `/bells/${bell}/${cancels ? "cancel" : "set"}`;
    this.#unanswered++;
    const answer = await this.#asking.change<unknown>(path, body, keyed ? id : undefined);
    if (!answer) return false;
    this.#unanswered--;
    this.#asking.acknowledged.push({ entity: bell, id, stored: "event" });
    return true;
  }
}

/** Waits until what is due now has fired, and judges. `acknowledged`: ids of settings and cancellations. */
export async function judgeBells(
  port: number,
  bells: readonly string[],
  acknowledged: readonly { readonly entity: string; readonly id: string }[],
): Promise<readonly Breach[]> {
  using asking = new Asking(port);
  const nowMs = Date.now();
  const judge = async (): Promise<readonly Breach[]> => {
    const notes = new Map<string, readonly Note[]>();
    for (const bell of bells) notes.set(bell, await notesOf(asking, bell));
    return [...checkBells(notes, nowMs), ...checkNotes(notes, acknowledged)];
  };
  const settled = async (): Promise<readonly Breach[] | undefined> => {
    const breaches = await judge();
    return breaches.some(({ rule }) => rule === "B1") ? undefined : breaches;
  };
  return await eventually("what is due has fired", settled).catch(judge);
}

async function notesOf(asking: Asking, bell: string): Promise<readonly Note[]> {
  const { notes } = await asking.untilRead<{ notes: readonly string[] }>(`/bells/${bell}`);
  return notes.map((note) => JSON.parse(note) as Note);
}

/** keeps B7 and B8 */
export function checkNotes(
  notes: ReadonlyMap<string, readonly Note[]>,
  acknowledged: readonly { readonly entity: string; readonly id: string }[],
): readonly Breach[] {
  const breaches: Breach[] = [];
  for (const [bell, list] of notes) {
    const ids = list.flatMap(({ commandId }) => (commandId === undefined ? [] : [commandId]));
    const known = new Set(ids);
    for (const { entity, id } of acknowledged)
      if (entity === bell && !known.has(id)) breaches.push({ rule: "B7", entity: bell, what: `${id} was acknowledged and is not noted` });
    for (const [at, id] of ids.entries())
      if (ids.indexOf(id) < at) breaches.push({ rule: "B8", entity: bell, what: `${id} is noted twice` });
  }
  return breaches;
}
