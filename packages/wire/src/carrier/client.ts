/**
 * A channel whose calls share one stream of another channel (api/proto/mecha/carrier/v1/carrier.proto). To its users it is any channel.
 *
 * Invariants
 * N1 a carrier is open while it has calls: the last call's end half-closes it, the next call opens another, so nobody has to close one
 * N2 a carrier takes no call any more once it is half-closed, told to leave, full or out of numbers
 * N3 what ends a carrier ends its calls, with `unreached` only when the server's code saw nothing of any of them
 */
import { explain, type Fault } from "@mecha/kit";
import { statusOfFault } from "../grpc/index.ts";
import { Metadata } from "../metadata.ts";
import type { CallOptions, Channel, ClientCall, ClientCallEvents, RpcStatus } from "../rpc.ts";
import { Carried } from "./carried.ts";
import { type CarrierFrame, openFrame, readFrame, wordFrame } from "./frames.ts";
import { Line } from "./line.ts";

export const carrierPath = "/mecha.carrier.v1.Carrier/Carry";

/** Calls on one carrier over its life: their numbers are 32 bits. */
const numbersMax = 0xffff_ffff;
/** Calls on one carrier at a time, half of what a server takes by default (`CarrierOptions.callsMax`); past it the next call opens another carrier. */
const callsMaxDefault = 50_000;
const unimplemented = 12;

interface CarriedChannelOptions {
  /** One message from the server. Default 12 MiB, as connect's. */
  readonly messageMaxBytes?: number;
  /** Calls on one carrier at a time. Default 50,000. */
  readonly callsMax?: number;
}

/**
 * Calls to the server behind `channel`, which must serve `carrierPath`, all on one stream. Calls with metadata or a deadline go by `channel` itself.
 * Does not own the channel.
 */
export function carriedChannel(channel: Channel, options: CarriedChannelOptions = {}): Channel {
  return new CarriedChannel(channel, options.messageMaxBytes ?? 12 * 1024 * 1024, options.callsMax ?? callsMaxDefault);
}

class CarriedChannel implements Channel {
  readonly target: string;
  readonly #channel: Channel;
  readonly #messageMaxBytes: number;
  readonly #callsMax: number;
  #carrier: Carrier | undefined;

  constructor(channel: Channel, messageMaxBytes: number, callsMax: number) {
    this.target = channel.target;
    this.#channel = channel;
    this.#messageMaxBytes = messageMaxBytes;
    this.#callsMax = callsMax;
  }

  open(path: string, options: CallOptions, events: ClientCallEvents): ClientCall {
    if (options.metadata !== undefined || options.timeoutMs !== undefined) return this.#channel.open(path, options, events);
    if (this.#carrier?.takesCalls !== true) this.#carrier = new Carrier(this.#channel, this.#messageMaxBytes, this.#callsMax);
    return this.#carrier.open(path, events);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // N1
  }
}

/** One stream and the calls on it. */
class Carrier implements ClientCallEvents {
  readonly line: Line;
  readonly #call: ClientCall;
  readonly #callsMax: number;
  readonly #calls = new Map<number, CarriedClientCall>();
  #last = 0;
  #leaving = false;
  /** The server's code is there: it answered. */
  #answered = false;

  constructor(channel: Channel, messageMaxBytes: number, callsMax: number) {
    this.#callsMax = callsMax;
    this.#call = channel.open(carrierPath, {}, this);
    this.line = new Line(this.#call, messageMaxBytes);
  }

  /** N2 */
  get takesCalls(): boolean {
    return !this.#leaving && this.#last < numbersMax && this.#calls.size < this.#callsMax;
  }

  open(path: string, events: ClientCallEvents): ClientCall {
    const id = ++this.#last;
    const call = new CarriedClientCall(id, this, events);
    this.#calls.set(id, call);
    this.line.write(openFrame(id, path));
    return call;
  }

  drain(): void {
    this.line.drained();
  }

  message(bytes: Uint8Array): void {
    this.#answered = true;
    let frame: CarrierFrame;
    try {
      frame = readFrame(bytes);
    } catch (fault) {
      this.#call.cancel();
      this.#endAll({ code: 13, message: explain(fault) });
      return;
    }
    if (frame.is === "leaving") this.#leaving = true;
    // Of a call that is over the server may not have heard yet.
    else this.#calls.get(frame.call)?.frame(frame);
  }

  /** keeps N3 */
  end(status: RpcStatus): void {
    this.#endAll(this.#answered ? { code: status.code, message: status.message } : status);
  }

  #endAll(status: RpcStatus): void {
    this.#leaving = true;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.end(statusOfCarried(status, this.#answered), Metadata.empty);
  }

  /** keeps N1 */
  over(id: number): void {
    if (!this.#calls.delete(id) || this.#calls.size > 0) return;
    this.#leaving = true;
    this.#call.halfClose();
  }
}

/** What a carrier's end means for a call on it. */
function statusOfCarried({ code, message, unreached }: RpcStatus, answered: boolean): RpcStatus {
  if (code === 0) return { code: 14, message: "the server ended the carrier of this call" };
  // Another program may listen there by now, which knows no carriers: none of its code saw the call.
  if (code === unimplemented && !answered) return { code: 14, message: `no carrier: ${message}`, unreached: true };
  return { code, message, ...(unreached && { unreached }) };
}

class CarriedClientCall extends Carried implements ClientCall {
  readonly #carrier: Carrier;
  readonly #events: ClientCallEvents;
  /** Told when the messages before it are delivered. */
  #end: { readonly status: RpcStatus; readonly trailers: Metadata } | undefined;

  constructor(id: number, carrier: Carrier, events: ClientCallEvents) {
    super(id, carrier.line);
    this.#carrier = carrier;
    this.#events = events;
  }

  /** @internal */
  frame(frame: CarrierFrame): void {
    switch (frame.is) {
      case "message":
      case "piece":
        this.arrived(frame.bytes, frame.is === "message");
        return;
      case "credit":
        this.credited(frame.credit);
        return;
      case "end":
        this.#end = frame;
        this.inputEnd();
        return;
      case "open":
      case "halfClose":
      case "cancel":
      case "leaving":
      case "unknown":
      // Not for a caller, or of a later version.
    }
  }

  halfClose(): void {
    if (!this.over) this.endOutput(wordFrame(this.id, "halfClose"));
  }

  cancel(): void {
    this.#abandon({ code: 1, message: "cancelled by the caller" });
  }

  #abandon(status: RpcStatus): void {
    if (this.over) return;
    this.over = true;
    this.cutOutput(wordFrame(this.id, "cancel"));
    this.#carrier.over(this.id);
    queueMicrotask(() => this.#events.end(status, Metadata.empty)); // keeps R1
  }

  /** @internal Last callback. On the carrier's own stack. */
  end(status: RpcStatus, trailers: Metadata): void {
    if (this.over) return;
    this.over = true;
    this.#carrier.over(this.id);
    this.#events.end(status, trailers);
  }

  protected override deliver(message: Uint8Array): void {
    this.#events.message(message);
  }

  protected override delivered(): void {
    if (this.#end !== undefined) this.end(this.#end.status, this.#end.trailers);
  }

  protected override drained(): void {
    this.#events.drain?.();
  }

  protected override garbled(fault: Fault): void {
    this.#abandon(statusOfFault(fault));
  }

  /** A callback of ours threw: a mistake in this process, which must not be hidden. */
  protected override failed(error: unknown): void {
    this.#abandon({ code: 13, message: "a callback of this call threw" });
    throw error;
  }
}
