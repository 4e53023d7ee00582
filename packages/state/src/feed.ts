/**
 * Reading the journal as a subscriber does, and remembering how far each subscriber is: the store's side of event logs (E5).
 *
 * Promises
 * D1 `feed` shows durable events only, those of one entity in the order of their sequences, and passes over none
 * D2 a cursor and the events parked with it are saved together, or not at all
 * D3 a save is durable when it resolves. One that is lost leaves the cursor before it: events are delivered again, never left out
 */
import type { CommandMetadata, Payload } from "./model.ts";

/** How far a subscriber is. A cursor only moves forward. */
export interface Cursor {
  /** Everything at or below this position is done. Positions ascend over all shards of one file; they are the file's own. */
  readonly position: number;
  /** By shard, for those further on than `position`: the offset that comes next. */
  readonly ahead: readonly (readonly [shard: number, nextOffset: number])[];
}

/** The cursor of a subscriber nobody has seen. */
export const cursorAtStart: Cursor = { position: 0, ahead: [] };

/** An event of the journal on its way to subscribers. */
export interface FeedEvent {
  readonly position: number;
  readonly shard: number;
  /** Ascending in its shard, not without gaps: other entity types share it. */
  readonly offset: number;
  readonly entityId: string;
  readonly sequence: number;
  readonly payload: Payload;
  /** Wall ms. */
  readonly timeMs: number;
  readonly trace?: string;
}

export interface FeedPage {
  /** By ascending position. */
  readonly events: readonly FeedEvent[];
  /** Positions up to here were looked at. Pass it as `after` for the next page. */
  readonly readTo: number;
  /** Position of the newest event in the journal, of any type; `readTo` of the last page. */
  readonly head: number;
}

/** An event that could not be delivered, as it was: its attributes, its payload, and why. */
export interface ParkedEvent {
  readonly attributes: CommandMetadata;
  readonly payload: Payload;
  readonly attempts: number;
  readonly failure: string;
  /** Wall ms of parking. */
  readonly timeMs: number;
  readonly trace?: string;
}

/** A parked event, stored. */
export interface ParkedRow extends ParkedEvent {
  /** Ascending in the order of parking. */
  readonly id: number;
  readonly subscriber: string;
}

/** What becomes of a parked event. */
export type ParkedChange =
  /** It was delivered after all, or nobody wants it. */
  | { readonly id: number; readonly to: "removed" }
  | { readonly id: number; readonly to: "parked"; readonly attempts: number; readonly failure: string };

export interface ParkedQuery {
  readonly subscriber?: string;
  readonly afterId?: number;
  /** 1 to 1,000. A page also ends after about 1 MiB of payloads; one row always fits. */
  readonly limit: number;
}

/** Where subscribers are, and what they could not take. Methods reject with Fault("unavailable") when the store is closed. */
export interface Cursors {
  cursor(subscriber: string): Promise<Cursor>;
  /** keeps D2, D3. A cursor behind the stored one leaves it where it is. */
  advance(subscriber: string, cursor: Cursor, parked: readonly ParkedEvent[]): Promise<void>;
  parked(query: ParkedQuery): Promise<readonly ParkedRow[]>;
  /** @returns how many of them there were. */
  settleParked(changes: readonly ParkedChange[]): Promise<number>;
  /** How many events are parked, of all subscribers. */
  parkedCount(): Promise<number>;
}

/** The journal of event-sourced entities, as subscribers read it. */
export interface Feed extends Cursors {
  /**
   * Events of the entities with this persistence id after a position. A page may be empty and still not be the end: look at `readTo`.
   * @param query.limit 1 to 1,000 events; a page also ends after about 1 MiB of payloads, and when `feedScanMax` events of others were passed.
   */
  feed(query: { readonly persistenceId: string; readonly after: number; readonly limit: number }): Promise<FeedPage>;
}

/** Events looked at for one page, whoever's they are: about 5 ms of the store's thread. */
export const feedScanMax = 4_096;
