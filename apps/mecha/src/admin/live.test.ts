import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import type { HttpExchange } from "@mecha/wire";
import { changesMax, gatherMs, heartbeatMs, listenersMax, type LiveChange, LiveFeed } from "./live.ts";
import type { ChangesJson } from "./model.ts";

/** A listener whose connection takes everything, or is full. */
class FakeListener {
  written: string[] = [];
  full = false;
  ended = false;
  drained: () => void = () => undefined;
  closed: () => void = () => undefined;
  readonly exchange = {
    stream: () => ({
      write: (chunk: string) => {
        this.written.push(chunk);
        return !this.full;
      },
      onDrain: (drained: () => void) => (this.drained = drained),
      end: () => (this.ended = true),
    }),
    onClose: (closed: () => void) => (this.closed = closed),
  } as unknown as HttpExchange;

  get batches(): ChangesJson[] {
    return this.written
      .filter((text) => text.startsWith("event: changes"))
      .map((text) => JSON.parse(text.split("data: ")[1] ?? "") as ChangesJson);
  }
}

const change = (entityId: string, sequence: number): LiveChange => ({ service: "s", entityId, sequence, cause: "C", timeMs: 0 });

function open(): { readonly clock: FakeClock; readonly feed: LiveFeed; readonly listener: FakeListener } {
  const clock = new FakeClock();
  const feed = new LiveFeed(clock);
  const listener = new FakeListener();
  feed.subscribe(listener.exchange, {});
  return { clock, feed, listener };
}

test("changes of a moment are told once for each entity, with its last sequence", async () => {
  const { clock, feed, listener } = open();
  for (let i = 1; i <= 1_000; i++) feed.change(change("a", i));
  feed.change(change("b", 1));
  await clock.advance(gatherMs);
  assert.deepEqual(
    listener.batches.map((batch) => [batch.changes.map((c) => `${c.id}${c.sequence}`), batch.more]),
    [[["a1000", "b1"], 0]],
  );
  await clock.advance(gatherMs * 4);
  assert.equal(listener.batches.length, 1);
});

test("a batch names a bounded number of entities and counts the others", async () => {
  const { clock, feed, listener } = open();
  for (let i = 0; i < changesMax + 7; i++) feed.change(change(`e${i}`, 1));
  await clock.advance(gatherMs);
  assert.equal(listener.batches[0]?.changes.length, changesMax);
  assert.equal(listener.batches[0]?.more, 7);
});

test("a slow listener misses batches and is told how many changes it missed", async () => {
  const { clock, feed, listener } = open();
  listener.full = true;
  feed.change(change("a", 1));
  await clock.advance(gatherMs); // taken, and now it is full
  feed.change(change("a", 2));
  feed.change(change("b", 2));
  await clock.advance(gatherMs);
  assert.equal(listener.batches.length, 1);
  listener.full = false;
  listener.drained();
  feed.change(change("c", 3));
  await clock.advance(gatherMs);
  assert.deepEqual([listener.batches[1]?.changes.map((c) => c.id), listener.batches[1]?.more], [["c"], 2]);
});

test("nothing is kept, and no timer runs, while nobody listens", async () => {
  const { clock, feed, listener } = open();
  listener.closed();
  await clock.advance(heartbeatMs);
  for (let i = 0; i < 10; i++) feed.change(change(`e${i}`, 1));
  feed.functionsChanged();
  assert.equal(clock.pending, 0);
});

test("an idle stream is kept open by a comment", async () => {
  const { clock, listener } = open();
  await clock.advance(heartbeatMs * 2);
  assert.deepEqual(listener.written, [": listening\n\n", ": still here\n\n", ": still here\n\n"]);
});

test("there is a limit on listeners, and closing ends them all", () => {
  const { feed, listener } = open();
  for (let i = 1; i < listenersMax; i++) feed.subscribe(new FakeListener().exchange, {});
  assert.throws(
    () => feed.subscribe(new FakeListener().exchange, {}),
    (error: unknown) => error instanceof Fault && error.code === "exhausted",
  );
  feed[Symbol.dispose]();
  assert.ok(listener.ended);
});
