/**
 * Reads protobuf's binary form in place: no message objects, no copies. For the few spots where decoding a whole message would be
 * waste (entity keys, JSON straight from bytes).
 *
 * Invariants
 * W1 nothing outside `[pos, end)` is read; anything cut off or illegal is Fault("invalid") with the byte's offset
 * W2 `pos` only moves forward
 *
 * Source: protobuf.dev, "Encoding".
 */
import { Fault } from "@mecha/kit";

/** The wire types of protobuf's encoding. */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** Deepest nesting of messages or groups read; protobuf's own libraries use the same number. */
export const nestingMax = 100;

/** A varint has at most this many bytes (64 bits in groups of 7). */
const varintMaxBytes = 10;

/** Protobuf bytes with a position. Reused freely: set `bytes`, `pos` and `end`. */
export class ProtoReader {
  bytes: Uint8Array;
  pos: number;
  end: number;
  /** The last `varint` or `fixed64`: low and high 32 bits, both as signed numbers. */
  low = 0;
  high = 0;
  #view: DataView | undefined;
  #viewed: Uint8Array | undefined;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  get more(): boolean {
    return this.pos < this.end;
  }

  /** Field number and wire type in one number: `number << 3 | type`. */
  tag(): number {
    const at = this.pos;
    if (at < this.end) {
      const first = this.bytes[at] as number;
      if (first < 0x80 && first > 7) {
        this.pos = at + 1;
        return first;
      }
    }
    this.varint();
    const tag = this.low >>> 0;
    if (this.high !== 0 || tag >>> 3 === 0) throw this.malformed("an illegal field number", at);
    return tag;
  }

  /** Reads a varint into `low` and `high`. */
  varint(): void {
    const { bytes, end } = this;
    const start = this.pos;
    let at = start;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < varintMaxBytes * 7; shift += 7) {
      if (at >= end) throw this.malformed("a number that is cut off", start);
      const byte = bytes[at++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low;
        this.high = high;
        this.pos = at;
        return;
      }
    }
    throw this.malformed("a number longer than ten bytes", start);
  }

  /** The low 32 bits of a varint, signed. */
  int32(): number {
    const at = this.pos;
    if (at < this.end) {
      const first = this.bytes[at] as number;
      if (first < 0x80) {
        this.pos = at + 1;
        return first;
      }
    }
    this.varint();
    return this.low;
  }

  /** A length prefix, checked to lie within `end`. The content begins at `pos`. */
  length(): number {
    const at = this.pos;
    const length = this.int32();
    if (length < 0 || length > this.end - this.pos) throw this.malformed("a length beyond the end", at);
    return length;
  }

  /** Moves past `count` bytes and answers where they began. */
  take(count: number): number {
    const at = this.pos;
    if (count > this.end - at) throw this.malformed("a value that is cut off", at);
    this.pos = at + count;
    return at;
  }

  /** Reads eight bytes, little endian, into `low` and `high`. */
  fixed64(): void {
    const at = this.take(8);
    const view = this.view();
    this.low = view.getInt32(at, true);
    this.high = view.getInt32(at + 4, true);
  }

  fixed32(): number {
    const at = this.take(4);
    return this.view().getInt32(at, true);
  }

  float(): number {
    const at = this.take(4);
    return this.view().getFloat32(at, true);
  }

  double(): number {
    const at = this.take(8);
    return this.view().getFloat64(at, true);
  }

  /** Moves past the value of a field whose tag was just read. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case wireType.varint:
        this.varint();
        return;
      case wireType.fixed64:
        this.take(8);
        return;
      case wireType.bytes:
        this.take(this.length());
        return;
      case wireType.fixed32:
        this.take(4);
        return;
      case wireType.startGroup:
        this.#skipGroup(tag >>> 3, depth + 1);
        return;
      default:
        throw this.malformed("an unexpected end of group or an unknown wire type", this.pos);
    }
  }

  #skipGroup(fieldNumber: number, depth: number): void {
    if (depth > nestingMax) throw this.malformed(`groups nested deeper than ${nestingMax}`, this.pos);
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) === wireType.endGroup) {
        if (tag >>> 3 !== fieldNumber) throw this.malformed("an end of another group", this.pos);
        return;
      }
      this.skip(tag, depth);
    }
  }

  /** A Fault about the bytes. Public so that callers can report what only they can see. */
  malformed(what: string, at: number): Fault {
    return new Fault("invalid", `the protobuf bytes hold ${what} at byte ${at}`);
  }

  private view(): DataView {
    if (this.#viewed !== this.bytes || this.#view === undefined) {
      this.#viewed = this.bytes;
      this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    }
    return this.#view;
  }
}

/** 2^32, to put a high half above a low one. */
const high32 = 2 ** 32;

/** `low` and `high` as a signed 64-bit number in decimal. */
export function int64Text(low: number, high: number): string {
  // A sum below 2^53 in magnitude is exact as a number; the high half of such a one lies in ±2^21.
  if (high < 0x200000 && high >= -0x200000) return String(high * high32 + (low >>> 0));
  return String((BigInt(high) << 32n) | BigInt(low >>> 0));
}

/** `low` and `high` as an unsigned 64-bit number in decimal. */
export function uint64Text(low: number, high: number): string {
  if (high >>> 0 < 0x200000) return String((high >>> 0) * high32 + (low >>> 0));
  return String((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
}

/** Undoes zigzag of a 64-bit number: the decimal text of `low` and `high` as sint64. */
export function sint64Text(low: number, high: number): string {
  const sign = -(low & 1);
  return int64Text(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign);
}

/** Undoes zigzag of a 32-bit number. */
export function zigzag32(n: number): number {
  return (n >>> 1) ^ -(n & 1);
}

/** Below this length a loop over ASCII bytes beats TextDecoder (measured: about 200 ns of fixed cost there). */
const asciiLoopMax = 48;

// A leading U+FEFF is text here, never a byte-order mark: two ids that differ by it are two ids.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of UTF-8 bytes. @throws Fault("invalid") when they are not UTF-8. */
export function utf8Text(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= asciiLoopMax) {
    let text = "";
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  try {
    return strictUtf8.decode(bytes.subarray(start, end));
  } catch {
    // The decoder's own message says no more than this one.
    throw new Fault("invalid", `the protobuf bytes hold text that is not UTF-8 at byte ${start}`);
  }
}
