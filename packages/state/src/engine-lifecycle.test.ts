/** Components that come and go, functions that cannot be reached, stores that fail, drain and end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import { Bench } from "./testing/bench.ts";
import { bodyOf, command, component, type ReplyParts, ScriptedFunction } from "./testing/function.ts";

const emitting = { command: (_s: unknown, _id: number, sent: Parameters<typeof bodyOf>[0]): ReplyParts => ({ events: [bodyOf(sent)] }) };

// ---- functions that cannot be reached -----------------------------------------------------------------------------------------------

test("commands for a function that is down wait, are sent once it runs, and fail as unavailable after functionWaitMs", async () => {
  await using bench = new Bench(emitting);
  bench.function.down = "connection refused";
  const first = bench.send(command("1", "a"));
  await bench.clock.advance(4_000);
  const second = bench.send(command("1", "b"));
  await bench.clock.advance(6_010);
  assert.equal(
    first.outcome,
    "unavailable: shop.Cart/1: not started within 10 s: its function cannot be reached (connection refused); not applied, retry",
  );
  assert.equal(second.outcome, "open");
  bench.function.down = undefined;
  await bench.clock.advance(2_000);
  assert.equal(second.outcome, "ok");
  assert.deepEqual(bench.store.texts("1"), ["b"]);
});

test("attempts to reach a function are paced for all its entities together", async () => {
  await using bench = new Bench(emitting, { activationsMax: 2 });
  bench.function.down = "connection refused";
  const asked = Array.from({ length: 100 }, (_, at) => bench.send(command(`e${at}`, "x")));
  await bench.clock.advance(10_000);
  assert.ok(bench.function.streams.length < 60, `${bench.function.streams.length} attempts in 10 s`);
  await bench.clock.advance(20);
  assert.ok(asked.every(({ outcome }) => outcome.startsWith("unavailable:")));
  await bench.clock.advance(5_000);
  assert.deepEqual(bench.engine.active(10), []);
});

test("a function that crashes on one event: each command gets one attempt, attempts are paced, other entities live on", async () => {
  await using bench = new Bench({ ...emitting, event: (stream, text) => text === "poison" && stream.end("crashed") });
  await bench.ask("1", "poison");
  await bench.clock.advance(30_010);
  const asked = Array.from({ length: 5 }, () => bench.send(command("1", "x")));
  await bench.clock.advance(100);
  assert.ok(bench.function.streams.length <= 4, `${bench.function.streams.length} streams at once`);
  await bench.clock.advance(5_000);
  assert.deepEqual(new Set(asked.map(({ outcome }) => outcome)), new Set(["unknown: Unexpected entity termination"]));
  assert.equal(bench.function.streams.length, 6);
  assert.equal((await bench.ask("2", "x")).outcome, "ok");
});

test("when a function comes back, one reply lets everybody in", async () => {
  await using bench = new Bench(emitting);
  bench.function.down = "connection refused";
  const asked = Array.from({ length: 500 }, (_, at) => bench.send(command(`e${at}`, "x")));
  await bench.clock.advance(3_000);
  bench.function.down = undefined;
  await bench.clock.advance(2_000);
  assert.ok(asked.every(({ outcome }) => outcome === "ok"));
});

// ---- components ---------------------------------------------------------------------------------------------------------------------

test("E7: setComponents keeps what did not change, moves what moved, ends what vanished", async () => {
  const [a, b] = [new ScriptedFunction(), new ScriptedFunction()];
  await using bench = new Bench({}, {}, () => [component(a, "shop.Kept"), component(a, "shop.Moved"), component(a, "shop.Gone")]);
  const ask = (service: string, body: string) => bench.send(command("1", body), {}, service);
  const asked = ["shop.Kept", "shop.Moved", "shop.Gone"].flatMap((service) => [ask(service, "1"), ask(service, "2")]);
  await settle();
  bench.engine.setComponents([component(a, "shop.Kept"), component(b, "shop.Moved")]);
  await settle();
  assert.deepEqual(
    asked.map(({ outcome }) => outcome.split(":")[0]),
    ["open", "open", "unavailable", "open", "unavailable", "unavailable"],
  );
  assert.deepEqual(
    a.live.map(({ address }) => address.service),
    ["shop.Kept"],
  );
  assert.deepEqual(
    b.live.map(({ texts }) => texts),
    [["2"]],
  );
  assert.equal(ask("shop.Gone", "3").outcome, "unimplemented: no component serves shop.Gone");
  a.last.reply();
  b.last.reply();
  a.live[0]?.reply({}, 1);
  await settle();
  assert.equal(asked[3]?.outcome, "ok");
});

test("E3: a component that comes back while its steps are under way waits for them", async () => {
  await using bench = new Bench(emitting);
  bench.store.holding = true;
  const before = await bench.ask("1", "a");
  bench.engine.setComponents([]);
  await settle();
  bench.engine.setComponents([component(bench.function)]);
  const after = await bench.ask("1", "b");
  assert.equal(bench.function.streams.length, 1, "no second stream before the step is settled");
  bench.store.holding = false;
  bench.store.held[0]?.answer();
  await settle();
  assert.equal(before.outcome, "ok");
  assert.equal(after.outcome, "ok");
  assert.deepEqual(bench.function.last.events, ["1:a"]);
});

test("entities waiting for a dead function go to the one that replaces it, at once", async () => {
  await using bench = new Bench(emitting);
  bench.function.down = "connection refused";
  const asked = bench.send(command("1", "a"));
  await bench.clock.advance(500);
  const replacement = new ScriptedFunction(emitting);
  bench.engine.setComponents([component(replacement)]);
  await settle();
  assert.equal(asked.outcome, "ok");
});

test("a component's own idle time is kept", async () => {
  await using bench = new Bench(emitting, {}, (port) => [component(port, "shop.Cart", "eventSourced", { passivationMs: 100 })]);
  await bench.ask("1", "a");
  await bench.clock.advance(90);
  assert.equal(bench.function.last.halfClosed, false);
  await bench.clock.advance(20);
  assert.equal(bench.function.last.halfClosed, true);
  assert.equal(bench.function.last.wasReset, false);
});

test("passivation races a command: it waits for the old stream's end and is carried out on a new one", async () => {
  await using bench = new Bench({ ...emitting, endsOnHalfClose: false });
  await bench.ask("1", "a");
  await bench.clock.advance(30_010);
  const asked = await bench.ask("1", "b");
  assert.equal(asked.outcome, "open");
  assert.equal(bench.function.streams.length, 1, "never two streams for one entity");
  await bench.clock.advance(2_000);
  assert.equal(bench.function.streams[0]?.wasReset, true);
  assert.equal(asked.outcome, "ok");
});

// ---- stores that fail ---------------------------------------------------------------------------------------------------------------

test("E4: a rejected commit stops the engine and says so once", async () => {
  await using bench = new Bench(emitting);
  bench.store.holding = true;
  const asked = [await bench.ask("1", "a"), await bench.ask("2", "b")];
  bench.store.held[0]?.reject(new Fault("dataLoss", "write journal: EIO"));
  await settle();
  assert.deepEqual(
    bench.fatal.map(({ code }) => code),
    ["dataLoss"],
  );
  assert.ok(asked.every(({ outcome, answers }) => outcome.startsWith("dataLoss:") && answers === 1));
  assert.match((await bench.ask("3", "c")).outcome, /^dataLoss:/);
  assert.deepEqual(bench.function.live, []);
});

test("E4: after unknown the store is read back: what it has is answered, what it has not fails", async () => {
  await using bench = new Bench(emitting);
  bench.store.judge = (step) => {
    if (step.expectedSequence === 0) bench.store.apply(step);
    return { is: "unknown" };
  };
  const asked = ["a", "b"].map((body) => bench.send(command("1", body)));
  await settle();
  bench.store.judge = undefined;
  await settle();
  assert.equal(asked[0]?.outcome, "ok");
  assert.match(asked[1]?.outcome ?? "", /^unavailable: shop\.Cart\/1: the store did not (take|answer)/);
  assert.equal((await bench.ask("1", "c")).outcome, "ok");
  assert.deepEqual(bench.store.texts("1"), ["a", "c"]);
});

test("a conflict fails what was computed on the wrong state and nothing else", async () => {
  await using bench = new Bench(emitting);
  await bench.ask("1", "a");
  bench.store.judge = () => ({ is: "conflict", actualSequence: 9 });
  const lost = await bench.ask("1", "b");
  bench.store.judge = undefined;
  assert.match(lost.outcome, /^aborted: shop\.Cart\/1: somebody else wrote first/);
  assert.equal((await bench.ask("1", "c")).outcome, "ok");
  assert.deepEqual(bench.store.texts("1"), ["a", "c"]);
});

test("a store that cannot be read fails the commands, and the next one tries again", async () => {
  await using bench = new Bench(emitting);
  bench.store.broken = new Fault("unavailable", "locked");
  assert.equal((await bench.ask("1", "a")).outcome, "unavailable: Error recovering event log");
  bench.store.broken = undefined;
  assert.equal((await bench.ask("1", "b")).outcome, "ok");
  assert.deepEqual(bench.fatal, []);
});

test("data loss found while reading stops the engine", async () => {
  await using bench = new Bench(emitting);
  bench.store.broken = new Fault("dataLoss", "page 7 is torn");
  assert.match((await bench.ask("1", "a")).outcome, /^dataLoss:/);
  assert.equal(bench.fatal.length, 1);
});

// ---- the end ------------------------------------------------------------------------------------------------------------------------

test("drain finishes what runs, effects included, passivates, and counts nothing cut off", async () => {
  const effect = { service: "shop.Cart", command: "Do", payload: command("2", "effect").payload, synchronous: true };
  await using bench = new Bench({
    command: (_s, _id, sent) => (bodyOf(sent) === "a" ? { events: ["a"], effects: [effect] } : { events: [bodyOf(sent)] }),
  });
  bench.store.holding = true;
  const asked = [bench.send(command("1", "a")), bench.send(command("1", "b"))];
  await settle();
  const drained = bench.engine.drain(5_000);
  const refused = await bench.ask("1", "late");
  bench.store.holding = false;
  bench.store.held[0]?.answer();
  assert.equal(await drained, 0);
  assert.deepEqual(
    asked.map(({ outcome }) => outcome),
    ["ok", "ok"],
  );
  assert.match(refused.outcome, /^unavailable: Mecha is shutting down/);
  assert.deepEqual(bench.store.texts("2"), ["effect"]);
  assert.deepEqual(bench.function.live, []);
  assert.ok(
    bench.function.streams.every(({ wasReset }) => !wasReset),
    "all ended gracefully",
  );
  assert.equal(bench.store.handles, 0);
});

test("drain cuts off after its grace and says how many", async () => {
  await using bench = new Bench();
  const asked = [bench.send(command("1", "a")), bench.send(command("1", "b")), bench.send(command("2", "c"))];
  await settle();
  const drained = bench.engine.drain(1_000);
  await bench.clock.advance(1_010);
  assert.equal(await drained, 3);
  assert.ok(asked.every(({ outcome }) => outcome.startsWith("unavailable: Mecha shut down before")));
  assert.deepEqual(bench.function.live, []);
});

test("drain of an idle engine ends at once, twice too; a negative grace is refused", async () => {
  const bench = new Bench();
  assert.equal(await bench.engine.drain(0), 0);
  assert.equal(await bench.engine.drain(0), 0);
  await assert.rejects(bench.engine.drain(-1), /graceMs is -1/);
  await bench.engine[Symbol.asyncDispose]();
});

test("closing answers everybody once, waits for the store, releases every handle, leaves no timer", async () => {
  const bench = new Bench(emitting);
  bench.store.holding = true;
  const asked = [bench.send(command("1", "a"))];
  await settle();
  asked.push(bench.send(command("1", "b")), bench.send(command("2", "c")), bench.send(command("3", "d"), { deadlineMs: 9_000 }));
  let closed = false;
  const closing = bench.engine[Symbol.asyncDispose]().then(() => (closed = true));
  await settle();
  assert.equal(closed, false, "a group is at the store");
  bench.store.held[0]?.answer();
  await closing;
  await bench.engine[Symbol.asyncDispose]();
  await settle();
  assert.deepEqual(
    asked.map(({ outcome }) => outcome.split(":")[0]),
    ["ok", "unavailable", "unavailable", "unavailable"],
  );
  assert.ok(asked.every(({ answers }) => answers === 1));
  assert.equal(bench.store.handles, 0);
  assert.equal(bench.clock.pending, 0);
  assert.match((await bench.ask("1", "x")).outcome, /^unavailable: Mecha stopped/);
});
