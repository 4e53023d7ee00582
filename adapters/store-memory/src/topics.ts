/** The topic log in memory: the reference the contract suite is written against, and what `store.kind: memory` uses. */
import { assert } from "@mecha/kit";
import type { BoundEvent, EventPage } from "@mecha/binding";
import {
  appendMax,
  idsKeptMs,
  isBehind,
  type Retention,
  type Standing,
  subscribedTopic,
  type TopicListing,
  type TopicLog,
  type TopicMessage,
  type TopicReader,
  topicShard,
} from "@mecha/binding/topics";
import { type Cursor, eventsPageBytes, type ParkedEvent, rowsMax } from "@mecha/state/store";
import { MemoryCursors } from "./cursors.ts";

interface Kept {
  readonly position: number;
  readonly message: TopicMessage;
}

/** Opens an empty log. */
export function openMemoryTopics(retention: Retention): TopicLog {
  return new MemoryTopics(retention, { closed: false });
}

/** What a group lost; `held` messages more, the last at `heldTo`, were in its hand when they were swept. */
interface Lost {
  readonly lost: number;
  readonly lostMs: number;
  readonly held: number;
  readonly heldTo: number;
}

class MemoryTopics extends MemoryCursors implements TopicLog {
  readonly retention: Retention;
  readonly #state: { closed: boolean };
  /** By position. */
  #messages: Kept[] = [];
  /** When each (topic, source, id) was appended. */
  readonly #ids = new Map<string, number>();
  readonly #lost = new Map<string, Lost>();
  #positions = 0;
  #bytes = 0;

  constructor(retention: Retention, state: { closed: boolean }) {
    super(() => state.closed);
    this.retention = retention;
    this.#state = state;
  }

  async append(messages: readonly TopicMessage[]): Promise<readonly boolean[]> {
    this.mustBeOpen();
    assert(messages.length <= appendMax, `${messages.length} messages are more than ${appendMax}`);
    return messages.map((message) => {
      const name = `${message.topic}\0${message.source}\0${message.id}`;
      if (this.#ids.has(name)) return false;
      this.#ids.set(name, message.timeMs);
      this.#bytes += message.payload.value.length;
      this.#messages.push({ position: ++this.#positions, message: { ...message, payload: copied(message) } });
      return true;
    });
  }

  async read(topic: string, after: number, limit: number): Promise<EventPage> {
    this.mustBeOpen();
    assert(limit >= 1 && limit <= rowsMax, `limit ${limit} is not 1 to ${rowsMax}`);
    const mine = this.#messages.filter(({ position, message }) => position > after && message.topic === topic);
    const events: BoundEvent[] = [];
    let bytes = 0;
    for (const kept of mine) {
      bytes += kept.message.payload.value.length;
      if (events.length === limit || (events.length > 0 && bytes > eventsPageBytes)) break;
      events.push(eventOf(kept));
    }
    const head = Math.max(after, mine.at(-1)?.position ?? 0);
    return { events, readTo: events.at(-1)?.position ?? head, head };
  }

  async topics(): Promise<readonly TopicListing[]> {
    this.mustBeOpen();
    const byTopic = Map.groupBy(this.#messages, ({ message }) => message.topic);
    return [...byTopic]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, rowsMax)
      .map(([topic, kept]) => ({
        topic,
        messages: kept.length,
        bytes: kept.reduce((sum, { message }) => sum + message.payload.value.length, 0),
        oldestMs: kept[0]?.message.timeMs ?? 0,
        newestMs: kept.at(-1)?.message.timeMs ?? 0,
      }));
  }

  async sweep(nowMs: number, limit: number, groups: readonly TopicReader[] = []): Promise<number> {
    this.mustBeOpen();
    const { maxAgeMs, maxBytes } = this.retention;
    const swept: Kept[] = [];
    while (swept.length < limit) {
      const [oldest] = this.#messages;
      if (oldest === undefined || (this.#bytes <= maxBytes && oldest.message.timeMs >= nowMs - maxAgeMs)) break;
      this.#messages.shift();
      this.#bytes -= oldest.message.payload.value.length;
      swept.push(oldest);
    }
    const readTo = new Map([...this.subscribers()].map((subscriber) => [subscriber, 0]));
    for (const group of groups) readTo.set(group.subscriber, group.readTo);
    for (const [subscriber, position] of readTo) this.#countLost(subscriber, position, swept, nowMs);
    for (const [name, timeMs] of this.#ids) if (timeMs < nowMs - Math.max(maxAgeMs, idsKeptMs)) this.#ids.delete(name);
    return swept.length;
  }

  /** keeps L5 */
  #countLost(subscriber: string, readTo: number, swept: readonly Kept[], nowMs: number): void {
    const missed = swept.filter((kept) => this.#isNew(subscriber, kept));
    if (missed.length === 0) return;
    const held = missed.filter(({ position }) => position <= readTo);
    const before = this.#lost.get(subscriber) ?? { lost: 0, lostMs: 0, held: 0, heldTo: 0 };
    this.#lost.set(subscriber, {
      lost: before.lost + missed.length - held.length,
      lostMs: nowMs,
      held: before.held + held.length,
      heldTo: held.at(-1)?.position ?? before.heldTo,
    });
  }

  override async cursor(subscriber: string): Promise<Cursor> {
    const known = this.#lost.get(subscriber);
    if (known !== undefined) this.#lost.set(subscriber, { ...known, lost: known.lost + known.held, held: 0 });
    return super.cursor(subscriber);
  }

  override async advance(subscriber: string, cursor: Cursor, parked: readonly ParkedEvent[]): Promise<void> {
    await super.advance(subscriber, cursor, parked);
    const known = this.#lost.get(subscriber);
    if (known !== undefined && cursor.position >= known.heldTo) this.#lost.set(subscriber, { ...known, held: 0 });
  }

  async standings(groups: readonly string[]): Promise<readonly Standing[]> {
    this.mustBeOpen();
    assert(groups.length <= rowsMax, `${groups.length} groups are more than ${rowsMax}`);
    return groups.map((subscriber) => {
      const at = this.#messages.findIndex((kept) => this.#isNew(subscriber, kept));
      const oldest = this.#messages[at];
      const bytesFrom = this.#messages.slice(at).reduce((sum, { message }) => sum + message.payload.value.length, 0);
      const { lost = 0, lostMs } = this.#lost.get(subscriber) ?? {};
      return {
        subscriber,
        lost,
        ...(lost > 0 && lostMs !== undefined && { lostMs }),
        ...(oldest && { oldest: { timeMs: oldest.message.timeMs, bytesFrom } }),
      };
    });
  }

  /** Whether a message is one of the group's topic that it has not had. */
  #isNew(subscriber: string, { position, message }: Kept): boolean {
    if (subscribedTopic(subscriber) !== message.topic) return false;
    return !isBehind(this.placeOf(subscriber), { position, shard: topicShard(message) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state.closed = true;
  }
}

function eventOf({ position, message }: Kept): BoundEvent {
  const { id, source, attributes, trace } = message;
  const payload = copied(message);
  return { position, shard: topicShard(message), offset: position, id, source, attributes, payload, ...(trace !== undefined && { trace }) };
}

function copied({ payload: { typeUrl, value } }: TopicMessage): TopicMessage["payload"] {
  return { typeUrl, value: value.slice() };
}
