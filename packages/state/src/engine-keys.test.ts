/** Idempotency keys, over the whole engine (E9). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { HttpFault } from "@mecha/wire";
import type { ClientAction, Command } from "./model.ts";
import { type Asked, Bench } from "./testing/bench.ts";
import { bodyOf, command, component, payload, type ReplyParts, replies, type Script } from "./testing/function.ts";

const keyed = (entityId: string, body: string, id: string): Command => ({ ...command(entityId, body), id });
const counting = (seen: string[] = []): Script => ({
  command: (_stream, _id, sent) => {
    seen.push(bodyOf(sent));
    return { action: replies(`answer ${seen.length}`), events: [bodyOf(sent)] };
  },
});

async function ask(bench: Bench, sent: Command, service?: string): Promise<Asked> {
  const asked = bench.send(sent, {}, service);
  await settle();
  return asked;
}

test("the same command under the same key is done once and answered the same, at once, later and after passivation", async () => {
  const seen: string[] = [];
  await using bench = new Bench(counting(seen));
  const first = await ask(bench, keyed("1", "a", "k"));
  const second = await ask(bench, keyed("1", "a", "k"));
  await bench.clock.advance(40_000);
  assert.equal(bench.engine.active(10).length, 0);
  const third = await ask(bench, keyed("1", "a", "k"));
  assert.deepEqual([first.outcome, second.outcome, third.outcome], ["answer 1", "answer 1", "answer 1"]);
  assert.deepEqual([seen, bench.store.texts("1")], [["a"], ["a"]]);
  assert.equal((await ask(bench, keyed("1", "a", "k2"))).outcome, "answer 2");
});

test("a key is its entity's own", async () => {
  await using bench = new Bench(counting());
  assert.equal((await ask(bench, keyed("1", "a", "k"))).outcome, "answer 1");
  assert.equal((await ask(bench, keyed("2", "a", "k"))).outcome, "answer 2");
});

test("while the first is under way the others wait for it: in the queue, at the function, being stored", async () => {
  await using bench = new Bench();
  bench.store.holding = true;
  bench.store.holdOpens();
  const asked = [bench.send(keyed("1", "a", "k")), bench.send(keyed("1", "a", "k"))];
  bench.store.releaseOpens();
  await settle();
  asked.push(bench.send(keyed("1", "a", "k")));
  assert.deepEqual(
    bench.function.last.texts,
    ["1|a"].map(() => "a"),
  );
  bench.function.last.reply({ action: replies("once"), events: ["a"] });
  await settle();
  asked.push(bench.send(keyed("1", "a", "k")));
  assert.deepEqual(
    asked.map(({ outcome }) => outcome),
    ["open", "open", "open", "open"],
  );
  bench.store.holding = false;
  bench.store.held[0]?.answer();
  await settle();
  assert.deepEqual(
    asked.map(({ outcome, answers }) => [outcome, answers]),
    Array(4).fill(["once", 1]),
  );
  assert.deepEqual(bench.store.texts("1"), ["a"]);
});

test("who waits for the first shares its failure, and may then try again", async () => {
  await using bench = new Bench();
  const [first, second] = [bench.send(keyed("1", "a", "k")), bench.send(keyed("1", "a", "k"))];
  await settle();
  bench.function.last.end("crashed");
  await settle();
  assert.match(first.outcome, /^unknown/);
  assert.equal(second.outcome, first.outcome);
  const third = bench.send(keyed("1", "a", "k"));
  await bench.clock.advance(1_000); // the pause before the function is tried again
  bench.function.last.reply({ action: replies("done"), events: ["a"] });
  await settle();
  assert.equal(third.outcome, "done");
});

test("the deadline of the first is its own: those who wait longer hear the outcome", async () => {
  await using bench = new Bench();
  const first = bench.send(keyed("1", "a", "k"), { deadlineMs: 100 });
  const second = bench.send(keyed("1", "a", "k"));
  await bench.clock.advance(200);
  assert.match(first.outcome, /^deadline/);
  bench.function.last.reply({ action: replies("done"), events: ["a"] });
  await settle();
  assert.equal(second.outcome, "done");
});

for (const { name, other } of [
  { name: "another payload", other: keyed("1", "b", "k") },
  { name: "another command", other: { ...keyed("1", "a", "k"), name: "Undo" } },
]) {
  test(`a key used for ${name} is refused with 422, while the first is under way and after`, async () => {
    await using bench = new Bench({}, {}, (port) => [component(port, "shop.Cart", "eventSourced", { methodNames: ["Do", "Undo"] })]);
    const first = await ask(bench, keyed("1", "a", "k"));
    const meanwhile = bench.send(other);
    bench.function.last.reply({ action: replies("done"), events: ["a"] });
    await settle();
    const after = await ask(bench, other);
    assert.equal(first.outcome, "done");
    for (const { outcome, fault } of [meanwhile, after]) {
      assert.match(outcome, /^invalid: shop\.Cart\/1: the idempotency key "k" was used for another command than this/);
      assert.ok(fault instanceof HttpFault && fault.status === 422);
    }
    assert.deepEqual(bench.function.last.texts, ["a"]);
  });
}

for (const { name, reply, again } of [
  { name: "a reply without events is recorded: repeated replies are identical", reply: { action: replies("one") }, again: false },
  { name: "an answer of nothing is recorded", reply: { action: { do: "nothing" } }, again: false },
  {
    name: "a failure with events is recorded",
    reply: { action: { do: "fail", description: "no", restart: false }, events: ["e"] },
    again: false,
  },
  {
    name: "a failure without events is not: it may be tried again",
    reply: { action: { do: "fail", description: "no", restart: false } },
    again: true,
  },
  {
    name: "a failure that asks for a restart drops its events, so it is not recorded",
    reply: { action: { do: "fail", description: "no", restart: true }, events: ["e"] },
    again: true,
  },
] as const satisfies readonly { name: string; reply: ReplyParts; again: boolean }[]) {
  test(name, async () => {
    let runs = 0;
    await using bench = new Bench({ command: () => (runs++, reply) });
    const first = await ask(bench, keyed("1", "a", "k"));
    const second = await ask(bench, keyed("1", "a", "k"));
    assert.equal(second.outcome, first.outcome);
    assert.equal(runs, again ? 2 : 1);
  });
}

test("values: done once, answered the same", async () => {
  let runs = 0;
  await using bench = new Bench({ command: () => ({ action: replies(`${++runs}`), state: `${runs}` }) }, {}, (port) => [
    component(port, "shop.Cart", "value"),
  ]);
  const outcomes = [await ask(bench, keyed("1", "a", "k")), await ask(bench, keyed("1", "a", "k"))].map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, ["1", "1"]);
});

test("a key is forgotten after its time", async () => {
  const seen: string[] = [];
  await using bench = new Bench(counting(seen), { keyTtlMs: 10_000 });
  await ask(bench, keyed("1", "a", "k"));
  await bench.clock.advance(9_999);
  assert.equal((await ask(bench, keyed("1", "a", "k"))).outcome, "answer 1");
  await bench.clock.advance(1);
  assert.equal((await ask(bench, keyed("1", "a", "k"))).outcome, "answer 2");
  await bench.clock.advance(120_000);
  assert.equal([...bench.store.entities.values()][0]?.keys.size, 0, "the sweep has been by");
});

test("a key only the store knows: its step is no second one, it gets its answer, and what was behind it is tried again", async () => {
  const seen: string[] = [];
  await using bench = new Bench(counting(seen));
  for (let at = 0; at < 5; at++) await ask(bench, keyed("1", `a${at}`, `k${at}`));
  bench.store.knownKeysMax = 2;
  await bench.clock.advance(40_000);
  const [old, behind] = [bench.send(keyed("1", "a0", "k0")), bench.send(command("1", "b"))];
  await settle();
  assert.equal(old.outcome, "answer 1");
  assert.match(behind.outcome, /^(unavailable: .*not applied, retry|answer)/);
  assert.equal(bench.store.texts("1").filter((text) => text === "a0").length, 1);
  const other = await ask(bench, keyed("1", "x", "k1"));
  assert.match(other.outcome, /^invalid: .*"k1" was used for another command/);
  assert.match((await ask(bench, command("1", "c"))).outcome, /^answer/);
  const texts = bench.store.texts("1");
  assert.equal(new Set(texts).size, texts.length);
});

test("a step the store was not sure of: its key tells whether it is there", async () => {
  for (const there of [true, false]) {
    await using bench = new Bench({ command: () => ({ action: replies("read") }) });
    bench.store.holding = true;
    const asked = await ask(bench, keyed("1", "a", "k"));
    bench.store.holding = false;
    bench.store.held[0]?.answer((step) => {
      if (there) bench.store.apply(step);
      return { is: "unknown" };
    });
    await settle();
    assert.match(asked.outcome, there ? /^read$/ : /^unavailable: .*not applied, retry/);
  }
});

const forwarding: ClientAction = { do: "forward", service: "shop.Stock", command: "Do", payload: payload("s|take") };
const twoServices = (port: Parameters<typeof component>[0]) => [component(port), component(port, "shop.Stock")];

test("a forward is run again under a key derived from the first: the target does it once and answers the same", async () => {
  let runs = 0;
  const script: Script = {
    command: (stream, _id, sent) => {
      if (stream.address.service === "shop.Cart") return { action: forwarding, events: ["forwarded"] };
      assert.equal(sent.id, "shop.Cart/1 k/f");
      return { action: replies(`taken ${++runs}`), events: ["taken"] };
    },
  };
  await using bench = new Bench(script, {}, twoServices);
  for (let at = 0; at < 3; at++) assert.equal((await ask(bench, keyed("1", "a", "k"))).outcome, "taken 1");
  await bench.clock.advance(40_000);
  assert.equal((await ask(bench, keyed("1", "a", "k"))).outcome, "taken 1");
  assert.deepEqual([bench.store.texts("1"), bench.store.texts("s")], [["forwarded"], ["taken"]]);
});

test("1,000 commands with keys and as many repetitions: each is done once", async () => {
  const seen: string[] = [];
  await using bench = new Bench(counting(seen));
  const asked: Asked[] = [];
  for (let at = 0; at < 1_000; at++) {
    asked.push(bench.send(keyed(`e${at % 7}`, `a${at}`, `k${at}`)));
    if (at % 3 === 0) await settle();
    asked.push(bench.send(keyed(`e${Math.floor(at / 2) % 7}`, `a${Math.floor(at / 2)}`, `k${Math.floor(at / 2)}`)));
  }
  for (let at = 0; at < 500; at++) await settle();
  assert.ok(asked.every(({ outcome }) => outcome.startsWith("answer")));
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen.length, 1_000);
});
