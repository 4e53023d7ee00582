/**
 * Topics: a durable log of CloudEvents by name, with cursors of consumer groups and a dead-letter log. The port; store-memory is the reference, the
 * contract suite (`@mecha/binding/contract`) the definition.
 *
 * Promises
 * L1 an append is durable when it resolves, whole or not at all
 * L2 a message whose (topic, source, id) was appended before is not appended again, for at least as long as messages are kept, and a day
 * L3 messages of one (topic, key) are read in the order they were appended; a reader sees all of them, unless retention took them first
 * L4 what is past the retention is removed by `sweep` only: never while somebody appends
 */
import type { CommandMetadata, Cursors, Payload } from "@mecha/state";
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

/** Methods reject with Fault("unavailable") when the log is closed, and from then on when its medium failed. */
export interface TopicLog extends Cursors, AsyncDisposable {
  /** @returns for each message whether it is new (L2), in order. At most `appendMax`. */
  append(messages: readonly TopicMessage[]): Promise<readonly boolean[]>;
  /** Messages of a topic after a position. `limit`: 1 to 1,000; a page also ends after about 1 MiB of payloads. */
  read(topic: string, after: number, limit: number): Promise<EventPage>;
  /** Topics that hold something, by name; at most 1,000. */
  topics(): Promise<readonly TopicListing[]>;
  /** Removes what is past the retention, at most `limit` (1 to 10,000) messages. @returns how many; fewer than `limit` = no more for now. */
  sweep(nowMs: number, limit: number): Promise<number>;
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

/** Shard of a message: FNV-1a over its key, or over its id, folded to a byte. For adapters; stored, so it never changes. */
export function topicShard({ key, id }: Pick<TopicMessage, "key" | "id">): number {
  const text = key ?? id;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & 0xff;
}
