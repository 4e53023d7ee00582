/** From the first command to an open stream, and back to nothing or to the next activation. */
import { assert, Fault } from "@mecha/kit";
import type { Envelope } from "../../../envelope.ts";
import type { Replica } from "../../replica.ts";
import { wholeDelta } from "../../value.ts";
import { deleted, recoveryFault } from "../actions.ts";
import { send } from "./sending.ts";
import type { CrdtEntity } from "./state.ts";

/** Asks for leave to load. */
export function enter(entity: CrdtEntity, nowMs: number): void {
  entity.phase = "waiting";
  if (entity.startingSinceMs < 0) entity.startingSinceMs = nowMs;
  entity.out.enter();
  if (entity.phase === "waiting") watchQueue(entity);
}

/** The oldest waiting command says when there has been enough of it. */
export function watchQueue(entity: CrdtEntity): void {
  const head = entity.queue[0];
  if (head !== undefined) entity.watch(waitedEnoughMs(entity, head));
}

function waitedEnoughMs(entity: CrdtEntity, head: Envelope): number {
  return Math.max(head.enqueuedMs, entity.startingSinceMs) + entity.limits.functionWaitMs;
}

export function entered(entity: CrdtEntity): void {
  assert(entity.phase === "waiting", `${entity.name}: leave to load in phase ${entity.phase}`);
  entity.phase = "loading";
  entity.out.openReplica();
}

export function refused(entity: CrdtEntity, fault: Fault, nowMs: number): void {
  entity.phase = "settling";
  failQueue(entity, fault);
  goOn(entity, nowMs);
}

export function opened(entity: CrdtEntity, replica: Replica, nowMs: number): void {
  entity.replica = replica;
  if (replica.deleted || entity.queue.length === 0) {
    entity.phase = "settling";
    failQueue(entity, deleted());
    goOn(entity, nowMs);
    return;
  }
  entity.lastCommandId = 0;
  entity.replies = 0;
  entity.known = replica.value();
  entity.phase = "active";
  entity.out.openStream(entity.known && wholeDelta(entity.known));
  entity.out.activated();
  const queue = entity.queue;
  entity.queue = [];
  for (const envelope of queue) send(entity, envelope, nowMs);
}

export function openFailed(entity: CrdtEntity, cause: unknown, nowMs: number): void {
  entity.out.warn("CRDT could not be loaded", { entity: entity.name, cause });
  entity.phase = "settling";
  failQueue(entity, recoveryFault(cause));
  goOn(entity, nowMs);
}

/** Commands that have waited long enough for a start fail. */
export function waitOver(entity: CrdtEntity, nowMs: number): void {
  const due = entity.queue.filter((envelope) => nowMs >= waitedEnoughMs(entity, envelope));
  entity.queue = entity.queue.filter((envelope) => !due.includes(envelope));
  const waited = `${entity.limits.functionWaitMs / 1000} s`;
  const text = `${entity.name}: not started within ${waited}: ${entity.out.waitingFor()}; not applied, retry`;
  for (const envelope of due) entity.out.fail(envelope, new Fault("unavailable", text));
  if (entity.phase !== "waiting") return;
  if (entity.queue.length > 0) {
    watchQueue(entity);
    return;
  }
  entity.phase = "settling";
  goOn(entity, nowMs);
}

/** Without a stream: starts again if somebody waits, else ends once everything is answered and written. */
export function goOn(entity: CrdtEntity, nowMs: number): void {
  if (entity.phase !== "settling" || entity.pending.length > 0 || entity.replica?.writing === true) return;
  entity.replica = undefined;
  entity.out.releaseReplica();
  if (entity.queue.length > 0) {
    enter(entity, nowMs);
    return;
  }
  entity.phase = "idle";
  entity.out.ended();
}

export function failQueue(entity: CrdtEntity, fault: Fault): void {
  const queue = entity.queue;
  entity.queue = [];
  for (const envelope of queue) entity.out.fail(envelope, fault);
}
