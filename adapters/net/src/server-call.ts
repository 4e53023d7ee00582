/** A gRPC call that arrived on an HTTP/2 stream. */
import { constants, type Http2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { type CancelTimer, type Clock, explain, Fault, type FaultCode, type Log } from "@mecha/kit";
import {
  type CallHandler,
  type CallRouter,
  type HeaderFields,
  internalStatus,
  Metadata,
  metadataOf,
  parseTimeout,
  putMetadata,
  putStatus,
  type RawHeaders,
  type RpcStatus,
  type ServerCall,
  type ServerCallEvents,
  statusOfFault,
  statusOk,
} from "@mecha/wire";
import { gunzip } from "./gunzip.ts";
import { resetCancelled, StreamCall } from "./stream-call.ts";

/** What all calls of a listener share. */
export interface ServerContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly router: CallRouter;
  readonly messageMaxBytes: number;
}

const acceptEncoding = "identity,gzip";
const contentType = "application/grpc+proto";
/** No `date` header: nobody reads it in gRPC, and it costs 30 bytes a call. `sendDate` is documented by node, but not in its types. */
const whole = { endStream: true, sendDate: false };
const withTrailers = { waitForTrailers: true, sendDate: false };

/** Takes a stream whose headers say gRPC: finds the handler, or answers why there is none. */
export function acceptCall(
  context: ServerContext,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  raw: RawHeaders,
  from: Pick<ServerCall, "peer" | "isNamed">,
): void {
  const path = headers[":path"] ?? "";
  if (headers[":method"] !== "POST") {
    stream.on("error", ignored);
    stream.respond({ ":status": 405, allow: "POST" }, { endStream: true });
    return;
  }
  const encoding = headers["grpc-encoding"];
  const timeout = headers["grpc-timeout"];
  const timeoutMs = typeof timeout === "string" ? parseTimeout(timeout) : undefined;
  const call = new Http2ServerCall(context, stream, path, metadataOf(raw), timeoutMs, from);
  if (encoding !== undefined && encoding !== "identity" && encoding !== "gzip") {
    call.end({ code: 12, message: `grpc-encoding ${String(encoding)} is not known; send ${acceptEncoding}` });
  } else if (timeout !== undefined && timeoutMs === undefined) {
    call.end({ code: 13, message: "grpc-timeout: expected up to eight digits and one of H M S m u n" });
  } else {
    const handler = context.router(path);
    if (handler === undefined) call.end({ code: 12, message: `unknown method ${path}` });
    else call.begin(handler, encoding === "gzip");
  }
}

