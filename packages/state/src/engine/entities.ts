/** Entities as calls find them: by their id, which is read from the message, made when nobody has asked for them yet. */
import { Fault } from "@mecha/kit";
import { CrdtShell } from "../crdt/entity/shell.ts";
import type { EntityHost, HostedEntity } from "../entity/host.ts";
import { EntityShell } from "../entity/shell.ts";
import type { ComponentMethod } from "../model.ts";
import type { EngineParts } from "../parts.ts";

export function entityOf(parts: EngineParts, host: EntityHost, entityId: string): HostedEntity {
  let entity = host.entities.get(entityId);
  if (entity === undefined) {
    entity = host.kind === "crdt" ? new CrdtShell(host, entityId, parts) : new EntityShell(host, entityId, parts);
    host.entities.set(entityId, entity);
  }
  return entity;
}

/** The id the message names, or why there is none. */
export function readEntityId(host: EntityHost, method: ComponentMethod, message: Uint8Array): string | Fault {
  try {
    return (method.entityId as (message: Uint8Array) => string)(message);
  } catch (cause) {
    return Fault.from(cause, `read the entity id of ${host.service}.${method.name}`, "invalid");
  }
}

/** Counts a command that has come. @returns when that was, monotonic ms. */
export function received({ clock, meters }: EngineParts, host: EntityHost): number {
  const nowMs = clock.monotonic();
  host.meters.receivedCommands++;
  meters.changed(nowMs);
  return nowMs;
}

/**
 * A CRDT is changed at several processes that do not ask each other, so none of them knows which commands were done before (E13). To pass over the
 * key would promise what nobody keeps.
 */
export function keyOfCrdt(service: string, name: string): Fault {
  const why = `${service}.${name}: a CRDT takes no idempotency key: the process that would be asked again may be another one, which knows nothing of it`;
  const fix = "leave the key out when doing it twice is harmless (sets, flags), else keep the state in an event-sourced or value entity";
  return new Fault("unimplemented", `${why}; ${fix}`);
}
