/** An event on its way to a consumer, wherever it comes from, and where consumers read. */
import { anyContentType } from "@mecha/wire/cloudevents";
import type { CommandMetadata, Cursors, Feed, FeedEvent, Payload } from "@mecha/state";

/** An event as a consumer gets it. */
export interface BoundEvent {
  readonly position: number;
  readonly shard: number;
  readonly offset: number;
  /** With `source` it tells the event from all others; an event that is delivered again has the same. */
  readonly id: string;
  readonly source: string;
  /** CloudEvents attributes in binary mode (`ce-id`, …) and Content-Type. */
  readonly attributes: CommandMetadata;
  readonly payload: Payload;
  readonly trace?: string;
}

export interface EventPage {
  /** By ascending position. */
  readonly events: readonly BoundEvent[];
  /** Positions up to here were looked at: pass it as `after` for the next page. */
  readonly readTo: number;
  /** Position of the newest event there is. */
  readonly head: number;
}

/** What one consumer group reads. */
export interface EventSourceReader {
  /** @param limit 1 to 1,000. */
  read(after: number, limit: number): Promise<EventPage>;
  readonly cursors: Cursors;
}

/** Reads the events of one entity type. */
export function eventLogReader(feed: Feed, persistenceId: string): EventSourceReader {
  return {
    cursors: feed,
    async read(after, limit) {
      const { events, readTo, head } = await feed.feed({ persistenceId, after, limit });
      return { events: events.map((event) => journalEvent(persistenceId, event)), readTo, head };
    },
  };
}

/**
 * An event of the journal as a CloudEvent. Its id is sequence and entity: unlike an offset it stays when the journal moves to another store. Source, type
 * and subject are the reference's; the time is ours.
 */
function journalEvent(source: string, event: FeedEvent): BoundEvent {
  const { position, shard, offset, entityId, sequence, payload, timeMs, trace } = event;
  const id = `${sequence}:${entityId}`;
  const attributes: CommandMetadata = [
    ["ce-id", id],
    ["ce-source", source],
    ["ce-specversion", "1.0"],
    ["ce-type", payload.typeUrl],
    ["ce-subject", entityId],
    ["ce-time", new Date(timeMs).toISOString()],
    ...(trace === undefined ? [] : [["ce-traceparent", trace] as const]),
    ["Content-Type", anyContentType],
  ];
  return { position, shard, offset, id, source, attributes, payload, ...(trace !== undefined && { trace }) };
}
