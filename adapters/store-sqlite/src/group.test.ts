/** Heads that lag, and how opening and idling bring them up to date. In one process, without the worker. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { noLog } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { openSqliteStore } from "./index.ts";
import { Group } from "./group.ts";
import { type Head, Heads } from "./heads.ts";
import { Reader, Writer } from "./protocol.ts";
import { migrate } from "./schema.ts";
import { laneAddress, payloadOf } from "./testing/history.ts";

const tailMax = 100;

class Bench {
  readonly db: DatabaseSync;
  heads = new Heads();
  group: Group;
  readonly #out = new Writer();
  #in = new Reader();

  constructor() {
    this.db = new DatabaseSync(":memory:");
    migrate(this.db, "test");
    this.group = new Group(this.db, this.heads, tailMax);
  }

  /** As after a crash: what was in memory is gone. */
  crash(): void {
    this.heads = new Heads();
    this.group = new Group(this.db, this.heads, tailMax);
  }

  open(handle: number): Head {
    const head: Head = {
      key: `test.Lane\0${handle}\0lane\0default`,
      kind: "eventSourced",
      shard: handle % 256,
      row: 0,
      sequence: 0,
      lastPosition: 0,
      handles: 0,
      dirtyFrom: 0,
    };
    this.heads.add(handle, head);
    return head;
  }

  append(handle: number): void {
    const head = this.heads.at(handle);
    const out = this.#out;
    out.u32(1);
    out.u32(1);
    out.u32(handle);
    out.f64(head?.sequence ?? 0);
    out.f64(0);
    out.u8(0);
    out.word("Append");
    out.u32(1);
    out.word("type");
    out.bytes(new Uint8Array(10));
    const verdicts = new Writer();
    this.group.run([{ batch: out.take(), at: 4 }], this.#in, verdicts);
    this.#in.open(verdicts.take());
    this.#in.at += 5 + 4;
    assert.equal(this.#in.u32(), 0, "no step failed");
    this.#in.open(new ArrayBuffer(8));
  }

  number(sql: string): number {
    return Number(Object.values(this.db.prepare(sql).get() ?? {})[0]);
  }
}

test("a hot entity's head goes to disk before its tail is too long", () => {
  const bench = new Bench();
  bench.open(1);
  for (let at = 0; at < 1_000; at++) {
    bench.append(1);
    assert.ok(bench.group.tail <= tailMax * 1.02 + 1, `tail of ${bench.group.tail}`);
  }
  assert.ok(bench.number("SELECT sequence FROM entity") >= 1_000 - tailMax - 5);
  assert.equal(
    bench.number("SELECT max(position) FROM event") - bench.number("SELECT value FROM meta WHERE name = 'indexed_position'"),
    bench.group.tail,
  );
});

test("an entity that stopped long ago is flushed and forgotten; one that is written now may lag", () => {
  const bench = new Bench();
  for (let handle = 1; handle <= 50; handle++) {
    bench.open(handle);
    bench.append(handle);
    bench.append(handle); // the first append is in the new row already, the second makes it lag
    bench.heads.release(handle);
    assert.ok(bench.heads.find(`test.Lane\0${handle}\0lane\0default`), "a head that lags is kept after its release");
  }
  bench.open(99);
  for (let at = 0; at < 3 * tailMax; at++) bench.append(99);
  assert.equal(bench.number("SELECT count(*) FROM entity WHERE sequence = 2"), 50);
  assert.equal(bench.heads.find("test.Lane\0" + "1\0lane\0default"), undefined);
});

test("opening brings every head and shard up to date from the tail", () => {
  const bench = new Bench();
  const random = new SeededRandom(5);
  for (let handle = 1; handle <= 20; handle++) bench.open(handle);
  for (let at = 0; at < 777; at++) bench.append(1 + random.below(20));
  assert.ok(bench.group.tail > 0);
  bench.crash();
  assert.equal(bench.group.tail, 0);
  const wrong = `SELECT count(*) FROM entity e WHERE (sequence, last_position) <>
    (SELECT max(v.sequence), max(v.position) FROM event v WHERE v.entity = e.id)`;
  assert.equal(bench.number(wrong), 0);
  assert.equal(bench.number("SELECT sum(next_offset) FROM shard"), 777);
  assert.equal(bench.number("SELECT value FROM meta WHERE name = 'indexed_position'"), 777);
});

test("an idle store writes its heads out and empties its WAL", async () => {
  const dir = mkdtempSync(join(tmpdir(), "mecha-idle-"));
  const clock = new FakeClock();
  try {
    await using store = await openSqliteStore({ dir, clock, log: noLog, random: new SeededRandom(1) });
    const { handle } = await store.open(laneAddress(0), "eventSourced");
    for (let at = 0; at < 3; at++)
      await store.commit([{ entity: handle, expectedSequence: at, events: [payloadOf(0, at + 1, 10)], cause: "A", timeMs: 0 }]);
    await clock.advance(250);
    await clock.advance(250);
    for (let turn = 0; turn < 2; turn++) await store.list({ limit: 1 }); // the second is a turn after the idle one
    // The database file alone, without its WAL, has it all. A copy is opened, as the file is locked; made by another process (database.ts, L2).
    const copy = join(dir, "copy.db");
    execFileSync("cp", [join(dir, "state.db"), copy]);
    const db = new DatabaseSync(copy);
    assert.deepEqual({ ...db.prepare("SELECT sequence, last_position FROM entity").get() }, { sequence: 3, last_position: 3 });
    db.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
});
