/**
 * What both ends of a gRPC call over a node:http2 stream share: messages in (with pause), messages out (with back-pressure).
 *
 * Invariants
 * S1 callbacks come from the stream's events or a tick of their own, never from inside `pause`, `resume` or `send` (keeps R1)
 * S2 messages sent in one turn of the event loop leave in one write; a stream that waits for its peer's window gathers further ones
 * S3 while paused, at most one chunk is held here; node stops its window updates, so the peer stops (back-pressure)
 * S4 once `over`, nothing is delivered
 */
import type { Http2Stream } from "node:http2";
import { addAbortSignal } from "node:stream";
import type { Fault } from "@mecha/kit";
import { encodeFrames, FrameDecoder, framePrefixBytes, writeFramePrefix } from "@mecha/wire";
import { sendBufferBytes } from "./limits.ts";

const callOf = Symbol("call");
type CallStream = Http2Stream & { [callOf]?: StreamCall };

/** A message this large is written as it is, behind its prefix; smaller ones are copied together (a copy of 16 KiB costs under 1 µs). */
const copyMaxBytes = 16 * 1024;

const allocate = (bytes: number): Buffer => Buffer.allocUnsafe(bytes);

/** Calls with messages to write at the end of this turn (keeps S2). */
let dirty: StreamCall[] = [];

function flushDirty(): void {
  const calls = dirty;
  dirty = [];
  for (const call of calls) call.flush();
}

export abstract class StreamCall {
  /** Nothing is delivered any more. */
  protected over = false;
  protected stream: CallStream | undefined;
  protected inputEnded = false;
  readonly #decoder: FrameDecoder;
  #paused = false;
  #pumping = false;
  #toldEnd = false;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #flushQueued = false;
  #outputEnded = false;
  /** `send` answered false, a `drained` is owed. */
  #owesDrain = false;
  /** The stream's own buffer is full; its `drain` event is awaited. */
  #streamFull = false;

  constructor(messageMaxBytes: number) {
    this.#decoder = new FrameDecoder(messageMaxBytes);
  }

  /** One message is in. */
  protected abstract deliver(message: Uint8Array, compressed: boolean): void;
  /** All messages are in and the peer sends no more. */
  protected abstract delivered(): void;
  /** The peer's bytes are no gRPC, or too many. */
  protected abstract garbled(fault: Fault): void;
  /** A callback of the user threw. */
  protected abstract failed(error: unknown): void;
  /** There is room again after `send` answered false. */
  protected abstract drained(): void;
  /** The stream is gone. */
  protected abstract closed(): void;

