/**
 * The server's side of carriers: each carried call goes to the handler of its path, as one that came on a stream of its own.
 *
 * V1 a carrier ends when its caller has half-closed it and no call is left
 * V2 what a handler throws ends its own call only
 * V3 past `callsMax` a call is refused as not looked at; who makes it waits and tries again
 */
import { explain, type Fault, type FaultCode } from "@mecha/kit";
import { internalStatus, putMetadata, statusOfFault } from "../grpc/index.ts";
import { Metadata } from "../metadata.ts";
import { type CallHandler, type CallRouter, type RpcStatus, type ServerCall, type ServerCallEvents, statusOk } from "../rpc.ts";
import { Carried } from "./carried.ts";
import { type CarrierFrame, endFrame, readFrame, wordFrame } from "./frames.ts";
import { Line } from "./line.ts";

interface CarrierOptions {
  /** Handlers of the carried calls. */
  readonly router: CallRouter;
  /** One message from a caller. */
  readonly messageMaxBytes: number;
  /** A handler threw, or gave an end that cannot be sent. */
  readonly onError: (error: unknown, path: string) => void;
  /** Calls open on one carrier. Default 100,000: twice what Mecha keeps active of entities, at some 200 bytes each. */
  readonly callsMax?: number;
}

/** Serves carriers. */
export interface Carriers {
  /** For `carrierPath`. */
  readonly handler: CallHandler;
  /** No further calls on any carrier; their callers are told, and make them elsewhere. */
  leave(): void;
}

export function serveCarriers({ callsMax = 100_000, ...options }: CarrierOptions): Carriers {
  const open = new Set<ServerCarrier>();
  let leaving = false;
  return {
    handler: (call) => {
      const carrier = new ServerCarrier(call, { ...options, callsMax }, () => open.delete(carrier));
      open.add(carrier);
      if (leaving) carrier.leave();
      return carrier;
    },
    leave: () => {
      leaving = true;
      for (const carrier of open) carrier.leave();
    },
  };
}

class ServerCarrier implements ServerCallEvents {
  readonly options: Required<CarrierOptions>;
  readonly line: Line;
  readonly #call: ServerCall;
  readonly #gone: () => void;
  readonly #calls = new Map<number, CarriedServerCall>();
  #leaving = false;
  #halfClosed = false;
  #ended = false;

  constructor(call: ServerCall, options: Required<CarrierOptions>, gone: () => void) {
    this.#call = call;
    this.options = options;
    this.line = new Line(call, options.messageMaxBytes);
    this.#gone = gone;
  }

  get peer(): string {
    return this.#call.peer;
  }

  get isNamed(): ServerCall["isNamed"] {
    return this.#call.isNamed;
  }

  drain(): void {
    this.line.drained();
  }

  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.line.write(wordFrame(0, "leaving"));
  }

  message(bytes: Uint8Array): void {
    let frame: CarrierFrame;
    try {
      frame = readFrame(bytes);
    } catch (fault) {
      this.#breakOff(explain(fault));
      return;
    }
    if (frame.is !== "open") {
      // Of a call that is over the caller may not have heard yet.
      this.#calls.get(frame.call)?.frame(frame);
    } else if (frame.call === 0 || this.#calls.has(frame.call)) this.#breakOff(`carrier frame: call ${frame.call} cannot be opened`);
    else this.#open(frame.call, frame.path);
  }

  #open(id: number, path: string): void {
    if (this.#leaving || this.#calls.size >= this.options.callsMax) {
      const message = this.#leaving ? "the server is about to end" : `${this.#calls.size} calls are open on this carrier already`;
      this.line.write(endFrame(id, { code: 14, message, unreached: true }, Metadata.empty));
      return;
    }
    const handler = this.options.router(path);
    if (handler === undefined) {
      this.line.write(endFrame(id, { code: 12, message: `unknown method ${path}` }, Metadata.empty));
      return;
    }
    const call = new CarriedServerCall(id, path, this);
    this.#calls.set(id, call);
    call.begin(handler);
  }

  #breakOff(message: string): void {
    if (this.#ended) return;
    this.#cancelAll("internal");
    this.#end({ code: 13, message });
  }

  halfClose(): void {
    this.#halfClosed = true;
    this.#endWhenEmpty();
  }

  cancelled(reason: FaultCode): void {
    this.#ended = true;
    this.#gone();
    this.#cancelAll(reason);
  }

  #cancelAll(reason: FaultCode): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.cancelled(reason);
  }

  over(id: number): void {
    this.#calls.delete(id);
    this.#endWhenEmpty();
  }

  /** keeps V1 */
  #endWhenEmpty(): void {
    if (this.#halfClosed && this.#calls.size === 0) this.#end(statusOk);
  }

  #end(status: RpcStatus): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#gone();
    this.#call.end(status);
  }
}

class CarriedServerCall extends Carried implements ServerCall {
  readonly path: string;
  readonly #carrier: ServerCarrier;
  #events: ServerCallEvents | undefined;

  constructor(id: number, path: string, carrier: ServerCarrier) {
    super(id, carrier.line);
    this.path = path;
    this.#carrier = carrier;
  }

  get metadata(): Metadata {
    return Metadata.empty;
  }

  get deadlineMs(): undefined {
    return undefined;
  }

  get peer(): string {
    return this.#carrier.peer;
  }

  get isNamed(): ServerCall["isNamed"] {
    return this.#carrier.isNamed;
  }

  begin(handler: CallHandler): void {
    try {
      this.#events = handler(this);
    } catch (error) {
      this.failed(error);
    }
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
      case "halfClose":
        this.inputEnd();
        return;
      case "cancel":
        this.#carrier.over(this.id);
        this.cancelled("cancelled");
        return;
      case "open":
      case "end":
      case "leaving":
      case "unknown":
      // Not for a server, or of a later version.
    }
  }

  sendHeaders(): void {
    // Carried calls have none.
  }

  end(status: RpcStatus = statusOk, trailers: Metadata = Metadata.empty): void {
    if (this.over) return;
    this.over = true;
    this.endOutput(this.#endFrame(status, trailers));
  }

  #endFrame(status: RpcStatus, trailers: Metadata): Uint8Array {
    try {
      if (trailers !== Metadata.empty) putMetadata({}, trailers); // refuses what could not be sent on a stream of its own either
      return endFrame(this.id, status, trailers);
    } catch (error) {
      this.#report(error);
      return endFrame(this.id, internalStatus, Metadata.empty);
    }
  }

  protected override lastWritten(): void {
    this.#carrier.over(this.id);
  }

  /** @internal The caller is gone: it broke the call off, or the carrier broke. */
  cancelled(reason: FaultCode): void {
    if (this.over) return;
    this.over = true;
    this.#tellCancelled(reason);
  }

  protected override deliver(message: Uint8Array): void {
    this.#events?.message(message);
  }

  protected override delivered(): void {
    this.#events?.halfClose?.();
  }

  protected override drained(): void {
    this.#events?.drain?.();
  }

  /** Answers that wait for a slow peer are not waited for. */
  protected override garbled(fault: Fault): void {
    if (this.over) return;
    this.over = true;
    this.cutOutput(endFrame(this.id, statusOfFault(fault), Metadata.empty));
    this.#carrier.over(this.id);
    this.#tellCancelled(fault.code);
  }

  /** keeps V2 */
  protected override failed(error: unknown): void {
    this.#report(error);
    this.end(internalStatus);
  }

  #tellCancelled(reason: FaultCode): void {
    try {
      this.#events?.cancelled?.(reason);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#carrier.options.onError(error, this.path);
  }
}
