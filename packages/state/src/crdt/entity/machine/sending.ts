/** What goes to the function: commands, and that a caller of a streamed one went away. */
import type { Fault } from "@mecha/kit";
import type { Envelope } from "../../../envelope.ts";
import type { CrdtEntity } from "./state.ts";

/** Only to an active entity. */
export function send(entity: CrdtEntity, envelope: Envelope, nowMs: number): void {
  entity.endRest();
  const id = ++entity.lastCommandId;
  entity.atFunction.set(id, { envelope, sentMs: nowMs, ended: false });
  entity.watch(nowMs + entity.limits.commandTimeoutMs);
  entity.out.sendCommand(id, envelope);
}

/** Ends a caller's streamed command with `fault`, if it goes on. */
export function callOffStream(entity: CrdtEntity, envelope: Envelope, fault: Fault, nowMs: number): void {
  for (const [id, other] of entity.streams) if (other === envelope) callOffCommand(entity, id, envelope, fault, nowMs);
}

/** Ends the streamed command of that id with `fault`; the function may have something to say to that (K4). */
export function callOffCommand(entity: CrdtEntity, id: number, envelope: Envelope, fault: Fault, nowMs: number): void {
  entity.streams.delete(id);
  entity.calledOff.set(id, nowMs + entity.limits.closeTimeoutMs);
  entity.watch(nowMs + entity.limits.closeTimeoutMs);
  entity.out.cancelCommand(id);
  entity.out.fail(envelope, fault);
}
