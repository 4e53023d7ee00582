/** The main thread's side of feeds.ts. */
import { assert } from "@mecha/kit";
import {
  type Cursor,
  type Feed,
  type FeedPage,
  type ParkedChange,
  type ParkedEvent,
  type ParkedQuery,
  type ParkedRow,
  rowsMax,
} from "@mecha/state/store";
import type { FeedRequest } from "./feeds.ts";

/** Asks the worker. @throws Fault("unavailable") when the store is closed. */
export type AskFeeds = (request: FeedRequest) => Promise<unknown>;

export class FeedClient implements Feed {
  readonly #ask: AskFeeds;

  constructor(ask: AskFeeds) {
    this.#ask = ask;
  }

  async feed(query: { readonly persistenceId: string; readonly after: number; readonly limit: number }): Promise<FeedPage> {
    checkLimit(query.limit);
    return (await this.#ask({ ask: "feed", ...query })) as FeedPage;
  }

  async cursor(subscriber: string): Promise<Cursor> {
    return (await this.#ask({ ask: "cursor", subscriber })) as Cursor;
  }

  async advance(subscriber: string, cursor: Cursor, parked: readonly ParkedEvent[]): Promise<void> {
    await this.#ask({ ask: "advance", subscriber, cursor, parked });
  }

  async parked(query: ParkedQuery): Promise<readonly ParkedRow[]> {
    checkLimit(query.limit);
    return (await this.#ask({ ask: "parked", query })) as readonly ParkedRow[];
  }

  async settleParked(changes: readonly ParkedChange[]): Promise<number> {
    return (await this.#ask({ ask: "settleParked", changes })) as number;
  }

  async parkedCount(): Promise<number> {
    return (await this.#ask({ ask: "parkedCount" })) as number;
  }
}

function checkLimit(limit: number): void {
  assert(limit >= 1 && limit <= rowsMax, `limit ${limit} is not 1 to ${rowsMax}`);
}
