/** Timers alone: a store, a clock and entities that a test plays. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type FaultCode } from "@mecha/kit";
import { FakeClock, MemoryLog, settle } from "@mecha/kit/testing";
import { catchUpMax, type Schedule, skipLateMs } from "@mecha/schedule";
import type { Answer } from "../engine.ts";
import type { EntityAddress, TimerAction } from "../model.ts";
import type { EntityHandle, Step, Verdict } from "../store.ts";
import { lastingFault } from "../outbox/chosen.ts";
import { payload } from "../testing/function.ts";
import { TimerRows } from "../testing/timers.ts";
import { TimerWheel } from "../timing/wheel.ts";
import { timerChanges } from "./changes.ts";
import { type Firing, firingAttemptsMax, firingBackoffMinMs } from "./firing.ts";
import { firingsMax, firingsPerSecondMax, Timers, type TimersParts } from "./timers.ts";

const second = 1_000;
const hour = 3_600_000;

/** A clock whose wall jumps. */
class JumpingClock extends FakeClock {
  jumpMs = 0;
  override wall(): number {
    return super.wall() + this.jumpMs;
  }
}

type Reaction = "commit" | "hold" | FaultCode | "lasting" | "refuse" | "recorded";

class World {
  readonly clock = new JumpingClock(1_000_000);
  readonly rows = new TimerRows();
  readonly log = new MemoryLog();
  /** `service/id name@seconds since start`, as they reached their entity. */
  readonly fired: string[] = [];
  readonly waiting: { readonly firing: Firing; readonly answer: Answer }[] = [];
  readonly served = new Set(["a", "b"]);
  /** Reads of due rows. */
  reads = 0;
  /** Holds back the next answers of the store: call to let go. */
  held: (() => void)[] | undefined;
  broken: Fault | undefined;
  /** Verdicts of steps that timers commit alone; else they are committed. */
  readonly verdicts: Verdict[] = [];
  /** What an entity does with a firing. */
  react: (firing: Firing) => Reaction = () => "commit";
  readonly timers: Timers;
  #ids = 0;
  readonly #open: EntityAddress[] = [];

