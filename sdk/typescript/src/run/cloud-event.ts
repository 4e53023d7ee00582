/** The event a command was caused by, from the CloudEvents attributes in its metadata (binary mode: `ce-…`, and Content-Type). */
import { Fault } from "@mecha/kit";
import { jsonPrefix, primitivePrefix, unpackJson, unpackPrimitive } from "@mecha/wire";
import { expect } from "../mistake.ts";
import type { CallMetadata } from "../protocol/common.ts";
import type { AnyEvent } from "../schema/eventing.ts";

/** Attributes of a CloudEvent. */
export interface CloudEvent {
  /** Different for each event of its source. An event that is delivered again has the same one. */
  readonly id: string;
  /** Where it happened; of an event log, its persistence id. */
  readonly source: string;
  readonly type: string;
  /** Version of the CloudEvents specification, `1.0`. */
  readonly specVersion: string;
  /** What it is about; of an event log, the entity's id. */
  readonly subject: string | undefined;
  /** When it happened; event logs of other proxies do not say. */
  readonly time: Date | undefined;
  readonly dataSchema: string | undefined;
  readonly dataContentType: string | undefined;
}

/** The event; `undefined` when the command was not caused by one: a CloudEvent has an id, a source and a type. */
export function cloudEventOf(metadata: CallMetadata): CloudEvent | undefined {
  const find = (name: string): string | undefined => {
    const value = metadata.find(([key]) => key.toLowerCase() === name)?.[1];
    return typeof value === "string" ? value : undefined;
  };
  const [id, source, type] = ["ce-id", "ce-source", "ce-type"].map(find);
  if (id === undefined || source === undefined || type === undefined) return undefined;
  return {
    id,
    source,
    type,
    specVersion: find("ce-specversion") ?? "1.0",
    subject: find("ce-subject"),
    time: timeOf(find("ce-time")),
    dataSchema: find("ce-dataschema"),
    dataContentType: find("content-type"),
  };
}

/** A time that cannot be read is none: the event is still the event. */
function timeOf(text: string | undefined): Date | undefined {
  const time = text === undefined ? undefined : new Date(text);
  return time === undefined || Number.isNaN(time.getTime()) ? undefined : time;
}

/** What is in an event of any type: JSON or a primitive. */
export interface OpenedEvent {
  /** What follows the prefix of the type URL: `cart-created`, `string`. */
  readonly type: string;
  readonly value: unknown;
}

/**
 * Opens JSON and primitives; `undefined` for a message, which a command of its own type takes.
 * @throws Fault("invalid") when it does not hold what its type says: the command fails, and with it this delivery.
 */
export function openEvent(event: AnyEvent): OpenedEvent | undefined {
  expect(typeof event === "object" && typeof event.typeUrl === "string", () => "openEvent(…): expected what a command of anyEvent got");
  if (event.typeUrl.startsWith(jsonPrefix)) return unpackJson(event);
  if (!event.typeUrl.startsWith(primitivePrefix)) return undefined;
  const primitive = unpackPrimitive(event);
  if (primitive === undefined) throw new Fault("invalid", `${event.typeUrl} holds no primitive`);
  return primitive;
}
