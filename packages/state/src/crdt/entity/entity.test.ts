/** CRDTs through the engine, with function and store played by the test; other replicas are engines of their own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { counter, inc } from "../../testing/counter.ts";
import { CrdtBench } from "../../testing/crdt.ts";
import { payload, replies } from "../../testing/function.ts";
import type { CrdtDelta } from "../delta.ts";

const vote = (selfVote: boolean): CrdtDelta => ({ type: "vote", selfVote, votesFor: 0, totalVoters: 0 });

describe("commands", () => {
  test("several are at the function at once, and answered in any order", async () => {
    await using bench = await counter();
    const told = [bench.send(), bench.send(), bench.send()];
    assert.deepEqual(bench.stream.sent, ["1 Do", "2 Do", "3 Do", "4 Do"]);
    bench.stream.reply(4, { action: replies("four") });
    bench.stream.reply(2, { action: replies("two") });
    bench.stream.reply(3, { action: replies("three") });
    await settle();
    assert.deepEqual(
      told.map(({ outcome }) => outcome),
      ["two", "three", "four"],
    );
  });

  test("after a failure that asks for a restart what is at the function is answered, then it is loaded anew (K6)", async () => {
    await using bench = await counter();
    const [failing, other] = [bench.send(), bench.send()];
    bench.stream.reply(2, { action: { do: "fail", description: "no", restart: true } });
    const later = bench.send();
    assert.deepEqual(bench.stream.sent, ["1 Do", "2 Do", "3 Do"]);
    bench.stream.reply(3, { update: inc(5) });
    assert.deepEqual(bench.stream.sent.slice(3), ["half-close"]);
    bench.stream.end();
    await settle();
    assert.deepEqual([bench.stream.init, bench.stream.sent], ["+10", ["1 Do"]]);
    bench.stream.reply(1);
    await settle();
    assert.deepEqual([failing.outcome, other.outcome, later.outcome], ["unknown: no", "ok", "ok"]);
  });

  test("those that come while it loads are sent together", async () => {
    await using bench = new CrdtBench();
    bench.send();
    bench.send();
    await settle();
    assert.equal(bench.stream.init, "none");
    assert.deepEqual(bench.stream.sent, ["1 Do", "2 Do"]);
  });

  test("nobody is answered before the change is durable, and many changes share one write (D4, P1)", async () => {
    await using bench = await counter();
    bench.store.holding = true;
    const told = [bench.send(), bench.send(), bench.send(), bench.send()];
    for (const id of [2, 3, 4]) bench.stream.reply(id, { update: inc(1) });
    bench.stream.reply(5); // has seen what is not durable
    await settle();
    assert.deepEqual(
      told.map(({ outcome }) => outcome),
      ["open", "open", "open", "open"],
    );
    bench.store.answer();
    await settle();
    assert.equal(told[0]?.outcome, "ok");
    assert.equal(told[1]?.outcome, "open");
    bench.store.answer();
    await settle();
    assert.ok(told.every(({ outcome }) => outcome === "ok"));
    assert.equal(bench.store.commits.length, 3);
  });

  test("a row that is not stored fails its commands, and the entity starts over from what is stored", async () => {
    await using bench = await counter();
    bench.store.verdict = { is: "conflict", actualSequence: 9 };
    const told = [bench.send(), bench.send()];
    bench.stream.reply(2, { update: inc(1) });
    await settle();
    assert.deepEqual(
      told.map(({ outcome }) => outcome.split(":")[0]),
      ["aborted", "aborted"],
    );
    bench.store.verdict = undefined;
    bench.send();
    await settle();
    assert.equal(bench.stream.init, "+5");
    assert.equal(bench.store.handles, 1);
  });

  test("a failure the user chose comes with its text, and its change is kept", async () => {
    await using bench = await counter();
    const told = bench.send();
    bench.stream.reply(2, { action: { do: "fail", description: "expected", restart: true }, update: inc(1) });
    await settle();
    assert.equal(told.outcome, "unknown: expected");
    assert.equal(bench.store.commits.length, 2);
    assert.equal(bench.streams.length, 1, "restart is ignored");
  });

  test("a declared failure fails just its command; of no command it is ignored", async () => {
    await using bench = await counter();
    const [one, two] = [bench.send(), bench.send()];
    bench.stream.to.failure({ commandId: 0, description: "of nobody" });
    bench.stream.to.failure({ commandId: 2, description: "broken" });
    assert.equal(one.outcome, "unknown: Unexpected entity failure");
    bench.stream.reply(3);
    await settle();
    assert.equal(two.outcome, "ok");
  });

  const crashes: readonly [what: string, by: (bench: CrdtBench) => void, reported: RegExp | undefined][] = [
    ["a reply to a command that is not outstanding", (bench) => bench.stream.reply(9), /reply for command 9/],
    ["a second reply", (bench) => (bench.stream.reply(2), bench.stream.reply(2)), /reply for command 2/],
    ["a streamed reply to a command that is not", (bench) => bench.stream.reply(2, { streamed: true }), /reply to Do says streamed/],
    ["a streamed message for one", (bench) => bench.stream.message(2, "x"), /streamed message for Do, which is not streamed/],
    ["a negative increment", (bench) => bench.stream.reply(2, { update: inc(-1) }), /answer to Do: gcounter\.increment: -1/],
    ["a change of another type", (bench) => bench.stream.reply(2, { update: vote(true) }), /a change of a Vote for a GCounter/],
    ["the end of its stream", (bench) => bench.stream.end(), undefined],
  ];
  for (const [what, by, reported] of crashes) {
    test(`${what} ends the stream with Entity terminating; the next command starts another`, async () => {
      await using bench = await counter();
      const [one, two] = [bench.send(), bench.send()];
      by(bench);
      await settle();
      assert.ok([one.outcome, two.outcome].includes("unknown: Entity terminating"));
      if (reported) assert.match(bench.function.errors.join(), reported);
      else assert.deepEqual(bench.function.errors, []);
      bench.send();
      await settle();
      assert.equal(bench.streams.length, 2);
      assert.deepEqual([bench.stream.init, ...bench.stream.sent], ["+5", "1 Do"]);
    });
  }

  test("a reply with id 0 is ignored", async () => {
    await using bench = await counter();
    const told = bench.send();
    bench.stream.reply(0);
    bench.stream.reply(2);
    await settle();
    assert.equal(told.outcome, "ok");
  });

  test("a function that does not answer loses its stream; the command fails as not applied", async () => {
    await using bench = await counter();
    const [one, two] = [bench.send(), bench.send()];
    await bench.clock.advance(60_100);
    assert.match(one.outcome, /^deadline: .*Do got no answer within 60 s; not applied/);
    assert.equal(two.outcome, "unknown: Entity terminating");
    assert.ok(bench.streams[0]?.wasReset);
  });

  test("a function that was never reached gets its commands on the next stream", async () => {
    await using bench = new CrdtBench();
    const told = bench.send();
    await settle();
    bench.stream.end("refused", true);
    await bench.clock.advance(100);
    assert.equal(bench.streams.length, 2);
    bench.stream.reply(1);
    await settle();
    assert.equal(told.outcome, "ok");
  });

  test("effects run before the reply; those of a called-off command too", async () => {
    await using bench = await counter();
    const effect = { service: "shop.Cart", command: "Do", payload: payload("other|"), synchronous: true };
    const told = bench.send();
    bench.stream.reply(2, { effects: [effect] });
    await settle();
    assert.equal(told.outcome, "open");
    assert.equal(bench.stream.entityId, "other");
    bench.stream.reply(1);
    await settle();
    assert.equal(told.outcome, "ok");
  });

  test("a full entity refuses", async () => {
    await using bench = await counter({ mailboxMax: 2 });
    const told = [bench.send(), bench.send(), bench.send()];
    assert.match(told[2]?.outcome ?? "", /^exhausted: .*mailboxMax/);
  });

  test("a streamed method cannot be called as if it were not", async () => {
    await using bench = await counter();
    let outcome = "";
    bench.engine.call("shop.Cart", { name: "Watch", payload: payload("1|") }, { hops: 0 }, (fault) => (outcome = fault?.message ?? ""));
    assert.match(outcome, /answers a stream; open one/);
  });
});

describe("deletion", () => {
  test("the reply leaves when the tombstone is durable, the stream ends, and the id is dead for ever", async () => {
    await using bench = await counter();
    bench.store.holding = true;
    const [told, other] = [bench.send(), bench.send()];
    bench.stream.reply(2, { deletes: true });
    assert.equal(bench.stream.sent.at(-1), "half-close");
    await settle();
    assert.deepEqual([told.outcome, other.outcome], ["open", "unknown: Entity deleted"]);
    bench.store.answer();
    await settle();
    assert.equal(told.outcome, "ok");
    bench.stream.end();
    await using again = new CrdtBench({}, { store: bench.store, seed: 2 });
    bench.store.holding = false;
    const late = again.send();
    await settle();
    assert.equal(late.outcome, "unknown: Entity deleted");
    assert.equal(again.streams.length, 0, "no function is asked");
  });
});
