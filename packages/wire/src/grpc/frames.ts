/**
 * gRPC message framing without I/O: one byte of flags, four of length (big endian), then the message (gRPC over HTTP/2,
 * "Length-Prefixed-Message").
 *
 * Invariants
 * F1 every byte is copied at most a constant number of times, however the stream is cut into chunks
 * F2 memory held is bounded by what has really arrived, never by an announced length
 * F3 no input makes the decoder throw: what is wrong is in `fault`, and after it nothing more is given out
 */
import { Fault } from "@mecha/kit";

/** Bytes before each message. */
export const framePrefixBytes = 5;
/** Flag bit of a compressed message. */
const compressedFlag = 1;
/** First size of the buffer of a message that spans chunks: one HTTP/2 frame of the default maximum size. */
const firstPartialBytes = 16_384;

const none = new Uint8Array(0);

/** Takes chunks, gives whole messages. Push, then call `next` until it answers undefined; stop calling it to hold messages back. */
export class FrameDecoder {
  /** What is wrong with the stream. `internal`: it is no gRPC; `exhausted`: a message is larger than allowed. */
  fault: Fault | undefined;
  /** Whether the message `next` gave out last is compressed. */
  compressed = false;
  readonly #messageMaxBytes: number;
  #chunk: Uint8Array = none;
  #at = 0;
  #waiting: Uint8Array[] | undefined;
  /** Bytes of the current prefix read so far; `framePrefixBytes` while the message itself is being read. */
  #prefixRead = 0;
  #length = 0;
  #partial: Uint8Array = none;
  #partialBytes = 0;

  constructor(messageMaxBytes: number) {
    this.#messageMaxBytes = messageMaxBytes;
  }

  /** Takes over `chunk`; it must not change afterwards, messages are views of it. */
  push(chunk: Uint8Array): void {
    if (this.#at === this.#chunk.length) {
      this.#chunk = chunk;
      this.#at = 0;
      return;
    }
    (this.#waiting ??= []).push(chunk);
  }

  /** The next whole message; undefined when more bytes are needed, or after a fault. */
  next(): Uint8Array | undefined {
    while (this.fault === undefined) {
      const message = this.#prefixRead < framePrefixBytes && !this.#readPrefix() ? undefined : this.#readMessage();
      if (message !== undefined) return message;
      if (!this.#nextChunk()) return undefined;
    }
    return undefined;
  }

  /** Call at the end of the stream, when `next` has answered undefined: the fault of a stream that ends inside a message. */
  finish(): Fault | undefined {
    if (this.fault === undefined && this.#prefixRead > 0) {
      this.fault = new Fault("internal", "the stream ended inside a message");
    }
    return this.fault;
  }

  #nextChunk(): boolean {
    if (this.#at < this.#chunk.length) return true;
    this.#chunk = none;
    this.#at = 0;
    const waiting = this.#waiting;
    if (waiting === undefined) return false;
    this.#chunk = waiting.shift() ?? none;
    if (waiting.length === 0) this.#waiting = undefined;
    return true;
  }

  /** Reads as much of the prefix as is there. True when it is whole and good. */
  #readPrefix(): boolean {
    const chunk = this.#chunk;
    while (this.#prefixRead < framePrefixBytes) {
      if (this.#at === chunk.length) return false;
      const byte = chunk[this.#at++] as number;
      if (this.#prefixRead++ === 0) {
        if (byte > compressedFlag) return this.#fail("internal", `message flags ${byte}: only 0 and 1 are known`);
        this.compressed = byte === compressedFlag;
        this.#length = 0;
      } else {
        this.#length = this.#length * 256 + byte;
      }
    }
    if (this.#length > this.#messageMaxBytes) {
      return this.#fail("exhausted", `a message of ${this.#length} bytes is larger than the ${this.#messageMaxBytes} allowed`);
    }
    return true;
  }

  #readMessage(): Uint8Array | undefined {
    if (this.fault !== undefined || this.#prefixRead < framePrefixBytes) return undefined;
    const missing = this.#length - this.#partialBytes;
    const available = this.#chunk.length - this.#at;
    if (this.#partialBytes === 0 && available >= missing) {
      this.#prefixRead = 0;
      return this.#chunk.subarray(this.#at, (this.#at += missing));
    }
    if (available > 0) this.#gather(Math.min(missing, available));
    if (this.#partialBytes < this.#length) return undefined;
    const message = this.#partial;
    this.#partial = none;
    this.#partialBytes = 0;
    this.#prefixRead = 0;
    return message;
  }

  /** Moves `bytes` of the chunk into the partial message, which doubles as needed and is exact at the end (keeps F1, F2). */
  #gather(bytes: number): void {
    const filled = this.#partialBytes + bytes;
    if (filled > this.#partial.length) {
      const larger = new Uint8Array(Math.min(this.#length, Math.max(firstPartialBytes, 2 * this.#partial.length, filled)));
      larger.set(this.#partial.subarray(0, this.#partialBytes));
      this.#partial = larger;
    }
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + bytes), this.#partialBytes);
    this.#partialBytes = filled;
    this.#at += bytes;
  }

  #fail(code: "internal" | "exhausted", message: string): false {
    this.fault = new Fault(code, message);
    this.#chunk = none;
    this.#at = 0;
    this.#waiting = undefined;
    this.#partial = none;
    return false;
  }
}

/** Writes the prefix of an uncompressed message of `length` bytes into `into` at `at`. */
export function writeFramePrefix(into: Uint8Array, at: number, length: number): void {
  into[at] = 0;
  into[at + 1] = length >>> 24;
  into[at + 2] = length >>> 16;
  into[at + 3] = length >>> 8;
  into[at + 4] = length;
}

/** `messages` framed, in one buffer from `allocate`. */
export function encodeFrames<B extends Uint8Array>(messages: readonly Uint8Array[], allocate: (bytes: number) => B): B {
  let bytes = 0;
  for (const message of messages) bytes += framePrefixBytes + message.length;
  const into = allocate(bytes);
  let at = 0;
  for (const message of messages) {
    writeFramePrefix(into, at, message.length);
    into.set(message, at + framePrefixBytes);
    at += framePrefixBytes + message.length;
  }
  return into;
}
