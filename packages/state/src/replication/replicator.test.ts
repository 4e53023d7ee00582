/** Two engines on a fake clock and a wire that can be cut: what the sockets of tests/e2e cannot time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { FakeClock, settle } from "@mecha/kit/testing";
import { type ServerCall, Metadata } from "@mecha/wire";
import { FrameSchema } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import type { CrdtDelta } from "../crdt/delta.ts";
import { CrdtBench, CuttableChannel, ReplicaStore } from "../testing/crdt.ts";
import { exchangePath } from "./frames.ts";

const inc = (increment: number): CrdtDelta => ({ type: "gcounter", increment: BigInt(increment) });

/** Engines a and b; `callB` is the name by which a knows b. */
async function pair(callB = "b") {
  const clock = new FakeClock();
  const benches: CrdtBench[] = [];
  const known = [callB, "a"] as const;
  const wires = known.map((name, at) => new CuttableChannel(name, () => benches[1 - at]?.engine.replication?.handlers() ?? new Map()));
  for (const [at, node] of ["a", "b"].entries()) {
    const store = new ReplicaStore();
    const cluster = { peers: [{ node: known[at] as string, channel: wires[at] as CuttableChannel }], catalog: store };
    benches.push(new CrdtBench({ node }, { store, clock, seed: at + 1, cluster }));
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

test("one that gets no confirmation within 5 s fails with the reference's text; the change stays", async () => {
  await using two = await pair();
  two.cut();
  const told = two.a.send();
  await settle();
  two.a.stream.reply(1, { update: inc(1), consistency: "majority" });
  await two.clock.advance(4_900);
  assert.equal(told.outcome, "open");
  await two.clock.advance(200);
  assert.equal(told.outcome, "unknown: Failed to update CRDT at requested write consistency");
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

test("a peer that says another name is not taken, and asked again later", async () => {
  await using two = await pair("c");
  await two.clock.advance(1_000);
  assert.deepEqual(two.a.engine.replication?.connected, []);
  assert.deepEqual(two.b.engine.replication?.connected, [], "nor does a take b, whom it does not know");
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
    const call: ServerCall = {
      path: exchangePath,
      metadata: Metadata.empty,
      deadlineMs: undefined,
      peer: "test",
      pause() {},
      resume() {},
      sendHeaders() {},
      send: () => assert.fail("answered a stranger"),
      end: (status) => void said.push(status?.message ?? "ok"),
    };
    handler?.(call).message(frame);
  }
  assert.equal(said.length, 3);
  assert.match(said[0] ?? "", /the first frame is not a hello/);
  assert.match(said[1] ?? "", /stranger is none of the peers known here/);
  assert.match(said[2] ?? "", /Frame: /);
});
