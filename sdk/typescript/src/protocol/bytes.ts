/** The few wire forms the protocol's own messages are made of. By hand: each command passes here (bench/micro/sdk-stream.ts). */
import { Fault } from "@mecha/kit";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Longest text read char by char; above it the decoder's call pays for itself. */
const shortTextMax = 24;

/** Reads one message. Values it gives out point into the message; they are not copies. */
export class Reader {
  readonly bytes: Uint8Array;
  pos: number;
  readonly end: number;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes;
    this.pos = pos;
    this.end = end;
  }

  /** The next tag, or 0 at the end. */
  tag(): number {
    return this.pos < this.end ? this.varint() : 0;
  }

  /** A varint as a number; exact up to 2^53. */
  varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.pos >= this.end) break;
      const byte = this.bytes[this.pos++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 128;
    }
    throw malformed("a varint does not end");
  }

  /** Goes into a length-delimited field. */
  message(): Reader {
    const length = this.varint();
    const start = this.pos;
    this.#advance(length);
    return new Reader(this.bytes, start, start + length);
  }

  /** A view, not a copy. */
  view(): Uint8Array {
    const length = this.varint();
    const start = this.pos;
    this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(): string {
    const length = this.varint();
    const start = this.pos;
    this.#advance(length);
    if (length > shortTextMax) return utf8(this.bytes.subarray(start, start + length));
    let text = "";
    for (let i = start; i < this.pos; i++) {
      const byte = this.bytes[i] as number;
      if (byte > 0x7f) return utf8(this.bytes.subarray(start, this.pos));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Passes over a field nobody asked for. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#advance(this.varint());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw malformed(`wire type ${tag & 7} in field ${tag >>> 3}`);
    }
  }

  #advance(length: number): void {
    if (length > this.end - this.pos) throw malformed("a field runs past the end");
    this.pos += length;
  }
}

function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed("text that is not UTF-8"); // the decoder's own error says no more
  }
}

function malformed(what: string): Fault {
  return new Fault("invalid", `malformed protocol message: ${what}`);
}

const initialBytes = 4 * 1024;
/** A buffer that grew beyond this for one message is not kept. */
const keptBytesMax = 1024 * 1024;

/**
 * Writes one message after the other. What `finish` gives is a slice of Node's pool: V8 keeps typed arrays above 64 bytes outside its heap, and
 * allocating one for each reply took a fifth of the time of a command (protobuf-es' BinaryWriter, measured).
 */
export class Writer {
  #buffer = Buffer.allocUnsafeSlow(initialBytes);
  #pos = 0;
  /** Where the open nested messages begin. */
  #open: number[] = [];

  /** Forgets what a message that failed half way left behind. */
  reset(): this {
    this.#pos = 0;
    this.#open.length = 0;
    return this;
  }

  varint(value: number): this {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#pos++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#pos++] = rest;
    return this;
  }

  /** A varint field; 0 is absent. */
  number(field: number, value: number): this {
    return value === 0 ? this : this.varint(field << 3).varint(value);
  }

  /** A string field; "" is absent. */
  text(field: number, value: string): this {
    if (value === "") return this;
    const length = Buffer.byteLength(value);
    this.varint((field << 3) | 2)
      .varint(length)
      .#reserve(length);
    this.#pos += this.#buffer.write(value, this.#pos);
    return this;
  }

  /** A bytes field; empty is absent. */
  bytes(field: number, value: Uint8Array): this {
    return value.length === 0
      ? this
      : this.varint((field << 3) | 2)
          .varint(value.length)
          .raw(value);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#pos);
    this.#pos += bytes.length;
    return this;
  }

  /** Begins a nested message, present even when nothing follows. */
  begin(field: number): this {
    this.varint((field << 3) | 2);
    this.#reserve(1);
    this.#open.push(++this.#pos); // one byte for the length, enough below 128
    return this;
  }

  end(): this {
    const start = this.#open.pop() as number;
    const length = this.#pos - start;
    if (length < 0x80) {
      this.#buffer[start - 1] = length;
      return this;
    }
    let more = 1;
    for (let rest = length; rest > 0x3fff; rest = Math.floor(rest / 128)) more++;
    this.#reserve(more);
    this.#buffer.copyWithin(start + more, start, this.#pos);
    this.#pos = start - 1;
    this.varint(length);
    this.#pos += length;
    return this;
  }

  /** The message. The writer is empty afterwards. */
  finish(): Uint8Array {
    const message = Buffer.allocUnsafe(this.#pos);
    this.#buffer.copy(message, 0, 0, this.#pos);
    this.reset();
    if (this.#buffer.length > keptBytesMax) this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
    return message;
  }

  #reserve(length: number): void {
    const needed = this.#pos + length;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#pos);
    this.#buffer = grown;
  }
}
