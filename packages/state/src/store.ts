/**
 * The store, as the engine needs it: small ports over one transaction type. store-memory is the reference, the contract suite
 * (`@mecha/state/contract`) the definition.
 *
 * Promises
 * S1 `commit` resolves when every step it calls committed is durable (fsync done), and not before (D4)
 * S2 steps of one entity are applied in the order given, in this call and across calls; a later step never survives without the earlier
 * S3 an append whose `expectedSequence` is not the entity's last sequence changes nothing and answers `conflict` (D5)
 * S4 a step is all or nothing: events, snapshot, value, outbox rows and deduplication record together
 * S5 an I/O error of the medium is a verdict for nobody: the store becomes unusable and `commit` rejects with Fault("dataLoss") (E4)
 */
import type { EntityAddress, Payload } from "./model.ts";

/** An open entity's number in the store. Valid from `open` to `release`, on one store object. */
export type EntityHandle = number & { readonly entityHandle: unique symbol };

/** Everything one command changes. */
export interface Step {
  readonly entity: EntityHandle;
  /** Last event sequence the step was computed on; 0 = none. For a value entity: its version. */
  readonly expectedSequence: number;
  /** Numbered `expectedSequence + 1` and on. */
  readonly events: readonly Payload[];
  /** Covers the last event of this step. */
  readonly snapshot?: Payload;
  /** Value entities: the new value, or its deletion. Raises the version by one. */
  readonly value?: { readonly do: "update"; readonly value: Payload } | { readonly do: "delete" };
  /** Name of the command that caused it. */
  readonly cause: string;
  /** Caller's id of the command, when it gave one. */
  readonly commandId?: string;
  readonly trace?: string;
  /** Wall ms. */
  readonly timeMs: number;
}

/** What became of a step (E4). */
export type Verdict =
  | { readonly is: "committed" }
  | { readonly is: "conflict"; readonly actualSequence: number }
  | { readonly is: "fenced" }
  | { readonly is: "unknown" };

/** What an entity is when it is opened. */
export interface EntityRecord {
  readonly handle: EntityHandle;
  /** Last event sequence; for a value entity its version. 0 = nothing stored. */
  readonly sequence: number;
  readonly snapshot?: { readonly sequence: number; readonly payload: Payload };
  readonly value?: Payload;
}

/** A stored event. */
export interface StoredEvent {
  readonly sequence: number;
  readonly payload: Payload;
  readonly timeMs: number;
  readonly cause: string;
  readonly commandId?: string;
  readonly trace?: string;
}

/** An entity in a listing. */
export interface EntityListing {
  readonly address: EntityAddress;
  readonly kind: "eventSourced" | "value";
  readonly sequence: number;
  readonly snapshotSequence?: number;
}

/** Records of entities. Methods reject with Fault("unavailable") when closed. */
export interface Store extends AsyncDisposable {
  /** Opens an entity for one activation. Nothing is written for one that does not exist yet. */
  open(address: EntityAddress, kind: "eventSourced" | "value"): Promise<EntityRecord>;
  /**
   * Events after `afterSequence`, ascending, at most `limit` (1 to 4,096) and about 1 MiB; fewer than exist = ask again from the last one.
   * An empty page means the end.
   */
  events(entity: EntityHandle, afterSequence: number, limit: number): Promise<readonly StoredEvent[]>;
  /** One verdict for each step, in order. Calls may overlap; they are carried out in call order (S2). */
  commit(steps: readonly Step[]): Promise<readonly Verdict[]>;
  /** Ends the use of a handle. */
  release(entity: EntityHandle): void;
  /** Entities in (service, entity id) order, after `after`, at most `limit` (1 to 1,000). For people; not on the hot path. */
  list(query: {
    readonly service?: string;
    readonly after?: { readonly service: string; readonly entityId: string };
    readonly limit: number;
  }): Promise<readonly EntityListing[]>;
}
