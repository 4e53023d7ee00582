/** Where a command's messages come from, and where its answers go, beside its callers. */
import { shown } from "@mecha/wire/codec";
import { expect } from "../mistake.ts";
import { MessageSchema } from "./fields.ts";

/** The events of an event-sourced entity. */
export interface EventLog {
  readonly is: "eventLog";
  readonly persistenceId: string;
  readonly consumerGroup: string;
}

/** A topic. */
export interface Topic {
  readonly is: "topic";
  readonly name: string;
  readonly consumerGroup: string;
}

export interface ConsumerOptions {
  /**
   * Commands of one group hear of each event once between them: the one that takes its type, else one that takes `anyEvent`. Commands that should each
   * hear of it have groups of their own. Default: the service.
   */
  readonly consumerGroup?: string;
}

/** What a command consumes and publishes. */
export interface Eventing {
  readonly in?: EventLog | Topic;
  readonly out?: Topic;
}

/**
 * The events of an event-sourced entity, each delivered at least once, in the order of each entity.
 * @param persistenceId Its `persistenceId`, which is its service name unless it says otherwise.
 * @example command(ItemAdded).consumes(eventLog("shop.Cart"))
 */
export function eventLog(persistenceId: string, { consumerGroup = "" }: ConsumerOptions = {}): EventLog {
  checkText(persistenceId, "eventLog(…): the persistence id");
  checkGroup(consumerGroup, `eventLog(${JSON.stringify(persistenceId)})`);
  return { is: "eventLog", persistenceId, consumerGroup };
}

/** A topic to consume or publish to. @example command(Order).consumes(topic("orders", { consumerGroup: "billing" })) */
export function topic(name: string, { consumerGroup = "" }: ConsumerOptions = {}): Topic {
  checkText(name, "topic(…): the name");
  checkGroup(consumerGroup, `topic(${JSON.stringify(name)})`);
  return { is: "topic", name, consumerGroup };
}

function checkText(text: unknown, what: string): void {
  expect(typeof text === "string" && text !== "", () => `${what}: expected a text that is not empty, got ${shown(text)}`);
}

function checkGroup(group: unknown, what: string): void {
  expect(typeof group === "string", () => `${what}: consumerGroup: expected a text, got ${shown(group)}`);
}

/** @throws Mistake for what is no source of events. */
export function checkSource(source: unknown): asserts source is EventLog | Topic {
  const is = (source as Partial<Topic> | undefined)?.is as string | undefined;
  expect(is === "eventLog" || is === "topic", () => `consumes(…): expected eventLog("…") or topic("…"), got ${shown(source)}`);
}

/** @throws Mistake for what cannot be published to. */
export function checkTarget(target: unknown): asserts target is Topic {
  expect((target as Partial<Topic> | undefined)?.is === "topic", () => `publishes(…): expected topic("…"), got ${shown(target)}`);
}

/** A message of any type, as it is stored or sent. */
export interface AnyEvent {
  /** `json.cloudstate.io/…`, `p.cloudstate.io/…` or `type.googleapis.com/…`; see `openEvent`. */
  typeUrl: string;
  value: Uint8Array;
}

/** google.protobuf.Any: what a command takes that consumes JSON, primitives, or all types no other command of its group takes. */
export const anyEvent: MessageSchema<AnyEvent> = new MessageSchema<AnyEvent>("google.protobuf.Any", {});
