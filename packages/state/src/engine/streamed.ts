/** Streamed commands of CRDTs, as their callers open them. */
import { assert, Fault } from "@mecha/kit";
import { CrdtStreamedCall } from "../crdt/entity/call.ts";
import { CrdtShell } from "../crdt/entity/shell.ts";
import type { StreamedCall, StreamedCallEvents } from "../engine.ts";
import type { EntityHost } from "../entity/host.ts";
import type { CallContext, Command, CommandMetadata, ComponentMethod } from "../model.ts";
import type { EngineParts } from "../parts.ts";
import { entityOf, keyOfCrdt, readEntityId, received } from "./entities.ts";

/** A streamed command of a CRDT. It begins with its one message. */
export function streamedCommand(
  parts: EngineParts,
  target: { readonly host: EntityHost; readonly method: ComponentMethod; readonly context: CallContext },
  events: StreamedCallEvents,
  metadata: CommandMetadata | undefined,
): StreamedCall {
  const { host, method, context } = target;
  const refuse = (fault: Fault): void => queueMicrotask(() => events.closed(fault));
  if (metadata?.some(([name]) => name === "idempotency-key")) return refusedStream(events, keyOfCrdt(host.service, method.name));
  return new CrdtStreamedCall(
    `${host.service}.${method.name}`,
    (value) => {
      const entityId = readEntityId(host, method, value);
      if (entityId instanceof Fault) {
        refuse(entityId);
        return undefined;
      }
      received(parts, host);
      const payload = { typeUrl: method.inputTypeUrl, value };
      const command: Command = { name: method.name, payload, ...(metadata && { metadata }) };
      const shell = entityOf(parts, host, entityId);
      assert(shell instanceof CrdtShell, "discovery lets no other kind of entity stream");
      const envelope = shell.streamed({ service: host.service, method, command, context }, events);
      // On an empty stack: a refusal must not come inside the caller's own call.
      queueMicrotask(() => {
        if (envelope.over) envelope.finish(undefined, undefined);
        else entityOf(parts, host, entityId).machine.command(envelope, parts.clock.monotonic());
      });
      return envelope;
    },
    refuse,
  );
}

/** A streamed call that never was. */
export function refusedStream(events: StreamedCallEvents, fault: Fault): StreamedCall {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) events.closed(fault);
  });
  return {
    message: () => true,
    halfClose() {},
    cancel() {
      cancelled = true;
    },
    pause() {},
    resume() {},
  };
}
