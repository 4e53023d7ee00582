/** The engine's promises, from outside: a scripted function, a scripted store, a clock that stands still. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import type { Command, Payload, SideEffect } from "./model.ts";
import { Bench } from "./testing/bench.ts";
import { bodyOf, command, component, payload, replies, type ReplyParts, textOf } from "./testing/function.ts";

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

test("without reply type trouble nothing is reported; a wrong reply type is reported once and delivered", async () => {
  const wrong = { action: { do: "reply" as const, payload: payload("x", "type.googleapis.com/other.Type") } };
  await using bench = new Bench({ command: (_stream, _id, sent) => (bodyOf(sent) === "wrong" ? wrong : {}) });
  await bench.ask("1", "right");
  assert.deepEqual(bench.function.errors, []);
  const asked = [await bench.ask("1", "wrong"), await bench.ask("2", "wrong")];
  assert.deepEqual(
    asked.map(({ outcome }) => outcome),
    ["x", "x"],
  );
  assert.deepEqual(bench.function.errors, [
    "Warning: shop.Cart.Do: Expected reply type_url to be [type.googleapis.com/test.Text] but was [type.googleapis.com/other.Type].",
  ]);
});

test("value entities: update, delete, read; the version counts changes and the value comes back after passivation", async () => {
  const script = {
    command: (_s: unknown, _id: number, sent: Command): ReplyParts => {
      const body = bodyOf(sent);
      if (body === "read") return {};
      return body === "delete" ? { state: null } : { state: body };
    },
  };
  await using bench = new Bench(script, {}, (port) => [component(port, "shop.Cart", "value")]);
  for (const body of ["one", "two", "read"]) await bench.ask("1", body);
  assert.equal(bench.engine.active(1)[0]?.sequence, 2);
  await bench.clock.advance(30_010);
  await bench.ask("1", "read");
  assert.equal(textOf((bench.function.last.init as { value?: Payload }).value), "two");
  await bench.ask("1", "delete");
  await bench.ask("1", "read");
  assert.equal(bench.function.streams.length, 2, "it lives on without state");
  await bench.clock.advance(30_010);
  await bench.ask("1", "read");
  assert.deepEqual(bench.function.last.init, { kind: "value" });
  assert.deepEqual(
    bench.changes.map(({ sequence }) => sequence),
    [1, 2, 3],
  );
});

test("a failure of the user's code: its text, UNKNOWN, and the entity lives on with the reply's events", async () => {
  const failing = { action: { do: "fail" as const, description: "sold out", restart: false }, events: ["e"] };
  await using bench = new Bench({ command: (_s, _id, sent) => (bodyOf(sent) === "fail" ? failing : { events: [bodyOf(sent)] }) });
  const asked = [await bench.ask("1", "a"), await bench.ask("1", "fail"), await bench.ask("1", "b")];
  assert.deepEqual(
    asked.map(({ outcome }) => outcome),
    ["ok", "unknown: sold out", "ok"],
  );
  assert.deepEqual(bench.store.texts("1"), ["a", "e", "b"]);
  assert.equal(bench.function.streams.length, 1);
});

test("restart=true: events dropped, a new stream replays at once, the queue keeps its order, ids start at 1", async () => {
  const restart = { action: { do: "fail" as const, description: "again", restart: true }, events: ["lost"] };
  await using bench = new Bench({ command: (_s, _id, sent) => (bodyOf(sent) === "restart" ? restart : { events: [bodyOf(sent)] }) });
  const bodies = ["a", "restart", "b", "c", "d"];
  const asked = bodies.map((body) => bench.send(command("1", body)));
  await settle();
  assert.deepEqual(
    asked.map(({ outcome }) => outcome),
    ["ok", "unknown: again", "ok", "ok", "ok"],
  );
  assert.deepEqual(bench.store.texts("1"), ["a", "b", "c", "d"]);
  const [first, second] = bench.function.streams;
  assert.equal(first?.halfClosed, true);
  assert.equal(first?.wasReset, false, "closed both ways, not cut");
  assert.deepEqual(second?.events, ["1:a"]);
  assert.deepEqual(
    second?.commands.map(({ id }) => id),
    [1, 2, 3],
  );
  const alone = await bench.ask("2", "restart");
  assert.equal(alone.outcome, "unknown: again");
  assert.equal(bench.function.streams.length, 4, "also with nothing queued");
});

test("what breaks a stream is told with the reference's texts, and the next command starts again", async () => {
  await using bench = new Bench();
  const outcomes: string[] = [];
  for (const breaking of [
    () => bench.function.last.to.failure({ commandId: 1, description: "secret" }),
    () => bench.function.last.to.failure({ commandId: 0, description: "secret" }),
    () => bench.function.last.reply({}, 77),
    () => bench.function.last.to.violation("not a message"),
    () => bench.function.last.to.violation("wrong id", "reply"),
    () => bench.function.last.end("crashed"),
    () => bench.function.last.end(),
  ]) {
    const asked = bench.send(command("1", "x"));
    await bench.clock.advance(3_000); // past the pause after a crash
    breaking();
    await settle();
    outcomes.push(asked.outcome);
  }
  assert.deepEqual(outcomes, [
    "unknown: Unexpected entity failure",
    "unknown: Unexpected entity failure",
    "unknown: Unexpected entity reply",
    "unknown: Unexpected entity message",
    "unknown: Unexpected entity reply",
    "unknown: Unexpected entity termination",
    "unknown: Unexpected entity termination",
  ]);
  assert.equal(bench.function.streams.length, outcomes.length);
});

test("a callback of a stream that was reset reaches nobody", async () => {
  await using bench = new Bench();
  const asked = bench.send(command("1", "x"));
  const second = bench.send(command("1", "y"));
  await settle();
  const { last: old } = bench.function;
  await bench.clock.advance(60_010);
  assert.match(asked.outcome, /^deadline: shop\.Cart\/1: Do got no answer within 60 s; not applied/);
  assert.equal(old.wasReset, true);
  assert.deepEqual(bench.function.last.texts, ["y"], "the queue went on, on a new stream");
  old.reply({ action: replies("late") }, 1);
  old.to.failure({ commandId: 1, description: "late" });
  old.to.closed("late");
  await settle();
  assert.equal(second.outcome, "open");
  bench.function.last.reply({ action: replies("mine") });
  await settle();
  assert.equal(second.outcome, "mine");
});

test("effects: synchronous before the reply, also to the very entity they come from; a forward answers in the reply's place", async () => {
  const seen: string[] = [];
  const effect = (id: string, body: string, synchronous: boolean): SideEffect => ({
    service: "shop.Cart",
    command: "Do",
    payload: payload(`${id}|${body}`),
    synchronous,
  });
  await using bench = new Bench({
    command: (_stream, _id, sent): ReplyParts => {
      const body = bodyOf(sent);
      seen.push(body);
      if (body === "start")
        return { events: ["start"], effects: [effect("1", "self", true), effect("2", "other", true), effect("3", "async", false)] };
      if (body === "forward") return { action: { do: "forward", service: "shop.Cart", command: "Do", payload: payload("2|target") } };
      return { action: replies(`from ${body}`) };
    },
  });
  assert.equal((await bench.ask("1", "start")).outcome, "ok");
  assert.deepEqual(seen, ["start", "self", "other", "async"]);
  assert.equal((await bench.ask("1", "forward")).outcome, "from target");
});

test("E2: a tail begins only when its step is durable", async () => {
  const effect: SideEffect = { service: "shop.Cart", command: "Do", payload: payload("2|effect"), synchronous: false };
  await using bench = new Bench({ command: (_s, _id, sent) => (bodyOf(sent) === "a" ? { events: ["e"], effects: [effect] } : {}) });
  bench.store.holding = true;
  const asked = await bench.ask("1", "a");
  assert.equal(bench.function.streams.length, 1);
  bench.store.holding = false;
  bench.store.held[0]?.answer();
  await settle();
  assert.equal(asked.outcome, "ok");
  assert.deepEqual(bench.function.last.texts, ["effect"]);
});

test("a loop of forwards ends after 32 hops", async () => {
  const forward = { action: { do: "forward" as const, service: "shop.Cart", command: "Do", payload: payload("1|again") } };
  await using bench = new Bench({ command: () => forward });
  const asked = bench.send(command("1", "again"));
  for (let at = 0; at < 20; at++) await settle();
  assert.match(asked.outcome, /^exhausted: shop\.Cart\.Do: 32 forwards and effects in a row \(hopsMax\); is it a loop\?/);
  assert.equal(bench.function.last.commands.length, 33);
});

test("a forward chain of 30 answers the first caller", async () => {
  await using bench = new Bench({
    command: (_s, _id, sent): ReplyParts => {
      const left = Number(bodyOf(sent));
      if (left === 0) return { action: replies("end") };
      return { action: { do: "forward", service: "shop.Cart", command: "Do", payload: payload(`${left}|${left - 1}`) } };
    },
  });
  const asked = bench.send(command("first", "30"));
  for (let at = 0; at < 20; at++) await settle();
  assert.equal(asked.outcome, "end");
});

test("who calls what is not there is told what is", async () => {
  await using bench = new Bench();
  const none = bench.send(command("1", "x"), {}, "shop.None");
  const other = bench.send(command("1", "x", "Undo"));
  assert.equal(none.outcome, "unimplemented: no component serves shop.None");
  assert.equal(other.outcome, "unimplemented: shop.Cart has no command Undo; it has Do");
});

test("an entity id that cannot be read is the caller's mistake", async () => {
  const shape = {
    entityId: () => {
      throw new Fault("invalid", "cart_id: empty");
    },
  };
  await using bench = new Bench({}, {}, (port) => [component(port, "shop.Cart", "eventSourced", { shape })]);
  assert.equal(bench.send(command("1", "x")).outcome, "invalid: cart_id: empty");
});

test("E7: the caller's deadline answers the caller; the command is carried out", async () => {
  await using bench = new Bench();
  const asked = bench.send(command("1", "x"), { deadlineMs: 100 });
  await bench.clock.advance(110);
  assert.match(asked.outcome, /^deadline: shop\.Cart\.Do: the caller's deadline passed/);
  bench.function.last.reply({ events: ["e"] });
  await settle();
  assert.deepEqual(bench.store.texts("1"), ["e"]);
  assert.equal(asked.answers, 1);
  const late = bench.send(command("1", "y"), { deadlineMs: 100 });
  assert.match(late.outcome, /^deadline: .* had passed; not applied/);
  assert.deepEqual(bench.function.last.texts, ["x"]);
});

test("E7: a cancelled caller gets no reply; its command is carried out", async () => {
  await using bench = new Bench();
  const controller = new AbortController();
  const asked = bench.send(command("1", "x"), { signal: controller.signal });
  await settle();
  controller.abort();
  bench.function.last.reply({ events: ["e"] });
  await settle();
  assert.equal(asked.outcome, "cancelled: shop.Cart.Do: the caller went away");
  assert.deepEqual(bench.store.texts("1"), ["e"]);
  assert.match(bench.send(command("1", "y"), { signal: controller.signal }).outcome, /^cancelled: .* not applied/);
});

test("an answer may call again, at once and any number of times", async () => {
  await using bench = new Bench(emitting);
  let left = 500;
  const done: number[] = [];
  const again = (): void => {
    if (left-- > 0) bench.engine.call("shop.Cart", command("1", String(left)), { hops: 0 }, (fault) => (done.push(fault ? 1 : 0), again()));
  };
  again();
  while (done.length < 500) await settle();
  assert.equal(bench.store.texts("1").length, 500);
  assert.ok(done.every((failed) => failed === 0));
});
