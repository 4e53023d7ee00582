/** Random histories: the same acts on two stores must end in the same answers. */
import type { Random } from "@mecha/kit";
import type { EntityHandle, Store, Step, Verdict } from "../store.ts";
import { allEvents, append, cart, payload, read, remove, update } from "./steps.ts";

/** One act on entity number `entity`. `reopen` closes and opens the store. */
export type HistoryAct =
  | { readonly do: "commit"; readonly steps: readonly PlannedStep[] }
  | { readonly do: "release"; readonly entity: number }
  | { readonly do: "reopen" };

/** A step before its handle is known. `offBy` is added to the right expected sequence; 0 = the step is valid. */
interface PlannedStep {
  readonly entity: number;
  readonly offBy: number;
  readonly events: number;
  readonly snapshot: boolean;
  readonly remove: boolean;
  readonly bytes: number;
}

/** All a history shows: verdicts, and at the end each entity's record and events. */
export interface HistoryOutcome {
  readonly verdicts: readonly (readonly Verdict[])[];
  readonly entities: readonly unknown[];
  readonly listed: readonly unknown[];
}

/** Entities 0..5; even ones are event sourced, odd ones values. */
const entities = 6;

/** A history of `acts` acts, the same for the same Random. */
export function historyOf(random: Random, acts: number): readonly HistoryAct[] {
  return Array.from({ length: acts }, () => {
    const dice = random.below(20);
    if (dice === 0) return { do: "reopen" };
    if (dice <= 3) return { do: "release", entity: random.below(entities) };
    return { do: "commit", steps: Array.from({ length: 1 + random.below(8) }, () => plannedStep(random)) };
  });
}

function plannedStep(random: Random): PlannedStep {
  return {
    entity: random.below(entities),
    offBy: random.below(6) === 0 ? 1 - random.below(3) : 0,
    events: random.below(4),
    snapshot: random.below(5) === 0,
    remove: random.below(4) === 0,
    bytes: random.below(10) === 0 ? random.below(20_000) : random.below(300),
  };
}

/** Runs `acts`. `reopen` is called for stores that can come back; others ignore that act by handing the same store again. */
export async function applyHistory(acts: readonly HistoryAct[], open: () => Promise<Store>, keep: boolean): Promise<HistoryOutcome> {
  let store = await open();
  const handles = new Map<number, EntityHandle>();
  const sequences = new Map<number, number>();
  const verdicts: (readonly Verdict[])[] = [];
  const handleOf = async (entity: number): Promise<EntityHandle> => {
    const known = handles.get(entity);
    if (known !== undefined) return known;
    const { handle, sequence } = await store.open(cart(`e${entity}`), entity % 2 ? "value" : "eventSourced");
    handles.set(entity, handle);
    sequences.set(entity, sequence);
    return handle;
  };
  const letGo = (entity: number): void => {
    const handle = handles.get(entity);
    if (handles.delete(entity) && handle !== undefined) store.release(handle);
  };
  for (const act of acts) {
    if (act.do === "reopen") {
      handles.clear();
      if (keep) continue;
      await store[Symbol.asyncDispose]();
      store = await open();
    } else if (act.do === "release") letGo(act.entity);
    else {
      const steps: Step[] = [];
      for (const planned of act.steps) steps.push(stepOf(planned, await handleOf(planned.entity), sequences));
      const told = await store.commit(steps);
      verdicts.push(told);
      for (const [at, { is }] of told.entries()) if (is !== "committed") letGo(act.steps[at]?.entity ?? 0); // it is lost (S3)
    }
  }
  handles.clear();
  const outcome = { verdicts, entities: await look(store), listed: await store.list({ limit: 100 }) };
  await store[Symbol.asyncDispose]();
  return outcome;
}

function stepOf(planned: PlannedStep, handle: EntityHandle, sequences: Map<number, number>): Step {
  const sequence = sequences.get(planned.entity) ?? 0;
  const expected = Math.max(0, sequence + planned.offBy);
  const good = expected === sequence;
  const body = `${planned.entity}@${sequence}`.padEnd(planned.bytes, ".");
  if (planned.entity % 2) {
    if (good) sequences.set(planned.entity, sequence + 1);
    return planned.remove ? remove(handle, expected) : update(handle, expected, body);
  }
  if (good) sequences.set(planned.entity, sequence + planned.events);
  const events = Array.from({ length: planned.events }, (_, at) => `${body}#${at}`);
  return append(handle, expected, events, planned.snapshot ? { snapshot: payload(`snapshot ${body}`) } : {});
}

async function look(store: Store): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (let entity = 0; entity < entities; entity++) {
    const { handle, sequence, snapshot, value } = await store.open(cart(`e${entity}`), entity % 2 ? "value" : "eventSourced");
    const events = entity % 2 ? [] : (await allEvents(store, handle, 0, 7)).map((event) => ({ ...event, payload: read(event.payload) }));
    seen.push({ sequence, snapshot: snapshot && [snapshot.sequence, read(snapshot.payload)], value: read(value), events });
  }
  return seen;
}
