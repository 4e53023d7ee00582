/** Two engines on a fake clock and a wire that can be cut: what the sockets of tests/e2e cannot time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { MetricsRegistry } from "@mecha/kit";
import { FakeClock, settle } from "@mecha/kit/testing";
import { type ServerCall, Metadata } from "@mecha/wire";
import { FrameSchema } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import type { CrdtDelta } from "../crdt/delta.ts";
import { text } from "../crdt/testing.ts";
import type { EngineOptions } from "../limits.ts";
import { CrdtBench, CuttableWire, ReplicaStore } from "../testing/crdt.ts";
import { exchangePath } from "./frames.ts";

const inc = (increment: number): CrdtDelta => ({ type: "gcounter", increment: BigInt(increment) });

/** Engines a and b; `callB` is the name by which a knows b. */
async function pair(callB = "b", options: EngineOptions = {}) {
  const metrics = new MetricsRegistry();
  const clock = new FakeClock();
  const benches: CrdtBench[] = [];
  const known = [callB, "a"] as const;
  const wires = known.map((name, at) => new CuttableWire(name, () => benches[1 - at]?.engine.replication?.handlers() ?? new Map()));
  for (const [at, node] of ["a", "b"].entries()) {
    const store = new ReplicaStore();
    const cluster = { peers: [{ node: known[at] as string, connect: () => (wires[at] as CuttableWire).connect() }], catalog: store };
    benches.push(new CrdtBench({ ...options, node }, { store, clock, seed: at + 1, cluster, ...(at === 0 && { metrics }) }));
  }
  await settle();
  const [a, b] = benches as [CrdtBench, CrdtBench];
  const end = async (): Promise<void> => {
    for (const bench of benches) await bench[Symbol.asyncDispose]();
  };
  return {
    a,
    b,
    clock,
    /** Of a. */
    metrics,
    mute: () => wires.forEach((wire) => wire.mute()),
    cut: () => wires.forEach((wire) => wire.cut()),
    heal: () => wires.forEach((wire) => wire.heal()),
    [Symbol.asyncDispose]: end,
  };
}

test("an answer that wants all leaves when the other's row is durable, not before", async () => {
  await using two = await pair();
  two.b.store.holding = true;
  const told = two.a.send();
  await settle();
  two.a.stream.reply(1, { update: inc(1), consistency: "all" });
  await settle();
  assert.deepEqual([two.a.store.commits, told.outcome], [["Do"], "open"]);
  two.b.store.answer();
  await settle();
  assert.equal(told.outcome, "ok");
  two.b.store.holding = false;
});

test("a map of one type comes to the other as that, whole and as changes", async () => {
  await using two = await pair();
  const entry = (key: string, change: bigint) => ({ key: text(key), delta: { type: "pncounter", change } as const });
  const map = (...updated: ReturnType<typeof entry>[]): CrdtDelta => ({ type: "countermap", cleared: false, removed: [], updated });
  two.a.send();
  await settle();
  two.a.stream.reply(1, { update: map(entry("x", 5n)) });
  await settle();
  two.b.send();
  await settle();
  assert.equal(two.b.stream.init, "countermap -[] [x: +5]");
  two.b.stream.reply(1, { update: map(entry("x", -2n), entry("y", 1n)) });
  await settle();
  assert.equal(two.a.stream.sent.at(-1), "countermap -[] [x: -2, y: +1]");
  two.a.send();
  await settle();
  two.a.stream.reply(2, { update: { type: "countermap", cleared: false, removed: [text("x")], updated: [] } });
  await settle();
  assert.equal(two.b.stream.sent.at(-1), "countermap -[x] []");
});

for (const [bareTexts, more] of [
  [true, ""],
  [
    false,
    ": majority wants 2 of 2 nodes and 1 confirmed within 5 s (not connected: b); the change is stored here and reaches the others when they can be reached",
  ],
] as const)
  test(`one that gets no confirmation within 5 s fails ${bareTexts ? "with the reference's text" : "and says who is missing"}; the change stays`, async () => {
    await using two = await pair("b", { bareTexts });
    two.cut();
    const told = two.a.send();
    await settle();
    two.a.stream.reply(1, { update: inc(1), consistency: "majority" });
    await two.clock.advance(4_900);
    assert.equal(told.outcome, "open");
    await two.clock.advance(200);
    assert.equal(told.outcome, `unknown: Failed to update CRDT at requested write consistency${more}`);
    assert.deepEqual(two.a.store.commits, ["Do"]);
  });

test("one that waits while the cut heals is confirmed then", async () => {
  await using two = await pair();
  two.cut();
  const told = two.a.send();
  await settle();
  two.a.stream.reply(1, { update: inc(1), consistency: "all" });
  await two.clock.advance(2_000);
  two.heal();
  await two.clock.advance(2_500);
  assert.equal(told.outcome, "ok");
});

test("what was done on both sides of a cut is compared and joined; equal entities are not sent again", async () => {
  await using two = await pair();
  const both = [two.a, two.b] as const;
  two.cut();
  for (const [at, bench] of both.entries()) {
    bench.send();
    await settle();
    bench.stream.reply(1, { update: inc(at + 1) });
    await settle();
  }
  two.heal();
  await two.clock.advance(6_000);
  assert.deepEqual(
    both.map(({ stream }) => stream.sent.at(-1)),
    ["+2", "+1"],
  );
  const commits = both.map(({ store }) => store.commits.length);
  two.cut();
  two.heal();
  await two.clock.advance(6_000);
  assert.deepEqual(
    both.map(({ store }) => store.commits.length),
    commits,
  );
});

