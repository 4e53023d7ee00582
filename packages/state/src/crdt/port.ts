/** The user's code as the engine reaches it for CRDTs. A dialect implements it; callbacks never run inside a method of the port. */
import type { ClientAction, Command, EntityAddress, SideEffect } from "../model.ts";
import type { CrdtDelta, WriteConsistency } from "./delta.ts";

/** Opens streams, one for each activation of a CRDT. */
export interface CrdtPort {
  /** Opens the stream and sends its init. `delta`: the whole value; absent when the entity does not exist yet. Failures arrive as `closed`. */
  open(address: EntityAddress, delta: CrdtDelta | undefined, events: CrdtStreamEvents): CrdtStream;
}

/** One activation's stream, engine → function. */
export interface CrdtStream {
  /** The value has changed elsewhere. */
  delta(delta: CrdtDelta): void;
  /** It was deleted elsewhere. */
  deleted(): void;
  /** Several may be outstanding. `streamed`: answers may go on until one side ends them. */
  command(commandId: number, command: Command, streamed: boolean): void;
  /** The caller of a streamed command went away; the function may answer with `cancelled`. */
  cancelCommand(commandId: number): void;
  halfClose(): void;
  /** Cuts the stream at once. No further callback follows. */
  reset(): void;
}

/** What a function may do to the state with an answer. */
export interface CrdtStateChange {
  readonly state?: { readonly do: "update"; readonly delta: CrdtDelta } | { readonly do: "delete" };
  readonly consistency: WriteConsistency;
}

/** The answer to a command; of a streamed one, the first. */
export interface CrdtReply extends CrdtStateChange {
  readonly commandId: number;
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
  /** More answers will follow. */
  readonly streamed: boolean;
}

/** A further answer to a streamed command. */
export interface CrdtMessage {
  readonly commandId: number;
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
  /** It is the last. */
  readonly end: boolean;
}

/** What the function does about a streamed command whose caller went away. */
export interface CrdtCancelled extends CrdtStateChange {
  readonly commandId: number;
  readonly effects: readonly SideEffect[];
}

/** A command that failed without a reply. `grpcCode`: the status the function chose; absent: none. */
export interface CrdtFailure {
  readonly commandId: number;
  readonly description: string;
  readonly grpcCode?: number;
}

/** One activation's stream, function → engine. Ids are not checked by the dialect. */
export interface CrdtStreamEvents {
  reply(reply: CrdtReply): void;
  message(message: CrdtMessage): void;
  cancelled(cancelled: CrdtCancelled): void;
  failure(failure: CrdtFailure): void;
  /** The function broke the protocol; the dialect has told it and cut the stream. `closed` follows at once. */
  violation(problem: string): void;
  /** Last callback; meanings as in `EntityStreamEvents`. */
  closed(reason?: string, unreached?: boolean): void;
}
