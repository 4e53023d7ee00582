/**
 * One end of a carried call: what both sides do alike. Messages out in pieces as credit allows, messages in with pause.
 *
 * Invariants
 * K1 a side sends no more bytes of messages than it has credit for, so a reader that stands still holds at most the window, and its neighbours' calls go on
 * K2 credit is given back when a message was delivered; a piece's at once while the reader goes on, as its message could not become whole otherwise
 * K3 callbacks come from the carrier's own or a microtask, never from inside `send`, `pause` or `resume` (keeps R1)
 * K4 once `over`, nothing is delivered
 *
 * An entity at rest keeps this object and nothing behind it: lists are made when needed and let go when empty.
 */
import { Fault } from "@mecha/kit";
import { creditFrame, messageFrame } from "./frames.ts";

/** Bytes of messages that may be on their way on one call; as node's HTTP/2 streams are given by adapters/net. */
export const windowBytes = 256 * 1024;
/** Largest piece of a message: others wait no longer for it than for that many bytes. */
export const pieceMaxBytes = 64 * 1024;
/** What a frame counts beside its bytes, so that empty messages are not free. */
const frameCost = 16;

/** What a call needs of the stream it is on. */
export interface CarrierLine {
  /** One frame. `false`: it is full; the call hears `lineDrained`. */
  write(frame: Uint8Array): boolean;
  /** The call wants to hear `lineDrained`. */
  awaitDrain(call: Carried): void;
  readonly messageMaxBytes: number;
}

/** A message that waits, and what counts of its frames: pieces that came before the reader stood still were given back then. */
interface Held {
  readonly message: Uint8Array;
  readonly cost: number;
}

export abstract class Carried {
  readonly id: number;
  protected readonly line: CarrierLine;
  protected over = false;
  #outputEnded = false;
  #owesDrain = false;
  #paused = false;
  #pumping = false;
  #credit = windowBytes;
  /** Bytes taken and not told yet. */
  #taken = 0;
  /** Messages that wait for credit; of the first, `#sentOfFirst` bytes have gone. */
  #queue: Uint8Array[] | undefined;
  #sentOfFirst = 0;
  /** Goes behind the last message. */
  #lastFrame: Uint8Array | undefined;
  /** Arrived while paused. */
  #held: Held[] | undefined;
  #heldBytes = 0;
  #inputEnded = false;
  #toldEnd = false;
  /** Pieces of a message that is not whole. */
  #pieces: Uint8Array[] | undefined;
  #pieceBytes = 0;
  /** What pieces count that came while the reader stood still; in `#heldBytes` too. */
  #heldOfPieces = 0;

  constructor(id: number, line: CarrierLine) {
    this.id = id;
    this.line = line;
  }

  protected abstract deliver(message: Uint8Array): void;
  /** All messages are delivered and the peer sends no more. */
  protected abstract delivered(): void;
  /** There is room again after `send` answered false. */
  protected abstract drained(): void;
  /** The peer broke a rule, or sent a message that is too large. */
  protected abstract garbled(fault: Fault): void;
  /** A callback of the user threw. */
  protected abstract failed(error: unknown): void;

  // ---- out ------------------------------------------------------------------------------------------------------------------------

