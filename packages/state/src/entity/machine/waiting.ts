/** Waits that lasted too long: for a start, for a replay, for an answer, for an end, for something to do. */
import { Fault } from "@mecha/kit";
import { close, failAtFunction, goOn, leaveStream, suspectSent, waitedEnoughMs, watchQueue } from "./phases.ts";
import type { EntityState } from "./state.ts";
import { frozenOver } from "./steps.ts";
import { closed } from "./stream.ts";

/** The time asked for by `watch` has come. */
export function tick(entity: EntityState, nowMs: number): void {
  entity.watchedMs = Infinity;
  switch (entity.phase) {
    case "waiting":
      waitOver(entity, nowMs);
      break;
    case "replaying":
      replayOver(entity, nowMs);
      break;
    case "active":
      activeOver(entity, nowMs);
      break;
    case "closing":
      if (nowMs < entity.sinceMs + entity.limits.closeTimeoutMs) entity.watch(entity.sinceMs + entity.limits.closeTimeoutMs);
      else closed(entity, undefined, false, nowMs);
      break;
    case "frozen":
      frozenOver(entity, nowMs);
      break;
    case "idle":
    case "loading":
    case "settling":
      break;
  }
}

function waitOver(entity: EntityState, nowMs: number): void {
  const { mailbox } = entity;
  for (let { head } = mailbox; head !== undefined; { head } = mailbox) {
    if (nowMs < waitedEnoughMs(entity, head)) break;
    mailbox.shift();
    entity.out.fail(head, notStarted(entity));
    if (!isWaiting(entity)) return;
  }
  if (mailbox.size > 0 || entity.reopen) {
    watchQueue(entity);
    return;
  }
  entity.phase = "settling";
  goOn(entity, nowMs);
}

/** Asked anew: a caller may have called back. */
function isWaiting(entity: EntityState): boolean {
  return entity.phase === "waiting";
}

function notStarted(entity: EntityState): Fault {
  const waited = `${entity.limits.functionWaitMs / 1000} s`;
  return new Fault("unavailable", `${entity.name}: not started within ${waited}: ${entity.out.waitingFor()}; not applied, retry`);
}

function replayOver(entity: EntityState, nowMs: number): void {
  const dueMs = entity.sinceMs + entity.limits.commandTimeoutMs;
  if (nowMs < dueMs) {
    entity.watch(dueMs);
    return;
  }
  entity.out.streamFailed("it does not take the events replayed to it");
  leaveStream(entity);
  goOn(entity, nowMs);
}

function activeOver(entity: EntityState, nowMs: number): void {
  const envelope = entity.atFunction;
  if (envelope === undefined) {
    if (!entity.resting) return; // the verdict under way will make it rest
    if (nowMs < entity.sinceMs + entity.passivationMs) entity.watch(entity.sinceMs + entity.passivationMs);
    else close(entity, false, nowMs);
    return;
  }
  const dueMs = entity.sentMs + entity.limits.commandTimeoutMs;
  if (nowMs < dueMs) {
    entity.watch(dueMs);
    return;
  }
  const waited = `${entity.limits.commandTimeoutMs / 1000} s`;
  entity.warn("function did not answer in time", `no answer within ${waited}`, { command: envelope.command.name });
  leaveStream(entity);
  suspectSent(entity);
  const problem = `${entity.name}: ${envelope.command.name} got no answer within ${waited}; not applied`;
  failAtFunction(entity, new Fault("deadline", problem));
  goOn(entity, nowMs);
}
