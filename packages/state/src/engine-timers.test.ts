/** Timers through the engine: a scripted function, a scripted store, a clock that stands still; processes that die and others that go on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "@mecha/kit/testing";
import type { Schedule } from "@mecha/schedule";
import type { Command, TimerAction } from "./model.ts";
import { Bench } from "./testing/bench.ts";
import { bodyOf, component, payload, type ReplyParts, type Script } from "./testing/function.ts";

const second = 1_000;

/** `set name {schedule}`, `cancel name`, `fail`, or anything else: an event. A timer's command is `<id>|fired <name>`. */
function playing(entityId = "1"): Script {
  return {
    command: (_stream, _id, command: Command): ReplyParts => {
      const [verb = "", name = "", schedule = ""] = bodyOf(command).split(" ");
      if (verb === "set") return { timers: [set(name, JSON.parse(schedule) as Schedule, entityId)] };
      if (verb === "cancel") return { timers: [{ do: "cancel", name }] };
      if (verb === "fail") return { action: { do: "fail", description: "no", restart: false } };
      return { events: [bodyOf(command)] };
    },
  };
}

function set(name: string, schedule: Schedule, entityId = "1", body = `fired ${name}`): TimerAction {
  return { do: "set", name, schedule, command: "Do", payload: payload(`${entityId}|${body}`) };
}

/** The process that comes after one that died: nothing of the old one is ever heard again. */
function after(dead: Bench, script = playing()): Bench {
  dead.store.holding = false;
  return new Bench(script, {}, undefined, dead);
}

/** Steps stored, as `cause: events, timers`. */
const timersIn = (bench: Bench): string[] =>
  [...bench.store.timerRows.rows.values()].map(({ name, dueMs }) => `${name}@${(dueMs - start(bench)) / second}`);
const start = (bench: Bench): number => bench.clock.wall() - bench.clock.monotonic();

test("a timer is stored with its command's step, fires its own entity, and is gone with that command's step", async () => {
  await using bench = new Bench(playing());
  assert.equal((await bench.ask("1", 'set t {"afterMs":5000}')).outcome, "ok");
  assert.deepEqual(timersIn(bench), ["t@5"]);
  await bench.clock.advance(4_990);
  assert.deepEqual(bench.store.texts("1"), []);
  await bench.clock.advance(60 * second);
  assert.deepEqual([bench.store.texts("1"), timersIn(bench)], [["fired t"], []]);
});

test("the reply waits until the timer is durable", async () => {
  await using bench = new Bench(playing());
  bench.store.holding = true;
  const asked = await bench.ask("1", 'set t {"afterMs":5000}');
  assert.equal(asked.outcome, "open");
  bench.store.held[0]?.answer();
  await settle();
  assert.equal(asked.outcome, "ok");
});

test("killed before it is due: the next process fires it, once", async () => {
  const dead = new Bench(playing());
  await dead.ask("1", 'set t {"afterMs":5000}');
  await dead.engine[Symbol.asyncDispose]();
  await dead.clock.advance(60 * second);
  await using next = after(dead);
  await settle();
  await next.clock.advance(60 * second);
  assert.deepEqual([next.store.texts("1"), timersIn(next)], [["fired t"], []]);
});

test("killed while the firing's step is being stored, and it is not: the next process fires it", async () => {
  const dead = new Bench(playing());
  await dead.ask("1", 'set t {"afterMs":5000}');
  dead.store.holding = true;
  await dead.clock.advance(5_100);
  assert.equal(dead.store.held.length, 1);
  await using next = after(dead);
  await next.clock.advance(60 * second);
  assert.deepEqual([next.store.texts("1"), timersIn(next)], [["fired t"], []]);
});

test("killed after the firing's step was stored and before anybody heard of it: the next process does not fire it again", async () => {
  const dead = new Bench(playing());
  await dead.ask("1", 'set t {"everyMs":5000}');
  dead.store.holding = true;
  await dead.clock.advance(5_100);
  for (const step of dead.store.held[0]?.steps ?? []) dead.store.apply(step);
  await using next = after(dead);
  await next.clock.advance(4_500);
  assert.deepEqual([next.store.texts("1"), timersIn(next)], [["fired t"], ["t@10"]]);
  await next.clock.advance(second);
  assert.deepEqual(next.store.texts("1"), ["fired t", "fired t"]);
});

