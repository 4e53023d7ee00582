/** What of a CRDT outlives its activation and its process: rows, votes, tombstones. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { counter, inc } from "../../testing/counter.ts";
import { CrdtBench, ReplicaStore } from "../../testing/crdt.ts";
import type { CrdtDelta } from "../delta.ts";

const vote = (selfVote: boolean): CrdtDelta => ({ type: "vote", selfVote, votesFor: 0, totalVoters: 0 });

describe("passivation and rows", () => {
  test("an idle one is half-closed; a function that never ends its side is cut after 2 s (Node's library)", async () => {
    await using bench = await counter();
    await bench.clock.advance(30_050);
    assert.deepEqual(bench.stream.sent.at(-1), "half-close");
    const told = bench.send();
    await bench.clock.advance(1_900);
    assert.equal(bench.streams.length, 1);
    await bench.clock.advance(200);
    assert.ok(bench.streams[0]?.wasReset);
    assert.deepEqual([bench.stream.init, ...bench.stream.sent], ["+5", "1 Do"]);
    bench.stream.reply(1);
    await settle();
    assert.equal(told.outcome, "ok");
  });

  test("every start of a node has a row of its own; dead ones are folded into one (E13)", async () => {
    const store = new ReplicaStore();
    for (let start = 1; start <= 4; start++) {
      await using bench = new CrdtBench({ node: "n" }, { store, seed: start });
      bench.send();
      await settle();
      assert.equal(bench.stream.init, start === 1 ? "none" : `+${(start - 1) * 10}`);
      bench.stream.reply(1, { update: inc(10) });
      await settle();
      const rows = store.entities.get("1")?.rows;
      assert.ok(rows !== undefined && rows !== "deleted");
      assert.equal(rows.size, start === 1 ? 1 : 2);
      assert.equal(rows.has("n/retired"), start > 1);
    }
  });

  test("a restored copy of a row loses nothing under a new incarnation", async () => {
    const store = new ReplicaStore();
    {
      await using bench = new CrdtBench({ node: "n" }, { store, seed: 1 });
      bench.send();
      await settle();
      bench.stream.reply(1, { update: inc(10) });
      await settle();
    }
    // What a backup of this moment would hold, and two processes that go on from it.
    const rows = new Map(store.entities.get("1")?.rows as Map<string, never>);
    const increments: number[] = [];
    for (const seed of [2, 3]) {
      const copy = new ReplicaStore();
      copy.entities.set("1", { sequence: 1, rows: new Map(rows) });
      await using bench = new CrdtBench({ node: "n" }, { store: copy, seed });
      bench.send();
      await settle();
      bench.stream.reply(1, { update: inc(1) });
      await settle();
      for (const [key, row] of copy.entities.get("1")?.rows as Map<string, never>) rows.set(key, row);
      increments.push(1);
    }
    store.entities.set("1", { sequence: 1, rows });
    await using bench = new CrdtBench({ node: "other" }, { store, seed: 4 });
    bench.send();
    await settle();
    assert.equal(bench.stream.init, `+${10 + increments.length}`);
  });

  test("a vote is not stored, but stays while the process does", async () => {
    const store = new ReplicaStore();
    const { clock } = await (async () => {
      await using bench = new CrdtBench({ node: "n" }, { store, seed: 1 });
      bench.send();
      await settle();
      bench.stream.reply(1, { update: vote(true) });
      await settle();
      await bench.clock.advance(30_050);
      bench.stream.end();
      bench.send();
      await settle();
      assert.equal(bench.stream.init, "vote true 1/1");
      return bench;
    })();
    assert.ok(clock);
    await using bench = new CrdtBench({ node: "n" }, { store, seed: 2 });
    bench.send();
    await settle();
    assert.equal(bench.stream.init, "vote false 0/1");
  });

  test("a row nobody can read is a clear failure, and the rest of the engine goes on", async () => {
    const store = new ReplicaStore();
    const damaged = { replica: { node: "n", incarnation: "1" }, state: Uint8Array.of(9) };
    store.entities.set("1", { sequence: 1, rows: new Map([["n/1", damaged]]) });
    await using bench = new CrdtBench({}, { store });
    const told = bench.send();
    const other = bench.send("2");
    await settle();
    assert.match(told.outcome, /^dataLoss: Error recovering the CRDT/);
    bench.stream.reply(1);
    await settle();
    assert.equal(other.outcome, "ok");
    assert.equal(store.handles, 1);
  });
});
