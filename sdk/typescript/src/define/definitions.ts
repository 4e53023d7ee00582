/** Entities checked and compiled: what declaring them gives, and running them takes. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { ComponentBase } from "./method.ts";
import type { StateCodec } from "./state.ts";

/** What an event handler learns beside state and event. */
export interface EventInfo {
  readonly entityId: string;
  /** Number of this event in the entity's history; the first is 1. */
  readonly sequence: number;
}

/** How events of one type are stored. */
export interface StoredType {
  readonly typeUrl: string;
  readonly codec: {
    /** Absent: it is no message. */
    readonly desc?: DescMessage;
    encode(value: unknown): Uint8Array;
    decode(bytes: Uint8Array): unknown;
  };
}

/** One event type, ready to run. */
export interface EventType {
  /** Name in TypeScript. */
  readonly name: string;
  readonly message: StoredType;
  /** Gives the new state, or changes the old one in place and gives nothing. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- typed where it is declared
  readonly apply: (state: any, event: any, info: EventInfo) => unknown;
}

/** An event-sourced entity, checked and compiled. */
export interface EventSourcedDefinition extends ComponentBase {
  readonly persistenceId: string;
  readonly snapshotEvery: number;
  readonly passivationMs: number | undefined;
  readonly state: StateCodec;
  /** By name in TypeScript. */
  readonly events: ReadonlyMap<string, EventType>;
  readonly eventsByUrl: ReadonlyMap<string, EventType>;
}

/** A value entity, checked and compiled. */
export interface ValueEntityDefinition extends ComponentBase {
  readonly persistenceId: string;
  readonly passivationMs: number | undefined;
  readonly state: StateCodec;
}
