/** What the appender writes, and the check that a store has all of it that was acknowledged. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { noLog } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import type { EntityAddress, EntityListing, Payload, Store } from "@mecha/state/store";
import { type FileStore, openSqliteStore } from "../index.ts";

export interface AppenderPlan {
  readonly dir: string;
  readonly lanes: number;
  readonly seed: number;
  readonly steps: number;
  /** Length of a payload. */
  readonly bytes: number;
  readonly durability?: "full" | "relaxed";
  readonly tailMax?: number;
}

const utf8 = new TextEncoder();

export function laneAddress(lane: number): EntityAddress {
  return { namespace: "default", service: "test.Lane", persistenceId: "lane", entityId: `${lane}` };
}

export function laneKind(lane: number): EntityListing["kind"] {
  return lane % 2 ? "value" : "eventSourced";
}

/** Says which step it belongs to, so that it can be found in a file or a system call. */
export function payloadOf(lane: number, sequence: number, bytes: number): Payload {
  return { typeUrl: "type.example.com/test.Appended", value: utf8.encode(`<${lane}/${sequence}>`.padEnd(bytes, ".")) };
}

/** Opens the store of a test folder. */
export function openTestStore(dir: string): Promise<FileStore> {
  return openSqliteStore({ dir, clock: new FakeClock(), log: noLog, random: new SeededRandom(1) });
}

/** A running appender and what it has said. */
export class Appender {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly lines: string[] = [];
  #rest = "";
  readonly #waiting: { readonly until: (lines: readonly string[]) => boolean; readonly done: () => void }[] = [];
  readonly #closed: Promise<unknown>;

