/** The ways from one phase to another that several inputs share: a start, the loss or the end of a stream, what follows it. */
import { Fault } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { EntityState } from "./state.ts";

/** Asks for leave to load. */
export function enter(entity: EntityState, nowMs: number): void {
  entity.phase = "waiting";
  if (entity.startingSinceMs < 0) entity.startingSinceMs = nowMs;
  entity.out.enter();
  if (entity.phase === "waiting") watchQueue(entity);
}

/** While an entity waits, its longest waiting command says how long. */
export function watchQueue(entity: EntityState): void {
  const { head } = entity.mailbox;
  if (head !== undefined) entity.watch(waitedEnoughMs(entity, head));
}

/** When `head` has waited long enough: time spent behind others at a working function does not count. */
export function waitedEnoughMs(entity: EntityState, head: Envelope): number {
  return Math.max(head.enqueuedMs, entity.startingSinceMs) + entity.limits.functionWaitMs;
}

/** Nothing to do from now on. */
export function rest(entity: EntityState, nowMs: number): void {
  entity.resting = true;
  entity.sinceMs = nowMs;
  entity.watch(nowMs + entity.passivationMs);
  entity.out.rest();
}

export function endRest(entity: EntityState): void {
  if (!entity.resting) return;
  entity.resting = false;
  entity.out.stir();
}

/** Half-closes; what is under way goes on. `reopen`: start again at once. */
export function close(entity: EntityState, reopen: boolean, nowMs: number): void {
  endRest(entity);
  entity.phase = "closing";
  entity.reopen = reopen;
  entity.sinceMs = nowMs;
  entity.watch(nowMs + entity.limits.closeTimeoutMs);
  entity.out.halfClose();
}

/** Cuts the stream, if there is one; what comes next is `goOn`'s. */
export function leaveStream(entity: EntityState): void {
  entity.out.reset();
  endRest(entity);
  entity.replaying = undefined;
  entity.phase = "settling";
}

/** With no stream and nothing under way (E3): starts again if somebody waits, else ends. In other phases there is nothing to do. */
export function goOn(entity: EntityState, nowMs: number): void {
  if (entity.phase !== "settling" || entity.ledger.size > 0) return;
  entity.out.releaseHandle();
  if (entity.mailbox.size > 0 || entity.reopen) {
    enter(entity, nowMs);
    return;
  }
  entity.phase = "idle";
  entity.out.ended();
}

/** Nothing more comes from this stream: the command at the function fails, those sent ahead are queued again (W2). */
export function failAtFunction(entity: EntityState, fault: Fault): void {
  const first = entity.sent.shift();
  recallSent(entity);
  if (first !== undefined) entity.out.fail(first, fault);
}

/** Queues everything sent again, in front and in its order. */
export function recallSent(entity: EntityState): void {
  const { sent, mailbox, out } = entity;
  for (let envelope = sent.head; envelope !== undefined; envelope = envelope.next) out.recall(envelope);
  mailbox.takeBack(sent);
  entity.sentBytes = 0;
}

/** The stream ended and nobody said why: any of the commands sent may be the cause (W3). */
export function suspectSent(entity: EntityState): void {
  entity.suspects = Math.max(0, entity.sent.size - 1);
}

/** Fails what is queued now; a caller who calls again from its answer queues anew. */
export function failQueue(entity: EntityState, fault: Fault): void {
  failFirst(entity, entity.mailbox.size, fault);
}

export function failFirst(entity: EntityState, count: number, fault: Fault): void {
  for (let left = count; left > 0; left--) {
    const envelope = entity.mailbox.shift();
    if (envelope !== undefined) entity.out.fail(envelope, fault);
  }
}

/** What the loss of a stream under a command does to those behind it. */
export function terminateQueue(entity: EntityState): void {
  if (entity.limits.failQueueOnTermination) failQueue(entity, new Fault("unknown", entity.texts.queued));
}
