/**
 * Protobuf primitives, incoming. A cursor over bytes that were written by somebody else: every read is checked against the end of the
 * message it is in, and what is wrong becomes one Fault("invalid") that says where.
 */
import { Fault } from "@mecha/kit";

/** Nesting of groups in unknown fields; the protobuf libraries allow 100 levels of messages. */
const groupDepthMax = 100;
/** Texts kept decoded: one slot for each hash, so it never grows. A power of two. */
const internedSlots = 1_024;
const internedTextMax = 256;

interface InternedText {
  readonly bytes: Uint8Array;
  readonly text: string;
}
const interned: (InternedText | undefined)[] = new Array<InternedText | undefined>(internedSlots).fill(undefined);
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads one message; `pos` moves, `end` of the enclosing message is passed along by the caller. */
export class Reader {
  readonly bytes: Uint8Array;
  pos = 0;
  /** Name of the message, for the Fault. */
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.#what = what;
  }

  fault(problem: string, cause?: unknown): Fault {
    return new Fault(
      "invalid",
      `${this.#what}: ${problem} at byte ${this.pos} of ${this.bytes.length}`,
      cause === undefined ? {} : { cause },
    );
  }

  /** Next tag: field number and wire type as on the wire (`field << 3 | wireType`). */
  tag(end: number): number {
    const first = this.bytes[this.pos];
    if (first !== undefined && first < 0x80 && first >= 8 && this.pos < end) {
      this.pos++;
      return first;
    }
    const tag = this.#varint32(end);
    if (tag >>> 3 === 0) throw this.fault("field number 0");
    return tag;
  }

  /** Low 32 bits of a varint of up to 10 bytes. */
  #varint32(end: number): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte(end);
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw this.fault("a varint of more than 10 bytes");
  }

  /** An int64 as a number. @throws Fault when it is not a safe integer (|n| > 2^53 - 1). */
  int64(end: number): number {
    const first = this.bytes[this.pos];
    if (first !== undefined && first < 0x80 && this.pos < end) {
      this.pos++;
      return first;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte(end);
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) return this.#safe(low >>> 0, high | 0);
    }
    throw this.fault("a varint of more than 10 bytes");
  }

  #safe(low: number, high: number): number {
    const value = high * 0x1_0000_0000 + low;
    if (!Number.isSafeInteger(value)) throw this.fault("an int64 beyond 2^53 - 1");
    return value;
  }

  bool(end: number): boolean {
    let value = 0;
    for (let read = 0; read < 10; read++) {
      const byte = this.#byte(end);
      value |= byte & 0x7f;
      if (byte < 0x80) return value !== 0;
    }
    throw this.fault("a varint of more than 10 bytes");
  }

  /** Reads a length and answers where that field ends. */
  length(end: number): number {
    const first = this.bytes[this.pos];
    let length: number;
    if (first !== undefined && first < 0x80 && this.pos < end) {
      this.pos++;
      length = first;
    } else length = this.#varint32(end);
    if (length > end - this.pos) throw this.fault(`a field of ${length} bytes in ${end - this.pos}`);
    return this.pos + length;
  }

  /** A bytes field, as a view: nothing is copied (R3 of wire/rpc.ts). */
  view(end: number): Uint8Array {
    const until = this.length(end);
    const view = this.bytes.subarray(this.pos, until);
    this.pos = until;
    return view;
  }

  /** A text that recurs, as type URLs and names do: decoded once, found again by its bytes. */
  name(end: number): string {
    const until = this.length(end);
    const from = this.pos;
    if (until - from > internedTextMax) return this.#decode(until);
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = from; i < until; i++) hash = Math.imul(hash ^ (this.bytes[i] as number), 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (internedSlots - 1);
    const known = interned[slot];
    if (known !== undefined && this.#equals(known.bytes, until)) {
      this.pos = until;
      return known.text;
    }
    const text = this.#decode(until);
    interned[slot] = { bytes: this.bytes.slice(from, until), text };
    return text;
  }

  #equals(known: Uint8Array, until: number): boolean {
    if (known.length !== until - this.pos) return false;
    for (let i = 0, at = this.pos; at < until; i++, at++) if (known[i] !== this.bytes[at]) return false;
    return true;
  }

  /** Any other text. */
  text(end: number): string {
    return this.#decode(this.length(end));
  }

  #decode(until: number): string {
    try {
      const text = decoder.decode(this.bytes.subarray(this.pos, until));
      this.pos = until;
      return text;
    } catch (cause) {
      throw this.fault("a string that is not UTF-8", cause);
    }
  }

  /** Passes over a field nobody here knows. */
  skip(tag: number, end: number, depth = 0): void {
    switch (tag & 7) {
      case 0:
        this.#varint32(end);
        return;
      case 1:
        this.#advance(8, end);
        return;
      case 2:
        this.pos = this.length(end);
        return;
      case 3:
        this.#skipGroup(tag >>> 3, end, depth);
        return;
      case 5:
        this.#advance(4, end);
        return;
      default:
        throw this.fault(`wire type ${tag & 7}`);
    }
  }

  #skipGroup(field: number, end: number, depth: number): void {
    if (depth >= groupDepthMax) throw this.fault(`groups nested more than ${groupDepthMax} deep`);
    for (;;) {
      const tag = this.tag(end);
      if ((tag & 7) !== 4) {
        this.skip(tag, end, depth + 1);
        continue;
      }
      if (tag >>> 3 !== field) throw this.fault("the end of another group");
      return;
    }
  }

  #advance(count: number, end: number): void {
    if (count > end - this.pos) throw this.fault("the end of the message inside a field");
    this.pos += count;
  }

  #byte(end: number): number {
    if (this.pos >= end) throw this.fault("the end of the message inside a field");
    return this.bytes[this.pos++] as number;
  }
}
