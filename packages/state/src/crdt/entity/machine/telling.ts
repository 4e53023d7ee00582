/** What follows from a change, made here or elsewhere: callers are answered, the function is told, the entity rests. */
import { Fault } from "@mecha/kit";
import { difference, wholeDelta } from "../../value.ts";
import { crdtTexts, type PendingAnswer } from "../actions.ts";
import { goOn } from "./activation.ts";
import { closeStale, crash, endDeleted } from "./ending.ts";
import { callOffStream } from "./sending.ts";
import type { CrdtEntity } from "./state.ts";

/** What follows any message of the function: answers, the end of a deleted entity, deltas, rest. */
export function afterChange(entity: CrdtEntity, nowMs: number): void {
  releaseDurable(entity);
  if (entity.phase !== "active") return; // a caller called back, and it ended
  if (entity.replica?.deleted === true) endDeleted(entity, nowMs, false);
  else if (entity.stale) closeStale(entity, nowMs);
  else tell(entity, nowMs);
}

/** keeps K2 */
function releaseDurable(entity: CrdtEntity): void {
  const durable = entity.replica?.durable ?? 0;
  for (let head = entity.pending[0]; head !== undefined && head.version <= durable && head.spread; head = entity.pending[0]) {
    entity.pending.shift();
    entity.out.release(head);
  }
}

/** keeps K1 */
export function tell(entity: CrdtEntity, nowMs: number): void {
  if (entity.phase !== "active" || entity.stale || entity.atFunction.size > 0 || entity.calledOff.size > 0) return;
  const now = entity.replica?.value();
  if (now !== undefined) {
    const delta = entity.known === undefined ? wholeDelta(now) : difference(entity.known, now);
    if (delta === "replaced") {
      crash(entity, "a peer made it another type", nowMs);
      return;
    }
    if (delta !== undefined) entity.out.sendDelta(delta);
    entity.known = now;
  }
  restIfIdle(entity, nowMs);
}

function restIfIdle(entity: CrdtEntity, nowMs: number): void {
  if (entity.resting || entity.streams.size > 0 || entity.pending.length > 0 || entity.replica?.writing === true) return;
  entity.resting = true;
  entity.sinceMs = nowMs;
  entity.watch(nowMs + entity.passivationMs);
  entity.out.rest();
}

/** A later version is durable. */
export function durable(entity: CrdtEntity, nowMs: number): void {
  releaseDurable(entity);
  if (entity.phase === "active") tell(entity, nowMs);
  else goOn(entity, nowMs);
}

/** As many replicas have the answer's version as it wanted; or why not in time. */
export function spread(entity: CrdtEntity, answer: PendingAnswer, problem: string | undefined, nowMs: number): void {
  if (problem === undefined) answer.spread = true;
  else {
    const at = entity.pending.indexOf(answer);
    if (at < 0) return;
    entity.pending.splice(at, 1);
    entity.out.warn("other replicas did not confirm in time", { entity: entity.name, consistency: answer.consistency, problem });
    // Not `deadline` or `unavailable`: those are tried again, and the change is stored.
    const text = entity.limits.bareTexts ? crdtTexts.consistency : `${crdtTexts.consistency}: ${problem}`;
    failUnspread(entity, answer, new Fault("unknown", text), nowMs);
  }
  durable(entity, nowMs);
}

function failUnspread(entity: CrdtEntity, { envelope, last }: PendingAnswer, fault: Fault, nowMs: number): void {
  if (envelope === undefined) return;
  if (last) entity.out.fail(envelope, fault);
  else callOffStream(entity, envelope, fault, nowMs);
}

/** Another replica has changed something, or a member came or went. */
export function heard(entity: CrdtEntity, nowMs: number): void {
  if (entity.phase !== "active") return;
  if (entity.replica?.deleted === true) endDeleted(entity, nowMs, true);
  else {
    entity.endRest();
    tell(entity, nowMs);
  }
}
