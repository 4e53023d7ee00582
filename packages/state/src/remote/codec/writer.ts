/**
 * Protobuf primitives, outgoing: sizes first, then one allocation written front to back. Every field number of the dialect is below 16,
 * so a tag is one byte.
 */
import { assert } from "@mecha/kit";

/** Tag byte of a varint field. */
export const varintTag = (field: number): number => field << 3;
/** Tag byte of a length-delimited field (string, bytes, message). */
export const lengthTag = (field: number): number => (field << 3) | 2;

/** Bytes a varint takes; `value` is a whole number from 0 to 2^53 - 1. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let size = 5;
  for (let rest = value / 0x800000000; rest >= 1; rest /= 128) size++;
  return size;
}

/** Bytes a present length-delimited field of `length` takes, tag included. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** Same, for a scalar field: proto3 leaves out empty ones. */
export function scalarSize(length: number): number {
  return length === 0 ? 0 : fieldSize(length);
}

const encoder = new TextEncoder();
/** Distinct names kept encoded. Type URLs and command names are few; if they are not, forgetting them all costs one encoding each. */
const internedMax = 1_024;
/** Longer texts are data rather than names. */
const internedTextMax = 256;
const interned = new Map<string, Uint8Array>();

/** `text` in UTF-8; what recurs (type URLs, command and service names) is encoded once. The bytes are shared: do not write to them. */
export function nameBytes(text: string): Uint8Array {
  const known = interned.get(text);
  if (known !== undefined) return known;
  const bytes = encoder.encode(text);
  if (text.length > internedTextMax) return bytes;
  if (interned.size >= internedMax) interned.clear();
  interned.set(text, bytes);
  return bytes;
}

/** `text` in UTF-8. */
export function textBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Holds ids of entities, which have 512 bytes at most; UTF-8 takes up to three bytes for each of JavaScript's characters. */
const passing = new Uint8Array(3 * 512);
let passingText = "";
let passed = passing.subarray(0, 0);

/** `text` in UTF-8, to be copied at once: the next call writes over it. Keeping an entity's id as bytes of its own took 250 bytes for each that is active. */
export function passingBytes(text: string): Uint8Array {
  if (text === passingText) return passed;
  if (text.length > passing.length / 3) return encoder.encode(text);
  passed = passing.subarray(0, encoder.encodeInto(text, passing).written);
  passingText = text;
  return passed;
}

/** Below this length a loop beats the call into `TypedArray.set`. */
const copyLoopMax = 24;

/**
 * Small messages are cut from slabs: allocating one of 180 bytes by itself was measured at 460 ns, cutting it at 110 ns. What was cut is
 * never written again, so the receiver may keep it (R3 of wire/rpc.ts); keeping one keeps its slab.
 */
const slabBytes = 32 * 1024;
/** Larger ones get memory of their own, so that a slab serves many. */
const slabMessageMaxBytes = 2 * 1024;
let slab = new Uint8Array(slabBytes);
let slabUsed = 0;

/** Fills one message of known size. */
export class Writer {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #start: number;
  readonly #size: number;
  #pos: number;

  constructor(size: number) {
    this.#size = size;
    if (size > slabMessageMaxBytes) {
      this.#bytes = new Uint8Array(size);
      this.#start = 0;
    } else {
      if (slabUsed + size > slabBytes) {
        slab = new Uint8Array(slabBytes);
        slabUsed = 0;
      }
      this.#bytes = slab;
      this.#start = slabUsed;
      slabUsed += size;
    }
    this.#pos = this.#start;
  }

  /** The finished message. Throws when it is not as long as announced: the sizes above are wrong then, and a neighbour was written over. */
  finish(): Uint8Array {
    assert(this.#pos === this.#start + this.#size, "a message of the announced size");
    return new Uint8Array(this.#bytes.buffer, this.#start, this.#size);
  }

  byte(value: number): void {
    this.#bytes[this.#pos++] = value;
  }

  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#pos++] = (rest % 128) | 0x80;
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 128);
    }
    this.#bytes[this.#pos++] = rest;
  }

  /** A varint field, left out when 0. */
  number(field: number, value: number): void {
    if (value === 0) return;
    this.byte(varintTag(field));
    this.varint(value);
  }

  /** Opens a message field of `size` bytes; they follow. */
  open(field: number, size: number): void {
    this.byte(lengthTag(field));
    this.varint(size);
  }

  /** A string or bytes field, left out when empty. */
  scalar(field: number, value: Uint8Array): void {
    if (value.length > 0) this.present(field, value);
  }

  /** A string or bytes field that is written even when empty (members of a oneof). */
  present(field: number, value: Uint8Array): void {
    this.open(field, value.length);
    if (value.length > copyLoopMax) {
      this.#bytes.set(value, this.#pos);
      this.#pos += value.length;
      return;
    }
    for (let i = 0; i < value.length; i++) this.#bytes[this.#pos++] = value[i] as number;
  }
}
