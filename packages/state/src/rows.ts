/**
 * What a step stores beside its entity: the answer to a key (E9), messages that must go out (E10), timers (E12). All of it commits with the
 * step, or not at all (S4).
 */
import type { CommandMetadata, EntityAddress, Payload } from "./model.ts";
import type { EntityListing } from "./store.ts";

/** What a command with a key was answered, so that the same command asked again gets the same answer (E9). */
export interface DeduplicationRecord {
  /** Unique in the entity until it expires. */
  readonly key: string;
  /** Of the command's name and payload: the same key with another hash is another command. */
  readonly payloadHash: Uint8Array;
  /** The client action, in the engine's own encoding. A store does not look inside. */
  readonly answer: Uint8Array;
  /** Wall ms after which the key may be used anew. */
  readonly expiresMs: number;
}

/** Records an opened entity brings along: the newest, so that most repetitions are known without asking the store. */
export interface KnownKeys {
  /** Oldest first. */
  readonly records: readonly DeduplicationRecord[];
  /** False: the store holds more of them; only a commit shows whether a key is among those (verdict `duplicate`). */
  readonly complete: boolean;
}

/** Most records `open` brings along (E9). */
export const knownKeysMax = 1_000;
/** Bytes of their answers after which no older one is brought along. */
export const knownKeysBytes = 1 << 20;

/** A command that must reach its target, although whoever asked for it may end first: an effect or a forward (E10). */
export interface OutboxMessage {
  /** Deduplication key at the target, derived from the command that asked: `key/e/i` or `key/f` (E9). */
  readonly key: string;
  readonly service: string;
  /** The target entity; absent for an action. With the source it is the line in which order is kept. */
  readonly entityId?: string;
  readonly command: string;
  readonly payload: Payload;
  readonly metadata?: CommandMetadata;
  /** Forwards and effects passed, this one included (E2). */
  readonly hops: number;
  readonly trace?: string;
  /** Who asked, for people: `side effect of shop.Cart.AddItem`. */
  readonly origin: string;
}

/** A stored message. */
export interface OutboxRow extends OutboxMessage {
  /** Ascending in the order of committing. */
  readonly id: number;
  /** The entity whose step it is; absent for a message of an action. */
  readonly source?: EntityAddress;
  /** Wall ms of the step. */
  readonly timeMs: number;
  readonly state: "waiting" | "dead";
  readonly attempts: number;
  /** Wall ms before which it is not tried again; 0 = at once. */
  readonly dueMs: number;
  /** Why the last attempt failed. */
  readonly failure?: string;
}

/** What became of a stored message. */
export type OutboxChange =
  | { readonly id: number; readonly to: "removed" }
  | { readonly id: number; readonly to: "waiting"; readonly attempts: number; readonly dueMs: number; readonly failure?: string }
  | { readonly id: number; readonly to: "dead"; readonly attempts: number; readonly failure: string };

/** A (source, target) pair. */
export interface OutboxLane {
  readonly source?: EntityAddress;
  readonly service: string;
  readonly entityId?: string;
}

export interface OutboxQuery {
  readonly state: OutboxRow["state"];
  /** Only this pair's. */
  readonly lane?: OutboxLane;
  readonly afterId?: number;
  /** 1 to 1,000. A page also ends after about 1 MiB of payloads; one row always fits. */
  readonly limit: number;
}

/** What a step does to its entity's timers (E12); carried out in order. */
export type TimerChange =
  | {
      /** Replaces a timer of that name. */
      readonly do: "set";
      readonly name: string;
      /** Wall ms of the next firing. */
      readonly dueMs: number;
      /** Which setting of the timer it is and how it goes on, in the engine's own words. A store does not look inside. */
      readonly schedule: string;
      /** The command it fires at its entity. */
      readonly command: string;
      readonly payload: Payload;
      readonly metadata?: CommandMetadata;
    }
  | { readonly do: "cancel"; readonly name: string }
  | {
      /** The firing due at `dueMs` is this very step. Does nothing when the timer was set anew since: its `dueMs` is another one then. */
      readonly do: "fired";
      readonly name: string;
      readonly dueMs: number;
      /** Absent: it was the last time, the timer goes. */
      readonly nextDueMs?: number;
    }
  | {
      /** The firing due at `dueMs` is given up. As `fired` it does nothing when the timer was set anew since. */
      readonly do: "failed";
      readonly name: string;
      readonly dueMs: number;
      /** For people. */
      readonly failure: string;
      /** Absent: the timer is parked: it stays, and is not due any more until it is set anew. */
      readonly nextDueMs?: number;
    };

/** A stored timer. */
export interface TimerRow {
  /** Stays while the timer exists, also when it is set anew. */
  readonly id: number;
  readonly address: EntityAddress;
  readonly kind: EntityListing["kind"];
  readonly name: string;
  readonly dueMs: number;
  /** How often it has moved on since it was set: `fired` and `failed` with a `nextDueMs` count one each. */
  readonly firings: number;
  /** Why the last firing was given up; a `fired` after it takes it back. */
  readonly failure?: string;
  /** It was given up for good, and is not among those due. */
  readonly parked?: true;
  readonly schedule: string;
  readonly command: string;
  readonly payload: Payload;
  readonly metadata?: CommandMetadata;
}

export interface TimerQuery {
  readonly service?: string;
  /** With `service`. */
  readonly entityId?: string;
  readonly afterId?: number;
  /** 1 to 1,000. */
  readonly limit: number;
}

/** Most rows `outbox`, `timers`, `timersDue` and `sweep` handle at once. */
export const rowsMax = 1_000;
