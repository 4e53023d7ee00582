/**
 * A topic log nobody has written to yet: it has neither file nor thread, which would hold 10 MB for nothing in a project without topics. Questions have the
 * answers of an empty log; the first write opens it.
 *
 * Q1 once the file is being opened everything goes to it, in the order of asking
 */
import { assert, Fault } from "@mecha/kit";
import type { CopyOptions } from "../copies.ts";
import type { FileTopics } from "./file-topics.ts";
import type { EventPage } from "@mecha/binding";
import { appendMax, type Retention, type Standing, type TopicListing, type TopicMessage, type TopicReader } from "@mecha/binding/topics";
import {
  type Cursor,
  cursorAtStart,
  type ParkedChange,
  type ParkedEvent,
  type ParkedQuery,
  type ParkedRow,
  rowsMax,
} from "@mecha/state/store";

/** `open` makes the file; asked again by the next write when it failed. */
export function unusedTopics(file: string, retention: Retention, open: () => Promise<FileTopics>): FileTopics {
  return new UnusedTopics(file, retention, open);
}

class UnusedTopics implements FileTopics {
  readonly retention: Retention;
  readonly #file: string;
  readonly #open: () => Promise<FileTopics>;
  #opening: Promise<FileTopics> | undefined;
  #closed: Promise<void> | undefined;

  constructor(file: string, retention: Retention, open: () => Promise<FileTopics>) {
    this.retention = retention;
    this.#file = file;
    this.#open = open;
  }

  async append(messages: readonly TopicMessage[]): Promise<readonly boolean[]> {
    assert(messages.length <= appendMax, `${messages.length} messages are more than ${appendMax}`);
    this.#mustBeOpen();
    return messages.length === 0 ? [] : (await this.#use()).append(messages);
  }

  async advance(subscriber: string, cursor: Cursor, parked: readonly ParkedEvent[]): Promise<void> {
    this.#mustBeOpen();
    return (await this.#use()).advance(subscriber, cursor, parked);
  }

  read(topic: string, after: number, limit: number): Promise<EventPage> {
    assert(limit >= 1 && limit <= rowsMax, `limit ${limit} is not 1 to ${rowsMax}`);
    return this.#ask((log) => log.read(topic, after, limit), { events: [], readTo: after, head: after });
  }

  topics(): Promise<readonly TopicListing[]> {
    return this.#ask((log) => log.topics(), []);
  }

  sweep(nowMs: number, limit: number, groups?: readonly TopicReader[]): Promise<number> {
    return this.#ask((log) => log.sweep(nowMs, limit, groups), 0);
  }

  standings(groups: readonly string[]): Promise<readonly Standing[]> {
    assert(groups.length <= rowsMax, `${groups.length} groups are more than ${rowsMax}`);
    const none: readonly Standing[] = groups.map((subscriber) => ({ subscriber, lost: 0 }));
    return this.#ask((log) => log.standings(groups), none);
  }

  cursor(subscriber: string): Promise<Cursor> {
    return this.#ask((log) => log.cursor(subscriber), cursorAtStart);
  }

  parked(query: ParkedQuery): Promise<readonly ParkedRow[]> {
    assert(query.limit >= 1 && query.limit <= rowsMax, `limit ${query.limit} is not 1 to ${rowsMax}`);
    return this.#ask((log) => log.parked(query), []);
  }

  settleParked(changes: readonly ParkedChange[]): Promise<number> {
    return this.#ask((log) => log.settleParked(changes), 0);
  }

  parkedCount(): Promise<number> {
    return this.#ask((log) => log.parkedCount(), 0);
  }

  /** What is appended from now on is of later. */
  mark(file: string): Promise<boolean> {
    return this.#ask((log) => log.mark(file), false);
  }

  async backup(file: string, options?: CopyOptions, mark?: string): Promise<void> {
    if (this.#opening === undefined) throw new Fault("notFound", `there is no ${this.#file} yet`);
    return (await this.#opening).backup(file, options, mark);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const log = await this.#opening?.catch(() => undefined);
    await log?.[Symbol.asyncDispose]();
  }

  /** keeps Q1 */
  async #ask<T>(ask: (log: FileTopics) => Promise<T>, empty: T): Promise<T> {
    this.#mustBeOpen();
    return this.#opening === undefined ? empty : ask(await this.#opening);
  }

  #use(): Promise<FileTopics> {
    if (this.#opening !== undefined) return this.#opening;
    const opening = this.#open();
    this.#opening = opening;
    opening.catch(() => (this.#opening = undefined));
    return opening;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Fault("unavailable", `${this.#file} is closed`);
  }
}
