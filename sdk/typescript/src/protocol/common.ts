/** What entity.proto shares between the component kinds: commands in, client actions and side effects out. */
import { type FaultCode, faultCodes } from "@mecha/kit";
import type { MetadataValue } from "@mecha/wire";
import type { Codec } from "@mecha/wire/codec";
import { Reader, Writer } from "./bytes.ts";

/** A google.protobuf.Any. */
export interface Payload {
  readonly typeUrl: string;
  readonly value: Uint8Array;
  /** What it was encoded with; set on messages to other components, for the test kit. */
  readonly codec?: Codec;
}

/** Transport headers of a command or reply: keys in lower case, in order. */
export type CallMetadata = readonly (readonly [key: string, value: MetadataValue])[];

const noBytes: Uint8Array = new Uint8Array(0);
export const noMetadata: CallMetadata = [];

/** A command as it came. */
export interface CommandIn {
  readonly id: number;
  readonly name: string;
  readonly payload: Uint8Array;
  readonly metadata: CallMetadata;
  /** CRDTs only: the caller waits for any number of answers. */
  readonly streamed?: boolean;
}

/** What the caller gets. */
export type Outcome =
  | { readonly do: "reply"; readonly payload: Payload; readonly metadata: CallMetadata }
  | {
      readonly do: "forward";
      readonly service: string;
      readonly command: string;
      readonly payload: Payload;
      readonly metadata: CallMetadata;
    }
  | {
      readonly do: "fail";
      readonly description: string;
      readonly restart: boolean;
      /** Absent: the proxy's own choice, UNKNOWN. Proxies other than Mecha pass it over. */
      readonly code?: FaultCode;
    }
  | { readonly do: "nothing" };

/** A call of another component, made because of this one. */
export interface EffectOut {
  readonly service: string;
  readonly command: string;
  readonly payload: Payload;
  readonly synchronous: boolean;
  readonly metadata: CallMetadata;
}

/** Tag of a length-delimited field. */
export const lengthDelimited = (field: number): number => (field << 3) | 2;
/** Tag of a varint field. */
export const varintField = (field: number): number => field << 3;

/** google.protobuf.Any {type_url = 1, value = 2}. */
export function readAny(reader: Reader): Payload {
  let typeUrl = "";
  let value: Uint8Array = noBytes;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) typeUrl = reader.text();
    else if (tag === lengthDelimited(2)) value = reader.view();
    else reader.skip(tag);
  }
  return { typeUrl, value };
}

/** Only the bytes: the command's name says the type. */
function readAnyValue(reader: Reader): Uint8Array {
  let value: Uint8Array = noBytes;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(2)) value = reader.view();
    else reader.skip(tag);
  }
  return value;
}

/** Command {entity_id = 1, id = 2, name = 3, payload = 4, streamed = 5, metadata = 6}. */
export function readCommand(reader: Reader): CommandIn {
  let id = 0;
  let name = "";
  let payload: Uint8Array = noBytes;
  let metadata = noMetadata;
  let streamed = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintField(2)) id = reader.varint();
    else if (tag === lengthDelimited(3)) name = reader.text();
    else if (tag === lengthDelimited(4)) payload = readAnyValue(reader.message());
    else if (tag === varintField(5)) streamed = reader.varint() !== 0;
    else if (tag === lengthDelimited(6)) metadata = readMetadata(reader.message());
    else reader.skip(tag);
  }
  return streamed ? { id, name, payload, metadata, streamed } : { id, name, payload, metadata };
}

/** Metadata {entries = 1 {key = 1, string_value = 2, bytes_value = 3}}. */
export function readMetadata(reader: Reader): CallMetadata {
  const entries: (readonly [string, MetadataValue])[] = [];
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) entries.push(readEntry(reader.message()));
    else reader.skip(tag);
  }
  return entries;
}

function readEntry(reader: Reader): readonly [string, MetadataValue] {
  let key = "";
  let value: MetadataValue = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(1)) key = reader.text();
    else if (tag === lengthDelimited(2)) value = reader.text();
    else if (tag === lengthDelimited(3)) value = new Uint8Array(reader.view());
    else reader.skip(tag);
  }
  return [key, value];
}

