/** Deliveries on a fake clock: order, back-off, parking, where a group goes on; and a seeded property over crashes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { FakeClock, MemoryLog, SeededRandom, settle } from "@mecha/kit/testing";
import type { Cursor, Cursors, ParkedEvent, ParkedRow } from "@mecha/state";
import { cursorAtStart } from "@mecha/state/store";
import type { BoundEvent } from "../event.ts";
import { Consumer, type Outcome } from "./consumer.ts";
import { afterFailure, deliveryDefaults, type DeliveryLimits } from "./limits.ts";

const shards = 4;

/** A source in memory: event n is at position n, in shard n % 4. What it saved outlives its consumers. */
class Source {
  readonly events: BoundEvent[] = [];
  cursor: Cursor = cursorAtStart;
  readonly parked: ParkedEvent[] = [];
  saves = 0;
  failReads = 0;

  add(count: number): void {
    for (let left = count; left > 0; left--) {
      const position = this.events.length + 1;
      const shard = position % shards;
      const payload = { typeUrl: "t", value: new Uint8Array(10) };
      this.events.push({ position, shard, offset: Math.floor(position / shards), id: `${position}`, source: "s", attributes: [], payload });
    }
  }

  async read(after: number, limit: number) {
    if (this.failReads-- > 0) throw new Fault("unavailable", "disk");
    const events = this.events.filter(({ position }) => position > after).slice(0, limit);
    const head = this.events.length;
    return { events, readTo: events.at(-1)?.position ?? Math.max(after, head), head };
  }

  readonly cursors: Cursors = {
    cursor: async () => this.cursor,
    advance: async (_subscriber, cursor, parked) => {
      assert.ok(cursor.position >= this.cursor.position);
      this.cursor = cursor;
      this.parked.push(...parked);
      this.saves++;
    },
    parked: async (): Promise<readonly ParkedRow[]> => [],
    settleParked: async () => 0,
    parkedCount: async () => this.parked.length,
  };
}

interface Bench {
  readonly clock: FakeClock;
  readonly log: MemoryLog;
  readonly source: Source;
  readonly consumer: Consumer;
  readonly counts: Record<"delivered" | "skipped" | "retried" | "parked", number>;
}

function open(
  deliver: (event: BoundEvent, done: (outcome: Outcome) => void) => void,
  more: { source?: Source; ready?: () => boolean; limits?: Partial<DeliveryLimits> } = {},
): Bench {
  const { source = new Source(), ready = () => true, limits } = more;
  const [clock, log] = [new FakeClock(), new MemoryLog()];
  const counts = { delivered: 0, skipped: 0, retried: 0, parked: 0 };
  const count = (what: keyof typeof counts) => () => {
    counts[what]++;
  };
  const meters = {
    delivered: count("delivered"),
    skipped: count("skipped"),
    retried: count("retried"),
    parked: count("parked"),
    lag: () => undefined,
  };
  const consumer = new Consumer({
    subscriber: "g/log/s",
    reader: source,
    limits: { ...deliveryDefaults, ...limits },
    clock,
    log,
    meters,
    ready,
    about: ({ id }) => ({ entity: `of ${id}` }),
    deliver,
  });
  return { clock, log, source, consumer, counts };
}

test("events of a shard go one at a time and in order; those of others at the same time", async () => {
  const open_: BoundEvent[] = [];
  const dones = new Map<string, () => void>();
  const source = new Source();
  source.add(8);
  const bench = open((event, done) => (open_.push(event), dones.set(event.id, () => done({ is: "delivered" }))), { source });
  await settle();
  assert.deepEqual(
    open_.map(({ id }) => id),
    ["1", "2", "3", "4"],
  );
  dones.get("2")?.();
  await settle();
  assert.deepEqual(
    open_.map(({ id }) => id),
    ["1", "2", "3", "4", "6"],
  );
  assert.deepEqual([bench.consumer.lag, bench.consumer.sending], [7, 4]);
});

test("a failure is tried again after 200, 400, 800 ms …, holds up its shard only, then is parked; one line at first and one at last", async () => {
  const at: number[] = [];
  const seen: string[] = [];
  const source = new Source();
  source.add(6);
  const bench: Bench = open(
    (event, done) => {
      seen.push(event.id);
      if (event.id !== "1") return done({ is: "delivered" });
      at.push(bench.clock.monotonic());
      done({ is: "failed", fault: new Fault("unknown", "boom") });
    },
    { source, limits: { attemptsMax: 4 } },
  );
  await settle();
  assert.deepEqual(seen, ["1", "2", "3", "4", "6"], "5 is in the shard of 1");
  await bench.clock.advance(1_400);
  assert.deepEqual(at, [0, 200, 600, 1_400]);
  assert.deepEqual(seen.slice(-1), ["5"]);
  await bench.clock.advance(1_000);
  assert.deepEqual(
    source.parked.map(({ attempts, failure }) => [attempts, failure]),
    [[4, "unknown: boom"]],
  );
  assert.deepEqual(source.cursor, { position: 6, ahead: [] });
  assert.deepEqual(
    bench.log.lines.map(({ level }) => level),
    ["warn", "error"],
  );
  assert.deepEqual(bench.counts, { delivered: 5, skipped: 0, retried: 3, parked: 1 });
});

