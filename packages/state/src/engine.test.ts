/** The engine's promises, from outside: a scripted function, a scripted store, a clock that stands still. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { Bench } from "./testing/bench.ts";
import { bodyOf, command, replies } from "./testing/function.ts";

/** Emits the command's body as one event and replies with it. */
const emitting = {
  command: (_s: unknown, _id: number, sent: Parameters<typeof bodyOf>[0]) => ({ events: [bodyOf(sent)], action: replies(bodyOf(sent)) }),
};

test("a command's event is durable before its reply", async () => {
  await using bench = new Bench(emitting);
  bench.store.holding = true;
  const asked = await bench.ask("1", "a");
  assert.equal(asked.outcome, "open");
  assert.equal(bench.store.held.length, 1);
  bench.store.held[0]?.answer();
  await settle();
  assert.equal(asked.outcome, "a");
  assert.deepEqual(bench.store.texts("1"), ["a"]);
  assert.deepEqual(bench.changes, [{ service: "shop.Cart", entityId: "1", sequence: 1, cause: "Do", timeMs: bench.clock.wall() }]);
});

test("after passivation the entity is replayed on a new stream, whose command ids start at 1", async () => {
  await using bench = new Bench(emitting);
  await bench.ask("1", "a");
  await bench.ask("1", "b");
  await bench.clock.advance(30_010);
  assert.equal(bench.function.last.halfClosed, true);
  assert.deepEqual(bench.engine.active(10), []);
  assert.equal(bench.store.handles, 0);
  const asked = await bench.ask("1", "c");
  assert.equal(asked.outcome, "c");
  assert.deepEqual(bench.function.last.events, ["1:a", "2:b"]);
  assert.deepEqual(
    bench.function.last.commands.map(({ id }) => id),
    [1],
  );
  assert.equal(bench.function.streams.length, 2);
});

test("replies of one turn share a group; what arrives meanwhile goes into the next", async () => {
  await using bench = new Bench(emitting);
  bench.store.holding = true;
  const asked = ["1", "2", "3"].map((id) => bench.send(command(id, "a")));
  await settle();
  asked.push(bench.send(command("4", "a")), bench.send(command("1", "b")));
  await settle();
  assert.deepEqual(bench.store.groups, [3]);
  bench.store.held[0]?.answer();
  await settle();
  assert.deepEqual(bench.store.groups, [3, 2]);
  bench.store.held[1]?.answer();
  await settle();
  assert.deepEqual(
    asked.map(({ outcome }) => outcome),
    ["a", "a", "a", "a", "b"],
  );
});
