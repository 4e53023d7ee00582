/** The end of a stream, whoever wants it, and what becomes of those who wait. */
import { Fault } from "@mecha/kit";
import { crdtTexts, deleted } from "../actions.ts";
import { failQueue, goOn } from "./activation.ts";
import type { CrdtEntity } from "./state.ts";

/** Deleted here or elsewhere: the stream ends, and so does every command but those that have their last answer. */
export function endDeleted(entity: CrdtEntity, nowMs: number, tell: boolean): void {
  if (tell) entity.out.sendDeleted();
  close(entity, nowMs);
  failAtFunction(entity, deleted());
  failQueue(entity, deleted());
}

export function violation(entity: CrdtEntity, problem: string, nowMs: number): void {
  entity.out.warn("function broke the protocol", { entity: entity.name, problem });
  terminate(entity, nowMs);
}

/** The function is told that it broke the protocol, and its stream is cut. */
export function crash(entity: CrdtEntity, problem: string, nowMs: number): void {
  entity.out.reportError(`${entity.name}: ${problem}`);
  violation(entity, problem, nowMs);
}

export function terminate(entity: CrdtEntity, nowMs: number): void {
  const closing = entity.phase === "closing";
  leaveStream(entity);
  if (!closing) failAtFunction(entity, new Fault("unknown", crdtTexts.terminating));
  goOn(entity, nowMs);
}

export function closed(entity: CrdtEntity, reason: string | undefined, unreached: boolean, nowMs: number): void {
  const closing = entity.phase === "closing";
  const waiting = [...entity.atFunction.values()].map(({ envelope }) => envelope);
  if (!closing && entity.replies === 0) entity.out.streamFailed(reason ?? "it ended the stream");
  if (!closing && unreached && entity.replies === 0) {
    entity.atFunction.clear();
    entity.queue = [...waiting, ...entity.queue];
  }
  terminate(entity, nowMs);
}

/** keeps K6 */
export function closeStale(entity: CrdtEntity, nowMs: number): void {
  if (entity.atFunction.size === 0) close(entity, nowMs);
}

function leaveStream(entity: CrdtEntity): void {
  entity.out.reset();
  entity.endRest();
  entity.stale = false;
  entity.calledOff.clear();
  entity.known = undefined;
  entity.phase = "settling";
}

export function close(entity: CrdtEntity, nowMs: number): void {
  entity.endRest();
  entity.phase = "closing";
  entity.sinceMs = nowMs;
  entity.watch(nowMs + entity.limits.closeTimeoutMs);
  entity.out.halfClose();
}

/** Ends the activation if nothing is going on (K5). */
export function passivate(entity: CrdtEntity, nowMs: number): boolean {
  if (!entity.resting) return false;
  close(entity, nowMs);
  return true;
}

export function moved(entity: CrdtEntity, nowMs: number): void {
  if (entity.phase !== "active" && entity.phase !== "closing") return;
  leaveStream(entity);
  failAtFunction(entity, new Fault("unavailable", `${entity.name}: its function was replaced; not applied, retry`));
  goOn(entity, nowMs);
}

/** Stops taking part: what is not on its way to the store fails with `fault`. */
export function cut(entity: CrdtEntity, fault: Fault, nowMs: number): void {
  if (entity.phase !== "idle") leaveStream(entity);
  failAtFunction(entity, fault);
  failQueue(entity, fault);
  goOn(entity, nowMs);
}

/** Nothing more will come of what is pending. */
export function giveUp(entity: CrdtEntity, nowMs: number): void {
  const fault = new Fault("unknown", `${entity.name}: stopped before this was known to be stored`);
  for (const { envelope, last } of entity.pending.splice(0)) if (envelope !== undefined && last) entity.out.fail(envelope, fault);
  goOn(entity, nowMs);
}

/** The row was not stored: what the function and this memory know is more than what is. */
export function writeFailed(entity: CrdtEntity, fault: Fault, nowMs: number): void {
  entity.out.warn("CRDT was not stored", { entity: entity.name, cause: fault });
  const pending = entity.pending.splice(0);
  leaveStream(entity);
  for (const { envelope, last } of pending) if (envelope !== undefined && last) entity.out.fail(envelope, fault);
  failAtFunction(entity, fault);
  goOn(entity, nowMs);
}

/** Fails commands without an answer, and streamed ones that wait for more. */
function failAtFunction(entity: CrdtEntity, fault: Fault): void {
  const envelopes = [...[...entity.atFunction.values()].map(({ envelope }) => envelope), ...entity.streams.values()];
  entity.atFunction.clear();
  entity.streams.clear();
  for (const envelope of envelopes) entity.out.fail(envelope, fault);
}
