/** What the function says: answers, and what it makes of the value with them. */
import { Fault, type FaultCode } from "@mecha/kit";
import type { CrdtCancelled, CrdtMessage, CrdtReply, CrdtStateChange } from "../../port.ts";
import type { Replica } from "../../replica.ts";
import { apply } from "../../value.ts";
import { crdtTexts, type PendingAnswer } from "../actions.ts";
import { StreamedEnvelope } from "../call.ts";
import { crash } from "./ending.ts";
import { callOffCommand } from "./sending.ts";
import type { CrdtEntity } from "./state.ts";
import { afterChange } from "./telling.ts";

export function takeReply(entity: CrdtEntity, reply: CrdtReply, nowMs: number, wallMs: number): void {
  if (entity.phase !== "active") return;
  const { commandId } = reply;
  const command = entity.atFunction.get(commandId);
  if (command === undefined) {
    unexpected(entity, "reply", commandId, nowMs);
    return;
  }
  const { envelope } = command;
  if (reply.streamed && !(envelope instanceof StreamedEnvelope)) {
    crash(entity, `reply to ${envelope.command.name} says streamed, which its method is not`, nowMs);
    return;
  }
  entity.alive();
  if (!change(entity, reply, envelope.command.name, wallMs, nowMs)) return;
  entity.atFunction.delete(commandId);
  const goesOn = reply.streamed && !command.ended;
  const { action, effects, consistency } = reply;
  answer(entity, { envelope, commandName: envelope.command.name, action, effects, consistency, last: !goesOn });
  if (action.do === "fail" && action.restart) entity.stale = true; // keeps K6
  if (goesOn) entity.streams.set(commandId, envelope);
  if (goesOn && envelope instanceof StreamedEnvelope && envelope.over)
    callOffCommand(entity, commandId, envelope, entity.goneAway(), nowMs);
  afterChange(entity, nowMs);
}

export function takeMessage(entity: CrdtEntity, message: CrdtMessage, nowMs: number): void {
  if (entity.phase !== "active") return;
  const { commandId, action, effects, end } = message;
  const early = entity.atFunction.get(commandId); // the library of Node sends it before the reply that caused it
  const envelope = entity.streams.get(commandId) ?? early?.envelope;
  if (envelope === undefined) {
    unexpected(entity, "streamed message", commandId, nowMs);
    return;
  }
  if (!(envelope instanceof StreamedEnvelope)) {
    crash(entity, `streamed message for ${envelope.command.name}, which is not streamed`, nowMs);
    return;
  }
  entity.alive();
  if (early !== undefined && end) early.ended = true;
  else if (end) entity.streams.delete(commandId);
  const last = end && early === undefined;
  answer(entity, { envelope, commandName: envelope.command.name, action, effects, consistency: "local", last });
  afterChange(entity, nowMs);
}

export function takeCancelled(entity: CrdtEntity, cancelled: CrdtCancelled, nowMs: number, wallMs: number): void {
  if (entity.phase !== "active") return;
  const { commandId, effects, consistency } = cancelled;
  if (commandId < 1 || commandId > entity.lastCommandId) {
    unexpected(entity, "answer to a cancellation", commandId, nowMs);
    return;
  }
  entity.alive();
  entity.calledOff.delete(commandId);
  const commandName = "cancellation";
  if (!change(entity, cancelled, commandName, wallMs, nowMs)) return;
  answer(entity, { envelope: undefined, commandName, action: { do: "nothing" }, effects, consistency, last: true });
  afterChange(entity, nowMs);
}

/** The function declared that a command failed: just that one. */
export function failure(entity: CrdtEntity, commandId: number, description: string, nowMs: number, code: FaultCode): void {
  if (entity.phase !== "active") return;
  entity.out.warn("function declared a failure", { entity: entity.name, command: commandId, description });
  const envelope = entity.atFunction.get(commandId)?.envelope ?? entity.streams.get(commandId);
  if (envelope === undefined) return; // of no command: ignored, as in the reference
  entity.alive();
  entity.atFunction.delete(commandId);
  entity.streams.delete(commandId);
  entity.out.fail(envelope, new Fault(code, crdtTexts.failure));
  afterChange(entity, nowMs);
}

/** Something about a command that is not there. Of one that was, it comes late and is ignored. */
function unexpected(entity: CrdtEntity, what: string, commandId: number, nowMs: number): void {
  if (commandId === 0 || (what !== "reply" && commandId <= entity.lastCommandId)) {
    entity.out.warn("function answered a command that is over", { entity: entity.name, what, command: commandId });
    return;
  }
  crash(entity, `${what} for command ${commandId}, which is not outstanding`, nowMs);
}

/** Applies what the function did to the state. `false`: it could not be, and the stream is over. */
function change(entity: CrdtEntity, { state }: CrdtStateChange, commandName: string, wallMs: number, nowMs: number): boolean {
  const replica = entity.replica as Replica;
  if (state === undefined) return true;
  if (state.do === "delete") {
    if (replica.delete(commandName)) entity.out.changed(undefined);
    return true;
  }
  try {
    const changed = replica.change(state.delta, wallMs, commandName);
    if (changed !== undefined) {
      entity.known = apply(entity.known, state.delta, "asFunction"); // keeps K1
      entity.out.changed(changed);
    }
    return true;
  } catch (error) {
    crash(entity, `answer to ${commandName}: ${Fault.from(error, "change a CRDT", "internal").message}`, nowMs);
    return false;
  }
}

function answer(entity: CrdtEntity, answer: Omit<PendingAnswer, "version" | "spread">): void {
  const pending: PendingAnswer = { ...answer, version: entity.replica?.version ?? 0, spread: true };
  entity.pending.push(pending);
  if (answer.consistency !== "local") pending.spread = !entity.out.awaitSpread(pending);
}
