/** The few wire forms the protocol's own messages are made of. Read by hand: each command passes here (bench/micro/sdk-stream.ts). */
import { Fault } from "@mecha/kit";

const decoder = new TextDecoder("utf-8", { fatal: true });
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
    if (length > shortTextMax) return decoder.decode(this.bytes.subarray(start, start + length));
    let text = "";
    for (let i = start; i < this.pos; i++) {
      const byte = this.bytes[i] as number;
      if (byte > 0x7f) return decoder.decode(this.bytes.subarray(start, this.pos));
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

function malformed(what: string): Fault {
  return new Fault("invalid", `malformed protocol message: ${what}`);
}
