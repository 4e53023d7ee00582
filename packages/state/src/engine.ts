/** The state engine's face: what ingress and admin call. `openEngine` (open.ts) makes one. */
import type { Fault } from "@mecha/kit";
import type { CallHandler } from "@mecha/wire";
import type { CallContext, Command, CommandMetadata, Component, FunctionPort, Reply } from "./model.ts";
import type { OutboxQuery, OutboxRow } from "./rows.ts";

/** Streamed action call, caller → engine. After `cancel`, and after `closed`, its methods do nothing. */
export interface StreamedCall {
  /** `false`: wait for `drain`. Nothing is dropped either way. `typeUrl`: of a message to a method that takes any type. */
  message(bytes: Uint8Array, typeUrl?: string): boolean;
  halfClose(): void;
  /** The caller went away: the call at the function is cancelled, no further callback follows. */
  cancel(): void;
  /** Holds the function back; replies already here may still arrive. */
  pause(): void;
  resume(): void;
}

/** Streamed action call, engine → caller. Never called inside `stream` or a method of the call, except `closed` for a second message to a method that takes one. */
export interface StreamedCallEvents {
  /** Always with a payload: responses that answer nothing are not told. */
  reply(reply: Reply): void;
  drain(): void;
  /** Last callback. `undefined` = ended well; else a Fault. */
  closed(fault?: Fault): void;
}

/** Called exactly once: with a reply, or with a Fault. Refusals come before `call` returns. */
export type Answer = (fault: Fault | undefined, reply: Reply | undefined) => void;

/** Live figures of one active entity. */
export interface ActiveEntity {
  readonly service: string;
  readonly entityId: string;
  /** Last durable sequence; for a value entity its version. */
  readonly sequence: number;
  readonly queued: number;
  readonly phase: string;
}

/** The engine towards its peers. */
export interface PeerService {
  /** By gRPC path. Serve them on a listener that only peers can reach. */
  handlers(): ReadonlyMap<string, CallHandler>;
  /** Names of the peers that are connected. */
  readonly connected: readonly string[];
}

/** Runs entities and actions. */
export interface StateEngine extends AsyncDisposable {
  /**
   * Replaces the set of components atomically (E7). Entities of a component that vanished or moved to another function port are reset; those
   * that moved keep their queue, those that vanished fail it with `unavailable`. Steps under way are stored all the same.
   */
  setComponents(components: readonly Component[]): void;
  component(service: string): Component | undefined;
  /** The function behind `port` is about to be closed: calls of actions it still runs fail with `unavailable`. Entities follow `setComponents`. */
  closeFunction(port: FunctionPort): void;
  /** Runs one unary command of any component and answers once its step is durable (D4). Never throws. */
  call(service: string, command: Command, context: CallContext, answer: Answer): void;
  /** Opens a streamed call of an action. `metadata` goes with its first message. */
  stream(service: string, method: string, context: CallContext, events: StreamedCallEvents, metadata?: CommandMetadata): StreamedCall;
  /**
   * Finishes what runs, within `graceMs`; new calls fail with `unavailable`. Returns how many were cut off.
   * @throws Fault("invalid") when `graceMs` is negative.
   */
  drain(graceMs: number): Promise<number>;
  active(limit: number): readonly ActiveEntity[];
  /** Effects and forwards that are not done yet, or were given up (E10). For people. */
  outbox(query: OutboxQuery): Promise<readonly OutboxRow[]>;
  /** Tries messages again that were given up. Returns how many of them there are. */
  retryMessages(ids: readonly number[]): Promise<number>;
  /** Gives up messages for good, whether they wait or were given up before; one that is on its way may still arrive. Returns how many there were. */
  discardMessages(ids: readonly number[]): Promise<number>;
  /** How other processes reach the CRDTs of this one; `undefined` when it has no peers. */
  readonly replication?: PeerService | undefined;
  /**
   * Cancels a timer, for people; entities do it with a reply. A firing that is at the function already goes on.
   * @returns whether there was one.
   */
  cancelTimer(service: string, entityId: string, name: string): Promise<boolean>;
  /** Timers were stored past the engine, by an import: it looks at them all again. */
  timersImported(): void;
}
