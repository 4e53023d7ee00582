/** Streamed commands of CRDTs through the engine, with function and store played by the test. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { counter, inc } from "../../testing/counter.ts";
import { CrdtBench } from "../../testing/crdt.ts";
import { replies } from "../../testing/function.ts";

describe("streamed commands", () => {
  test("a first answer, further ones, and the last", async () => {
    await using bench = await counter();
    const { heard } = bench.watch();
    await settle();
    assert.equal(bench.stream.sent.at(-1), "2 Watch streamed");
    bench.stream.reply(2, { action: replies("one"), streamed: true });
    bench.stream.message(2, "two");
    bench.stream.message(2, "three", true);
    await settle();
    assert.deepEqual(heard, ["one", "two", "three", "end"]);
  });

  test("without a first message; and one that ends with its first answer", async () => {
    await using bench = await counter();
    const [silent, single] = [bench.watch(), bench.watch()];
    await settle();
    bench.stream.reply(2, { action: { do: "nothing" }, streamed: true });
    bench.stream.reply(3, { action: replies("only") });
    bench.stream.message(2, "late");
    await settle();
    assert.deepEqual([silent.heard, single.heard], [["late"], ["only", "end"]]);
  });

  test("messages may come before the first answer, even the last of them", async () => {
    await using bench = await counter();
    const { heard } = bench.watch();
    await settle();
    bench.stream.message(2, "early");
    bench.stream.message(2, "last", true);
    bench.stream.reply(2, { action: { do: "nothing" }, streamed: true });
    await settle();
    assert.deepEqual(heard, ["early", "last", "end"]);
  });

  test("a message waits for the change it shows to be durable", async () => {
    await using bench = await counter();
    const { heard } = bench.watch();
    await settle();
    bench.stream.reply(2, { action: { do: "nothing" }, streamed: true });
    bench.store.holding = true;
    bench.send();
    bench.stream.reply(3, { update: inc(1) });
    bench.stream.message(2, "six");
    await settle();
    assert.deepEqual(heard, []);
    bench.store.answer();
    await settle();
    assert.deepEqual(heard, ["six"]);
  });

  for (const how of ["cancel", "abort"] as const) {
    test(`a caller that goes away (${how}) is told to the function, whose answer may change the state`, async () => {
      await using bench = await counter();
      const gone = new AbortController();
      const { call, heard } = bench.watch("1", gone.signal);
      await settle();
      bench.stream.reply(2, { streamed: true });
      if (how === "cancel") call.cancel();
      else gone.abort();
      assert.equal(bench.stream.sent.at(-1), "cancel 2");
      bench.stream.cancelled(2, { update: inc(2) });
      bench.stream.message(2, "too late");
      await settle();
      assert.deepEqual(heard, how === "cancel" ? ["ok"] : ["ok", "cancelled: shop.Cart.Watch: the caller went away"]);
      assert.equal(bench.store.commits.length, 2);
    });
  }

  test("one that goes away before the first answer is called off when that comes; one still queued is never sent", async () => {
    await using bench = new CrdtBench();
    const queued = bench.watch();
    queued.call.cancel();
    const { call } = bench.watch();
    await settle();
    assert.deepEqual(bench.stream.sent, ["1 Watch streamed"]);
    call.cancel();
    assert.deepEqual(bench.stream.sent, ["1 Watch streamed"]);
    bench.stream.reply(1, { streamed: true });
    assert.deepEqual(bench.stream.sent.at(-1), "cancel 1");
  });

  test("an entity with one open is not passivated; afterwards it is, and drain finds nothing left", async () => {
    await using bench = await counter();
    const { call } = bench.watch();
    await settle();
    bench.stream.reply(2, { streamed: true });
    await bench.clock.advance(90_000);
    assert.deepEqual(bench.stream.sent.at(-1), "2 Watch streamed");
    call.cancel();
    bench.stream.cancelled(2);
    await bench.clock.advance(30_100);
    assert.deepEqual(bench.stream.sent.at(-1), "half-close");
    bench.stream.end();
    assert.equal(await bench.engine.drain(0), 0);
    assert.equal(bench.store.handles, 0);
  });

  test("a slow caller is cut off rather than remembered without bound", async () => {
    await using bench = await counter();
    const { call, heard } = bench.watch();
    await settle();
    bench.stream.reply(2, { streamed: true });
    await settle();
    call.pause();
    for (let at = 0; at <= 1_000; at++) bench.stream.message(2, `${at}`);
    await settle();
    assert.equal(heard.length, 2);
    assert.match(heard[1] ?? "", /^exhausted: .*1000 answers wait for a slow caller/);
    assert.equal(bench.stream.sent.at(-1), "cancel 2");
  });

  test("ends with the engine, and is counted as cut off", async () => {
    await using bench = await counter();
    const { heard } = bench.watch();
    await settle();
    bench.stream.reply(2, { streamed: true });
    await settle();
    const drained = bench.engine.drain(50);
    await bench.clock.advance(100);
    assert.equal(await drained, 1);
    assert.match(heard.at(-1) ?? "", /^unavailable: Mecha shut down/);
  });
});
