/** A gRPC call this side opens, from before it has a stream to its end. */
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import type { CancelTimer, Clock, Fault } from "@mecha/kit";
import {
  type CallOptions,
  type ClientCall,
  type ClientCallEvents,
  formatTimeout,
  isGrpcContentType,
  Metadata,
  metadataOf,
  putMetadata,
  type RpcStatus,
  statusIn,
  statusOfFault,
  statusOfHttp,
  statusOfReset,
} from "@mecha/wire";
import { resetCancelled, StreamCall } from "./stream-call.ts";

/** What a call needs of its channel. */
export interface CallHost {
  readonly clock: Clock;
  readonly messageMaxBytes: number;
  readonly authority: string;
  /** The channel has been closed by its owner. */
  readonly isClosed: boolean;
  /** The call has ended while it waited for a connection. */
  gaveUp(call: Http2ClientCall): void;
}

/** The connection a call is on. */
export interface CallLink {
  readonly session: ClientHttp2Session;
  /** The last stream the server has looked at or will (GOAWAY); later ones never reached it. Infinity while it has not said. */
  readonly lastStreamId: number;
  /** The stream's place is free again. */
  streamClosed(): void;
}

const userAgent = "mecha/0.1";

export class Http2ClientCall extends StreamCall implements ClientCall {
  readonly #host: CallHost;
  readonly #path: string;
  readonly #metadata: Metadata | undefined;
  readonly #events: ClientCallEvents;
  readonly #timeoutMs: number | undefined;
  readonly #deadlineMs: number;
  #cancelDeadline: CancelTimer | undefined;
  #link: CallLink | undefined;
  #status: RpcStatus | undefined;
  #trailers = Metadata.empty;
  #streamError: NodeJS.ErrnoException | undefined;

  constructor(host: CallHost, path: string, options: CallOptions, events: ClientCallEvents) {
    super(host.messageMaxBytes);
    this.#host = host;
    this.#path = path;
    this.#metadata = options.metadata;
    this.#events = events;
    this.#timeoutMs = options.timeoutMs;
    this.#deadlineMs = 0;
    const { timeoutMs } = options;
    if (timeoutMs === undefined) return;
    this.#deadlineMs = host.clock.monotonic() + timeoutMs;
    this.#cancelDeadline = host.clock.after(timeoutMs, () => this.#expire());
  }

  /** Has ended before it got a stream. */
  get isOver(): boolean {
    return this.over;
  }

  /** Sends the request headers.
   *  @throws what node throws for a session that takes no more streams; the call may then start elsewhere. */
  start(link: CallLink): void {
    const stream = link.session.request(this.#requestHeaders(), { endStream: false });
    this.#link = link;
    this.watch(stream);
    stream.on("response", onResponse);
    stream.on("trailers", onTrailers);
    callOfStream.set(stream, this);
    this.attach(stream);
    this.startOutput();
  }

  #requestHeaders(): Record<string, string | string[]> {
    const fields: Record<string, string | string[]> = {
      ":method": "POST",
      ":path": this.#path,
      ":scheme": "http",
      ":authority": this.#host.authority,
      te: "trailers",
      "content-type": "application/grpc+proto",
      "user-agent": userAgent,
    };
    if (this.#timeoutMs !== undefined) fields["grpc-timeout"] = formatTimeout(this.#deadlineMs - this.#host.clock.monotonic());
    return this.#metadata === undefined ? fields : putMetadata(fields, this.#metadata);
  }

  halfClose(): void {
    if (!this.over) this.endOutput();
  }

  cancel(): void {
    this.#abandon({ code: 1, message: "cancelled by the caller" });
  }

  /** Ends the call with `status`, from the outside. The callback comes on a tick of its own (keeps R1). */
  fail(status: RpcStatus): void {
    this.#abandon(status);
  }

  #expire(): void {
    this.#abandon({ code: 4, message: `no answer within ${this.#timeoutMs} ms` });
  }

  #abandon(status: RpcStatus): void {
    if (this.over) return;
    this.#settle();
    if (this.stream === undefined) this.#host.gaveUp(this);
    else this.#reset(constants.NGHTTP2_CANCEL);
    process.nextTick(() => this.#events.end(status, Metadata.empty));
  }

