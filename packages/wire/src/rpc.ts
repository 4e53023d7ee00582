/**
 * gRPC as its users see it, on whatever transport (DESIGN.md D8): callbacks and buffers, no stream object or promise a message is
 * forced to have. adapters/net implements it over sockets; dialects and apps only know this file.
 *
 * Invariants, both directions
 * R1 callbacks of one call never run inside a method of that call: they come from an empty stack or from the transport's own
 * R2 after `end` (server) or the `end` callback (client) and after a cancel nothing else of that call is delivered, and its methods do nothing
 * R3 message bytes are the callee's to keep; they are never written to again by the giver. They may be a view of a chunk that came with
 *    other messages (at most 64 KiB): who keeps small ones for long copies them
 */
import type { FaultCode } from "@mecha/kit";
import type { Metadata } from "./metadata.ts";

/** How a call ended. `code` is a gRPC status number, 0 is OK. */
export interface RpcStatus {
  readonly code: number;
  readonly message: string;
  /** Serialized google.rpc.Status, sent as `grpc-status-details-bin`. */
  readonly details?: Uint8Array;
  /**
   * Set by a Channel only, and only when it is certain that the server's code saw nothing of the call (could not connect, REFUSED_STREAM,
   * a GOAWAY that left it out): it may be sent again whatever it does.
   */
  readonly unreached?: true;
}

/** OK, with no message. */
export const statusOk: RpcStatus = { code: 0, message: "" };

/** A call that arrived. Handed to a `CallHandler` once its request headers are in. */
export interface ServerCall {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly metadata: Metadata;
  /** Monotonic ms by which the caller wants an answer (from `grpc-timeout`). The transport ends the call with status 4 when it passes. */
  readonly deadlineMs: number | undefined;
  /** Address of the other side, for logs. */
  readonly peer: string;
  /** Whether the other side's certificate, which was checked, has this DNS name. Absent: it showed none (no TLS, or not asked for one). */
  readonly isNamed?: ((name: string) => boolean) | undefined;
  /** Stops delivering messages; what arrives is held back by flow control towards the caller. */
  pause(): void;
  resume(): void;
  /** Sends response headers now; without it they go with the first message or the end. Only the first call counts. */
  sendHeaders(metadata?: Metadata): void;
  /** Sends one message. `false`: the other side is slow, send no more until `drain`. Nothing is dropped either way. */
  send(message: Uint8Array): boolean;
  /** Ends the call. Default OK. Messages sent before are delivered first. */
  end(status?: RpcStatus, trailers?: Metadata): void;
}

/** What the handler of an arrived call wants to hear. */
export interface ServerCallEvents {
  message(bytes: Uint8Array): void;
  /** The caller sends no more messages. */
  halfClose?(): void;
  /** The caller went away, its deadline passed, or the connection broke, before `end`. At most once. */
  cancelled?(reason: FaultCode): void;
  /** After `send` returned false: there is room again. */
  drain?(): void;
}

/** Takes a call and says who listens to it. A throw ends the call with status 13. */
export type CallHandler = (call: ServerCall) => ServerCallEvents;

/** Finds the handler of a path; `undefined` answers status 12 (UNIMPLEMENTED). Asked for each call, so routes may change at any time. */
export type CallRouter = (path: string) => CallHandler | undefined;

/** A connection, or several, to one server. Opens lazily, reconnects by itself, balances over connections at the peer's stream limit (E15). */
export interface Channel extends AsyncDisposable {
  /** Starts a call. Failures, also of connecting, arrive as `end` with a status. */
  open(path: string, options: CallOptions, events: ClientCallEvents): ClientCall;
  /** `host:port`, for logs. */
  readonly target: string;
}

export interface CallOptions {
  readonly metadata?: Metadata;
  /** Milliseconds until the call ends with status 4 here and (as `grpc-timeout`) there. None by default. */
  readonly timeoutMs?: number;
}

/** What the opener of a call hears. */
export interface ClientCallEvents {
  headers?(metadata: Metadata): void;
  message(bytes: Uint8Array): void;
  /** Last callback, exactly once. */
  end(status: RpcStatus, trailers: Metadata): void;
  /** After `send` returned false: there is room again. */
  drain?(): void;
}

/** A call this side opened. */
export interface ClientCall {
  /** `false`: wait for `drain` before sending more. Nothing is dropped. */
  send(message: Uint8Array): boolean;
  halfClose(): void;
  /** Resets the call (RST_STREAM CANCEL); `end` follows with status 1. */
  cancel(): void;
  pause(): void;
  resume(): void;
}