  constructor() {
    const store: TimersParts["store"] = {
      open: async (address) => ({ handle: this.#open.push(address) as EntityHandle, sequence: 0 }),
      release() {},
      commit: async (steps: readonly Step[]) =>
        steps.map((step): Verdict => {
          const verdict = this.verdicts.shift() ?? { is: "committed" };
          if (verdict.is === "committed") this.rows.change(this.#open[step.entity - 1]!, "value", step.timers ?? []);
          return verdict;
        }),
      timers: async (query) => this.rows.list(query),
      timersDue: async (nowMs, limit, after) => {
        this.reads++;
        if (this.broken) throw this.broken;
        const page = this.rows.due(nowMs, limit, after); // what is durable when it is asked
        const { held } = this;
        if (held) await new Promise<void>((resolve) => held.push(resolve));
        return page;
      },
    };
    const wheel = new TimerWheel(this.clock);
    const fatal = (fault: Fault): never => {
      throw fault;
    };
    this.timers = new Timers({
      store,
      clock: this.clock,
      wheel,
      log: this.log,
      fire: (firing, answer) => this.#fire(firing, answer),
      fatal,
    });
  }

  /** Seconds since the start. */
  get now(): number {
    return this.clock.monotonic() / second;
  }

  #fire(firing: Firing, answer: Answer): boolean {
    const { address, name } = firing.row;
    if (!this.served.has(address.service)) return false;
    const reaction = this.react(firing);
    if (reaction === "hold") this.waiting.push({ firing, answer });
    else if (reaction === "commit" || reaction === "refuse") {
      this.fired.push(`${address.service}/${address.entityId} ${name}@${this.now}`);
      this.commitFiring(firing, answer, reaction === "refuse" ? new Fault("invalid", "no") : undefined);
    } else if (reaction === "recorded") answer(undefined, {});
    else if (reaction === "lasting") answer(lastingFault("exhausted", "too large"), undefined);
    else answer(new Fault(reaction, "played"), undefined);
    return true;
  }

  /** What the entity's shell does when a firing's step becomes durable. */
  commitFiring(firing: Firing, answer: Answer, fault?: Fault, more: readonly TimerAction[] = []): void {
    const changes = [firing.change, ...timerChanges(more, this.clock.wall(), () => `s${++this.#ids}`)];
    this.timers.handed(firing.row.address, changes);
    this.rows.change(firing.row.address, firing.row.kind, changes);
    this.timers.settled(firing.row.address, changes, { is: "committed" });
    answer(fault, fault ? undefined : {});
  }

  /** An entity commits a step that sets or cancels a timer. */
  step(to: string, action: TimerAction, outcome: Verdict = { is: "committed" }): void {
    const [service = "", entityId = ""] = to.split("/");
    const address = { namespace: "default", service, persistenceId: service, entityId };
    const changes = timerChanges([action], this.clock.wall(), () => `s${++this.#ids}`);
    this.timers.handed(address, changes);
    if (outcome.is === "committed") this.rows.change(address, "value", changes);
    this.timers.settled(address, changes, outcome);
  }

  set(to: string, name: string, schedule: Schedule): void {
    this.step(to, { do: "set", name, schedule, command: "Do", payload: payload("x") });
  }

  texts(): string[] {
    return this.log.lines.map(({ message }) => message);
  }
}

function started(): World {
  const world = new World();
  world.timers.wake();
  return world;
}

/** Lets firings that make each other due come to an end, within a second. */
async function quiet(world: World): Promise<void> {
  for (let fired = -1; fired !== world.fired.length;) {
    fired = world.fired.length;
    for (let turns = 0; turns < 50; turns++) await settle();
    await world.clock.advance(50); // the pace allows the next portion
  }
}

test("a timer fires once, when it is due, and is gone", async () => {
  const world = started();
  world.set("a/1", "t", { afterMs: 5 * second });
  await world.clock.advance(4.9 * second);
  assert.deepEqual(world.fired, []);
  await world.clock.advance(hour);
  assert.deepEqual([world.fired, world.rows.rows.size], [["a/1 t@5"], 0]);
});

test("an interval keeps its phase, however late its firings are", async () => {
  const world = started();
  world.set("a/1", "t", { everyMs: 10 * second });
  world.react = (firing) => (firing.row.dueMs === 1_020_000 ? "hold" : "commit");
  await world.clock.advance(24 * second); // the second firing takes 4 s
  const { firing, answer } = world.waiting[0]!;
  world.commitFiring(firing, answer);
  await world.clock.advance(26 * second);
  assert.deepEqual(world.fired, ["a/1 t@10", "a/1 t@30", "a/1 t@40", "a/1 t@50"]);
});

test("a timer that is set again fires at the new time only; a cancelled one not at all", async () => {
  const world = started();
  world.set("a/1", "t", { afterMs: 5 * second });
  world.set("a/1", "t", { afterMs: 8 * second });
  world.set("a/1", "u", { afterMs: 5 * second });
  world.step("a/1", { do: "cancel", name: "u" });
  await world.clock.advance(hour);
  assert.deepEqual(world.fired, ["a/1 t@8"]);
});

test("what was due before the start fires once functions can be reached", async () => {
  const world = new World();
  world.set("a/1", "t", { atMs: 0 });
  world.set("c/1", "t", { atMs: 0 });
  await world.clock.advance(second);
  assert.deepEqual(world.fired, []);
  world.timers.wake();
  await settle();
  assert.deepEqual(world.fired, ["a/1 t@1"]);
  world.served.add("c");
  world.timers.wake();
  await settle();
  assert.deepEqual(world.fired, ["a/1 t@1", "c/1 t@1"]);
});

test("a firing on its way is dropped when its timer is cancelled, and the row is not fired again", async () => {
  const world = started();
  world.react = () => "hold";
  world.set("a/1", "t", { everyMs: second });
  await world.clock.advance(second);
  const { firing, answer } = world.waiting[0]!;
  world.step("a/1", { do: "cancel", name: "t" });
  assert.equal(firing.stale, true);
  answer(new Fault("cancelled", "dropped"), undefined);
  await world.clock.advance(hour);
  assert.equal(world.waiting.length, 1);
});

test("a firing that was dropped for a step which was not stored after all fires all the same", async () => {
  const world = started();
  world.react = () => "hold";
  world.set("a/1", "t", { afterMs: second });
  await world.clock.advance(second);
  const { firing, answer } = world.waiting[0]!;
  world.step("a/1", { do: "cancel", name: "t" }, { is: "conflict", actualSequence: 7 });
  assert.equal(firing.stale, true);
  world.react = () => "commit";
  answer(new Fault("cancelled", "dropped"), undefined);
  await settle();
  assert.deepEqual(world.fired, ["a/1 t@1"]);
});

test("a row read before its firing was stored is not fired a second time", async () => {
  const world = started();
  world.react = () => "hold";
  world.set("a/1", "t", { afterMs: second });
  await world.clock.advance(second);
  world.held = [];
  world.timers.wake(); // reads the row as it still is …
  await settle();
  assert.equal(world.held.length, 1);
  const { firing, answer } = world.waiting[0]!;
  world.commitFiring(firing, answer); // … and gets it when it has fired
  const { held } = world;
  world.held = undefined;
  for (const letGo of held) letGo();
  await world.clock.advance(hour);
  assert.equal(world.waiting.length, 1);
});

test("a timer set while rows are being read is not overlooked", async () => {
  const world = started();
  world.set("a/1", "far", { afterMs: hour });
  await settle();
  world.held = [];
  world.timers.wake();
  await settle();
  world.set("a/1", "near", { afterMs: second });
  while (world.held.length > 0) {
    world.held.shift()?.();
    await settle();
  }
  world.held = undefined;
  await world.clock.advance(2 * second);
  assert.deepEqual(world.fired, ["a/1 near@1"]);
});

test("a command the user's code refuses is that firing's end: it is logged and the interval goes on", async () => {
  const world = started();
  world.react = () => "refuse";
  world.set("a/1", "t", { everyMs: 10 * second });
  await world.clock.advance(30 * second);
  assert.deepEqual(world.fired, ["a/1 t@10", "a/1 t@20", "a/1 t@30"]);
  assert.deepEqual(new Set(world.texts()), new Set(["timer fired, its command failed"]));
});

test("a service that cannot be reached is probed by one firing at a time, backing off; others go on", async () => {
  const world = started();
  let probes = 0;
  world.react = ({ row }) => {
    if (row.address.service === "b") return "commit";
    probes++;
    return "unavailable";
  };
  for (let i = 0; i < 50; i++) world.set(`a/${i}`, "t", { afterMs: second });
  world.set("b/1", "t", { afterMs: 20 * second });
  await world.clock.advance(second);
  const atOnce = probes;
  assert.ok(atOnce >= 1 && atOnce <= 50);
  await world.clock.advance(60 * second);
  assert.deepEqual(world.fired, ["b/1 t@20"]);
  assert.ok(probes - atOnce >= 5 && probes - atOnce <= 8, `${probes - atOnce} probes in a minute`); // 0.5, 1, 2, … s
  world.react = () => "commit";
  await world.clock.advance(60 * second);
  assert.equal(world.fired.length, 51);
});

for (const code of ["exhausted", "deadline", "aborted"] as const)
  test(`a firing that fails with ${code} is tried again until it is through, and fires once`, async () => {
    const world = started();
    let attempts = 0;
    world.react = () => (++attempts <= 12 ? code : "commit");
    world.set("a/1", "t", { afterMs: second });
    await world.clock.advance(second);
    assert.equal(attempts, 1);
    await world.clock.advance(firingBackoffMinMs);
    assert.equal(attempts, 2);
    await world.clock.advance(hour);
    assert.equal(world.fired.length, 1);
  });

test("a firing that fails for another reason is given up in the end, which is logged; the interval goes on", async () => {
  const world = started();
  let attempts = 0;
  world.react = ({ row }) => (row.dueMs === 1_000_000 + hour ? (attempts++, "unknown") : "commit");
  world.set("a/1", "t", { everyMs: hour });
  world.set("a/1", "once", { afterMs: hour });
  await world.clock.advance(2 * hour);
  assert.equal(attempts, 2 * firingAttemptsMax);
  assert.deepEqual(world.fired, ["a/1 t@7200"]);
  assert.deepEqual(
    world.texts().filter((text) => text.startsWith("timer given up")),
    ["timer given up for this time", "timer given up; `mecha timers list` shows it"],
  );
  const rows = [...world.rows.rows.values()].map(({ name, parked, failure, firings }) => [name, parked, failure, firings]);
  assert.deepEqual(rows, [
    ["t", undefined, undefined, 2],
    ["once", true, "unknown: played", 0],
  ]);
});

test("a failure that lasts is tried so often only, whatever its code", async () => {
  const world = started();
  let attempts = 0;
  world.react = () => (attempts++, "lasting");
  world.set("a/1", "t", { afterMs: second });
  await world.clock.advance(24 * hour);
  assert.equal(attempts, firingAttemptsMax);
  assert.deepEqual(
    [...world.rows.rows.values()].map(({ parked }) => parked),
    [true],
  );
  world.react = () => "commit";
  world.set("a/1", "t", { afterMs: second });
  await world.clock.advance(second);
  assert.equal(world.fired.length, 1);
});

test("a firing says which it is, and the same when it is tried again", async () => {
  const world = started();
  const told: unknown[] = [];
  let attempts = 0;
  world.react = ({ metadata }) => {
    told.push(Object.values(Object.fromEntries(metadata)));
    return ++attempts === 1 ? "aborted" : "commit";
  };
  world.set("a/1", "tick", { everyMs: hour });
  await world.clock.advance(2 * hour + second);
  const first = ["tick", new Date(1_000_000 + hour).toISOString(), "1"];
  assert.deepEqual(told, [first, first, ["tick", new Date(1_000_000 + 2 * hour).toISOString(), "2"]]);
});

test("a firing the entity knows already only moves the timer on", async () => {
  const world = started();
  world.react = () => "recorded";
  world.verdicts.push({ is: "conflict", actualSequence: 3 }); // the entity was first
  world.set("a/1", "t", { afterMs: second });
  await world.clock.advance(hour);
  assert.equal(world.rows.rows.size, 0);
});

test("after a downtime: once fires once, all fires what was missed, skip leaves it out", async () => {
  const world = new World();
  world.set("a/1", "once", { everyMs: 60 * second });
  world.set("a/1", "all", { everyMs: 60 * second, catchUp: "all" });
  world.set("a/1", "skip", { everyMs: 60 * second, catchUp: "skip" });
  world.set("a/1", "skipped", { afterMs: 60 * second, catchUp: "skip" });
  await world.clock.advance(10 * 60 * second + 5 * second);
  world.timers.wake();
  await quiet(world);
  const count = (name: string): number => world.fired.filter((text) => text.includes(` ${name}@`)).length;
  assert.deepEqual(["once", "all", "skip", "skipped"].map(count), [1, 10, 0, 0]);
  assert.equal(world.rows.rows.size, 3);
  await world.clock.advance(60 * second);
  assert.deepEqual(["once", "all", "skip"].map(count), [2, 11, 1]);
});

test("how much is caught up is bounded", async () => {
  const world = new World();
  world.set("a/1", "t", { everyMs: second, catchUp: "all" });
  await world.clock.advance(3 * hour);
  world.timers.wake();
  await quiet(world);
  assert.equal(world.fired.filter((text) => Number(text.split("@")[1]) < 3 * 3_600 + 1).length, catchUpMax + 1);
});

test("skip fires what is only a little late", async () => {
  const world = new World();
  world.set("a/1", "t", { afterMs: second, catchUp: "skip" });
  await world.clock.advance(second + skipLateMs);
  world.timers.wake();
  await settle();
  assert.equal(world.fired.length, 1);
});

test("a crowd of due timers fires at a bounded pace", async () => {
  const world = new World();
  const crowd = 3 * firingsPerSecondMax;
  for (let i = 0; i < crowd; i++) world.set(`a/${i}`, "t", { atMs: 0 });
  world.timers.wake();
  await world.clock.advance(0.99 * second);
  assert.ok(
    world.fired.length <= firingsPerSecondMax && world.fired.length >= firingsPerSecondMax * 0.7,
    `${world.fired.length} in the first second`,
  );
  await world.clock.advance(4 * second);
  assert.equal(new Set(world.fired).size, crowd);
  assert.equal(world.fired.length, crowd);
});

test("only so many fire at once; the others follow as those are through", async () => {
  const world = started();
  world.react = () => "hold";
  for (let i = 0; i < 3 * firingsMax; i++) world.set(`a/${i}`, "t", { afterMs: second });
  await world.clock.advance(10 * second);
  assert.equal(world.timers.firing, firingsMax);
  while (world.waiting.length > 0) {
    for (const { firing, answer } of world.waiting.splice(0)) world.commitFiring(firing, answer);
    await world.clock.advance(second);
    assert.ok(world.timers.firing <= firingsMax);
  }
  assert.equal(world.rows.rows.size, 0);
});

test("the store is not asked while nothing is due", async () => {
  const world = started();
  world.set("a/1", "t", { afterMs: 24 * hour });
  await settle();
  const { reads } = world;
  await world.clock.advance(23 * hour);
  assert.equal(world.reads, reads);
  await world.clock.advance(hour);
  assert.deepEqual(world.fired, ["a/1 t@86400"]);
});

test("a wall clock that is set forward is noticed", async () => {
  const world = started();
  world.set("a/1", "t", { afterMs: hour });
  await world.clock.advance(second);
  world.clock.jumpMs = hour;
  await world.clock.advance(10 * second);
  assert.equal(world.fired.length, 1);
});

test("a wall clock that is set back makes a timer later, not lost, and not doubled", async () => {
  const world = started();
  world.set("a/1", "t", { everyMs: 60 * second });
  await world.clock.advance(60 * second);
  world.clock.jumpMs = -120 * second;
  await world.clock.advance(179 * second);
  assert.equal(world.fired.length, 1);
  await world.clock.advance(2 * second);
  assert.equal(world.fired.length, 2);
  world.set("a/2", "t", { afterMs: second }); // due before what was looked at already
  await world.clock.advance(2 * second);
  assert.equal(world.fired.at(-1)?.startsWith("a/2 t"), true);
});

test("a store that cannot be read is asked again", async () => {
  const world = started();
  await settle();
  world.broken = new Fault("unavailable", "played");
  world.set("a/1", "t", { afterMs: second });
  await world.clock.advance(3 * second);
  assert.ok(world.texts().includes("timers could not be read"));
  world.broken = undefined;
  await world.clock.advance(2 * second);
  assert.equal(world.fired.length, 1);
});

test("after stop nothing fires", async () => {
  const world = started();
  world.set("a/1", "t", { everyMs: second });
  await world.clock.advance(second);
  world.timers.stop();
  await world.clock.advance(hour);
  assert.equal(world.fired.length, 1);
  assert.equal(world.clock.pending, 0);
});

test("people can cancel a timer, also one that is firing, and while its entity is busy", async () => {
  const world = started();
  world.react = () => "hold";
  world.set("a/1", "t", { everyMs: second });
  world.set("a/1", "u", { afterMs: hour });
  await world.clock.advance(second);
  world.verdicts.push({ is: "conflict", actualSequence: 1 }, { is: "conflict", actualSequence: 2 });
  assert.equal(await world.timers.cancel("a", "1", "t"), true);
  assert.equal(world.waiting[0]?.firing.stale, true);
  assert.equal(await world.timers.cancel("a", "1", "t"), false);
  assert.deepEqual(
    [...world.rows.rows.values()].map(({ name }) => name),
    ["u"],
  );
});

test("a schedule of another version does not fire, and is reported once", async () => {
  const world = started();
  world.rows.change({ namespace: "default", service: "a", persistenceId: "a", entityId: "1" }, "value", [
    { do: "set", name: "t", dueMs: 0, schedule: "from the future", command: "Do", payload: payload("x") },
  ]);
  world.timers.wake();
  await world.clock.advance(3 * hour);
  assert.deepEqual([world.fired, world.texts()], [[], ["timer has a schedule this version cannot read; it does not fire"]]);
});
