/** Every bound and waiting time of the engine, with its default and its reason. Times in ms of the monotonic clock. */
import type { Fault } from "@mecha/kit";

const mebibyte = 1024 * 1024;
const second = 1000;

/** A change that became durable, for live displays. */
export interface Change {
  readonly service: string;
  readonly entityId: string;
  /** Last sequence (value entities: version) after the change. */
  readonly sequence: number;
  /** Name of the command. */
  readonly cause: string;
  /** Wall ms. */
  readonly timeMs: number;
}

/** The engine's numbers. `openEngine` takes any part of them. */
export interface EngineLimits {
  /** Send the next command once the previous reply is in, before its step is durable (E3). `false`: one durable step at a time. */
  readonly pipelining: boolean;
  /** How long a command may stay at the function before its stream is reset and it fails as not applied (E7). The reference's ask timeout. */
  readonly commandTimeoutMs: number;
  /** How long a half-closed stream may take to end before it is reset (E8). The reference's test kit asks for an end within 2 s. */
  readonly closeTimeoutMs: number;
  /** Idle time before passivation where a component names none. The reference's default. */
  readonly passivationMs: number;
  /** Entities active at once; past it the least recently used idle one goes (E8). One stream each, 6 to 8 KB a side (E15). */
  readonly activeEntitiesMax: number;
  /** Entities loading or replaying at once. Each may hold a page of events (about 1 MiB): 256 MiB at worst. */
  readonly activationsMax: number;
  /** Commands waiting at one entity. */
  readonly mailboxMax: number;
  /** Further room there for effects and forwards, so that a full mailbox cannot starve what durable steps asked for. */
  readonly mailboxReserve: number;
  /** Commands in the engine altogether, queued, at functions, being stored, or in their tails. About 1 KB each without payload. */
  readonly commandsMax: number;
  /** Further room for effects and forwards. */
  readonly commandsReserve: number;
  /** Calls of actions open at once, streamed ones included. */
  readonly actionCallsMax: number;
  /** How long a unary action may take when its caller set no deadline. The reference's relay timeout. */
  readonly actionTimeoutMs: number;
  /**
   * Commands of one entity sent to a function that takes more than one at a time, the one it works on included. A group of steps is about as large
   * as what is sent meanwhile; more than this gains nothing (docs/performance/engine.md).
   */
  readonly windowMax: number;
  /** Past these payload bytes no further one is sent ahead: one HTTP/2 window; more would only wait in a buffer. */
  readonly windowBytesMax: number;
  /** Steps of one entity handed to the committer and not yet durable (E3). */
  readonly uncommittedStepsMax: number;
  /** Their payload bytes (E3). */
  readonly uncommittedBytesMax: number;
  /** Steps in one group commit. Past about 256 a bigger group gains nothing (DESIGN.md D8). */
  readonly groupStepsMax: number;
  /** Payload bytes in one group commit; a group holds at least one step. */
  readonly groupBytesMax: number;
  /** Groups handed to the store and not yet answered: 1 or 2. With 2 the store need not wait for us between groups. */
  readonly groupsInFlightMax: number;
  /** Send steps without a change to the store too, as a fence check (E6). Only for stores that several processes share. */
  readonly fenceReads: boolean;
  /** Events in one reply. */
  readonly eventsPerReplyMax: number;
  /** Bytes of one event, snapshot or value: the default largest gRPC message. */
  readonly payloadMaxBytes: number;
  /** Forwards and effects in a row (E2). */
  readonly hopsMax: number;
  /** How long a command waits for a function that cannot be reached, before it fails with `unavailable`. */
  readonly functionWaitMs: number;
  /** First and longest pause before the next attempt to reach a function; doubles, with up to 20 % taken off at random. */
  readonly functionBackoffMinMs: number;
  readonly functionBackoffMaxMs: number;
  /** Entities that try an unreachable function at each attempt; the others follow when it gives a sign of life. */
  readonly functionProbesMax: number;
  /** Events asked of the store at once while replaying: 1 to 4,096. */
  readonly replayPageEvents: number;
  /** How long the answer to an idempotency key is given again (E9). Each takes about 150 bytes and the answer in the store. */
  readonly keyTtlMs: number;
  /** Attempts to deliver an effect before it is kept for people to look at (E10): with the pauses below about 8 hours. */
  readonly outboxAttemptsMax: number;
  /** First and longest pause before the next attempt; doubles. */
  readonly outboxBackoffMinMs: number;
  readonly outboxBackoffMaxMs: number;
  /** (source, target) pairs with undelivered effects known in memory, about 500 bytes each; the others wait in the store. */
  readonly outboxLanesMax: number;
  /** Bytes of undelivered effects in memory; the others wait in the store. */
  readonly outboxBytesMax: number;
  /**
   * What the loss of a stream does to commands still queued. `false`: they stay and the entity reloads (E3). `true`: they fail with
   * `Entity terminated`, as the reference proxy does (facts/cloudstate.md §1.12).
   */
  readonly failQueueOnTermination: boolean;
  /** Failures word for word as the reference's, without the details we add. */
  readonly bareTexts: boolean;
}

/** What `openEngine` can be told. */
export interface EngineOptions extends Partial<EngineLimits> {
  /** This process among the replicas of CRDTs: a name no other has, kept over restarts (E13). Default `local`. */
  readonly node?: string;
  /** Hears of each durable change, in order for each entity. Must be quick and must not throw. */
  readonly observe?: (change: Change) => void;
  /** The store failed in a way that must stop the process (E4), or a promise between engine and store was broken. Called once. */
  readonly onFatal?: (fault: Fault) => void;
}

/** See `EngineLimits` for meanings. */
export const engineDefaults: EngineLimits = {
  pipelining: true,
  commandTimeoutMs: 60 * second,
  closeTimeoutMs: 2 * second,
  passivationMs: 30 * second,
  activeEntitiesMax: 50_000,
  activationsMax: 256,
  mailboxMax: 1_000,
  mailboxReserve: 1_000,
  commandsMax: 100_000,
  commandsReserve: 10_000,
  actionCallsMax: 10_000,
  actionTimeoutMs: 60 * second,
  windowMax: 32,
  windowBytesMax: 64 * 1024,
  uncommittedStepsMax: 1_024,
  uncommittedBytesMax: 16 * mebibyte,
  groupStepsMax: 1_024,
  groupBytesMax: 8 * mebibyte,
  groupsInFlightMax: 1,
  fenceReads: false,
  eventsPerReplyMax: 4_096,
  payloadMaxBytes: 4 * mebibyte,
  hopsMax: 32,
  functionWaitMs: 10 * second,
  functionBackoffMinMs: 50,
  functionBackoffMaxMs: 2 * second,
  functionProbesMax: 4,
  replayPageEvents: 1_024,
  keyTtlMs: 24 * 60 * 60 * second,
  outboxAttemptsMax: 1_000,
  outboxBackoffMinMs: 100,
  outboxBackoffMaxMs: 30 * second,
  outboxLanesMax: 50_000,
  outboxBytesMax: 64 * mebibyte,
  failQueueOnTermination: false,
  bareTexts: false,
};
