/** The contract's part on subscribers: the journal in order, cursors, parked events. `cursorsContract` also holds for topics. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cursor, type Cursors, cursorAtStart, type FeedEvent, feedScanMax, type ParkedEvent } from "../feed.ts";
import type { FedStore } from "../store.ts";
import type { StoreCapabilities } from "./store.ts";
import { append, cart, payload, read, timeMs } from "./steps.ts";

/** Where a store with a feed lives. Disposed after the test, when its stores are closed. */
export interface FeedPlace extends AsyncDisposable {
  open(): Promise<FedStore>;
}

/** Every event after a position, page by page. */
async function all(store: FedStore, persistenceId: string, after = 0, limit = 7): Promise<FeedEvent[]> {
  const found: FeedEvent[] = [];
  for (let at = after; ;) {
    const { events, readTo, head } = await store.feed.feed({ persistenceId, after: at, limit });
    assert.ok(readTo >= at && readTo <= head);
    found.push(...events);
    if (readTo === head) return found;
    assert.ok(readTo > at, "a page that goes nowhere");
    at = readTo;
  }
}

async function fill(store: FedStore, entities: number, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++)
    for (let at = 0; at < entities; at++) {
      const { handle } = await store.open(cart(`c${at}`), "eventSourced");
      await store.commit([append(handle, round * 2, [`${at}.${round}.a`, `${at}.${round}.b`], { trace: `t${round}` })]);
      store.release(handle);
    }
}

