import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@mecha/kit/testing";
import { giveBackAtRest, processUse } from "./rest.ts";

const mb = 1 << 20;

function watched(): {
  clock: FakeClock;
  work: { cpuMs: number; bytes: number; heapBytes: number; collections: number };
  cancel: () => void;
} {
  const clock = new FakeClock();
  const work = { cpuMs: 0, bytes: 100 * mb, heapBytes: 50 * mb, collections: 0 };
  const collect = (): void => {
    work.collections++;
    work.bytes = 80 * mb;
    work.cpuMs += 200;
  };
  return { clock, work, cancel: giveBackAtRest(clock, () => ({ ...work, collect })) };
}

test("a process at rest gives back once what its start left, and again after each load", async () => {
  const { clock, work, cancel } = watched();
  await clock.advance(4_999);
  assert.equal(work.collections, 0);
  await clock.advance(1);
  assert.equal(work.collections, 1);
  await clock.advance(60_000);
  assert.equal(work.collections, 1, "once for each rest");
  for (let second = 0; second < 10; second++) {
    work.cpuMs += 500;
    work.bytes = 150 * mb;
    await clock.advance(1_000);
  }
  assert.equal(work.collections, 1, "while it works");
  await clock.advance(7_500);
  assert.equal(work.collections, 2);
  cancel();
  assert.equal(clock.pending, 0);
});

test("a little work leaves nothing to collect", async () => {
  const { clock, work } = watched();
  await clock.advance(5_000);
  work.cpuMs += 500;
  work.bytes += 7 * mb;
  await clock.advance(60_000);
  assert.equal(work.collections, 1);
});

test("a large heap is left alone", async () => {
  const { clock, work } = watched();
  work.heapBytes = 300 * mb;
  await clock.advance(60_000);
  assert.equal(work.collections, 0);
});

test("of this process everything nobody holds is collected", async () => {
  const held = new WeakRef({ large: new Array<number>(1_000).fill(1) });
  await new Promise((resolve) => setImmediate(resolve)); // a WeakRef keeps what it has for the turn it was made in
  processUse().collect();
  assert.equal(held.deref(), undefined);
});
