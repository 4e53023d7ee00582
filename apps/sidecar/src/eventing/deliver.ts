/**
 * One delivery: an event becomes a command of the method that takes it.
 *
 * V1 the command's key is derived from group, source and id of the event, so an entity takes an event once however often it is delivered (E9), and what an
 *    action asks for in a single answer has the same keys each time. The action itself runs again
 * V2 a method that answers a stream has taken the event when the stream has ended well
 */
import { type Fault } from "@mecha/kit";
import { type BoundEvent, methodFor, type Outcome, type Subscription } from "@mecha/binding";
import { jsonPrefix, messageTypeUrl } from "@mecha/wire";
import { type CallContext, type Command, deliveryKey, type StateEngine } from "@mecha/state";

/** Delivers `event` to whoever takes it in the group. Calls `done` once, perhaps at once. */
export function deliver(engine: StateEngine, { group, methods }: Subscription, event: BoundEvent, done: (outcome: Outcome) => void): void {
  const target = methodFor(methods, event.payload.typeUrl);
  if (target === undefined) {
    done({ is: "skipped" });
    return;
  }
  const { service, method } = target;
  const context: CallContext = event.trace === undefined ? { hops: 1 } : { hops: 1, trace: event.trace };
  const ended = (fault: Fault | undefined): void => done(fault === undefined ? { is: "delivered" } : { is: "failed", fault });
  if (method.streamedOut) {
    stream(engine, { service, method: method.name, context, event }, ended);
    return;
  }
  const id = deliveryKey({ group, source: event.source, id: event.id });
  const command: Command = { name: method.name, payload: event.payload, metadata: event.attributes, id, event: true };
  engine.call(service, command, context, ended);
}

/** For the log: as the engine names service, command and entity in its own lines; the entity is the one the event is about. */
export function aboutDelivery({ methods }: Subscription, { attributes, payload }: BoundEvent): Readonly<Record<string, unknown>> {
  const { typeUrl } = payload;
  const target = methodFor(methods, typeUrl.startsWith(jsonPrefix) ? messageTypeUrl(typeUrl.slice(jsonPrefix.length)) : typeUrl);
  const entity = attributes.find(([key]) => key.toLowerCase() === "ce-subject")?.[1];
  return {
    ...(target !== undefined && { service: target.service, command: target.method.name }),
    ...(typeof entity === "string" && { entity }),
  };
}

interface StreamedDelivery {
  readonly service: string;
  readonly method: string;
  readonly context: CallContext;
  readonly event: BoundEvent;
}

/** keeps V2 */
function stream(
  engine: StateEngine,
  { service, method, context, event }: StreamedDelivery,
  ended: (fault: Fault | undefined) => void,
): void {
  const events = { reply: () => undefined, drain: () => undefined, closed: ended };
  const call = engine.stream(service, method, context, events, event.attributes);
  call.message(event.payload.value, event.payload.typeUrl);
  call.halfClose();
}
