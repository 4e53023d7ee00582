/**
 * Frames of mecha.carrier.v1.Carrier as bytes. What goes with every message is written and read by hand (a frame takes under 0.2 µs either way), what
 * ends a call by protobuf-es.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import { EndSchema } from "../gen/mecha/carrier/v1/carrier_pb.ts";
import { Metadata } from "../metadata.ts";
import type { RpcStatus } from "../rpc.ts";

/** Field numbers of Frame. */
const field = { call: 1, open: 2, message: 3, piece: 4, credit: 5, halfClose: 6, end: 7, cancel: 8, leaving: 9 } as const;

/** What a frame says of its call. */
export type CarrierFrame =
  | { readonly is: "message" | "piece"; readonly call: number; readonly bytes: Uint8Array }
  | { readonly is: "credit"; readonly call: number; readonly credit: number }
  | { readonly is: "open"; readonly call: number; readonly path: string }
  | { readonly is: "end"; readonly call: number; readonly status: RpcStatus; readonly trailers: Metadata }
  | { readonly is: "halfClose" | "cancel" | "leaving"; readonly call: number }
  /** Of a later version. */
  | { readonly is: "unknown"; readonly call: number };

const numberTag = (of: number): number => of << 3;
const bytesTag = (of: number): number => (of << 3) | 2;
const uint32Max = 0xffff_ffff;

/** `bytes` as a message of `call`, or as a piece of one that goes on. */
export function messageFrame(call: number, bytes: Uint8Array, whole = true): Uint8Array {
  return bytesFrame(call, whole ? field.message : field.piece, bytes);
}

export function openFrame(call: number, path: string): Uint8Array {
  return bytesFrame(call, field.open, Buffer.from(path));
}

export function creditFrame(call: number, credit: number): Uint8Array {
  return numberFrame(call, field.credit, credit);
}

/** A frame that says one word. */
export function wordFrame(call: number, word: "halfClose" | "cancel" | "leaving"): Uint8Array {
  return numberFrame(call, field[word], 1);
}

export function endFrame(call: number, { code, message, details, unreached }: RpcStatus, trailers: Metadata): Uint8Array {
  const end = create(EndSchema, {
    code,
    message,
    ...(details && { details }),
    unreached: unreached === true,
    trailers: trailers.entries.map(([key, value]) => ({ key, value: typeof value === "string" ? Buffer.from(value) : value })),
  });
  return bytesFrame(call, field.end, toBinary(EndSchema, end));
}

function bytesFrame(call: number, of: number, bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  const frame = Buffer.allocUnsafe(2 + varintSize(call) + varintSize(length) + length);
  let at = putVarint(frame, numberTagAt(frame, field.call), call);
  frame[at++] = bytesTag(of);
  at = putVarint(frame, at, length);
  frame.set(bytes, at);
  return frame;
}

function numberFrame(call: number, of: number, value: number): Uint8Array {
  const frame = Buffer.allocUnsafe(2 + varintSize(call) + varintSize(value));
  const at = putVarint(frame, numberTagAt(frame, field.call), call);
  frame[at] = numberTag(of);
  putVarint(frame, at + 1, value);
  return frame;
}

/** Writes the first tag. Where to go on. */
function numberTagAt(into: Uint8Array, of: number): number {
  into[0] = numberTag(of);
  return 1;
}

/** Bytes of a uint32. */
function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  return value < 0x1000_0000 ? 4 : 5;
}

function putVarint(into: Uint8Array, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest >= 0x80) {
    into[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  into[at++] = rest;
  return at;
}

/** @throws Fault("invalid") for bytes that are no frame. */
export function readFrame(bytes: Uint8Array): CarrierFrame {
  let call = 0;
  let what: CarrierFrame | undefined;
  for (at = 0; at < bytes.length;) {
    const tag = varint(bytes);
    const of = tag >>> 3;
    if (of === field.call) call = numberAt(bytes, tag);
    else what = part(bytes, tag, of, call) ?? what;
  }
  if (what === undefined) return { is: "unknown", call };
  // Encoders write fields in order; one that does not is read all the same.
  return what.call === call ? what : { ...what, call };
}

/** Where in the frame reading is. Module state, as readFrame never calls out: a cursor object a frame would cost more than the frame. */
let at = 0;

function part(bytes: Uint8Array, tag: number, of: number, call: number): CarrierFrame | undefined {
  switch (of) {
    case field.message:
      return { is: "message", call, bytes: bytesAt(bytes, tag) };
    case field.piece:
      return { is: "piece", call, bytes: bytesAt(bytes, tag) };
    case field.credit:
      return { is: "credit", call, credit: numberAt(bytes, tag) };
    case field.open:
      return { is: "open", call, path: textOf(bytesAt(bytes, tag)) };
    case field.end:
      return { is: "end", call, ...readEnd(bytesAt(bytes, tag)) };
    case field.halfClose:
      return numberAt(bytes, tag) === 0 ? undefined : { is: "halfClose", call };
    case field.cancel:
      return numberAt(bytes, tag) === 0 ? undefined : { is: "cancel", call };
    case field.leaving:
      return numberAt(bytes, tag) === 0 ? undefined : { is: "leaving", call };
    default:
      skip(bytes, tag);
      return undefined;
  }
}

function readEnd(bytes: Uint8Array): { readonly status: RpcStatus; readonly trailers: Metadata } {
  try {
    const { code, message, details, unreached, trailers } = fromBinary(EndSchema, bytes);
    const status = { code, message, ...(details.length > 0 && { details }), ...(unreached && { unreached }) };
    const entries = trailers.map(({ key, value }) => [key, key.endsWith("-bin") ? value : textOf(value)] as const);
    return { status, trailers: entries.length === 0 ? Metadata.empty : new Metadata(entries) };
  } catch (cause) {
    throw new Fault("invalid", `carrier frame: end: ${explain(cause)}`);
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

/** A uint32 at `at`. */
function varint(bytes: Uint8Array): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[at++];
    if (byte === undefined || factor > 2 ** 28) throw new Fault("invalid", "carrier frame: a number is cut short or above 32 bits");
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  if (value > uint32Max) throw new Fault("invalid", "carrier frame: a number above 32 bits");
  return value;
}

function numberAt(bytes: Uint8Array, tag: number): number {
  if ((tag & 7) !== 0) throw new Fault("invalid", `carrier frame: field ${tag >>> 3} is no number`);
  return varint(bytes);
}

function bytesAt(bytes: Uint8Array, tag: number): Uint8Array {
  if ((tag & 7) !== 2) throw new Fault("invalid", `carrier frame: field ${tag >>> 3} is no string, bytes or message`);
  const length = varint(bytes);
  if (length > bytes.length - at) throw new Fault("invalid", `carrier frame: field ${tag >>> 3} is cut short`);
  return bytes.subarray(at, (at += length));
}

/** Passes over a field of a later version. */
function skip(bytes: Uint8Array, tag: number): void {
  const fixed = { 1: 8, 5: 4 }[tag & 7];
  if ((tag & 7) === 2) bytesAt(bytes, tag);
  else if (fixed !== undefined && bytes.length - at >= fixed) at += fixed;
  else if ((tag & 7) === 0) skipVarint(bytes);
  else throw new Fault("invalid", `carrier frame: field ${tag >>> 3} cannot be read`);
}

function skipVarint(bytes: Uint8Array): void {
  for (let size = 1; size <= 10; size++) {
    const byte = bytes[at++];
    if (byte === undefined) break;
    if (byte < 0x80) return;
  }
  throw new Fault("invalid", "carrier frame: a number is cut short");
}
