/** Time: sleeping, deadlines, and the clock tests own. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { sleep } from "./clock.ts";
import { Fault } from "./fault.ts";
import { anySignal, deadlineSignal } from "./signal.ts";
import { FakeClock, settle } from "./testing.ts";
import { second } from "./units.ts";

test("sleep ends when its time has come, not before", async () => {
  const clock = new FakeClock();
  let done = false;
  void sleep(clock, 100).then(() => (done = true));
  await clock.advance(99);
  assert.equal(done, false);
  await clock.advance(1);
  assert.equal(done, true);
});

test("an aborted sleep rejects with the signal's reason and leaves no timer", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const reason = new Fault("cancelled", "stopping");
  const sleeping = assert.rejects(sleep(clock, 100, stop.signal), reason);
  stop.abort(reason);
  await sleeping;
  assert.equal(clock.pending, 0);
  await assert.rejects(sleep(clock, 100, stop.signal), reason);
  assert.equal(clock.pending, 0);
});

test("timers fire in due order, equal ones in the order they were set", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 }), async (delays) => {
      const clock = new FakeClock();
      const fired: (readonly [number, number])[] = [];
      delays.forEach((delay, index) => clock.after(delay, () => fired.push([clock.monotonic(), index])));
      await clock.advance(50);
      const expected = delays.map((delay, index) => [delay, index] as const).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(fired, expected);
    }),
  );
});

test("a timer set by a timer fires within the same advance; a cancelled one never", async () => {
  const clock = new FakeClock(1_000);
  const at: number[] = [];
  clock.after(10, () => clock.after(10, () => at.push(clock.monotonic())));
  const cancel = clock.after(5, () => at.push(-1));
  cancel();
  cancel();
  await clock.advance(30);
  assert.deepEqual(at, [20]);
  assert.equal(clock.wall(), 1_030);
});

test("a deadline aborts with what was not done in time", async () => {
  const clock = new FakeClock();
  const deadline = deadlineSignal(clock, 5 * second, "connect");
  await clock.advance(4_999);
  assert.equal(deadline.signal.aborted, false);
  await clock.advance(1);
  assert.ok(deadline.signal.reason instanceof Fault);
  assert.deepEqual([deadline.signal.reason.code, deadline.signal.reason.message], ["deadline", "connect: no result within 5000 ms"]);
});

test("a deadline follows its parent and takes its timer along", () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const early = deadlineSignal(clock, 1_000, "connect", stop.signal);
  stop.abort("stop");
  assert.equal(early.signal.reason, "stop");
  const late = deadlineSignal(clock, 1_000, "connect", stop.signal);
  assert.equal(late.signal.reason, "stop");
  assert.equal(clock.pending, 0);
});

test("a disposed deadline never aborts, whatever its parent does", async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  let signal: AbortSignal;
  {
    using deadline = deadlineSignal(clock, 1_000, "connect", stop.signal);
    signal = deadline.signal;
  }
  assert.equal(clock.pending, 0);
  stop.abort();
  await settle();
  assert.equal(signal.aborted, false);
});

test("anySignal gives the reason of the first to abort", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  const either = anySignal(a.signal, undefined, b.signal);
  b.abort("b");
  a.abort("a");
  assert.equal(either.reason, "b");
});
