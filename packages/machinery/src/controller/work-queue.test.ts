import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock, settle } from "@mecha/kit/testing";
import { RateLimiter } from "./rate-limit.ts";
import { WorkQueue } from "./work-queue.ts";

test("a key asked for many times while it waits is handed out once", async () => {
  const queue = new WorkQueue(new FakeClock());
  for (const key of ["a", "b", "a", "a"]) queue.add(key);
  assert.deepEqual([await queue.take(), await queue.take(), queue.depth], ["a", "b", 0]);
});

test("a key is at one worker at a time, and again when it was asked for meanwhile", async () => {
  const queue = new WorkQueue(new FakeClock());
  queue.add("a");
  await queue.take();
  queue.add("a");
  assert.equal(queue.depth, 0);
  queue.done("a");
  assert.equal(await queue.take(), "a");
});

test("news goes before what the first list brought", async () => {
  const queue = new WorkQueue(new FakeClock());
  queue.add("old", "low");
  queue.add("raised", "low");
  queue.add("new");
  queue.add("raised");
  assert.deepEqual([await queue.take(), await queue.take(), await queue.take()], ["new", "raised", "old"]);
});

test("of several delays the earliest counts", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue(clock);
  queue.addAfter("a", 500);
  queue.addAfter("a", 200);
  queue.addAfter("a", 900);
  await clock.advance(199);
  assert.equal(queue.depth, 0);
  await clock.advance(1);
  assert.deepEqual([queue.depth, clock.pending], [1, 0]);
});

test("failures wait 5, 10, 20 ms; after a success 5 again; the longest wait is 1,000 s", () => {
  const limiter = new RateLimiter();
  const waits = [0, 1, 2].map(() => limiter.next("a", 0));
  limiter.forget("a");
  assert.deepEqual([...waits, limiter.next("a", 0)], [5, 10, 20, 5]);
  let nowMs = 0;
  let wait = 0;
  for (let at = 0; at < 1_200; at++) wait = limiter.next("b", (nowMs += 1_000));
  assert.equal(wait, 1_000_000);
});

test("past 100 at once ten keys a second are tried again", () => {
  const limiter = new RateLimiter();
  const waits = Array.from({ length: 110 }, (_, at) => limiter.next(`k${String(at)}`, 0));
  assert.deepEqual([waits[99], waits[100], waits[109]], [5, 100, 1_000]);
});

test("closing wakes waiting workers and leaves no timer", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue(clock);
  const waiting = queue.take();
  queue.addAfter("a", 1_000);
  queue.close();
  queue.add("b");
  assert.deepEqual([await waiting, await queue.take(), clock.pending], [undefined, undefined, 0]);
});

test("whatever happens, each key is handed out after its last add, and never to two workers (W1–W3)", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), key: fc.constantFrom("a", "b", "c") }),
    fc.record({ do: fc.constant("take" as const) }),
    fc.record({ do: fc.constant("done" as const) }),
    fc.record({ do: fc.constant("later" as const), key: fc.constantFrom("a", "b", "c"), ms: fc.integer({ min: 1, max: 50 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new FakeClock();
      const queue = new WorkQueue(clock);
      const owed = new Set<string>();
      const working: string[] = [];
      const takeReady = async (): Promise<void> => {
        if (queue.depth === 0) return;
        const key = await queue.take();
        assert.ok(key !== undefined && !working.includes(key));
        working.push(key);
        owed.delete(key);
      };
      for (const one of steps) {
        if (one.do === "add") queue.add(one.key);
        if (one.do === "later") queue.addAfter(one.key, one.ms);
        if (one.do === "add" || one.do === "later") owed.add(one.key);
        if (one.do === "take") await takeReady();
        if (one.do === "done") {
          const key = working.shift();
          if (key !== undefined) queue.done(key);
        }
      }
      await clock.advance(100);
      await settle();
      for (const key of working.splice(0)) queue.done(key);
      while (queue.depth > 0) await takeReady();
      assert.deepEqual([...owed], []);
    }),
  );
});