test("an interval goes on across restarts in its phase; a downtime counts as one firing", async () => {
  const first = new Bench(playing());
  await first.ask("1", 'set t {"everyMs":10000}');
  await first.clock.advance(25 * second);
  await first.engine[Symbol.asyncDispose]();
  assert.equal(first.store.texts("1").length, 2);
  await first.clock.advance(30 * second); // 55
  await using next = after(first);
  await settle();
  await next.clock.advance(100);
  assert.deepEqual([next.store.texts("1").length, timersIn(next)], [3, ["t@60"]]);
  await next.clock.advance(10 * second);
  assert.equal(next.store.texts("1").length, 4);
});

test("a command that cancels a timer whose firing waits behind it: the firing does not reach the function", async () => {
  let hold = true;
  await using bench = new Bench({
    command: (stream, id, command) => (bodyOf(command) === "wait" && hold ? undefined : playing().command?.(stream, id, command)),
  });
  await bench.ask("1", 'set t {"afterMs":5000}');
  const waiting = await bench.ask("1", "wait");
  const cancelling = await bench.ask("1", "cancel t");
  await bench.clock.advance(6 * second);
  assert.equal(waiting.outcome, "open");
  hold = false;
  bench.function.last.reply({ events: ["waited"] });
  await bench.clock.advance(60 * second);
  assert.deepEqual([cancelling.outcome, bench.store.texts("1"), timersIn(bench)], ["ok", ["waited"], []]);
});

test("a handler that sets its own timer anew has both: this firing is over, and the next one comes", async () => {
  await using bench: Bench = new Bench({
    command: (stream, id, command): ReplyParts | undefined => {
      const body = bodyOf(command);
      if (!body.startsWith("fired")) return playing().command?.(stream, id, command);
      return bench.store.texts("1").length < 2 ? { events: [body], timers: [set("t", { afterMs: 0 })] } : { events: [body] };
    },
  });
  await bench.ask("1", 'set t {"afterMs":1000}');
  await bench.clock.advance(10 * second);
  assert.deepEqual([bench.store.texts("1"), timersIn(bench)], [["fired t", "fired t", "fired t"], []]);
});

test("a timer whose command the function refuses is over for this time, and the interval goes on", async () => {
  await using bench = new Bench({
    command: (stream, id, command) =>
      bodyOf(command).startsWith("fired")
        ? { action: { do: "fail", description: "no", restart: true } }
        : playing().command?.(stream, id, command),
  });
  await bench.ask("1", 'set t {"everyMs":10000}');
  await bench.ask("1", 'set once {"afterMs":10000}');
  await bench.clock.advance(35 * second);
  assert.deepEqual(timersIn(bench), ["t@40"]);
  assert.equal(bench.log.lines.filter(({ message }) => message === "timer fired, its command failed").length, 4);
});

test("a function that is down: the timer waits, and fires once when it is back", async () => {
  await using bench = new Bench(playing());
  await bench.ask("1", 'set t {"everyMs":3600000,"afterMs":100000}');
  await bench.clock.advance(60 * second); // passivated
  bench.function.down = "connection refused";
  await bench.clock.advance(300 * second);
  assert.deepEqual(bench.store.texts("1"), []);
  bench.function.down = undefined;
  await bench.clock.advance(120 * second);
  assert.deepEqual(bench.store.texts("1"), ["fired t"]);
});

test("a function that crashes on a timer's command gets it again, and the firing is given up in the end", async () => {
  let crashes = 0;
  await using bench = new Bench({
    command: (stream, id, command) => {
      if (!bodyOf(command).startsWith("fired")) return playing().command?.(stream, id, command);
      crashes++;
      stream.to.failure({ commandId: id, description: "boom" });
      return undefined;
    },
  });
  await bench.ask("1", 'set t {"afterMs":1000}');
  await bench.clock.advance(600 * second);
  assert.deepEqual([crashes, timersIn(bench)], [8, ["t@1"]]);
  const [row] = await bench.store.timers({ limit: 1 });
  assert.deepEqual([row?.parked, row?.failure], [true, "unknown: Unexpected entity failure"]);
  assert.ok(bench.log.lines.some(({ level, message }) => level === "error" && message.startsWith("timer given up")));
});

