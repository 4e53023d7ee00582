/**
 * Messages to the user function, straight from the engine's model to bytes (facts: Cloudstate protocol 0.2, entity.proto,
 * event_sourced.proto, value_entity.proto, action.proto). One allocation a message.
 *
 * Invariants
 * N1 a message field that the model has is written even when empty; a scalar is left out when empty (proto3)
 * N2 metadata that is absent or has no entries is left out
 */
import type { Command, CommandMetadata, Payload } from "../../model.ts";
import { fieldSize, nameBytes, scalarSize, textBytes, varintSize, Writer } from "./writer.ts";

const none = new Uint8Array(0);

/** Field numbers of `command` in the two streams. */
export const commandField = { eventSourced: 3, value: 2 } as const;

/** Size of the body of an Any. */
function anySize(type: Uint8Array, value: Uint8Array): number {
  return scalarSize(type.length) + scalarSize(value.length);
}

function writeAny(out: Writer, field: number, type: Uint8Array, value: Uint8Array): void {
  out.open(field, anySize(type, value));
  out.scalar(1, type);
  out.scalar(2, value);
}

/** A Metadata message, measured. */
interface EncodedMetadata {
  readonly size: number;
  readonly entries: readonly { readonly key: Uint8Array; readonly field: number; readonly value: Uint8Array; readonly size: number }[];
}

function encodeMetadata(metadata: CommandMetadata | undefined): EncodedMetadata | undefined {
  if (metadata === undefined || metadata.length === 0) return undefined; // keeps N2
  let size = 0;
  const entries = metadata.map(([name, content]) => {
    const key = textBytes(name);
    const text = typeof content === "string";
    const value = text ? textBytes(content) : content;
    const entry = { key, field: text ? 2 : 3, value, size: scalarSize(key.length) + fieldSize(value.length) };
    size += fieldSize(entry.size);
    return entry;
  });
  return { size, entries };
}

function writeMetadata(out: Writer, field: number, metadata: EncodedMetadata): void {
  out.open(field, metadata.size);
  for (const entry of metadata.entries) {
    out.open(1, entry.size);
    out.scalar(1, entry.key);
    out.present(entry.field, entry.value);
  }
}

/** Parts of a message that both entity inits begin with. */
export interface InitNames {
  readonly service: string;
  readonly entityId: string;
}

/** EventSourcedStreamIn.init; the snapshot is absent when there is none. */
export function encodeEventSourcedInit(names: InitNames, snapshot: { sequence: number; payload: Payload } | undefined): Uint8Array {
  const service = nameBytes(names.service);
  const entityId = textBytes(names.entityId);
  const type = snapshot === undefined ? none : nameBytes(snapshot.payload.typeUrl);
  const value = snapshot === undefined ? none : snapshot.payload.value;
  const sequence = snapshot?.sequence ?? 0;
  const snapshotSize = numberSize(sequence) + fieldSize(anySize(type, value));
  const size = scalarSize(service.length) + scalarSize(entityId.length) + (snapshot === undefined ? 0 : fieldSize(snapshotSize));
  const out = new Writer(fieldSize(size));
  out.open(1, size);
  out.scalar(1, service);
  out.scalar(2, entityId);
  if (snapshot === undefined) return out.finish();
  out.open(3, snapshotSize);
  out.number(1, sequence);
  writeAny(out, 2, type, value);
  return out.finish();
}

/** ValueEntityStreamIn.init. `state` is always present, empty when nothing is stored (strict in the reference's TCK). */
export function encodeValueInit(names: InitNames, stored: Payload | undefined): Uint8Array {
  const service = nameBytes(names.service);
  const entityId = textBytes(names.entityId);
  const type = stored === undefined ? none : nameBytes(stored.typeUrl);
  const value = stored === undefined ? none : stored.value;
  const stateSize = stored === undefined ? 0 : fieldSize(anySize(type, value));
  const size = scalarSize(service.length) + scalarSize(entityId.length) + fieldSize(stateSize);
  const out = new Writer(fieldSize(size));
  out.open(1, size);
  out.scalar(1, service);
  out.scalar(2, entityId);
  out.open(3, stateSize);
  if (stored !== undefined) writeAny(out, 1, type, value);
  return out.finish();
}

/** EventSourcedStreamIn.event. */
export function encodeEvent(sequence: number, payload: Payload): Uint8Array {
  const type = nameBytes(payload.typeUrl);
  const size = numberSize(sequence) + fieldSize(anySize(type, payload.value));
  const out = new Writer(fieldSize(size));
  out.open(2, size);
  out.number(1, sequence);
  writeAny(out, 2, type, payload.value);
  return out.finish();
}

/**
 * EventSourcedStreamIn.command or ValueEntityStreamIn.command.
 * @param field which of them, see `commandField`.
 * @param entityId in UTF-8; copied.
 */
export function encodeEntityCommand(field: number, entityId: Uint8Array, commandId: number, command: Command): Uint8Array {
  const name = nameBytes(command.name);
  const type = nameBytes(command.payload.typeUrl);
  const value = command.payload.value;
  const metadata = encodeMetadata(command.metadata);
  const payloadSize = anySize(type, value);
  const size =
    scalarSize(entityId.length) +
    numberSize(commandId) +
    scalarSize(name.length) +
    fieldSize(payloadSize) +
    (metadata === undefined ? 0 : fieldSize(metadata.size));
  const out = new Writer(fieldSize(size));
  out.open(field, size);
  out.scalar(1, entityId);
  out.number(2, commandId);
  out.scalar(3, name);
  writeAny(out, 4, type, value);
  if (metadata !== undefined) writeMetadata(out, 6, metadata);
  return out.finish();
}

/** An ActionCommand: any part may be absent (§ "streamed-in": names and metadata first, then payloads alone). */
export interface ActionMessage {
  readonly service?: string;
  readonly name?: string;
  readonly payload?: Payload;
  readonly metadata?: CommandMetadata | undefined;
}

export function encodeActionCommand(message: ActionMessage): Uint8Array {
  const service = message.service === undefined ? none : nameBytes(message.service);
  const name = message.name === undefined ? none : nameBytes(message.name);
  const metadata = encodeMetadata(message.metadata);
  const { payload } = message;
  const type = payload === undefined ? none : nameBytes(payload.typeUrl);
  const value = payload === undefined ? none : payload.value;
  const size =
    scalarSize(service.length) +
    scalarSize(name.length) +
    (payload === undefined ? 0 : fieldSize(anySize(type, value))) +
    (metadata === undefined ? 0 : fieldSize(metadata.size));
  const out = new Writer(size);
  out.scalar(2, service);
  out.scalar(3, name);
  if (payload !== undefined) writeAny(out, 4, type, value);
  if (metadata !== undefined) writeMetadata(out, 5, metadata);
  return out.finish();
}

/** Size of a varint field that is left out when 0. */
function numberSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}