/** Field 1 of an Any by its text: a process uses a few type URLs, again and again. */
const typeUrlFields = new Map<string, Uint8Array>();
/** Far more than a function has message types; what is above is encoded each time. */
const typeUrlsMax = 10_000;

function typeUrlField(typeUrl: string): Uint8Array {
  let field = typeUrlFields.get(typeUrl);
  if (field === undefined) {
    field = new Writer().text(1, typeUrl).finish();
    if (typeUrlFields.size < typeUrlsMax) typeUrlFields.set(typeUrl, field);
  }
  return field;
}

export function writeAny(writer: Writer, field: number, { typeUrl, value }: Payload): void {
  writer.begin(field).raw(typeUrlField(typeUrl)).bytes(2, value).end();
}

function writeMetadata(writer: Writer, field: number, metadata: CallMetadata): void {
  if (metadata.length === 0) return;
  writer.begin(field);
  for (const [key, value] of metadata) {
    writer.begin(1).text(1, key);
    // one case of a oneof: present even when empty
    if (typeof value === "string") writer.begin(2).raw(Buffer.from(value)).end();
    else writer.begin(3).raw(value).end();
    writer.end();
  }
  writer.end();
}

/** ClientAction {reply = 1, forward = 2, failure = 3} in `field`. */
export function writeClientAction(writer: Writer, field: number, outcome: Outcome, commandId: number): void {
  if (outcome.do === "nothing") return;
  writer.begin(field);
  writeOutcome(writer, outcome, { reply: 1, forward: 2, failure: 3 }, commandId);
  writer.end();
}

/** One of Reply, Forward and Failure, in the field its place gives it. */
export function writeOutcome(
  writer: Writer,
  outcome: Outcome,
  fields: { readonly reply: number; readonly forward: number; readonly failure: number },
  commandId: number,
): void {
  switch (outcome.do) {
    case "reply": // Reply {payload = 1, metadata = 2}
      writer.begin(fields.reply);
      writeAny(writer, 1, outcome.payload);
      writeMetadata(writer, 2, outcome.metadata);
      writer.end();
      return;
    case "forward": // Forward {service_name = 1, command_name = 2, payload = 3, metadata = 4}
      writer.begin(fields.forward).text(1, outcome.service).text(2, outcome.command);
      writeAny(writer, 3, outcome.payload);
      writeMetadata(writer, 4, outcome.metadata);
      writer.end();
      return;
    case "fail":
      writeFailure(writer, fields.failure, commandId, outcome);
      return;
    case "nothing":
      return;
  }
}

/** Failure {command_id = 1, description = 2, restart = 3, grpc_status_code = 4}. Id 0: no command in particular. */
export function writeFailure(
  writer: Writer,
  field: number,
  commandId: number,
  { description, restart, code }: Omit<Extract<Outcome, { do: "fail" }>, "do">,
): void {
  writer
    .begin(field)
    .number(1, commandId)
    .text(2, description)
    .number(3, restart ? 1 : 0)
    .number(4, code === undefined ? 0 : faultCodes[code].grpc)
    .end();
}

/** SideEffect {service_name = 1, command_name = 2, payload = 3, synchronous = 4, metadata = 5}, repeated. */
export function writeEffects(writer: Writer, field: number, effects: readonly EffectOut[]): void {
  for (const effect of effects) {
    writer.begin(field).text(1, effect.service).text(2, effect.command);
    writeAny(writer, 3, effect.payload);
    writer.number(4, effect.synchronous ? 1 : 0);
    writeMetadata(writer, 5, effect.metadata);
    writer.end();
  }
}

/** A stream's failure, which ends the activation: `…StreamOut {failure = 2}`. */
export function encodeStreamFailure(commandId: number, description: string): Uint8Array {
  const writer = new Writer();
  writeFailure(writer, 2, commandId, { description, restart: false });
  return writer.finish();
}

export { Reader, Writer };
