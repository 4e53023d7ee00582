/** The journal in the order of committing, for subscribers. */
import { assert } from "@mecha/kit";
import { eventsPageBytes, type Feed, type FeedEvent, type FeedPage, feedScanMax, rowsMax } from "@mecha/state/store";
import { MemoryCursors } from "./cursors.ts";

/** As many as a real store has (E5). */
const shards = 256;

interface JournalEvent {
  readonly persistenceId: string;
  readonly event: FeedEvent;
}

/** See the file's header. */
export class MemoryFeed extends MemoryCursors implements Feed {
  /** Position n is at index n - 1. */
  readonly #journal: JournalEvent[] = [];
  readonly #nextOffset = Array<number>(shards).fill(0);

  append(persistenceId: string, event: Omit<FeedEvent, "position" | "shard" | "offset">): void {
    const shard = shardOf(event.entityId);
    const offset = this.#nextOffset[shard] ?? 0;
    this.#nextOffset[shard] = offset + 1;
    this.#journal.push({ persistenceId, event: { ...event, position: this.#journal.length + 1, shard, offset } });
  }

  async feed({ persistenceId, after, limit }: Parameters<Feed["feed"]>[0]): Promise<FeedPage> {
    this.mustBeOpen();
    assert(limit >= 1 && limit <= rowsMax, `limit ${limit} is not 1 to ${rowsMax}`);
    const head = this.#journal.length;
    const events: FeedEvent[] = [];
    let [bytes, readTo] = [0, after];
    for (const one of this.#journal.slice(after, after + feedScanMax)) {
      const { event } = one;
      const mine = one.persistenceId === persistenceId;
      if (mine) bytes += event.payload.value.length;
      if (mine && (events.length === limit || (events.length > 0 && bytes > eventsPageBytes))) break;
      readTo = event.position;
      if (mine) events.push({ ...event, payload: { typeUrl: event.payload.typeUrl, value: event.payload.value.slice() } });
    }
    return { events, readTo, head };
  }
}

/** FNV-1a over the id, folded to a byte. */
function shardOf(entityId: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < entityId.length; at++) hash = Math.imul(hash ^ entityId.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (shards - 1);
}
