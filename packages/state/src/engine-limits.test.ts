/** What happens at the engine's bounds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { Bench } from "./testing/bench.ts";
import { bodyOf, command, type ReplyParts } from "./testing/function.ts";

const emitting = { command: (_s: unknown, _id: number, sent: Parameters<typeof bodyOf>[0]): ReplyParts => ({ events: [bodyOf(sent)] }) };

test("E8: 20,000 entities with room for 1,000: every command is carried out, never more than 1,000 active", async () => {
  await using bench = new Bench(emitting, { activeEntitiesMax: 1_000 });
  let mostLive = 0;
  for (let from = 0; from < 20_000; from += 200) {
    const asked = Array.from({ length: 200 }, (_, at) => bench.send(command(`e${from + at}`, "x")));
    for (let turn = 0; turn < 5 && asked.some(({ answers }) => answers === 0); turn++) await settle();
    assert.deepEqual(new Set(asked.map(({ outcome }) => outcome)), new Set(["ok"]));
    mostLive = Math.max(
      mostLive,
      bench.function.streams.reduce((live, stream) => live + (stream.live ? 1 : 0), 0),
    );
    bench.function.streams.splice(0, bench.function.streams.length, ...bench.function.live);
  }
  assert.equal(bench.store.entities.size, 20_000);
  assert.ok(mostLive <= 1_000, `${mostLive} streams at once`);
  assert.equal(bench.engine.active(30_000).length, 1_000);
  assert.equal(bench.store.handles, 1_000);
});

test("E8: the least recently used entity goes first", async () => {
  await using bench = new Bench(emitting, { activeEntitiesMax: 3 });
  for (const id of ["a", "b", "c", "a"]) await bench.ask(id, "x");
  await bench.ask("d", "x");
  assert.deepEqual(
    bench.engine
      .active(10)
      .map(({ entityId }) => entityId)
      .sort(),
    ["a", "c", "d"],
  );
});

test("E8: when none is idle, newcomers are refused", async () => {
  await using bench = new Bench({}, { activeEntitiesMax: 2 });
  bench.send(command("a", "x"));
  bench.send(command("b", "x"));
  await settle();
  const asked = await bench.ask("c", "x");
  assert.match(asked.outcome, /^exhausted: 2 entities are active and none is idle \(activeEntitiesMax\)/);
  bench.function.streams[0]?.reply();
  await settle();
  bench.send(command("c", "y"));
  await settle();
  assert.deepEqual(bench.function.last.texts, ["y"]);
});

test("no more entities load at once than activationsMax", async () => {
  await using bench = new Bench(emitting, { activationsMax: 4 });
  bench.store.holdOpens();
  const asked = Array.from({ length: 10 }, (_, at) => bench.send(command(`e${at}`, "x")));
  await settle();
  assert.equal(bench.store.opened, 4);
  bench.store.releaseOpens();
  await settle();
  await settle();
  assert.deepEqual(new Set(asked.map(({ outcome }) => outcome)), new Set(["ok"]));
});

test("commandsMax bounds all commands together; internal ones have room of their own", async () => {
  await using bench = new Bench({}, { commandsMax: 2, commandsReserve: 1 });
  bench.send(command("a", "x"));
  bench.send(command("b", "x"));
  assert.match(bench.send(command("c", "x")).outcome, /^exhausted: 2 commands are open \(commandsMax\)/);
  assert.equal(bench.send(command("c", "x"), { hops: 1 }).outcome, "open");
  assert.match(bench.send(command("d", "x"), { hops: 1 }).outcome, /^exhausted: 3 commands/);
});

test("a full mailbox refuses, and takes more once there is room", async () => {
  await using bench = new Bench({}, { mailboxMax: 2 });
  const asked = Array.from({ length: 4 }, (_, at) => bench.send(command("a", String(at))));
  await settle();
  assert.deepEqual(
    asked.map(({ outcome }) => outcome.split(":")[0]),
    ["open", "open", "exhausted", "exhausted"],
  );
  assert.equal((await bench.ask("a", "more")).outcome, "open", "one is at the function by now");
});

test("a reply past the bounds fails its command, is reported, and does not poison the entity", async () => {
  const many = { events: ["1", "2", "3"] };
  await using bench = new Bench(
    { command: (_s, _id, sent) => (bodyOf(sent) === "many" ? many : { events: ["e"] }) },
    { eventsPerReplyMax: 2 },
  );
  const asked = [bench.send(command("a", "x")), bench.send(command("a", "many")), bench.send(command("a", "y"))];
  await settle();
  await settle();
  assert.deepEqual(
    asked.map(({ outcome }) => outcome.split(":")[0]),
    ["ok", "exhausted", "ok"],
  );
  assert.deepEqual(bench.store.texts("a"), ["e", "e"]);
  assert.match(bench.function.errors[0] ?? "", /events: 3 in one reply, at most 2/);
});

test("an option that is no number above 0 is refused by name", () => {
  assert.throws(() => new Bench({}, { mailboxMax: 0 }), /engine option mailboxMax: 0; give a number above 0/);
  assert.throws(() => new Bench({}, { commandTimeoutMs: Number.NaN }), /commandTimeoutMs/);
});

test("idle entities cost no timer of the clock each", async () => {
  await using bench = new Bench(emitting);
  for (let at = 0; at < 100; at++) bench.send(command(`e${at}`, "x"), { deadlineMs: 5_000 + at });
  await settle();
  assert.ok(bench.clock.pending <= 1, `${bench.clock.pending} timers`);
});
