/** Parked events for people: those of event logs and of topics in one list, each by a number that says where it is kept. */
import { Fault } from "@mecha/kit";
import type { Cursors, ParkedRow } from "@mecha/state";
import { type BoundEvent, type Outcome } from "@mecha/binding";

/** A parked event with its number: `l7` of an event log, `t7` of a topic. */
export interface ParkedShown extends Omit<ParkedRow, "id"> {
  readonly id: string;
}

export interface ParkedPage {
  readonly events: readonly ParkedShown[];
  /** Pass it as `after` for the next page. Absent on the last one. */
  readonly next?: string;
}

/** Delivers an event of a subscriber once more. `undefined`: no function consumes as that subscriber now. */
export type DeliverAgain = (subscriber: string, event: BoundEvent) => Promise<Outcome> | undefined;

type Place = "l" | "t";

/** See the file's header. */
export class Parked {
  readonly #places: Readonly<Record<Place, Cursors | undefined>>;

  constructor(logs: Cursors, topics: Cursors | undefined) {
    this.#places = { l: logs, t: topics };
  }

  /** @param query.after A number of the page before. */
  async list(query: { readonly after?: string; readonly limit: number }): Promise<ParkedPage> {
    const { after, limit } = query;
    const from = after === undefined ? { place: "l" as const, id: 0 } : readId(after);
    const events: ParkedShown[] = [];
    for (const place of from.place === "l" ? (["l", "t"] as const) : (["t"] as const)) {
      const cursors = this.#places[place];
      if (cursors === undefined) continue;
      for (let afterId = place === from.place ? from.id : 0; events.length <= limit;) {
        const rows = await cursors.parked({ afterId, limit: limit + 1 - events.length });
        events.push(...rows.map((row) => ({ ...row, id: `${place}${row.id}` })));
        const last = rows.at(-1);
        if (last === undefined) break;
        afterId = last.id;
      }
    }
    const shown = events.slice(0, limit);
    const last = shown.at(-1);
    return { events: shown, ...(events.length > limit && last !== undefined && { next: last.id }) };
  }

  async count(): Promise<number> {
    return ((await this.#places.l?.parkedCount()) ?? 0) + ((await this.#places.t?.parkedCount()) ?? 0);
  }

  /**
   * Delivers it once more, out of its order; gone when that succeeds.
   * @throws Fault("notFound") when there is none, Fault("precondition") when nobody consumes it now, and what the delivery failed with.
   */
  async retry(id: string, deliver: DeliverAgain): Promise<void> {
    const { cursors, row } = await this.#find(id);
    const outcome = await (deliver(row.subscriber, eventOf(row)) ?? Promise.resolve({ is: "held" } as const));
    if (outcome.is === "held")
      throw new Fault("precondition", `no function that is connected consumes as ${row.subscriber}; start it, then try again`);
    if (outcome.is !== "failed") {
      await cursors.settleParked([{ id: row.id, to: "removed" }]);
      return;
    }
    const { fault } = outcome;
    const failure = `${fault.code}: ${fault.message}`;
    await cursors.settleParked([{ id: row.id, to: "parked", attempts: row.attempts + 1, failure }]);
    throw new Fault(fault.code, `event ${id} failed again, and stays parked`, { cause: fault });
  }

  /** Forgets it. @throws Fault("notFound") */
  async skip(id: string): Promise<void> {
    const { cursors, row } = await this.#find(id);
    await cursors.settleParked([{ id: row.id, to: "removed" }]);
  }

  async #find(id: string): Promise<{ readonly cursors: Cursors; readonly row: ParkedRow }> {
    const { place, id: number } = readId(id);
    const cursors = this.#places[place];
    const [row] = (await cursors?.parked({ afterId: number - 1, limit: 1 })) ?? [];
    if (cursors === undefined || row?.id !== number)
      throw new Fault("notFound", `no event ${id} is parked; \`mecha events parked\` shows which are`);
    return { cursors, row };
  }
}

function readId(text: string): { readonly place: Place; readonly id: number } {
  const [, place, id] = /^([lt])(\d{1,15})$/.exec(text) ?? [];
  if (place === undefined)
    throw new Fault("invalid", `${JSON.stringify(text.slice(0, 40))} is no number of a parked event, such as l7 or t7`);
  return { place: place as Place, id: Number(id) };
}

function eventOf({ attributes, payload, trace }: ParkedRow): BoundEvent {
  const text = (name: string): string => String(attributes.find(([key]) => key === name)?.[1] ?? "");
  return {
    ...{ position: 0, shard: 0, offset: 0, id: text("ce-id"), source: text("ce-source"), attributes, payload },
    ...(trace !== undefined && { trace }),
  };
}
