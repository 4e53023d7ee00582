/** Engines with a counter that a test's function has brought to 5: alone, or two that hear of each other. */
import assert from "node:assert/strict";
import { FakeClock, settle } from "@mecha/kit/testing";
import type { CrdtDelta } from "../crdt/delta.ts";
import { CrdtBench, CuttableWire, ReplicaStore } from "./crdt.ts";

/** Increments a GCounter. */
export const inc = (increment: number): CrdtDelta => ({ type: "gcounter", increment: BigInt(increment) });

/** An engine with an active counter that stands at 5; command 1 is done. */
export async function counter(options = {}): Promise<CrdtBench> {
  const bench = new CrdtBench(options);
  const told = bench.send();
  await settle();
  bench.stream.reply(1, { update: inc(5) });
  await settle();
  assert.equal(told.outcome, "ok");
  return bench;
}

/** Two engines that hear of each other, both with the counter active at 5 and nothing outstanding. */
export async function pair() {
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
export async function increments(bench: CrdtBench, by: number): Promise<void> {
  const told = bench.send();
  await settle();
  const id = Number(bench.stream.sent.findLast((sent) => sent.endsWith(" Do"))?.split(" ")[0]);
  bench.stream.reply(id, { update: inc(by) });
  await settle();
  assert.equal(told.outcome, "ok");
}
