/** Commands on their way to the function: what is answered without it, what waits, what goes now. */
import { Fault } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import { decodeAnswer } from "../../keys/answer.ts";
import { type Known, keyOfAnother } from "../../keys/keys.ts";
import { endRest, enter, rest, watchQueue } from "./phases.ts";
import type { EntityState } from "./state.ts";

/** A command for this entity. */
export function takeCommand(entity: EntityState, envelope: Envelope, nowMs: number): void {
  if (envelope.command.id !== undefined && joins(entity, envelope)) return;
  const { limits } = entity;
  const room = envelope.internal ? limits.mailboxMax + limits.mailboxReserve : limits.mailboxMax;
  if (entity.waiting >= room) {
    entity.out.fail(envelope, new Fault("exhausted", `${entity.name}: ${room} commands wait already (mailboxMax); slow down and retry`));
    return;
  }
  entity.mailbox.push(envelope);
  if (entity.phase === "active") pump(entity, nowMs);
  else if (entity.phase === "idle") enter(entity, nowMs);
  else if (entity.phase === "waiting") watchQueue(entity);
}

/** Whether a command with a key is answered, or waits for the one that is under way (E9). */
function joins(entity: EntityState, envelope: Envelope): boolean {
  switch (entity.keys.join(envelope)) {
    case "first":
      return repeats(entity, envelope, entity.keys.find(envelope, entity.out.wallMs()));
    case "waits":
      return true;
    case "other":
      return repeats(entity, envelope, "other");
  }
}

/** Gives the recorded answer, if there is one. */
export function repeats(entity: EntityState, envelope: Envelope, known: Known): boolean {
  if (known === undefined) return false;
  if (known === "other") entity.out.fail(envelope, keyOfAnother(entity.name, envelope));
  else entity.out.repeat(envelope, decodeAnswer(known.answer));
  return true;
}

/** It does not need the function: a firing that nobody wants any more, or a command that was answered before. */
function isSettled(entity: EntityState, envelope: Envelope): boolean {
  if (envelope.firing?.stale === true) {
    const problem = `${entity.name}: timer ${envelope.firing.row.name} was set anew or cancelled`;
    entity.out.fail(envelope, new Fault("cancelled", problem));
    return true;
  }
  return envelope.command.id !== undefined && repeats(entity, envelope, entity.keys.find(envelope, entity.out.wallMs()));
}

/** Whether the next command may go to the function: the bounds of E3, and those of the window. */
function mayGo(entity: EntityState): boolean {
  const { ledger, limits, sent } = entity;
  if (entity.phase !== "active") return false;
  if (sent.size > 0 && !mayGoAhead(entity)) return false;
  if (ledger.size === 0) return true;
  return limits.pipelining && ledger.size + sent.size < limits.uncommittedStepsMax && ledger.bytes < limits.uncommittedBytesMax;
}

/** Whether a command may go behind others that have no answer. */
function mayGoAhead({ limits, mailbox, sent, sentBytes, suspects, window }: EntityState): boolean {
  if (!limits.pipelining || suspects > 0) return false;
  // keeps W4
  return sent.size < window && sentBytes < limits.windowBytesMax && mailbox.head?.firing === undefined;
}

/** The next command that nobody has answered yet. */
function next(entity: EntityState): Envelope | undefined {
  const { mailbox } = entity;
  for (let envelope = mailbox.shift(); envelope !== undefined; envelope = mailbox.shift()) {
    if (!isSettled(entity, envelope)) return envelope;
    // The answer may have called us again.
    if (!mayGo(entity)) return undefined;
  }
  return undefined;
}

/** Sends what the function and the bounds allow (E3). */
export function pump(entity: EntityState, nowMs: number): void {
  while (mayGo(entity)) {
    const envelope = next(entity);
    if (envelope === undefined) {
      restIfIdle(entity, nowMs);
      return;
    }
    send(entity, envelope, nowMs);
  }
}

function restIfIdle(entity: EntityState, nowMs: number): void {
  const busy = entity.sent.size > 0 || entity.ledger.size > 0 || entity.mailbox.size > 0;
  if (entity.phase === "active" && !busy && !entity.resting) rest(entity, nowMs);
}

function send(entity: EntityState, envelope: Envelope, nowMs: number): void {
  endRest(entity);
  if (entity.sent.size === 0) {
    entity.sentMs = nowMs;
    entity.watch(nowMs + entity.limits.commandTimeoutMs);
  }
  entity.sent.push(envelope);
  entity.sentBytes += envelope.command.payload.value.length;
  entity.out.sendCommand(++entity.lastCommandId, envelope);
}
