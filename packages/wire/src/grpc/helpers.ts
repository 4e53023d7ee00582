/** One request, one reply: the shape most calls have, as a promise and as a function. */
import { Fault } from "@mecha/kit";
import { Metadata } from "../metadata.ts";
import { type CallHandler, type Channel, type ClientCall, type RpcStatus, statusOk } from "../rpc.ts";
import { faultOfStatus, statusOfFault } from "./status.ts";

export interface UnaryOptions {
  readonly metadata?: Metadata;
  /** As `CallOptions.timeoutMs`. */
  readonly timeoutMs?: number;
  /** Aborting cancels the call. */
  readonly signal?: AbortSignal;
}

export interface UnaryReply {
  readonly message: Uint8Array;
  readonly headers: Metadata;
  readonly trailers: Metadata;
}

/**
 * Sends `request` to `path` and waits for the reply.
 * @throws Fault with the code of the call's status; `cancelled` when the signal aborts; `unimplemented` when an OK answer has no
 *   message or more than one.
 */
export function unary(channel: Channel, path: string, request: Uint8Array, options: UnaryOptions = {}): Promise<UnaryReply> {
  const { metadata, timeoutMs, signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(new Fault("cancelled", `call ${path} on ${channel.target}`, { cause: signal.reason }));
      return;
    }
    let headers = Metadata.empty;
    let message: Uint8Array | undefined;
    let extra = false;
    const call: ClientCall = channel.open(
      path,
      { ...(metadata && { metadata }), ...(timeoutMs !== undefined && { timeoutMs }) },
      {
        headers: (metadata) => void (headers = metadata),
        message(bytes) {
          if (message !== undefined) extra = true;
          message = bytes;
        },
        end(status, trailers) {
          signal?.removeEventListener("abort", cancel);
          if (status.code !== 0) reject(faultOfStatus(status));
          else if (message === undefined || extra) {
            reject(new Fault("unimplemented", `call ${path} on ${channel.target}: expected one reply, got ${extra ? "more" : "none"}`));
          } else resolve({ message, headers, trailers });
        },
      },
    );
    const cancel = (): void => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    call.send(request);
    call.halfClose();
  });
}

/** What a unary method may use besides its request. */
export interface UnaryContext {
  readonly path: string;
  readonly metadata: Metadata;
  readonly deadlineMs: number | undefined;
  /** Aborts when the caller goes away or its deadline passes. */
  readonly signal: AbortSignal;
}

/**
 * A handler for a method with one request and one reply. A `Fault` thrown becomes the status of the call; anything else is left to
 * `onError` (to log) and becomes status 13 without detail.
 */
export function unaryHandler(
  answer: (request: Uint8Array, context: UnaryContext) => Uint8Array | Promise<Uint8Array>,
  onError: (error: unknown, path: string) => void = () => undefined,
): CallHandler {
  return (call) => {
    let request: Uint8Array | undefined;
    let abort: AbortController | undefined;
    let gone: Fault | undefined;
    const fail = (error: unknown): void => {
      if (error instanceof Fault) return call.end(statusOfFault(error));
      onError(error, call.path);
      call.end(internalStatus);
    };
    return {
      message(bytes) {
        if (request !== undefined) call.end({ code: 12, message: "this method takes one message, more arrived" });
        request = bytes;
      },
      halfClose() {
        if (request === undefined) return call.end({ code: 12, message: "this method takes one message, none arrived" });
        const context: UnaryContext = {
          path: call.path,
          metadata: call.metadata,
          deadlineMs: call.deadlineMs,
          // Made when asked for: most methods never look, and a signal costs more than the rest of a call.
          get signal() {
            abort ??= new AbortController();
            if (gone) abort.abort(gone);
            return abort.signal;
          },
        };
        Promise.try(answer, request, context).then((reply) => {
          call.send(reply);
          call.end(statusOk);
        }, fail);
      },
      cancelled(reason) {
        gone = new Fault(reason, "the caller is gone");
        abort?.abort(gone);
      },
    };
  };
}

/** What a caller is told of a failure that is ours; the log has the rest. */
export const internalStatus: RpcStatus = { code: 13, message: "internal error" };