  constructor(command: string, args: readonly string[]) {
    this.process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#closed = once(this.process, "close");
    this.process.stdout.setEncoding("utf8").on("data", (text: string) => this.#heard(text));
    this.process.stdout.on("close", () => this.#wake(true));
  }

  static start(plan: AppenderPlan, wrap: readonly string[] = []): Appender {
    const [command = "", ...args] = [...wrap, ...appenderCommand(plan)];
    return new Appender(command, args);
  }

  /** Waits for a state of the lines; also ends when the process has. */
  async until(condition: (lines: readonly string[]) => boolean): Promise<void> {
    if (condition(this.lines) || this.process.stdout.closed) return;
    await new Promise<void>((done) => this.#waiting.push({ until: condition, done }));
  }

  /** Waits until it has said `line`. */
  async says(line: string): Promise<void> {
    await this.until((lines) => lines.includes(line));
    assert.ok(this.lines.includes(line), `the appender ended without "${line}": ${this.lines.slice(-5).join("; ")}`);
  }

  get acknowledged(): number {
    return this.lines.filter((line) => line.startsWith("ack ")).length;
  }

  /** Highest sequence of each lane in lines that begin with `word`. */
  highest(word: "go" | "ack"): ReadonlyMap<number, number> {
    const highest = new Map<number, number>();
    for (const line of this.lines) {
      const [what, lane, sequence] = line.split(" ");
      if (what === word) highest.set(Number(lane), Number(sequence));
    }
    return highest;
  }

  /** Ends it at once and waits until its last words are in. */
  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.#closed;
  }

  /** Lets it close its store. @returns the exit code. */
  async finish(): Promise<number | null> {
    this.process.stdin.end();
    await this.#closed;
    return this.process.exitCode;
  }

  #heard(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    this.lines.push(...lines);
    this.#wake(false);
  }

  #wake(all: boolean): void {
    for (const waiting of this.#waiting.splice(0))
      if (all || waiting.until(this.lines)) waiting.done();
      else this.#waiting.push(waiting);
  }
}

export function appenderCommand(plan: AppenderPlan): readonly string[] {
  return [process.execPath, fileURLToPath(new URL("./appender.ts", import.meta.url)), JSON.stringify(plan)];
}

/**
 * Opens the store in `dir` and checks: every acknowledged step is there, nothing is that was never begun, sequences have no gap, payloads are
 * those of their sequence, and heads, chain, milestones and shard offsets in the file agree with the events.
 */
export async function checkHistory(
  dir: string,
  acknowledged: ReadonlyMap<number, number>,
  begun: ReadonlyMap<number, number>,
): Promise<void> {
  {
    await using store = await openTestStore(dir);
    for (const [lane, atMost] of begun) await checkLane(store, lane, acknowledged.get(lane) ?? 0, atMost);
  }
  checkFile(dir);
}

async function checkLane(store: Store, lane: number, atLeast: number, atMost: number): Promise<void> {
  const { handle, sequence, snapshot, value } = await store.open(laneAddress(lane), laneKind(lane));
  assert.ok(sequence >= atLeast, `lane ${lane} has ${sequence}, but ${atLeast} was acknowledged`);
  assert.ok(sequence <= atMost, `lane ${lane} has ${sequence}, but only ${atMost} was begun`);
  const mark = (bytes: Uint8Array | undefined): string =>
    Buffer.from(bytes ?? [])
      .toString()
      .replace(/\.+$/, "");
  if (lane % 2) {
    assert.equal(mark(value?.value), sequence === 0 ? "" : `<${lane}/${sequence}>`);
    return;
  }
  if (snapshot) assert.equal(mark(snapshot.payload.value), `<${lane}/${snapshot.sequence}>`);
  let last = 0;
  for (let page = await store.events(handle, 0, 500); page.length > 0; page = await store.events(handle, last, 500))
    for (const event of page) {
      assert.equal(event.sequence, last + 1);
      assert.equal(mark(event.payload.value), `<${lane}/${++last}>`);
    }
  assert.equal(last, sequence);
}

/** Checks a closed store's file with plain SQL. */
export function checkFile(dir: string): void {
  const db = new DatabaseSync(`${dir}/state.db`);
  const rows = (sql: string): unknown[] =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  try {
    assert.deepEqual(rows("PRAGMA integrity_check"), [{ integrity_check: "ok" }]);
    const wrongHeads = `SELECT e.id FROM entity e LEFT JOIN (SELECT entity, count(*) n, max(sequence) s, max(position) p FROM event GROUP BY entity) v
      ON v.entity = e.id WHERE e.kind = 0 AND (e.sequence <> ifnull(v.s, 0) OR e.last_position <> ifnull(v.p, 0) OR ifnull(v.n, 0) <> e.sequence)`;
    assert.deepEqual(rows(wrongHeads), [], "heads agree with the events");
    const brokenChain = `SELECT position FROM (SELECT position, previous,
      lag(position, 1, 0) OVER (PARTITION BY entity ORDER BY sequence) AS want FROM event) WHERE previous <> want`;
    assert.deepEqual(rows(brokenChain), [], "each event names the one before it");
    const gaps = `SELECT shard FROM event GROUP BY shard HAVING min("offset") <> 0 OR max("offset") <> count(*) - 1`;
    assert.deepEqual(rows(gaps), [], "offsets of a shard have no gap");
    const order = `SELECT position FROM (SELECT position, "offset", lag("offset") OVER (PARTITION BY shard ORDER BY position) AS before FROM event)
      WHERE "offset" <= before`;
    assert.deepEqual(rows(order), [], "offsets follow positions");
    const shardsBehind = `SELECT s.id FROM shard s LEFT JOIN event v ON v.shard = s.id GROUP BY s.id HAVING s.next_offset <> count(v.position)`;
    assert.deepEqual(rows(shardsBehind), [], "shards know their next offset");
    const wrongMilestones = `SELECT v.position FROM event v LEFT JOIN milestone m USING (entity, sequence)
      WHERE v.sequence % 256 = 0 AND m.position IS NOT v.position`;
    assert.deepEqual(rows(wrongMilestones), [], "every 256th event has its milestone");
    const foreign = `SELECT v.position FROM event v LEFT JOIN entity e ON e.id = v.entity WHERE e.id IS NULL OR e.shard <> v.shard`;
    assert.deepEqual(rows(foreign), [], "every event has its entity");
  } finally {
    db.close();
  }
}