  send(message: Uint8Array): boolean {
    if (this.over || this.#outputEnded) return true;
    if (this.#queue === undefined && message.length + frameCost <= this.#credit && message.length <= pieceMaxBytes) {
      this.#credit -= message.length + frameCost;
      return this.#write(messageFrame(this.id, message)) || this.#oweDrain();
    }
    (this.#queue ??= []).push(message);
    const roomy = this.#sendQueued();
    return (roomy && this.#queue === undefined) || this.#oweDrain();
  }

  /** False when the line is full: it will say when it has room. */
  #write(frame: Uint8Array): boolean {
    if (this.line.write(frame)) return true;
    this.line.awaitDrain(this);
    return false;
  }

  #oweDrain(): false {
    this.#owesDrain = true;
    return false;
  }

  /** keeps K1. False when the line is full. */
  #sendQueued(): boolean {
    const queue = this.#queue;
    let roomy = true;
    while (queue !== undefined && queue.length > 0 && this.#credit > frameCost) {
      const message = queue[0] as Uint8Array;
      const size = Math.min(message.length - this.#sentOfFirst, this.#credit - frameCost, pieceMaxBytes);
      const end = this.#sentOfFirst + size;
      const whole = end === message.length;
      this.#credit -= size + frameCost;
      roomy = this.#write(messageFrame(this.id, message.subarray(this.#sentOfFirst, end), whole));
      this.#sentOfFirst = whole ? 0 : end;
      if (whole) queue.shift();
    }
    if (queue?.length === 0) this.#queue = undefined;
    if (this.#queue === undefined) this.#writeLast();
    return roomy;
  }

  #writeLast(): void {
    const last = this.#lastFrame;
    if (last === undefined) return;
    this.#lastFrame = undefined;
    this.line.write(last);
    this.lastWritten();
  }

  /** The frame given to `endOutput` is on its way. */
  protected lastWritten(): void {
    // The caller's half-close: it goes on listening.
  }

  /** Nothing follows `frame`, which goes behind the messages. */
  protected endOutput(frame: Uint8Array): void {
    if (this.#outputEnded) return;
    this.#outputEnded = true;
    this.#lastFrame = frame;
    if (this.#queue === undefined) this.#writeLast();
  }

  /** Nothing follows `frame`, which goes at once; messages that wait are dropped. */
  protected cutOutput(frame: Uint8Array): void {
    this.#outputEnded = true;
    this.#queue = undefined;
    this.#lastFrame = undefined;
    this.line.write(frame);
  }

  /** Whether messages, or the end, wait for credit. */
  protected get outputWaits(): boolean {
    return this.#queue !== undefined;
  }

  /** @internal */
  credited(bytes: number): void {
    this.#credit = Math.min(windowBytes, this.#credit + bytes);
    if (this.#queue === undefined) return;
    if (this.#sendQueued() && this.#queue === undefined) this.#tellDrained();
  }

  /** @internal The line has room again. */
  lineDrained(): void {
    if (this.#queue === undefined) this.#tellDrained();
  }

  #tellDrained(): void {
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    if (this.over || this.#outputEnded) return;
    this.#guarded(() => this.drained());
  }

  // ---- in -------------------------------------------------------------------------------------------------------------------------

  /** @internal A frame with a message, or a piece of one. */
  arrived(bytes: Uint8Array, whole: boolean): void {
    if (this.over) return;
    if (whole && this.#pieces === undefined && bytes.length <= this.line.messageMaxBytes) this.#message(bytes, bytes.length + frameCost);
    else this.#piece(bytes, whole);
  }

  #piece(bytes: Uint8Array, whole: boolean): void {
    this.#pieceBytes += bytes.length;
    const most = this.line.messageMaxBytes;
    if (this.#pieceBytes > most) {
      // What has arrived is all that is known of the size, unless it is whole.
      this.garbled(
        new Fault("exhausted", `a message of ${whole ? "" : "at least "}${this.#pieceBytes} bytes is larger than the ${most} allowed`),
      );
      return;
    }
    (this.#pieces ??= []).push(bytes);
    if (whole) this.#wholeOf(this.#pieces, bytes.length + frameCost);
    else if (this.#goesOn) this.#take(bytes.length + frameCost);
    else {
      this.#heldOfPieces += bytes.length + frameCost;
      this.#hold(bytes.length + frameCost);
    }
  }

  #wholeOf(pieces: readonly Uint8Array[], lastCost: number): void {
    const message = Buffer.concat(pieces);
    const cost = lastCost + this.#heldOfPieces;
    this.#heldBytes -= this.#heldOfPieces;
    this.#heldOfPieces = 0;
    this.#pieces = undefined;
    this.#pieceBytes = 0;
    this.#message(message, cost);
  }

  #message(message: Uint8Array, cost: number): void {
    if (this.#goesOn) {
      this.#take(cost);
      this.#guarded(() => this.deliver(message));
      return;
    }
    (this.#held ??= []).push({ message, cost });
    this.#hold(cost);
  }

  /** Nothing waits: what comes is delivered at once. */
  get #goesOn(): boolean {
    return !this.#paused && this.#held === undefined;
  }

  /** keeps K1 against a peer that does not */
  #hold(cost: number): void {
    this.#heldBytes += cost;
    if (this.#heldBytes > windowBytes) this.garbled(new Fault("internal", "more was sent than there was credit for"));
  }

  /** keeps K2 */
  #take(cost: number): void {
    this.#taken += cost;
    if (this.#taken < windowBytes / 2 || this.#inputEnded) return;
    this.line.write(creditFrame(this.id, this.#taken));
    this.#taken = 0;
  }

  /** @internal The peer sends no more messages. */
  inputEnd(): void {
    this.#inputEnded = true;
    this.#pump();
  }

  pause(): void {
    if (!this.over) this.#paused = true;
  }

  resume(): void {
    if (!this.#paused || this.over) return;
    this.#paused = false;
    queueMicrotask(() => this.#pump()); // keeps K3
  }

  #pump(): void {
    if (this.#pumping || this.over) return;
    this.#pumping = true;
    this.#guarded(() => this.#deliverHeld());
    this.#pumping = false;
  }

  #deliverHeld(): void {
    while (!this.#paused && this.#held !== undefined) {
      const { message, cost } = this.#held.shift() as Held;
      if (this.#held.length === 0) this.#held = undefined;
      this.#heldBytes -= cost;
      this.#take(cost);
      this.deliver(message);
      if (this.over) return;
    }
    if (this.#paused) return;
    this.#takePieces();
    if (!this.#inputEnded || this.#toldEnd) return;
    this.#toldEnd = true;
    if (this.#pieces === undefined) this.delivered();
    else this.garbled(new Fault("internal", "the call ended inside a message"));
  }

  /** Of a message that is not whole yet. keeps K2 */
  #takePieces(): void {
    this.#heldBytes -= this.#heldOfPieces;
    this.#take(this.#heldOfPieces);
    this.#heldOfPieces = 0;
  }

  #guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.failed(error);
    }
  }
}