  /** Binds the call to its stream and starts reading. */
  protected attach(stream: Http2Stream): void {
    const own = stream as CallStream;
    this.stream = own;
    own[callOf] = this;
    own.on("data", onData);
    own.on("end", onEnd);
    if (this.#paused) own.pause();
  }

  /** Reports the end of `stream` to this call, and keeps its errors from stopping the process: `close` follows each. */
  protected watch(stream: Http2Stream): void {
    this.stream = stream;
    this.stream[callOf] = this;
    stream.on("error", onError);
    stream.on("close", onClose);
  }

  protected streamError(_error: Error): void {
    // `closed` follows and looks at the stream.
  }

  pause(): void {
    if (this.#paused || this.over) return;
    this.#paused = true;
    this.stream?.pause();
  }

  resume(): void {
    if (!this.#paused || this.over) return;
    this.#paused = false;
    process.nextTick(pump, this);
    this.stream?.resume();
  }

  send(message: Uint8Array): boolean {
    if (this.over || this.#outputEnded) return true;
    this.#pending.push(message);
    this.#pendingBytes += message.length + framePrefixBytes;
    if (!this.#flushQueued && this.stream !== undefined) this.#queueFlush();
    if (!this.#streamFull && this.#pendingBytes < sendBufferBytes) return true;
    this.#owesDrain = true;
    return false;
  }

  /** The stream takes nothing any more; node throws when it is given headers then. */
  protected get gone(): boolean {
    const { stream } = this;
    return stream !== undefined && (stream.destroyed || stream.closed);
  }

  protected get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  protected get outputEnded(): boolean {
    return this.#outputEnded;
  }

  /** Messages given before the stream was there go out now. */
  protected startOutput(): void {
    if (this.#outputEnded) this.#writeLast();
    else if (this.#pending.length > 0) this.#queueFlush();
  }

  #queueFlush(): void {
    this.#flushQueued = true;
    if (dirty.push(this) === 1) process.nextTick(flushDirty);
  }

  /** Called before the first bytes of this side are written. */
  protected beforeWrite(): void {
    // The client's headers went with the request.
  }

  /** Writes what is pending. */
  flush(): void {
    this.#flushQueued = false;
    const { stream } = this;
    if (stream === undefined || this.gone || this.#streamFull || this.#pending.length === 0) return;
    this.beforeWrite();
    const roomy = this.#write(stream);
    if (!roomy) {
      if (!this.#streamFull) stream.once("drain", onDrain);
      this.#streamFull = true;
    } else if (this.#owesDrain && !this.#streamFull) {
      this.#tellDrained();
    }
  }

  #write(stream: Http2Stream): boolean {
    const copied = this.#pendingBytes < sendBufferBytes;
    this.#pendingBytes = 0;
    const messages = this.#take();
    return copied ? stream.write(encodeFrames(messages, allocate)) : writeInPieces(stream, messages);
  }

  #take(): Uint8Array[] {
    const messages = this.#pending;
    this.#pending = [];
    return messages;
  }

  /** Writes what is pending and ends this side's messages. */
  protected endOutput(): void {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    if (this.stream !== undefined) this.#writeLast();
  }

  #writeLast(): void {
    const stream = this.stream as Http2Stream;
    if (this.gone) return;
    const copied = this.#pendingBytes < sendBufferBytes;
    this.#pendingBytes = 0;
    const messages = this.#take();
    if (messages.length === 0) stream.end();
    else if (copied) stream.end(encodeFrames(messages, allocate));
    else {
      writeInPieces(stream, messages);
      stream.end();
    }
  }

  #tellDrained(): void {
    this.#owesDrain = false;
    if (this.over || this.#outputEnded) return;
    try {
      this.drained();
    } catch (error) {
      this.failed(error);
    }
  }

  /** @internal */
  streamDrained(): void {
    this.#streamFull = false;
    if (this.#pending.length > 0) this.flush();
    else if (this.#owesDrain) this.#tellDrained();
  }

  /** @internal */
  chunk(chunk: Uint8Array): void {
    if (this.over) return;
    this.#decoder.push(chunk);
    this.pump();
  }

  /** @internal */
  inputEnd(): void {
    this.inputEnded = true;
    this.pump();
  }

  /** @internal Delivers what is there, unless paused. */
  pump(): void {
    if (this.#pumping || this.over) return;
    this.#pumping = true;
    try {
      this.#deliverAll();
    } catch (error) {
      this.failed(error);
    } finally {
      this.#pumping = false;
    }
  }

  #deliverAll(): void {
    const decoder = this.#decoder;
    while (!this.#paused) {
      const message = decoder.next();
      if (message === undefined) break;
      this.deliver(message, decoder.compressed);
      if (this.over) return;
    }
    if (this.#paused) return;
    const fault = this.inputEnded ? decoder.finish() : decoder.fault;
    if (fault !== undefined) this.garbled(fault);
    else if (this.inputEnded && !this.#toldEnd) {
      this.#toldEnd = true;
      this.delivered();
    }
  }

  /** @internal */
  streamClosed(): void {
    this.closed();
  }

  /** @internal */
  streamFailed(error: Error): void {
    this.streamError(error);
  }
}

/**
 * Sends RST_STREAM with CANCEL and nothing else. node's `close` would end our side first: the peer would take a broken-off stream of
 * messages for a whole one (END_STREAM before RST_STREAM was seen on the wire).
 */
export function resetCancelled(stream: Http2Stream): void {
  addAbortSignal(AbortSignal.abort(), stream);
}

/** Small messages copied together, large ones behind their prefix without a copy; one `writev` in all. */
function writeInPieces(stream: Http2Stream, messages: readonly Uint8Array[]): boolean {
  let roomy = true;
  let small: Uint8Array[] = [];
  stream.cork();
  for (const message of messages) {
    if (message.length <= copyMaxBytes) {
      small.push(message);
      continue;
    }
    if (small.length > 0) stream.write(encodeFrames(small, allocate));
    small = [];
    const prefix = Buffer.allocUnsafe(framePrefixBytes);
    writeFramePrefix(prefix, 0, message.length);
    stream.write(prefix);
    roomy = stream.write(message);
  }
  if (small.length > 0) roomy = stream.write(encodeFrames(small, allocate));
  stream.uncork();
  return roomy;
}

// One function each for all streams: a closure a listener would cost 30,000 × 5 of them.
function onData(this: Http2Stream, chunk: Buffer): void {
  (this as CallStream)[callOf]?.chunk(chunk);
}
function onEnd(this: Http2Stream): void {
  // node ends the readable side of a stream that was reset as well; that is no end of the messages. `close` follows.
  if (this.rstCode !== 0) return;
  (this as CallStream)[callOf]?.inputEnd();
}
function onDrain(this: Http2Stream): void {
  (this as CallStream)[callOf]?.streamDrained();
}
function onClose(this: Http2Stream): void {
  (this as CallStream)[callOf]?.streamClosed();
}
function onError(this: Http2Stream, error: Error): void {
  (this as CallStream)[callOf]?.streamFailed(error);
}
function pump(call: StreamCall): void {
  call.pump();
}