/** Registers the suite. */
export function feedContract(name: string, capabilities: StoreCapabilities, place: () => Promise<FeedPlace>): void {
  test(`${name}: a feed shows every event of its entities once, in order, and nothing else`, async () => {
    await using at = await place();
    await using store = await at.open();
    await fill(store, 5, 3);
    const { handle: other } = await store.open(cart("x", { persistenceId: "others" }), "eventSourced");
    await store.commit([append(other, 0, ["other"])]);
    const { handle: value } = await store.open(cart("v"), "value");
    await store.commit([
      { entity: value, expectedSequence: 0, events: [], value: { do: "update", value: payload("v") }, cause: "Set", timeMs },
    ]);
    const events = await all(store, "carts");
    assert.equal(events.length, 30);
    assert.ok(events.every(({ position }, n) => n === 0 || position > (events[n - 1]?.position ?? 0)));
    for (let id = 0; id < 5; id++) {
      const mine = events.filter(({ entityId }) => entityId === `c${id}`);
      assert.deepEqual(
        mine.map(({ sequence }) => sequence),
        [1, 2, 3, 4, 5, 6],
      );
      assert.equal(new Set(mine.map(({ shard }) => shard)).size, 1, "an entity stays in its shard");
      assert.ok(mine.every(({ offset }, n) => n === 0 || offset > (mine[n - 1]?.offset ?? 0)));
      assert.deepEqual(mine.map((event) => read(event.payload)).slice(0, 2), [`${id}.0.a`, `${id}.0.b`]);
    }
    assert.deepEqual([events[0]?.timeMs, events[0]?.trace], [timeMs, "t0"]);
    assert.deepEqual(
      (await all(store, "others")).map((event) => read(event.payload)),
      ["other"],
    );
    assert.deepEqual(await all(store, "carts", events.at(-1)?.position), []);
  });

  test(`${name}: a page is bounded by what it looks at, not by what it finds`, async () => {
    await using at = await place();
    await using store = await at.open();
    const { handle } = await store.open(cart("many"), "eventSourced");
    const texts = Array.from({ length: 1_000 }, (_, n) => `${n}`);
    for (let n = 0; n < 5; n++) await store.commit([append(handle, n * 1_000, texts)]);
    const { handle: rare } = await store.open(cart("rare", { persistenceId: "rare" }), "eventSourced");
    await store.commit([append(rare, 0, ["found"])]);
    const first = await store.feed.feed({ persistenceId: "rare", after: 0, limit: 10 });
    assert.deepEqual(first, { events: [], readTo: feedScanMax, head: 5_001 });
    assert.equal((await all(store, "rare")).length, 1);
  });

  cursorsContract(name, capabilities, async () => {
    const at = await place();
    return {
      async open() {
        const store = await at.open();
        return { cursors: store.feed, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
      },
      [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
    };
  });
}

/** Where cursors live. */
export interface CursorsPlace extends AsyncDisposable {
  open(): Promise<{ readonly cursors: Cursors } & AsyncDisposable>;
}

const parked = (text: string, more: Partial<ParkedEvent> = {}): ParkedEvent => ({
  attributes: [
    ["ce-id", text],
    ["ce-source", "carts"],
  ],
  payload: payload(text),
  attempts: 3,
  failure: "unknown: no",
  timeMs,
  ...more,
});

/** Registers the suite of cursors, wherever they are kept. */
export function cursorsContract(name: string, { persistent }: StoreCapabilities, place: () => Promise<CursorsPlace>): void {
  test(`${name}: cursors are each subscriber's own, move forward, and replace what was ahead`, async () => {
    await using at = await place();
    await using opened = await at.open();
    const { cursors } = opened;
    assert.deepEqual(await cursors.cursor("a"), cursorAtStart);
    const first: Cursor = {
      position: 10,
      ahead: [
        [3, 7],
        [200, 9_007_199_254_740_000],
      ],
    };
    await cursors.advance("a", first, []);
    await cursors.advance("b", { position: 4, ahead: [] }, []);
    assert.deepEqual([await cursors.cursor("a"), await cursors.cursor("b")], [first, { position: 4, ahead: [] }]);
    await cursors.advance("a", { position: 12, ahead: [[3, 8]] }, []);
    await cursors.advance("a", { position: 11, ahead: [] }, []);
    assert.deepEqual(await cursors.cursor("a"), { position: 12, ahead: [[3, 8]] });
  });

  test(`${name}: parked events are listed in order, changed, removed, and their numbers are not given again`, async () => {
    await using at = await place();
    await using opened = await at.open();
    const { cursors } = opened;
    await cursors.advance("a", { position: 1, ahead: [] }, [parked("1"), parked("2", { trace: "t" })]);
    await cursors.advance("b", { position: 1, ahead: [] }, [parked("3")]);
    const rows = await cursors.parked({ limit: 10 });
    assert.deepEqual(rows, [
      { ...parked("1"), id: 1, subscriber: "a" },
      { ...parked("2", { trace: "t" }), id: 2, subscriber: "a" },
      { ...parked("3"), id: 3, subscriber: "b" },
    ]);
    assert.deepEqual(
      (await cursors.parked({ subscriber: "a", afterId: 1, limit: 10 })).map(({ id }) => id),
      [2],
    );
    const settled = await cursors.settleParked([
      { id: 3, to: "removed" },
      { id: 1, to: "parked", attempts: 4, failure: "again" },
      { id: 99, to: "removed" },
    ]);
    assert.equal(settled, 2);
    assert.equal(await cursors.parkedCount(), 2);
    await cursors.advance("b", { position: 2, ahead: [] }, [parked("4")]);
    const left = (await cursors.parked({ limit: 10 })).map(({ id, attempts, failure }) => [id, attempts, failure]);
    assert.deepEqual(left, [
      [1, 4, "again"],
      [2, 3, "unknown: no"],
      [4, 3, "unknown: no"],
    ]);
  });

  if (!persistent) return;
  test(`${name}: cursors and parked events survive closing and opening`, async () => {
    await using at = await place();
    {
      await using opened = await at.open();
      await opened.cursors.advance("a", { position: 5, ahead: [[1, 2]] }, [parked("1")]);
    }
    await using opened = await at.open();
    assert.deepEqual(await opened.cursors.cursor("a"), { position: 5, ahead: [[1, 2]] });
    assert.deepEqual(await opened.cursors.parked({ limit: 10 }), [{ ...parked("1"), id: 1, subscriber: "a" }]);
  });
}