test("600 changes at two nodes, many at once, their link cut and healed again and again: one sum, and each function was told exactly that", async () => {
  await using two = await pair();
  const both = [two.a, two.b] as const;
  let dice = 42;
  const roll = (sides: number): number => (dice = (dice * 48_271) % 2_147_483_647) % sides;
  const ids = [0, 0];
  let sum = 0;
  for (let round = 0; round < 100; round++) {
    if (roll(8) === 0) two.cut();
    if (roll(4) === 0) two.heal();
    for (const [at, bench] of both.entries()) {
      const told = [bench.send(), bench.send(), bench.send()];
      await settle();
      for (const at1 of [2, 0, 1]) bench.stream.reply((ids[at] as number) + at1 + 1, { update: inc(1 + at1) }); // in any order
      ids[at] = (ids[at] as number) + told.length;
      sum += 6;
      await settle();
      assert.deepEqual(
        told.map(({ outcome }) => outcome),
        ["ok", "ok", "ok"],
      );
    }
  }
  two.heal();
  await two.clock.advance(6_000);
  assert.equal(sum, 1_200);
  for (const { stream } of both) {
    const told = stream.sent.filter((sent) => sent.startsWith("+")).reduce((all, sent) => all + Number(sent), 0);
    assert.equal((stream.init === "none" ? 0 : Number(stream.init)) + sum / 2 + told, sum);
  }
});

test("a peer that says another name is not taken, and asked again later", async () => {
  await using two = await pair("c");
  await two.clock.advance(1_000);
  assert.deepEqual(two.a.engine.replication?.connected, []);
  assert.deepEqual(two.b.engine.replication?.connected, [], "nor does a take b, whom it does not know");
});

test("a peer that says nothing is lost after 5 s, though its connection is open, and found again", async () => {
  await using two = await pair();
  two.mute();
  await two.clock.advance(4_000);
  assert.deepEqual(two.a.engine.replication?.connected, ["b"]);
  await two.clock.advance(2_050);
  assert.deepEqual(two.a.engine.replication?.connected, [], "the connection is not new yet");
  await two.clock.advance(1_000);
  assert.deepEqual([two.a.engine.replication?.connected, two.b.engine.replication?.connected], [["b"], ["a"]]);
});

test("each change of a link is one line, however many attempts there are", async () => {
  await using two = await pair();
  two.cut();
  await two.clock.advance(60_000);
  two.heal();
  await two.clock.advance(6_000);
  const lines = two.a.log.lines.filter(({ message }) => message.includes("a peer")).map(({ level, message }) => `${level} ${message}`);
  assert.deepEqual(lines, ["info a peer is connected", "warn a peer was lost", "info a peer is connected"]);
});

test("metrics say whether a peer is there, and how old what it may lack is", async () => {
  await using two = await pair();
  const figures = async (): Promise<unknown> => {
    await two.clock.advance(1_000);
    return [two.metrics.value("mecha_peer_up", "b"), Math.round(two.metrics.value("mecha_peer_lag_seconds", "b") ?? -1)];
  };
  assert.deepEqual(await figures(), [1, 0]);
  two.b.store.holding = true;
  two.a.send();
  await settle();
  two.a.stream.reply(1, { update: inc(1) });
  await figures();
  assert.deepEqual(await figures(), [1, 2], "it is there, but not stored");
  two.b.store.holding = false;
  two.b.store.answer();
  await figures();
  assert.deepEqual(await figures(), [1, 0]);
  two.cut();
  two.a.send();
  await settle();
  two.a.stream.reply(2, { update: inc(1) });
  for (let second = 0; second < 9; second++) await figures();
  assert.deepEqual(await figures(), [0, 10]);
  two.heal();
  for (let second = 0; second < 8; second++) await figures();
  assert.deepEqual(await figures(), [1, 0]);
});

test("who speaks must be named by its certificate, where the connection has one", async () => {
  await using two = await pair();
  const said: string[] = [];
  for (const name of ["a", "b"]) {
    const handler = two.a.engine.replication?.handlers().get(exchangePath);
    const call = serverCall(said, (asked) => asked === name);
    handler?.(call).message(
      toBinary(FrameSchema, create(FrameSchema, { frame: { case: "hello", value: { node: "b", incarnation: "1" } } })),
    );
  }
  assert.deepEqual(said, ["it says it is b, and its certificate has no such name (subjectAltName DNS:b)", "answered"]);
});

test("a stream that does not begin with a known name is ended; so is one with bytes that are no frame", async () => {
  await using two = await pair();
  const frames = [
    toBinary(FrameSchema, create(FrameSchema, { frame: { case: "ack", value: { number: 1n } } })),
    toBinary(FrameSchema, create(FrameSchema, { frame: { case: "hello", value: { node: "stranger", incarnation: "1" } } })),
    Uint8Array.of(0x0a, 0x7f),
  ];
  const said: string[] = [];
  for (const frame of frames) {
    const handler = two.a.engine.replication?.handlers().get(exchangePath);
    const call = serverCall(said);
    handler?.(call).message(frame);
  }
  assert.equal(said.length, 3);
  assert.match(said[0] ?? "", /the first frame is not a hello/);
  assert.match(said[1] ?? "", /"stranger" is none of the peers known here/);
  assert.match(said[2] ?? "", /Frame: /);
});

/** A call of somebody's; what becomes of it is in `said`. */
function serverCall(said: string[], isNamed?: (name: string) => boolean): ServerCall {
  return {
    path: exchangePath,
    metadata: Metadata.empty,
    deadlineMs: undefined,
    peer: "test",
    ...(isNamed && { isNamed }),
    pause() {},
    resume() {},
    sendHeaders() {},
    send: () => said.push("answered") > 0,
    end: (status) => void said.push(status?.message ?? "ok"),
  };
}
