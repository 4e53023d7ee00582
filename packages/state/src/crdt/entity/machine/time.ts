/** What is overdue. */
import { Fault } from "@mecha/kit";
import { waitOver } from "./activation.ts";
import { close, closed, terminate } from "./ending.ts";
import type { CrdtEntity } from "./state.ts";
import { tell } from "./telling.ts";

export function tick(entity: CrdtEntity, nowMs: number): void {
  entity.watchedMs = Infinity;
  if (entity.phase === "waiting") waitOver(entity, nowMs);
  else if (entity.phase === "active") activeOver(entity, nowMs);
  else if (entity.phase === "closing") {
    if (nowMs < entity.sinceMs + entity.limits.closeTimeoutMs) entity.watch(entity.sinceMs + entity.limits.closeTimeoutMs);
    else closed(entity, undefined, false, nowMs);
  }
}

function activeOver(entity: CrdtEntity, nowMs: number): void {
  if (commandOverdue(entity, nowMs)) return;
  const before = entity.calledOff.size;
  for (const [id, dueMs] of entity.calledOff) {
    if (nowMs >= dueMs)
      entity.calledOff.delete(id); // keeps K4
    else entity.watch(dueMs);
  }
  if (entity.calledOff.size < before) tell(entity, nowMs);
  if (!entity.resting) return;
  if (nowMs < entity.sinceMs + entity.passivationMs) entity.watch(entity.sinceMs + entity.passivationMs);
  else close(entity, nowMs);
}

/** A command the function never answered: its stream is cut, so that a late answer cannot arrive (E7). */
function commandOverdue(entity: CrdtEntity, nowMs: number): boolean {
  const oldest = entity.atFunction.values().next().value;
  if (oldest === undefined) return false;
  const dueMs = oldest.sentMs + entity.limits.commandTimeoutMs;
  if (nowMs < dueMs) {
    entity.watch(dueMs);
    return false;
  }
  const { envelope } = oldest;
  const waited = `${entity.limits.commandTimeoutMs / 1000} s`;
  entity.out.warn("function did not answer in time", { entity: entity.name, command: envelope.command.name });
  const [id] = entity.atFunction.keys();
  entity.atFunction.delete(id as number);
  entity.out.fail(envelope, new Fault("deadline", `${entity.name}: ${envelope.command.name} got no answer within ${waited}; not applied`));
  if (entity.phase === "active") terminate(entity, nowMs);
  return true;
}
