import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "@mecha/kinds";
import { leases, mayHold, runAsLeader } from "./lease.ts";
import { type ControllerBench, controllerBench, until } from "./testing.ts";

const id = { namespace: "default", name: "op" };

interface Candidate {
  leading: boolean;
  failed: unknown;
  readonly end: () => Promise<void>;
}

function candidate(bench: ControllerBench, identity: string): Candidate {
  const ending = new AbortController();
  const state: Candidate = { leading: false, failed: undefined, end: () => Promise.resolve() };
  const running = runAsLeader({ ...id, identity }, bench.ports, ending.signal, async (signal) => {
    state.leading = true;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    state.leading = false;
  }).catch((error: unknown) => (state.failed = error));
  return Object.assign(state, {
    end: async () => {
      ending.abort();
      await running;
    },
  });
}

/** Time passes in steps shorter than a retry, with turns of the loop for requests between them. */
async function pass(bench: ControllerBench, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) {
    await bench.clock.advance(500);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

test("one leads; the other follows at once when the lease is given back", async () => {
  const bench = await controllerBench();
  const a = candidate(bench, "a");
  await until("a leads", () => a.leading);
  const b = candidate(bench, "b");
  await pass(bench, 30_000);
  assert.deepEqual([a.leading, b.leading], [true, false]);
  const ended = a.end();
  await pass(bench, 3_000);
  await ended;
  await until("b leads", () => b.leading);
  const lease = await bench.client.get<KubeObject & { spec: { holderIdentity: string; leaseTransitions: number } }>(leases, id);
  assert.deepEqual([lease.spec.holderIdentity, lease.spec.leaseTransitions], ["b", 1]);
  await b.end();
});

test("a leader that cannot renew for 10 s ends itself, before another may take over", async () => {
  const bench = await controllerBench();
  const a = candidate(bench, "a");
  await until("a leads", () => a.leading);
  bench.broken.add("GET").add("PUT");
  await pass(bench, 9_000);
  assert.equal(a.leading, true);
  await pass(bench, 4_000);
  await until("a has ended", () => a.failed !== undefined);
  assert.equal(a.leading, false);
  assert.match(String(a.failed), /lease default\/op was lost: not renewed within 10000 ms/);
});

test("a leader that vanished is followed after the lease's duration", async () => {
  const bench = await controllerBench();
  await bench.client.create(leases, {
    apiVersion: leases.apiVersion,
    kind: "Lease",
    metadata: { ...id },
    // Its clock is an hour ahead: what it wrote as renewTime must not matter.
    spec: { holderIdentity: "gone", leaseDurationSeconds: 15, renewTime: "2126-01-01T01:00:00.000000Z", leaseTransitions: 4 },
  });
  const b = candidate(bench, "b");
  await pass(bench, 14_000);
  assert.equal(b.leading, false);
  await pass(bench, 4_500);
  await until("b leads", () => b.leading);
  await b.end();
});

test("who may hold a lease: its holder, anybody when nobody does, others when it is old here", () => {
  const lease = (holderIdentity: string): KubeObject => ({
    apiVersion: leases.apiVersion,
    kind: "Lease",
    metadata: { name: "op" },
    spec: { holderIdentity, leaseDurationSeconds: 15 },
  });
  const seen = (holder: string | undefined) => ({ lease: holder === undefined ? undefined : lease(holder), seenMs: 1_000 });
  assert.deepEqual(
    [
      mayHold(seen(undefined), "me", 1_000),
      mayHold(seen(""), "me", 1_000),
      mayHold(seen("me"), "me", 1_000),
      mayHold(seen("other"), "me", 15_999),
      mayHold(seen("other"), "me", 16_000),
    ],
    [true, true, true, false, true],
  );
});
