/** JSON from outside for a method that takes a message: a person with curl need not know protobuf. */
import { type BoundEvent, methodFor, type Subscription } from "@mecha/binding";
import { anyFromJson, type DescriptorSet, jsonPrefix, messageTypeUrl, unpackJson } from "@mecha/wire";

/** Types of the function that hosts a service. */
export type Descriptors = (service: string) => DescriptorSet | undefined;

/**
 * The event as a message, when it is JSON whose type is the full name of a message that some method of the group takes; else as it is.
 * @throws Fault("invalid") when the JSON is not that message.
 */
export function typed({ methods }: Subscription, event: BoundEvent, descriptors: Descriptors): BoundEvent {
  const { typeUrl } = event.payload;
  if (!typeUrl.startsWith(jsonPrefix)) return event;
  const type = messageTypeUrl(typeUrl.slice(jsonPrefix.length));
  const target = methodFor(methods, type);
  if (target?.method.inputTypeUrl !== type) return event;
  const registry = descriptors(target.service)?.registry;
  const json = unpackJson(event.payload);
  if (registry === undefined || json === undefined) return event;
  return { ...event, payload: anyFromJson(type, json.value as never, registry) };
}