test("while the consumer is away nothing is sent and nothing fails; wake goes on", async () => {
  let ready = false;
  const seen: string[] = [];
  const source = new Source();
  source.add(2);
  const bench = open((event, done) => (seen.push(event.id), done({ is: "delivered" })), { source, ready: () => ready });
  await bench.clock.advance(3_600_000);
  assert.deepEqual(seen, []);
  ready = true;
  bench.consumer.wake();
  await settle();
  assert.deepEqual(seen, ["1", "2"]);
  source.add(1);
  bench.consumer.wake();
  await settle();
  assert.deepEqual(seen, ["1", "2", "3"]);
});

test("the cursor is saved every so often and when it stops; what is under way is waited for", async () => {
  const source = new Source();
  source.add(4);
  let last: (() => void) | undefined;
  const bench = open((event, done) => (event.id === "4" ? (last = () => done({ is: "delivered" })) : done({ is: "delivered" })), {
    source,
  });
  await settle();
  assert.equal(source.saves, 0);
  await bench.clock.advance(deliveryDefaults.saveAfterMs);
  assert.deepEqual([source.saves, source.cursor], [1, { position: 3, ahead: [] }]);
  let stopped = false;
  const stopping = bench.consumer.stop().then(() => (stopped = true));
  await settle();
  assert.equal(stopped, false);
  last?.();
  await stopping;
  assert.deepEqual(source.cursor, { position: 4, ahead: [] });
});

test("a store that cannot be read is asked again", async () => {
  const source = new Source();
  source.add(1);
  source.failReads = 2;
  const bench = open((_event, done) => done({ is: "delivered" }), { source });
  await bench.clock.advance(2 * deliveryDefaults.storePauseMs + 1);
  assert.equal(bench.counts.delivered, 1);
});

test("what is in memory is bounded", async () => {
  const source = new Source();
  source.add(100);
  const bench = open(() => undefined, { source, limits: { bufferedMax: 20, pageMax: 10, sendingMax: 3 } });
  await settle();
  assert.deepEqual([bench.consumer.sending, bench.consumer.lag], [3, 100]);
});

test("what becomes of a failure", () => {
  const after = (code: "unknown" | "exhausted" | "unimplemented", attempts: number) =>
    afterFailure(new Fault(code, ""), attempts, deliveryDefaults);
  assert.deepEqual(
    [after("unknown", 1), after("unknown", 9)],
    [
      { do: "retry", pauseMs: 200 },
      { do: "retry", pauseMs: 30_000 },
    ],
  );
  assert.deepEqual([after("unknown", 10), after("unimplemented", 1)], [{ do: "park" }, { do: "park" }]);
  assert.deepEqual([after("exhausted", 999).do, after("exhausted", 1_000).do], ["retry", "park"]);
  const total = Array.from({ length: 9 }, (_, at) => after("unknown", at + 1)).reduce(
    (sum, one) => sum + (one.do === "retry" ? one.pauseMs : 0),
    0,
  );
  assert.equal(total, 81_000, "about 80 s before an event is parked");
});

test("whatever fails, and wherever it is cut off: every event is delivered or parked, in the order of its shard, and nothing below the cursor comes again", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const random = new SeededRandom(seed);
      const source = new Source();
      source.add(20 + random.below(60));
      const first = new Map<string, number>();
      let order = 0;
      for (let life = 0; life < 4; life++) {
        const saved = source.cursor;
        let dead = false;
        const bench: Bench = open(
          (event, done) => {
            if (dead) return;
            assert.ok(event.position > saved.position, "below the cursor");
            assert.ok(event.offset >= (saved.ahead.find(([shard]) => shard === event.shard)?.[1] ?? 0), "below what its shard was ahead");
            if (!first.has(event.id)) first.set(event.id, order++);
            bench.clock.after(random.below(300), () => {
              if (!dead) done(random.below(5) === 0 ? { is: "failed", fault: new Fault("unknown", "x") } : { is: "delivered" });
            });
          },
          {
            source,
            limits: { attemptsMax: 3, saveEvery: 1 + random.below(10), sendingMax: 1 + random.below(4), pageMax: 1 + random.below(9) },
          },
        );
        await bench.clock.advance(life < 3 ? random.below(2_000) : 200_000);
        dead = true; // as kill -9: nothing more is said or saved
      }
      assert.equal(source.cursor.position, source.events.length);
      for (let shard = 0; shard < shards; shard++) {
        const orders = source.events.filter((event) => event.shard === shard).map(({ id }) => first.get(id) ?? -1);
        assert.ok(
          orders.every((one, at) => one >= 0 && (at === 0 || one > (orders[at - 1] ?? 0))),
          `order in shard ${shard}`,
        );
      }
    }),
    { numRuns: 25 },
  );
});
