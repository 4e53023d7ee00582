/** Timers as the admin API shows them, and how people cancel one. */
import { createRegistry } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { readSchedule, type TimerRow } from "@mecha/state";
import { anyToJson } from "@mecha/wire";
import type { EntitySource } from "./entities.ts";
import type { TimerJson, TimerPageJson } from "./model.ts";

/** A page of timers, in the order they were first set. */
export async function listTimers(
  source: EntitySource,
  query: { readonly service?: string; readonly id?: string; readonly after?: number; readonly limit: number },
): Promise<TimerPageJson> {
  const { service, id, after, limit } = query;
  if (id !== undefined && service === undefined) throw new Fault("invalid", "`id` goes with `service`: an id alone names no entity");
  const rows = await source.store.timers({
    limit: limit + 1,
    ...(service !== undefined && { service }),
    ...(id !== undefined && { entityId: id }),
    ...(after !== undefined && { afterId: after }),
  });
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { timers: shown.map((row) => timerJson(row, source)), ...(rows.length > limit && last && { next: String(last.id) }) };
}

/** @throws Fault("notFound") when the entity has no timer of that name. */
export async function cancelTimer(source: EntitySource, service: string, id: string, name: string): Promise<{ readonly cancelled: true }> {
  if (await source.engine.cancelTimer(service, id, name)) return { cancelled: true };
  const entity = `${service} ${JSON.stringify(id)}`;
  throw new Fault("notFound", `${entity} has no timer ${JSON.stringify(name)}; \`mecha timers list\` shows what is set`);
}

function timerJson(
  { address, name, dueMs, firings, parked, failure, schedule, command, payload }: TimerRow,
  source: EntitySource,
): TimerJson {
  const { service, entityId } = address;
  const recurrence = readSchedule(schedule)?.recurrence;
  return {
    service,
    id: entityId,
    name,
    due: new Date(dueMs).toISOString(),
    firing: firings + 1,
    state: parked === true ? "parked" : "set",
    ...(failure !== undefined && { failure }),
    ...(recurrence?.everyMs !== undefined && { everyMs: recurrence.everyMs }),
    ...(recurrence?.cron && { cron: recurrence.cron.expression, timeZone: recurrence.cron.timeZone }),
    catchUp: recurrence?.catchUp ?? "once",
    command,
    payload: anyToJson(payload, source.descriptors(service)?.registry ?? createRegistry()),
  };
}