  #settle(): void {
    this.over = true;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
  }

  #reset(code: number): void {
    const { stream } = this;
    if (stream === undefined || stream.destroyed || stream.closed) return;
    stream.resume();
    if (code === constants.NGHTTP2_CANCEL && !this.outputEnded) resetCancelled(stream);
    else stream.close(code);
  }

  /** The server's answer is whole, or known to be broken. Runs on the stream's own stack. */
  #finish(status: RpcStatus, trailers: Metadata, resetCode: number): void {
    if (this.over) return;
    this.#settle();
    if (!this.outputEnded || !this.inputEnded) this.#reset(resetCode);
    this.#events.end(status, trailers);
  }

  /** @internal */
  responded(headers: IncomingHttpHeaders, raw: readonly string[]): void {
    if (this.over) return;
    const status = statusIn(headers);
    const httpStatus = Number(headers[":status"]);
    if (status !== undefined) {
      this.#status = status;
      this.#trailers = metadataOf(raw);
    } else if (httpStatus !== 200) {
      this.#refuse({ code: statusOfHttp(httpStatus), message: `the server answered HTTP status ${httpStatus}, not gRPC` });
    } else if (!isGrpcContentType(headers["content-type"])) {
      this.#refuse({ code: 2, message: `the server answered content-type ${String(headers["content-type"])}, not application/grpc` });
    } else {
      this.#tell(() => this.#events.headers?.(metadataOf(raw)));
    }
  }

  /** @internal */
  trailed(headers: IncomingHttpHeaders, raw: readonly string[]): void {
    this.#status = statusIn(headers) ?? { code: 2, message: "the server's trailers have no grpc-status" };
    this.#trailers = metadataOf(raw);
  }

  #refuse(status: RpcStatus): void {
    this.#finish(status, Metadata.empty, constants.NGHTTP2_CANCEL);
  }

  #tell(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.failed(error);
    }
  }

  protected override deliver(message: Uint8Array, compressed: boolean): void {
    if (compressed) this.#refuse({ code: 13, message: "the server sent a compressed message, which was not offered" });
    else this.#events.message(message);
  }

  protected override delivered(): void {
    if (this.#status !== undefined) this.#finish(this.#status, this.#trailers, constants.NGHTTP2_NO_ERROR);
    else process.nextTick(() => this.#endWithoutStatus());
  }

  /** The answer's end came before its trailers, or it has none. `closed` knows better when the stream broke. */
  #endWithoutStatus(): void {
    const { stream } = this;
    if (this.#status === undefined && stream !== undefined && (stream.rstCode !== 0 || stream.destroyed)) return;
    const status = this.#status ?? { code: 2, message: "the server ended the call without a status" };
    this.#finish(status, this.#trailers, constants.NGHTTP2_NO_ERROR);
  }

  protected override garbled(fault: Fault): void {
    // A stream that broke is cut off too: its reset says more than the half message.
    const reset = this.stream?.rstCode ?? 0;
    if (reset !== 0) return;
    this.#finish(statusOfFault(fault), this.#trailers, constants.NGHTTP2_CANCEL);
  }

  protected override drained(): void {
    this.#events.drain?.();
  }

  /** A callback of ours threw: a mistake in this process, which must not be hidden. */
  protected override failed(error: unknown): void {
    this.#abandon({ code: 13, message: "a callback of this call threw" });
    throw error;
  }

  protected override streamError(error: Error): void {
    this.#streamError = error;
  }

  protected override closed(): void {
    this.#link?.streamClosed();
    // A whole answer that a paused reader has not taken yet stays until it does: `delivered` ends the call then.
    if (this.over || (this.inputEnded && this.#status !== undefined)) return;
    this.#finish(this.#status ?? this.#closeStatus(), this.#trailers, constants.NGHTTP2_NO_ERROR);
  }

  #closeStatus(): RpcStatus {
    if (this.#host.isClosed) return { code: 1, message: "the channel was closed" };
    const { stream } = this;
    const link = this.#link as CallLink;
    if ((stream?.id ?? Infinity) > link.lastStreamId) {
      return { code: 14, message: `${this.#host.authority} is shutting down and did not take the call`, unreached: true };
    }
    const code = this.#streamError?.code;
    if (code === "ERR_HTTP2_STREAM_CANCEL" || code === "ERR_HTTP2_SESSION_ERROR" || link.session.destroyed) {
      return { code: 14, message: `the connection to ${this.#host.authority} was lost` };
    }
    const rstCode = stream?.rstCode ?? 0;
    return rstCode === 0 && code === undefined ? { code: 14, message: "the stream was closed" } : statusOfReset(rstCode);
  }
}

/** For the listeners, which are shared by all streams. */
const callOfStream = new WeakMap<object, Http2ClientCall>();

function onResponse(this: ClientHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw?: readonly string[]): void {
  callOfStream.get(this)?.responded(headers, raw ?? []);
}
function onTrailers(this: ClientHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw?: readonly string[]): void {
  callOfStream.get(this)?.trailed(headers, raw ?? []);
}
