/** A call that arrived nowhere: records what its handler does. For unit tests of handlers. */
import { Metadata } from "../metadata.ts";
import { type CallHandler, type RpcStatus, type ServerCall, type ServerCallEvents, statusOk } from "../rpc.ts";

export class RecordedCall implements ServerCall {
  readonly path: string;
  readonly metadata: Metadata;
  readonly deadlineMs = undefined;
  readonly peer = "test";
  readonly events: ServerCallEvents;
  readonly sent: Uint8Array[] = [];
  status: RpcStatus | undefined;
  paused = false;
  /** What `send` answers. */
  room = true;
  readonly #ended = Promise.withResolvers<RpcStatus>();

  constructor(handler: CallHandler, path = "/test.Service/Method", metadata = Metadata.empty) {
    this.path = path;
    this.metadata = metadata;
    this.events = handler(this);
  }
  /** Resolves when the handler ends the call. */
  get ended(): Promise<RpcStatus> {
    return this.#ended.promise;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  sendHeaders(): void {
    // Headers are not looked at here.
  }
  send(message: Uint8Array): boolean {
    this.sent.push(message);
    return this.room;
  }
  end(status: RpcStatus = statusOk): void {
    this.status ??= status;
    this.#ended.resolve(this.status);
  }
}