class Http2ServerCall extends StreamCall implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly deadlineMs: number | undefined;
  readonly peer: string;
  readonly isNamed: ServerCall["isNamed"];
  readonly #context: ServerContext;
  readonly #stream: ServerHttp2Stream;
  /** Kept because a closed stream no longer says. */
  readonly #session: Http2Session | undefined;
  #events: ServerCallEvents | undefined;
  #cancelDeadline: CancelTimer | undefined;
  #gzip = false;
  #headersSent = false;
  #responseMetadata = Metadata.empty;
  #status = statusOk;
  #trailers = Metadata.empty;

  constructor(
    context: ServerContext,
    stream: ServerHttp2Stream,
    path: string,
    metadata: Metadata,
    timeoutMs: number | undefined,
    from: Pick<ServerCall, "peer" | "isNamed">,
  ) {
    super(context.messageMaxBytes);
    this.#context = context;
    this.#stream = stream;
    this.#session = stream.session;
    this.path = path;
    this.metadata = metadata;
    this.deadlineMs = timeoutMs === undefined ? undefined : context.clock.monotonic() + timeoutMs;
    this.peer = from.peer;
    this.isNamed = from.isNamed;
    this.watch(stream);
    if (timeoutMs !== undefined) this.#cancelDeadline = context.clock.after(timeoutMs, () => this.#expire());
  }

  begin(handler: CallHandler, gzip: boolean): void {
    this.#gzip = gzip;
    try {
      this.#events = handler(this);
    } catch (error) {
      this.failed(error);
    }
    if (!this.over) this.attach(this.#stream);
  }

  sendHeaders(metadata: Metadata = Metadata.empty): void {
    if (this.over || this.#headersSent || this.gone) return;
    this.#responseMetadata = metadata;
    this.beforeWrite();
  }

  end(status: RpcStatus = statusOk, trailers: Metadata = Metadata.empty): void {
    if (this.over) return;
    this.#finish();
    const stream = this.#stream;
    if (this.gone) return;
    this.#status = status;
    this.#trailers = trailers;
    if (this.#headersSent || this.hasPending) {
      this.beforeWrite();
      this.endOutput();
      return;
    }
    stream.respond(this.#trailerFields({ ":status": "200", "content-type": contentType, "grpc-accept-encoding": acceptEncoding }), whole);
    this.#releaseInput();
  }

  #finish(): void {
    this.over = true;
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
  }

  protected override beforeWrite(): void {
    if (this.#headersSent) return;
    this.#headersSent = true;
    const stream = this.#stream;
    const fields: HeaderFields = { ":status": "200", "content-type": contentType };
    try {
      putMetadata(fields, this.#responseMetadata);
    } catch (error) {
      this.#report(error);
    }
    stream.respond(fields, withTrailers);
    stream.on("wantTrailers", onWantTrailers.bind(undefined, this));
  }

  /** @internal */
  sendTrailers(): void {
    this.#stream.sendTrailers(this.#trailerFields({}));
    this.#releaseInput();
  }

  #trailerFields(fields: HeaderFields): HeaderFields {
    try {
      return putStatus(putMetadata({ ...fields }, this.#trailers), this.#status);
    } catch (error) {
      this.#report(error);
      return putStatus({ ...fields }, internalStatus);
    }
  }

  /** A caller that has not finished sending is told to stop (RFC 9113 §8.1: RST_STREAM with NO_ERROR after the whole answer). */
  #releaseInput(): void {
    if (this.inputEnded) return;
    const stream = this.#stream;
    stream.resume();
    setImmediate(() => {
      if (!stream.destroyed && !stream.closed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }

  protected override deliver(message: Uint8Array, compressed: boolean): void {
    if (!compressed) this.#events?.message(message);
    else if (this.#gzip) this.#deliverUnzipped(message);
    else this.garbled(new Fault("internal", "a compressed message, but no grpc-encoding was named"));
  }

  #deliverUnzipped(message: Uint8Array): void {
    let unzipped: Uint8Array;
    try {
      unzipped = gunzip(message, this.#context.messageMaxBytes);
    } catch (error) {
      this.garbled(Fault.from(error, "decompress a message"));
      return;
    }
    this.#events?.message(unzipped);
  }

  protected override delivered(): void {
    this.#events?.halfClose?.();
  }

  protected override garbled(fault: Fault): void {
    this.#cancel(fault.code, statusOfFault(fault));
  }

  protected override drained(): void {
    this.#events?.drain?.();
  }

  protected override failed(error: unknown): void {
    this.#report(error);
    this.end(internalStatus);
  }

  protected override closed(): void {
    if (this.over) return;
    this.#finish();
    this.#tellCancelled(this.#session?.destroyed === false ? "cancelled" : "unavailable");
  }

  #expire(): void {
    if (this.over) return;
    this.#cancel("deadline", { code: 4, message: "the caller's deadline passed" });
  }

  /** Ends the call for a reason outside the handler, and tells it. Answers that wait for a slow peer are not waited for. */
  #cancel(reason: FaultCode, status: RpcStatus): void {
    if (this.#stream.writableNeedDrain) {
      this.#finish();
      resetCancelled(this.#stream);
    } else this.end(status);
    this.#tellCancelled(reason);
  }

  #tellCancelled(reason: FaultCode): void {
    try {
      this.#events?.cancelled?.(reason);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    this.#context.log.error("call handler failed", { path: this.path, peer: this.peer, error: explain(error) });
  }
}

function onWantTrailers(call: Http2ServerCall): void {
  call.sendTrailers();
}
function ignored(): void {
  // The stream is answered; how it ends is of no interest.
}
