/** The state engine's face: what ingress and admin call. */
import type { CallContext, Command, Component, Reply } from "./model.ts";

/** Streamed action call, caller → engine. */
export interface StreamedCall {
  /** `false`: wait for `drain`. */
  message(bytes: Uint8Array): boolean;
  halfClose(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}

/** Streamed action call, engine → caller. */
export interface StreamedCallEvents {
  reply(reply: Reply): void;
  drain(): void;
  /** Last callback. `undefined` = ended well; else a Fault. */
  closed(fault?: Error): void;
}

/** Called exactly once: with a reply, or with a Fault. */
export type Answer = (fault: Error | undefined, reply: Reply | undefined) => void;

/** Live figures of one active entity. */
export interface ActiveEntity {
  readonly service: string;
  readonly entityId: string;
  readonly sequence: number;
  readonly queued: number;
  readonly phase: string;
}

/** Runs entities and actions. */
export interface StateEngine extends AsyncDisposable {
  /** Replaces the set of components atomically (E7). Entities of a component that vanished or moved to another function port are reset. */
  setComponents(components: readonly Component[]): void;
  component(service: string): Component | undefined;
  /** Runs one unary command of any component and answers once its step is durable (D4). Never throws. */
  call(service: string, command: Command, context: CallContext, answer: Answer): void;
  /** Opens a streamed call of an action. */
  stream(service: string, method: string, context: CallContext, events: StreamedCallEvents): StreamedCall;
  /** Finishes what runs, within `graceMs`; new calls fail with `unavailable`. Returns how many were cut off. */
  drain(graceMs: number): Promise<number>;
  active(limit: number): readonly ActiveEntity[];
}
