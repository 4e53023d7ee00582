/** What the function says on an entity's stream, and how a stream ends. */
import { Fault, type FaultCode } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { EntityReply } from "../../model.ts";
import { lastingFault } from "../../outbox/chosen.ts";
import type { MessagePlan } from "../../outbox/messages.ts";
import { timersProblem } from "../../timers/changes.ts";
import { asksRestart, draftStep, findExcess } from "../draft.ts";
import type { LedgerStep } from "../ledger.ts";
import { pump } from "./commands.ts";
import { close, failAtFunction, failFirst, failQueue, goOn, leaveStream, recallSent, suspectSent, terminateQueue } from "./phases.ts";
import type { EntityState } from "./state.ts";
import { releaseSettled } from "./steps.ts";

// ---- replies ------------------------------------------------------------------------------------------------------------------------

/** The function answered a command. */
export function takeReply(entity: EntityState, reply: EntityReply, nowMs: number, wallMs: number): void {
  if (entity.phase === "closing") return; // its command has failed already; nobody waits for it
  const envelope = entity.atFunction;
  if (entity.phase !== "active" || envelope === undefined || reply.commandId !== entity.firstCommandId) {
    const problem = wrongReply(entity, reply.commandId);
    entity.out.reportError(`${entity.name}: ${problem}`);
    crash(entity, entity.texts.reply, problem, nowMs);
    return;
  }
  const fault = refusal(entity, envelope, reply);
  if (fault !== undefined) {
    refuseReply(entity, fault, nowMs);
    return;
  }
  answered(entity, nowMs);
  const restart = asksRestart(reply);
  const step = stepOf(entity, envelope, reply, restart, wallMs);
  entity.assignedSequence = step.endSequence;
  entity.ledger.push(step);
  if (step.step !== undefined) entity.out.commit(step);
  else if (entity.ledger.head === step) releaseSettled(entity);
  // A release answers the caller, who may have called back into us: look at the phase again.
  if (!restart || !isActive(entity)) {
    pump(entity, nowMs);
    return;
  }
  close(entity, true, nowMs);
  recallSent(entity);
}

/** The first of those sent has its reply; the next is at the function from now on. */
function answered(entity: EntityState, nowMs: number): void {
  const envelope = entity.sent.shift();
  entity.sentBytes -= envelope?.command.payload.value.length ?? 0;
  entity.sentMs = nowMs;
  entity.replies++;
  entity.startingSinceMs = -1;
  if (entity.suspects > 0) entity.suspects--;
}

function isActive(entity: EntityState): boolean {
  return entity.phase === "active";
}

function stepOf(entity: EntityState, envelope: Envelope, reply: EntityReply, restart: boolean, wallMs: number): LedgerStep {
  const { kind, handle, assignedSequence: sequence, out } = entity;
  const { fenceReads, keyTtlMs } = entity.limits;
  const plan = (stored: boolean): MessagePlan | undefined => out.plan(envelope, reply, stored);
  const newKey = (): string => out.newKey();
  return draftStep({ kind, handle, sequence, wallMs, fenceReads, keyTtlMs, plan, newKey }, envelope, reply, restart);
}

function wrongReply(entity: EntityState, commandId: number): string {
  const expected = entity.atFunction === undefined ? "no command was outstanding" : `expected one for ${entity.firstCommandId}`;
  return `reply for command ${commandId}, ${expected}`;
}

/** Why a reply cannot be stored. */
function refusal(entity: EntityState, envelope: Envelope, reply: EntityReply): Fault | undefined {
  const about = (problem: string): string => `${entity.name}: reply to ${envelope.command.name}: ${problem}`;
  const excess = findExcess(entity.kind, reply, entity.limits);
  if (excess !== undefined) return lastingFault("exhausted", about(excess));
  const wrong = reply.timers && timersProblem(reply.timers);
  return wrong === undefined ? undefined : lastingFault("internal", about(wrong));
}

/** The function has applied what cannot be stored, so it must be loaded afresh. */
function refuseReply(entity: EntityState, fault: Fault, nowMs: number): void {
  entity.out.reportError(fault.message);
  leaveStream(entity);
  failAtFunction(entity, fault);
  goOn(entity, nowMs);
}

// ---- ends ---------------------------------------------------------------------------------------------------------------------------

/** The function declared a failure; the text is for the log, not for the caller (facts/cloudstate.md §1.12). */
export function failure(entity: EntityState, commandId: number, description: string, code: FaultCode, nowMs: number): void {
  if (entity.phase === "closing") return;
  entity.warn("function declared a failure", description, { command: entity.atFunction?.command.name, commandId });
  const replaying = entity.phase === "replaying";
  if (replaying) leaveStream(entity);
  else close(entity, false, nowMs);
  failCurrent(entity, replaying, new Fault(code, entity.texts.failure));
  goOn(entity, nowMs);
}

/** The function broke the protocol. */
export function crash(entity: EntityState, text: string, problem: string, nowMs: number): void {
  entity.warn("function broke the protocol", problem);
  const { phase } = entity;
  leaveStream(entity);
  suspectSent(entity);
  if (phase !== "closing") failCurrent(entity, phase === "replaying", new Fault("unknown", text));
  goOn(entity, nowMs);
}

/** Fails the command at the function. While replaying, all that wait: the next attempt would fare no better. */
function failCurrent(entity: EntityState, replaying: boolean, fault: Fault): void {
  failAtFunction(entity, fault);
  if (!replaying) {
    terminateQueue(entity);
    return;
  }
  const first = entity.mailbox.shift();
  const waiting = entity.mailbox.size;
  if (first !== undefined) entity.out.fail(first, fault);
  failFirst(entity, waiting, new Fault("unknown", entity.texts.queued));
}

/** The function ended its side, or the connection was lost. */
export function closed(entity: EntityState, reason: string | undefined, unreached: boolean, nowMs: number): void {
  const { phase, atFunction: envelope } = entity;
  const again = unreached && entity.replies === 0;
  if (phase !== "closing" && (phase === "replaying" || (entity.replies === 0 && (envelope !== undefined || unreached)))) {
    entity.out.streamFailed(reason ?? "it ended the stream");
  }
  leaveStream(entity);
  if (again) recallSent(entity);
  else if (envelope !== undefined) {
    entity.warn("function ended its stream under a command", reason ?? "it ended the stream", { command: envelope.command.name });
    suspectSent(entity);
    failAtFunction(entity, new Fault("unknown", entity.texts.termination));
    terminateQueue(entity);
  }
  goOn(entity, nowMs);
}

/** Ends the activation if nothing is going on (E8). `false`: something is. */
export function passivate(entity: EntityState, nowMs: number): boolean {
  if (!entity.resting) return false;
  close(entity, false, nowMs);
  return true;
}

/** The component moved to another function: its streams there are over, its queue is not. */
export function moved(entity: EntityState, nowMs: number): void {
  if (entity.phase !== "replaying" && entity.phase !== "active" && entity.phase !== "closing") return;
  leaveStream(entity);
  failAtFunction(entity, new Fault("unavailable", `${entity.name}: its function was replaced; not applied, retry`));
  goOn(entity, nowMs);
}

/** Stops taking part: everything not handed to the committer fails with `fault`. */
export function cut(entity: EntityState, fault: Fault, nowMs: number): void {
  entity.reopen = false;
  if (entity.phase !== "frozen" && entity.phase !== "idle") leaveStream(entity);
  failAtFunction(entity, fault);
  failQueue(entity, fault);
  goOn(entity, nowMs);
}