test("a store that cannot say what became of a firing: it is read back, and the effect is there once", async () => {
  for (const stored of [true, false]) {
    await using bench = new Bench(playing());
    await bench.ask("1", 'set t {"everyMs":10000}');
    let unknowns = 0;
    bench.store.judge = (step) => {
      if (step.timers?.[0]?.do !== "fired" || unknowns++ > 0) return undefined;
      if (stored) bench.store.apply(step);
      return { is: "unknown" };
    };
    await bench.clock.advance(19 * second);
    assert.deepEqual([bench.store.texts("1"), timersIn(bench), unknowns > 0], [["fired t"], ["t@20"], true]);
  }
});

test("timers of a reply that asks for a restart are not set", async () => {
  await using bench = new Bench({
    command: () => ({ action: { do: "fail", description: "no", restart: true }, timers: [set("t", { afterMs: 1 })] }),
  });
  await bench.ask("1", "x");
  assert.deepEqual(timersIn(bench), []);
});

for (const [what, timer, text] of [
  ["a schedule that makes no sense", set("t", { everyMs: 1 }), /timer "t": every: expected 100ms or more, got 1 ms/],
  ["a timer without a name", set("", { afterMs: 1 }), /timer "": it has no name/],
  ["a timer without a command", { ...set("t", { afterMs: 1 }), command: "" } as TimerAction, /timer "t": it names no command/],
  [
    "a payload that is too large",
    set("t", { afterMs: 1 }, "1", "x".repeat(65_536)),
    /at most 65536; keep large data in the entity's state/,
  ],
] as const)
  test(`${what} fails the command, tells the function, and stores nothing`, async () => {
    await using bench = new Bench({ command: () => ({ events: ["e"], timers: [timer] }) });
    const asked = await bench.ask("1", "x");
    assert.match(asked.outcome, text);
    assert.match(bench.function.errors[0] ?? "", text);
    assert.deepEqual([bench.store.texts("1"), timersIn(bench)], [[], []]);
  });

test("while the engine drains no timer fires; one that fires is finished", async () => {
  const bench = new Bench(playing());
  await bench.ask("1", 'set t {"everyMs":1000}');
  bench.store.holding = true;
  await bench.clock.advance(1_010);
  const draining = bench.engine.drain(10 * second);
  bench.store.held[0]?.answer();
  await bench.clock.advance(5 * second);
  assert.equal(await draining, 0);
  assert.deepEqual([bench.store.texts("1"), timersIn(bench)], [["fired t"], ["t@2"]]);
  await bench.engine[Symbol.asyncDispose]();
});

test("people cancel a timer of an entity that is active or not", async () => {
  await using bench = new Bench(playing());
  await bench.ask("1", 'set t {"everyMs":10000}');
  await bench.ask("1", 'set u {"everyMs":10000}');
  assert.equal(await bench.engine.cancelTimer("shop.Cart", "1", "t"), true);
  assert.equal(await bench.engine.cancelTimer("shop.Cart", "1", "t"), false);
  assert.equal(await bench.engine.cancelTimer("shop.Cart", "2", "u"), false);
  assert.equal((await bench.ask("1", "a")).outcome, "ok"); // the entity did not notice
  await bench.clock.advance(15 * second);
  assert.deepEqual(bench.store.texts("1"), ["a", "fired u"]);
});

test("timers of a value entity and of several components fire at their own", async () => {
  await using bench = new Bench(
    {
      command: (_stream, _id, command) =>
        bodyOf(command) === "go" ? { timers: [set("t", { afterMs: 1_000 }, "v", "tick")] } : { state: bodyOf(command) },
    },
    {},
    (port) => [component(port), component(port, "shop.Profile", "value")],
  );
  bench.send({ name: "Do", payload: payload("v|go") }, {}, "shop.Profile");
  await bench.clock.advance(2 * second);
  const stored = [...bench.store.entities.values()].find(({ address }) => address.service === "shop.Profile");
  assert.equal(stored?.sequence, 1);
});
