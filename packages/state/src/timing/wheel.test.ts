import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@mecha/kit/testing";
import fc from "fast-check";
import { TimerWheel, WheelTimer } from "./wheel.ts";

class Probe extends WheelTimer {
  readonly fired: number[] = [];
  onFire: (() => void) | undefined;
  override expired(nowMs: number): void {
    this.fired.push(nowMs);
    this.onFire?.();
  }
}

function setUp(): { clock: FakeClock; wheel: TimerWheel } {
  const clock = new FakeClock();
  return { clock, wheel: new TimerWheel(clock) };
}

test("W1: a timer fires at its due time, rounded up to the tick, and once", async () => {
  const { clock, wheel } = setUp();
  const probe = new Probe();
  wheel.arm(probe, 101);
  await clock.advance(109);
  assert.deepEqual(probe.fired, []);
  await clock.advance(1_000);
  assert.deepEqual(probe.fired, [110]);
  assert.equal(wheel.armed, 0);
});

test("W2: a cancelled timer does not fire, also when another of its tick cancels it", async () => {
  const { clock, wheel } = setUp();
  const [a, b, c] = [new Probe(), new Probe(), new Probe()];
  for (const probe of [a, b, c]) wheel.arm(probe, 50);
  wheel.cancel(a);
  wheel.cancel(a);
  b.onFire = () => wheel.cancel(c);
  await clock.advance(100);
  assert.deepEqual([a.fired, b.fired, c.fired], [[], [50], []]);
});

test("arming again replaces the time asked for before", async () => {
  const { clock, wheel } = setUp();
  const probe = new Probe();
  wheel.arm(probe, 50);
  wheel.arm(probe, 200);
  await clock.advance(100);
  assert.deepEqual(probe.fired, []);
  wheel.arm(probe, 120);
  await clock.advance(1_000);
  assert.deepEqual(probe.fired, [120]);
});

test("a timer that arms itself for the past fires at the next tick, not in a loop", async () => {
  const { clock, wheel } = setUp();
  const probe = new Probe();
  probe.onFire = () => {
    if (probe.fired.length < 3) wheel.arm(probe, 0);
  };
  wheel.arm(probe, 10);
  await clock.advance(30);
  assert.deepEqual(probe.fired, [10, 20, 30]);
});

test("times beyond one turn of the wheel are kept", async () => {
  const { clock, wheel } = setUp();
  const probe = new Probe();
  wheel.arm(probe, 100_000);
  await clock.advance(99_999);
  assert.deepEqual(probe.fired, []);
  await clock.advance(1);
  assert.deepEqual(probe.fired, [100_000]);
});

test("W3: at most one timer of the clock, none when nothing is armed", async () => {
  const { clock, wheel } = setUp();
  const probes = Array.from({ length: 100 }, () => new Probe());
  probes.forEach((probe, at) => wheel.arm(probe, 1_000 - at * 7));
  assert.equal(clock.pending, 1);
  await clock.advance(2_000);
  assert.equal(clock.pending, 0);
  assert.ok(probes.every((probe) => probe.fired.length === 1));
  wheel.arm(probes[0] as Probe, 5_000);
  wheel.stop();
  assert.equal(clock.pending, 0);
  assert.equal(wheel.armed, 0);
});

test("any timers fire in the order of their ticks, each within a tick of its time", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60_000 }), { maxLength: 30 }), async (dues) => {
      const { clock, wheel } = setUp();
      const fired: { dueMs: number; atMs: number }[] = [];
      for (const dueMs of dues) {
        const probe = new Probe();
        probe.onFire = () => fired.push({ dueMs, atMs: clock.monotonic() });
        wheel.arm(probe, dueMs);
      }
      await clock.advance(60_010);
      assert.equal(fired.length, dues.length);
      for (const { dueMs, atMs } of fired) assert.ok(atMs >= dueMs && atMs < dueMs + 10, `${dueMs} fired at ${atMs}`);
    }),
    { numRuns: 30 },
  );
});

test("W4: what is due much later wakes nobody but once a round", async () => {
  const clock = new FakeClock();
  let wakes = 0;
  const counting = { monotonic: () => clock.monotonic(), wall: () => clock.wall(), after: count } as unknown as FakeClock;
  function count(ms: number, then: () => void): ReturnType<FakeClock["after"]> {
    return clock.after(ms, () => {
      wakes++;
      then();
    });
  }
  const wheel = new TimerWheel(counting);
  const probes = Array.from({ length: 5_000 }, () => new Probe());
  probes.forEach((probe, at) => wheel.arm(probe, 3_600_000 + at * 10));
  await clock.advance(3_599_000);
  assert.ok(wakes <= 90, `${wakes} wake-ups in an hour, which is 88 rounds`);
  await clock.advance(51_000);
  for (const [at, probe] of probes.entries()) assert.deepEqual(probe.fired, [3_600_000 + at * 10]);
});
