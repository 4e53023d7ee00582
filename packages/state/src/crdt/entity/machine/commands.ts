/** Commands as they come, and callers that go. */
import { Fault } from "@mecha/kit";
import type { Envelope } from "../../../envelope.ts";
import { deleted } from "../actions.ts";
import { enter, watchQueue } from "./activation.ts";
import { callOffStream, send } from "./sending.ts";
import type { CrdtEntity } from "./state.ts";

/** Sends it, or queues it, or refuses it. */
export function takeCommand(entity: CrdtEntity, envelope: Envelope, nowMs: number): void {
  const limits = entity.limits;
  const room = envelope.internal ? limits.mailboxMax + limits.mailboxReserve : limits.mailboxMax;
  if (entity.queue.length + entity.atFunction.size >= room) {
    entity.out.fail(envelope, new Fault("exhausted", `${entity.name}: ${room} commands wait already (mailboxMax); slow down and retry`));
  } else if (entity.replica?.deleted === true) {
    entity.out.fail(envelope, deleted()); // keeps K3
  } else if (entity.phase === "active" && !entity.stale) {
    send(entity, envelope, nowMs);
  } else {
    entity.queue.push(envelope);
    if (entity.phase === "idle") enter(entity, nowMs);
    else if (entity.phase === "waiting") watchQueue(entity);
  }
}

/** The caller of a streamed command does not want more. */
export function callOff(entity: CrdtEntity, envelope: Envelope, nowMs: number): void {
  if (entity.queue.includes(envelope)) {
    entity.queue = entity.queue.filter((other) => other !== envelope);
    entity.out.fail(envelope, entity.goneAway());
    return;
  }
  // One without a first answer is called off when that comes.
  callOffStream(entity, envelope, entity.goneAway(), nowMs);
}
