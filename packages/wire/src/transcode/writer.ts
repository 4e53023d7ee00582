/** Writes protobuf's binary form into one growing buffer. Source: protobuf.dev, "Encoding". */
import { Fault } from "@mecha/kit";

const firstBytes = 4096;
/** A buffer that grew beyond this is given back after use, so that one large message does not hold memory for ever. */
const keptBytesMax = 1024 * 1024;
/** Up to this length text is copied by a loop; it also keeps the length prefix one byte (3 bytes × 42 < 128). */
const shortTextMax = 42;

const utf8 = new TextEncoder();
/** For floats and 64-bit numbers: one scratch area, read back as bytes. */
const scratch = new DataView(new ArrayBuffer(8));

/** Reused: `take` hands out a copy and starts afresh. Not reentrant. */
export class ProtoWriter {
  #bytes = new Uint8Array(firstBytes);
  #at = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** Forgets what was written. Call it before use: a throw may have left something behind. */
  reset(): void {
    if (this.#bytes.length > keptBytesMax) this.#bytes = new Uint8Array(firstBytes);
    this.#at = 0;
  }

  /** A copy of what was written, the caller's to keep. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#at);
    this.reset();
    return taken;
  }

  /** An unsigned 32-bit number, tags included. */
  uint32(n: number): void {
    this.#reserve(5);
    this.#at = putVarint(this.#bytes, this.#at, n >>> 0);
  }

  /** A signed 32-bit number: negative ones take ten bytes, as int64 would. */
  int32(n: number): void {
    if (n >= 0) this.uint32(n);
    else this.varint64(n, -1);
  }

  varint64(low: number, high: number): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    let at = this.#at;
    while (high !== 0 || low >>> 0 > 0x7f) {
      bytes[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[at++] = low;
    this.#at = at;
  }

  fixed32(n: number): void {
    scratch.setInt32(0, n, true);
    this.#scratch(4);
  }
  fixed64(low: number, high: number): void {
    scratch.setInt32(0, low, true);
    scratch.setInt32(4, high, true);
    this.#scratch(8);
  }
  float(n: number): void {
    scratch.setFloat32(0, n, true);
    this.#scratch(4);
  }
  double(n: number): void {
    scratch.setFloat64(0, n, true);
    this.#scratch(8);
  }

  /** Length and content. */
  bytes(content: Uint8Array): void {
    this.uint32(content.length);
    this.raw(content);
  }

  /** Content only. */
  raw(content: Uint8Array): void {
    this.#reserve(content.length);
    this.#bytes.set(content, this.#at);
    this.#at += content.length;
  }

  /** Length and UTF-8. @throws Fault("invalid") when the text has half a surrogate pair: it has no UTF-8. */
  text(text: string): void {
    const length = text.length;
    if (length <= shortTextMax) {
      this.#reserve(length + 1);
      const bytes = this.#bytes;
      const start = this.#at + 1;
      let i = 0;
      for (; i < length; i++) {
        const unit = text.charCodeAt(i);
        if (unit > 0x7f) break;
        bytes[start + i] = unit;
      }
      if (i === length) {
        bytes[start - 1] = length;
        this.#at = start + length;
        return;
      }
    }
    this.#longText(text);
  }

  #longText(text: string): void {
    if (!text.isWellFormed()) throw new Fault("invalid", "holds half a surrogate pair, which has no UTF-8 form");
    const mark = this.begin();
    this.#reserve(text.length * 3);
    this.#at += utf8.encodeInto(text, this.#bytes.subarray(this.#at)).written;
    this.finish(mark);
  }

  /** Begins something with a length in front; what `finish` needs is the answer. */
  begin(): number {
    this.#reserve(1);
    return this.#at++;
  }

  /** Ends it: puts the length in front, moving the content when the length needs more than the byte kept for it. */
  finish(mark: number): void {
    const length = this.#at - mark - 1;
    if (length < 0x80) {
      this.#bytes[mark] = length;
      return;
    }
    const extra = varintSize(length) - 1;
    this.#reserve(extra);
    this.#bytes.copyWithin(mark + 1 + extra, mark + 1, this.#at);
    putVarint(this.#bytes, mark, length);
    this.#at += extra;
  }

  #scratch(count: number): void {
    this.#reserve(count);
    for (let i = 0; i < count; i++) this.#bytes[this.#at++] = scratch.getUint8(i);
  }

  #reserve(count: number): void {
    const needed = this.#at + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

function putVarint(bytes: Uint8Array, at: number, n: number): number {
  while (n > 0x7f) {
    bytes[at++] = (n & 0x7f) | 0x80;
    n >>>= 7;
  }
  bytes[at++] = n;
  return at;
}

function varintSize(n: number): number {
  return n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : n < 0x10000000 ? 4 : 5;
}
