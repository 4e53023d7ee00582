/** Who consumes what: read off the components' methods. Decides only. */
import type { Component, ComponentMethod, EventSource } from "@mecha/state";
import { jsonPrefix, messageTypeName, messageTypeUrl, primitivePrefix } from "@mecha/wire";

/** A method that consumes. */
export interface SubscribedMethod {
  readonly service: string;
  readonly kind: Component["kind"];
  readonly method: ComponentMethod;
}

/** One consumer group and its source. Its methods hear of each event once between them. */
export interface Subscription extends EventSource {
  /** Names it among all, in cursors, metrics and on the command line. */
  readonly subscriber: string;
  readonly methods: readonly SubscribedMethod[];
}

/** Type URL of a method's input that takes any type. */
const anyTypeUrl = messageTypeUrl("google.protobuf.Any");

/** Name of a group's cursor: stays the same as long as group and source do. */
export function subscriberName({ from, name, group }: EventSource): string {
  return `${encodeURIComponent(group)}/${from === "eventLog" ? "log" : "topic"}/${encodeURIComponent(name)}`;
}

/** Every subscription of `components`, in a stable order. */
export function planSubscriptions(components: readonly Component[]): readonly Subscription[] {
  const found = new Map<string, Subscription & { readonly methods: SubscribedMethod[] }>();
  for (const { service, kind, methods } of components)
    for (const method of methods.values()) {
      if (method.consumes === undefined) continue;
      const subscriber = subscriberName(method.consumes);
      const one = found.get(subscriber) ?? { ...method.consumes, subscriber, methods: [] };
      found.set(subscriber, one);
      one.methods.push({ service, kind, method });
    }
  return [...found.values()];
}

/** What keeps these components from being served together; `undefined` = nothing. */
export function subscriptionProblem(components: readonly Component[]): string | undefined {
  for (const { group, from, name, methods } of planSubscriptions(components)) {
    const takers = new Map<string, SubscribedMethod>();
    for (const one of methods) {
      const type = one.method.inputTypeUrl;
      const other = takers.get(type);
      if (other !== undefined)
        return `${nameOf(other)} and ${nameOf(one)} both consume ${messageTypeName(type)} of ${from === "topic" ? "topic" : "event log"} ${name} in group ${group}, which gets each event once: give one of them another consumer group`;
      takers.set(type, one);
    }
  }
  return undefined;
}

function nameOf({ service, method }: SubscribedMethod): string {
  return `${service}.${method.name}`;
}

/**
 * The method an event goes to: the one that takes its type, else the one that takes any; JSON and primitives have no type of their own
 * (facts/cloudstate.md §1.15). `undefined`: nobody in the group wants it.
 */
export function methodFor(methods: readonly SubscribedMethod[], typeUrl: string): SubscribedMethod | undefined {
  const bare = typeUrl.startsWith(jsonPrefix) || typeUrl.startsWith(primitivePrefix);
  const typeName = bare ? undefined : messageTypeName(typeUrl);
  const exact = typeName === undefined ? undefined : methods.find(({ method }) => messageTypeName(method.inputTypeUrl) === typeName);
  return exact ?? methods.find(({ method }) => method.inputTypeUrl === anyTypeUrl);
}
