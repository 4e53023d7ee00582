/** CRDTs through the engine, with function and store played by the test; other replicas are engines of their own. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock, settle } from "@mecha/kit/testing";
import { CrdtBench, CuttableWire, ReplicaStore } from "../../testing/crdt.ts";
import { payload, replies } from "../../testing/function.ts";
import type { CrdtDelta } from "../delta.ts";

const inc = (increment: number): CrdtDelta => ({ type: "gcounter", increment: BigInt(increment) });
const vote = (selfVote: boolean): CrdtDelta => ({ type: "vote", selfVote, votesFor: 0, totalVoters: 0 });

/** An engine with an active counter that stands at 5; command 1 is done. */
async function counter(options = {}): Promise<CrdtBench> {
  const bench = new CrdtBench(options);
  const told = bench.send();
  await settle();
  bench.stream.reply(1, { update: inc(5) });
  await settle();
  assert.equal(told.outcome, "ok");
  return bench;
}

/** Two engines that hear of each other, both with the counter active at 5 and nothing outstanding. */
async function pair() {
  const clock = new FakeClock();
  const benches: CrdtBench[] = [];
  const cut: CuttableWire[] = [];
  const names = ["a", "b"];
  for (const [at, node] of names.entries()) {
    const other = 1 - at;
    const wire = new CuttableWire(names[other] ?? "", () => benches[other]?.engine.replication?.handlers() ?? new Map());
    cut.push(wire);
    const store = new ReplicaStore();
    const cluster = { peers: [{ node: names[other] ?? "", connect: () => wire.connect() }], catalog: store };
    benches.push(new CrdtBench({ node }, { store, clock, seed: at + 1, cluster }));
  }
  await settle();
  const [a, b] = benches as [CrdtBench, CrdtBench];
  a.send();
  await settle();
  a.stream.reply(1, { update: inc(5) });
  await settle();
  b.send();
  await settle();
  assert.equal(b.stream.init, "+5", "the other replica knows it");
  b.stream.reply(1);
  await settle();
  const end = async (): Promise<void> => {
    for (const bench of benches) await bench[Symbol.asyncDispose]();
  };
  return { a, b, clock, cut, [Symbol.asyncDispose]: end };
}

/** The function on `bench` increments. */
async function increments(bench: CrdtBench, by: number): Promise<void> {
  const told = bench.send();
  await settle();
  const id = Number(bench.stream.sent.findLast((sent) => sent.endsWith(" Do"))?.split(" ")[0]);
  bench.stream.reply(id, { update: inc(by) });
  await settle();
  assert.equal(told.outcome, "ok");
}

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
