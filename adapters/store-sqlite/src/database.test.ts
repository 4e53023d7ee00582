/** Who may open which file. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { explain, Fault, noLog } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { openSqliteStore } from "./index.ts";
import { applicationId, migrate, type Migration, migrations, recognise } from "./schema.ts";
import { Appender, laneAddress, openTestStore, payloadOf } from "./testing/history.ts";

async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "mecha-database-"));
  try {
    await run(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function sql(dir: string, text: string): void {
  const db = new DatabaseSync(join(dir, "state.db"));
  db.exec(text);
  db.close();
}

async function append(dir: string): Promise<void> {
  await using store = await openTestStore(dir);
  const { handle, sequence } = await store.open(laneAddress(0), "eventSourced");
  const step = { entity: handle, expectedSequence: sequence, events: [payloadOf(0, sequence + 1, 10)], cause: "A", timeMs: 0 };
  assert.deepEqual(await store.commit([step]), [{ is: "committed" }]);
}

test("a second process is refused with the pid of the first; a kill frees the file", () =>
  inFolder(async (dir) => {
    const holder = Appender.start({ dir, lanes: 1, seed: 1, steps: 1, bytes: 10 });
    try {
      await holder.says("ready");
      const refused = await openTestStore(dir).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.ok(refused instanceof Fault && refused.code === "unavailable", explain(refused));
      assert.match(refused.message, new RegExp(`in use by process ${holder.process.pid};`));
    } finally {
      await holder.kill();
    }
    assert.ok(existsSync(join(dir, "state.db.pid")), "the killed process left its name");
    await append(dir);
    assert.ok(!existsSync(join(dir, "state.db.pid")));
  }));

test("a second store in the same process is refused, and the first goes on", () =>
  inFolder(async (dir) => {
    await using store = await openTestStore(dir);
    await assert.rejects(openTestStore(dir), { code: "unavailable", message: new RegExp(`this process \\(${process.pid}\\)`) });
    const { handle } = await store.open(laneAddress(0), "eventSourced");
    const step = { entity: handle, expectedSequence: 0, events: [payloadOf(0, 1, 10)], cause: "A", timeMs: 0 };
    assert.deepEqual(await store.commit([step]), [{ is: "committed" }]);
    // Still held: a look by the same process must not have dropped the lock (POSIX locks go with any close).
    const other = Appender.start({ dir, lanes: 1, seed: 1, steps: 1, bytes: 10 });
    other.process.stdin.end();
    await other.until(() => false);
    assert.deepEqual(other.lines, ["refused unavailable"]);
  }));

test("a pid file that lies does not keep a store from opening", () =>
  inFolder(async (dir) => {
    writeFileSync(join(dir, "state.db.pid"), `${process.pid}\n`);
    await append(dir);
    writeFileSync(join(dir, "state.db.pid"), "not a number");
    await append(dir);
  }));

test("the folder is 0700 and its files 0600, whatever they were", () =>
  inFolder(async (root) => {
    const dir = join(root, "deep", "state");
    await append(dir);
    chmodSync(dir, 0o755);
    chmodSync(join(dir, "state.db"), 0o644);
    await using store = await openTestStore(dir);
    const { handle } = await store.open(laneAddress(0), "eventSourced");
    await store.commit([{ entity: handle, expectedSequence: 1, events: [payloadOf(0, 2, 10)], cause: "A", timeMs: 0 }]);
    assert.equal(statSync(dir).mode & 0o777, 0o700);
    assert.equal(statSync(join(root, "deep")).mode & 0o777, 0o700);
    const modes = readdirSync(dir).map((name) => [name, statSync(join(dir, name)).mode & 0o777]);
    assert.deepEqual(modes.sort(), [
      ["state.db", 0o600],
      ["state.db-wal", 0o600],
      ["state.db.pid", 0o600],
    ]);
  }));

test("an existing folder of somebody else keeps its mode when only the file is named", () =>
  inFolder(async (root) => {
    const dir = join(root, "shared");
    mkdirSync(dir, { mode: 0o755 });
    chmodSync(dir, 0o755);
    const options = { file: join(dir, "x.db"), clock: new FakeClock(), log: noLog, random: new SeededRandom(1) };
    await (await openSqliteStore(options))[Symbol.asyncDispose]();
    assert.equal(statSync(dir).mode & 0o777, 0o755);
    assert.equal(statSync(join(dir, "x.db")).mode & 0o777, 0o600);
  }));

test("a closed store leaves one file, which sqlite3 can read", () =>
  inFolder(async (dir) => {
    await append(dir);
    assert.deepEqual(readdirSync(dir), ["state.db"]);
    const db = new DatabaseSync(join(dir, "state.db"), { readOnly: true });
    const [row] = db.prepare("SELECT entity_id, sequence, type_url, at FROM events_by_entity").all();
    assert.deepEqual(
      { ...row },
      { entity_id: "0", sequence: 1, type_url: "type.example.com/test.Appended", at: "1970-01-01 00:00:00.000" },
    );
    db.close();
  }));

test("a newer layout is refused, and the file is not touched", () =>
  inFolder(async (dir) => {
    await append(dir);
    sql(dir, "PRAGMA user_version = 99");
    const before = readFileSync(join(dir, "state.db"));
    const refused = await openTestStore(dir).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(refused instanceof Fault && refused.code === "precondition", explain(refused));
    assert.match(refused.message, /has layout 99, this version of Mecha knows up to 4; use the version/);
    assert.ok(before.equals(readFileSync(join(dir, "state.db"))));
  }));

test("another program's database and a file that is none are refused", () =>
  inFolder(async (dir) => {
    sql(dir, "PRAGMA application_id = 12; CREATE TABLE t (a)");
    await assert.rejects(openTestStore(dir), { code: "precondition", message: /another program \(application_id 12\)/ });
    rmSync(join(dir, "state.db"));
    sql(dir, "CREATE TABLE t (a)");
    await assert.rejects(openTestStore(dir), { code: "precondition", message: /another program/ });
    rmSync(join(dir, "state.db"));
    writeFileSync(join(dir, "state.db"), "I am a diary. ".repeat(100));
    const refused = await openTestStore(dir).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.match(explain(refused), /state\.db: file is not a database/);
  }));

test("a file of layout 0 is brought forward", () =>
  inFolder(async (dir) => {
    sql(dir, `PRAGMA application_id = ${applicationId}; PRAGMA user_version = 0`);
    await append(dir);
    const db = new DatabaseSync(join(dir, "state.db"));
    assert.equal(recognise(db, "state.db"), 4);
    db.close();
  }));

test("timers of layout 2 come along: not fired yet, and due", () =>
  inFolder(async (dir) => {
    const file = join(dir, "state.db");
    const db = new DatabaseSync(file);
    migrate(db, file, migrations.slice(0, 2));
    db.exec(`INSERT INTO entity VALUES (1, 'default', 'shop.Cart', 'cart', '42', 0, 0, 0, 0);
      INSERT INTO timer (entity, name, shard, due, schedule, command, type_url, payload) VALUES (1, 't', 0, 5, '~1 ', 'Expire', 'x', x'01')`);
    db.close();
    await using store = await openTestStore(dir);
    const [row] = await store.timersDue(5, 10);
    assert.deepEqual([row?.name, row?.firings, row?.failure, row?.parked], ["t", 0, undefined, undefined]);
  }));

test("migrations run one by one; a failing one leaves the file at the one before, with its data", () =>
  inFolder(async (dir) => {
    const first: Migration = (db) => db.exec("CREATE TABLE a (x); INSERT INTO a VALUES (1)");
    const second: Migration = (db) => db.exec("ALTER TABLE a ADD COLUMN y DEFAULT 2");
    const failing: Migration = (db) => db.exec("DELETE FROM a; SELECT * FROM nowhere");
    const db = new DatabaseSync(join(dir, "m.db"));
    migrate(db, "m.db", [first]);
    assert.throws(() => migrate(db, "m.db", [first, second, failing]), {
      code: "internal",
      message: /layout 2 to 3; the file is as it was/,
    });
    assert.equal(recognise(db, "m.db", 3), 2);
    assert.deepEqual({ ...db.prepare("SELECT * FROM a").get() }, { x: 1, y: 2 });
    migrate(db, "m.db", [first, second, (later) => later.exec("UPDATE a SET y = 3")]);
    assert.deepEqual({ ...db.prepare("SELECT * FROM a").get() }, { x: 1, y: 3 });
    db.close();
  }));
