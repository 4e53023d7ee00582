/**
 * CloudEvents 1.0: attributes, and which of them are valid (github.com/cloudevents/spec, "CloudEvents - Version 1.0.2").
 *
 * E1 an event that is accepted has an id, a source and a type that are not empty, and specversion 1.0
 * E2 names of attributes are 1 to 20 lower-case letters and digits: what all bindings can carry
 */
import { Fault } from "@mecha/kit";

/** An event with its data as bytes. */
export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly dataSchema?: string;
  readonly dataContentType?: string;
  /** All other attributes, by name. */
  readonly extensions: Readonly<Record<string, string>>;
  readonly data: Uint8Array;
}

/** Longest text of one attribute, and most of them: what the HTTP server takes as headers anyway. */
export const attributeMaxChars = 4_096;
export const attributesMax = 64;

/** Names that are not extensions. */
const known = ["id", "source", "specversion", "type", "subject", "time", "dataschema", "datacontenttype"] as const;
type Known = (typeof known)[number];

/** Makes an event of its attributes as texts. @throws Fault("invalid") naming the attribute and the rule. */
export function eventOf(attributes: ReadonlyMap<string, string>, data: Uint8Array): CloudEvent {
  if (attributes.size > attributesMax) throw wrong(`has ${attributes.size} attributes, the most is ${attributesMax}`);
  for (const [name, value] of attributes) check(name, value);
  const version = attributes.get("specversion");
  if (version !== "1.0")
    throw wrong(version === undefined ? "has no specversion; it is 1.0" : `has specversion ${quoted(version)}, not 1.0`);
  const time = optional(attributes, "time");
  if (time !== undefined && !isTime(time)) throw wrong(`has the time ${quoted(time)}, which is no RFC 3339 time like 2026-01-02T03:04:05Z`);
  const [subject, dataSchema, dataContentType] = (["subject", "dataschema", "datacontenttype"] as const).map((name) =>
    optional(attributes, name),
  );
  return {
    id: required(attributes, "id"),
    source: required(attributes, "source"),
    type: required(attributes, "type"),
    ...(subject !== undefined && { subject }),
    ...(time !== undefined && { time }),
    ...(dataSchema !== undefined && { dataSchema }),
    ...(dataContentType !== undefined && { dataContentType }),
    extensions: Object.fromEntries([...attributes].filter(([name]) => !(known as readonly string[]).includes(name))),
    data,
  };
}

function check(name: string, value: string): void {
  if (!/^[a-z0-9]{1,20}$/.test(name)) throw wrong(`has an attribute ${quoted(name)}; names are 1 to 20 lower-case letters and digits`);
  if (value.length > attributeMaxChars) throw wrong(`has ${value.length} characters in ${name}, the most is ${attributeMaxChars}`);
  if (!value.isWellFormed() || hasControl(value)) throw wrong(`has a character in ${name} that no attribute may have`);
}

/** Control characters are not allowed in attributes (§ "Type System", String). */
function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return true;
  }
  return false;
}

function required(attributes: ReadonlyMap<string, string>, name: Known): string {
  const value = attributes.get(name);
  if (!value) throw wrong(`has no ${name}`); // keeps E1
  return value;
}

/** An attribute that is empty is none. */
function optional(attributes: ReadonlyMap<string, string>, name: Known): string | undefined {
  return attributes.get(name) || undefined;
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function isTime(text: string): boolean {
  return rfc3339.test(text) && !Number.isNaN(Date.parse(text));
}

/** For every refusal of an event. */
export function wrong(what: string): Fault {
  return new Fault("invalid", `the event ${what}`);
}

/** `make` for each of several events; a refusal says which of them it is about, counted from 1. */
export function eachOf<T, R>(several: readonly T[], make: (one: T) => R): R[] {
  return several.map((one, at) => {
    try {
      return make(one);
    } catch (error) {
      if (!(error instanceof Fault) || several.length === 1) throw error;
      throw new Fault(error.code, error.message.replace(/^the event/u, `event ${at + 1} of ${several.length}`), { cause: error.cause });
    }
  });
}

/** Text of somebody else's in a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** The attributes in binary mode as metadata, `ce-…` and Content-Type (facts/cloudstate.md §1.9). */
export function attributesOf(event: CloudEvent): [key: string, value: string][] {
  const { id, source, type, subject, time, dataSchema, dataContentType, extensions } = event;
  return [
    ["ce-id", id],
    ["ce-source", source],
    ["ce-specversion", "1.0"],
    ["ce-type", type],
    ...(subject === undefined ? [] : [["ce-subject", subject] as [string, string]]),
    ...(time === undefined ? [] : [["ce-time", time] as [string, string]]),
    ...(dataSchema === undefined ? [] : [["ce-dataschema", dataSchema] as [string, string]]),
    ...Object.entries(extensions).map(([name, value]): [string, string] => [`ce-${name}`, value]),
    ...(dataContentType === undefined ? [] : [["Content-Type", dataContentType] as [string, string]]),
  ];
}
