/** Who says what when: changes elsewhere and commands at the function take turns. Other replicas are engines of their own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { inc, increments, pair } from "../../testing/counter.ts";

describe("turn-taking (the reference's CrdtEntitySpec)", () => {
  test("changes elsewhere are told when nothing is outstanding", async () => {
    await using two = await pair();
    await increments(two.a, 2);
    assert.deepEqual(two.b.stream.sent, ["1 Do", "+2"]);
  });

  test("not while a command is outstanding; afterwards as one", async () => {
    await using two = await pair();
    two.b.send();
    await settle();
    await increments(two.a, 2);
    await increments(two.a, 3);
    assert.deepEqual(two.b.stream.sent, ["1 Do", "2 Do"]);
    two.b.stream.reply(2);
    assert.deepEqual(two.b.stream.sent, ["1 Do", "2 Do", "+5"]);
  });

  test("not while another command is outstanding", async () => {
    await using two = await pair();
    two.b.send();
    two.b.send();
    await settle();
    await increments(two.a, 2);
    two.b.stream.reply(2);
    assert.deepEqual(two.b.stream.sent, ["1 Do", "2 Do", "3 Do"]);
    two.b.stream.reply(3);
    assert.deepEqual(two.b.stream.sent.at(-1), "+2");
  });

  test("the function's own changes are not echoed, and what it did meanwhile is not told twice", async () => {
    await using two = await pair();
    two.b.send();
    await settle();
    await increments(two.a, 2);
    two.b.stream.reply(2, { update: inc(10) });
    await settle();
    assert.deepEqual(two.b.stream.sent, ["1 Do", "2 Do", "+2"]);
    assert.deepEqual(two.a.stream.sent.at(-1), "+10");
  });

  test("a function whose command failed is told all the same", async () => {
    await using two = await pair();
    two.b.send();
    await settle();
    await increments(two.a, 2);
    two.b.stream.reply(2, { action: { do: "fail", description: "no", restart: false } });
    assert.deepEqual(two.b.stream.sent.at(-1), "+2");
  });

  test("told while a streamed command goes on, once it has its first answer", async () => {
    await using two = await pair();
    two.b.watch();
    await settle();
    await increments(two.a, 2);
    assert.deepEqual(two.b.stream.sent, ["1 Do", "2 Watch streamed"]);
    two.b.stream.reply(2, { streamed: true });
    assert.deepEqual(two.b.stream.sent.at(-1), "+2");
    await increments(two.a, 3);
    assert.deepEqual(two.b.stream.sent.at(-1), "+3");
  });

  test("not while a called-off command is unanswered; afterwards as one", async () => {
    await using two = await pair();
    const watch = two.b.watch();
    await settle();
    two.b.stream.reply(2, { streamed: true });
    watch.call.cancel();
    await increments(two.a, 2);
    assert.deepEqual(two.b.stream.sent.at(-1), "cancel 2");
    two.b.stream.cancelled(2);
    assert.deepEqual(two.b.stream.sent.at(-1), "+2");
  });

  test("a function that never answers a calling-off is waited for 2 s; what it says later still counts", async () => {
    await using two = await pair();
    const watch = two.b.watch();
    await settle();
    two.b.stream.reply(2, { streamed: true });
    watch.call.cancel();
    await increments(two.a, 2);
    await two.clock.advance(1_900);
    assert.deepEqual(two.b.stream.sent.at(-1), "cancel 2");
    await two.clock.advance(200);
    assert.deepEqual(two.b.stream.sent.at(-1), "+2");
    two.b.stream.cancelled(2, { update: inc(7) });
    await settle();
    assert.deepEqual(two.a.stream.sent.at(-1), "+7");
  });

  test("a peer's deletion ends the stream and everything outstanding, for ever", async () => {
    await using two = await pair();
    const outstanding = two.b.send();
    const watch = two.b.watch();
    await settle();
    two.b.stream.reply(3, { streamed: true });
    two.a.send();
    await settle();
    two.a.stream.reply(2, { deletes: true });
    await settle();
    assert.deepEqual(two.b.stream.sent.slice(-2), ["delete", "half-close"]);
    assert.equal(outstanding.outcome, "unknown: Entity deleted");
    assert.deepEqual(watch.heard, ["ok", "unknown: Entity deleted"]);
    two.b.stream.end();
    const later = two.b.send();
    await settle();
    assert.equal(later.outcome, "unknown: Entity deleted");
  });
});
