/**
 * Topics: a durable log of CloudEvents by name, with cursors of consumer groups and a dead-letter log. The port; store-memory is the reference, the
 * contract suite (`@mecha/binding/contract`) the definition.
 *
 * Promises
 * L1 an append is durable when it resolves, whole or not at all
 * L2 a message whose (topic, source, id) was appended before is not appended again, for at least as long as messages are kept, and a day
 * L3 messages of one (topic, key) are read in the order they were appended; a reader sees all of them, unless retention took them first
 * L4 what is past the retention is removed by `sweep` only: never while somebody appends
 * L5 what `sweep` takes before a consumer group has had it is counted as lost for that group, in the same commit. What the group has in hand then, read and
 *    not stored as done, is lost only when the group begins anew, which is when its place is asked for (`cursor`)
 */
import type { CommandMetadata, Cursor, Cursors, Payload } from "@mecha/state";
import type { EventPage } from "../event.ts";

/** A message to append. */
export interface TopicMessage {
  readonly topic: string;
  readonly source: string;
  readonly id: string;
  /** Messages with the same key keep their order. Absent: each stands for itself. */
  readonly key?: string;
  /** CloudEvents attributes and Content-Type. */
  readonly attributes: CommandMetadata;
  readonly payload: Payload;
  /** Wall ms of appending. */
  readonly timeMs: number;
  readonly trace?: string;
}

/** A topic in a listing. */
export interface TopicListing {
  readonly topic: string;
  readonly messages: number;
  /** Of payloads. */
  readonly bytes: number;
  /** Wall ms of the oldest and newest message. */
  readonly oldestMs: number;
  readonly newestMs: number;
}

/** How much a log keeps. */
export interface Retention {
  /** Messages older than this go. */
  readonly maxAgeMs: number;
  /** The oldest go when all payloads together are more than this. */
  readonly maxBytes: number;
}

/** A group that consumes now. */
export interface TopicReader {
  readonly subscriber: string;
  /** Positions up to here it has read: they are in hand, or done. */
  readonly readTo: number;
}

/** How a consumer group stands to what is removed. */
export interface Standing {
  readonly subscriber: string;
  /** Messages that were lost for the group (L5), ever. Of those it had in hand when it ended all count, though some may have been delivered just before. */
  readonly lost: number;
  /** Wall ms when the last of them was removed. Absent: none was. */
  readonly lostMs?: number;
  /** The oldest message the group has not had. Absent: there is none. */
  readonly oldest?: {
    /** Wall ms of appending. */
    readonly timeMs: number;
    /** Bytes of payloads, of all topics, from it on: at `Retention.maxBytes` it goes. May be too much by those of the 1,024 positions before it. */
    readonly bytesFrom: number;
  };
}

/** How far the oldest message a group has not had is on its way out: 0 just came, 1 goes at the next sweep. */
export function retentionUsed({ oldest }: Standing, { maxAgeMs, maxBytes }: Retention, nowMs: number): number {
  if (oldest === undefined) return 0;
  return Math.min(1, Math.max(0, (nowMs - oldest.timeMs) / maxAgeMs, oldest.bytesFrom / maxBytes));
}

/** Methods reject with Fault("unavailable") when the log is closed, and from then on when its medium failed. */
export interface TopicLog extends Cursors, AsyncDisposable {
  /** @returns for each message whether it is new (L2), in order. At most `appendMax`. */
  append(messages: readonly TopicMessage[]): Promise<readonly boolean[]>;
  /** Messages of a topic after a position. `limit`: 1 to 1,000; a page also ends after about 1 MiB of payloads. */
  read(topic: string, after: number, limit: number): Promise<EventPage>;
  /** Topics that hold something, by name; at most 1,000. */
  topics(): Promise<readonly TopicListing[]>;
  /**
   * Removes what is past the retention, at most `limit` (1 to 10,000) messages.
   * @param groups Who consumes now. Groups that have a stored place are known without being named.
   * @returns how many; fewer than `limit` = no more for now.
   */
  sweep(nowMs: number, limit: number, groups?: readonly TopicReader[]): Promise<number>;
  /** How these subscribers of topics stand, in the same order. At most 1,000. */
  standings(groups: readonly string[]): Promise<readonly Standing[]>;
  readonly retention: Retention;
}

/** Most messages in one `append`. */
export const appendMax = 1_000;
/** Longest name of a topic. */
export const topicMaxChars = 255;
/** How long ids are remembered at least (L2): longer than an effect is tried to be delivered. */
export const idsKeptMs = 24 * 3_600_000;

/** What is wrong with a topic's name; `undefined` = nothing. The names other brokers can have too. */
export function topicProblem(name: string): string | undefined {
  if (name.length > topicMaxChars) return `is ${name.length} characters long, the most is ${topicMaxChars}`;
  return /^[A-Za-z0-9._~/-]+$/.test(name) ? undefined : 'may have letters, digits and ". _ ~ / -" only';
}

/** The topic a subscriber of that name consumes (`subscriberName` makes it); `undefined`: an event log, or no such name. */
export function subscribedTopic(subscriber: string): string | undefined {
  const [, topic] = /^[^/]+\/topic\/([^/]+)$/u.exec(subscriber) ?? [];
  try {
    return topic === undefined ? undefined : decodeURIComponent(topic);
  } catch {
    return undefined; // nobody encoded it
  }
}

/** Whether a group with this place has had a message: it lies below, or its shard is further on. */
export function isBehind({ position, ahead }: Cursor, message: { readonly position: number; readonly shard: number }): boolean {
  if (message.position <= position) return true;
  const next = ahead.find(([shard]) => shard === message.shard)?.[1];
  return next !== undefined && message.position < next; // the offset of a message is its position
}

/** Shard of a message: FNV-1a over its key, or over its id, folded to a byte. For adapters; stored, so it never changes. */
export function topicShard({ key, id }: Pick<TopicMessage, "key" | "id">): number {
  const text = key ?? id;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & 0xff;
}
