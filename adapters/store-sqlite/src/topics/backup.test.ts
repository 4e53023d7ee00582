/** Copies of topics and objects in use: whole, and of the moment that was marked. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import type { TopicMessage } from "@mecha/binding/topics";
import { noLog } from "@mecha/kit";
import { openSqliteObjectLog } from "../objects/log.ts";
import { type StateFile, verifyFile } from "../verify/index.ts";
import type { FileTopics } from "./file-topics.ts";
import { openSqliteTopics } from "./log.ts";

const root = mkdtempSync(join(tmpdir(), "mecha-copies-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = (): string => join(root, `s${folders++}`);

const message = (id: number): TopicMessage => ({
  topic: "orders",
  source: "shop",
  id: String(id),
  attributes: [["ce-id", String(id)]],
  payload: { typeUrl: "t/x", value: new Uint8Array(300) },
  timeMs: id,
});

const open = (dir: string): Promise<FileTopics> => openSqliteTopics({ dir, log: noLog, retention: { maxAgeMs: 1e12, maxBytes: 1e12 } });

const parkedEvent = { timeMs: 1, attempts: 1, failure: "no", attributes: [], payload: { typeUrl: "t/x", value: new Uint8Array(3) } };

function findings(file: string, is: StateFile): readonly string[] {
  const stages = verifyFile(file, is);
  for (let next = stages.next(); ; next = stages.next())
    if (next.done === true) return next.value.map(({ rule, what }) => `${rule} ${what}`);
}

const numbers = (file: string, sql: string): readonly unknown[] => {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare(sql).all();
  db.close();
  return rows.map((row) => Object.values(row)[0]);
};

test("a copy is of the moment of its mark: neither messages nor cursors of later are in it, and what was parked then still is", async () => {
  const dir = newFolder();
  const [copy, mark] = [join(root, "topics-copy.db"), join(root, "mark.db")];
  await using topics = await open(dir);
  const ids = (from: number, count: number): TopicMessage[] => Array.from({ length: count }, (_, at) => message(from + at));
  for (let from = 0; from < 5_000; from += 500) await topics.append(ids(from, 500));
  await topics.advance("g", { position: 40, ahead: [[7, 44]] }, [parkedEvent]);
  await topics.mark(mark);
  assert.equal(statSync(mark).mode & 0o777, 0o600);
  await topics.append(ids(5_000, 100));
  await topics.advance("g", { position: 5_050, ahead: [] }, [parkedEvent]);
  await topics.advance("new", { position: 5, ahead: [] }, []);
  await topics.settleParked([{ id: 1, to: "removed" }]);
  const portions: number[] = [];
  await topics.backup(copy, { progress: (pages) => portions.push(pages) }, mark);
  assert.ok(portions.length > 3, `${portions.length} portions`);
  assert.ok(!existsSync(mark), "the mark is used up");
  assert.deepEqual(findings(copy, "topics.db"), []);
  assert.deepEqual(numbers(copy, "SELECT max(position) FROM message"), [5_000]);
  assert.deepEqual(numbers(copy, "SELECT count(*) FROM seen"), [5_000]);
  assert.deepEqual(numbers(copy, "SELECT subscriber || shard || ' ' || position FROM cursor"), ["g-1 40", "g7 40"]);
  assert.deepEqual(numbers(copy, "SELECT id FROM parked"), [1]);
  assert.deepEqual(
    readdirSync(root).filter((name) => /^(topics-copy|mark)/.test(name)),
    ["topics-copy.db"],
  );
  // Restored, it takes again what was appended after the mark, and nothing from before.
  const restored = newFolder();
  mkdirSync(restored);
  renameSync(copy, join(restored, "topics.db"));
  await using again = await open(restored);
  assert.deepEqual(await again.append([message(4_999), message(5_000)]), [false, true]);
});

test("topics nobody has used yet leave neither mark nor copy", async () => {
  const dir = newFolder();
  await using topics = await open(dir);
  assert.equal(await topics.mark(join(root, "unused")), false);
  await assert.rejects(topics.backup(join(root, "unused")), { code: "notFound" });
  assert.ok(!existsSync(join(root, "unused")) && !existsSync(dir));
});

test("a mark or a copy that cannot be written leaves nothing, and topics go on", async () => {
  await using topics = await open(newFolder());
  await topics.append([message(0)]);
  const nowhere = join(root, "no-such-folder");
  await assert.rejects(topics.mark(join(nowhere, "m")), { code: "unavailable", message: /ENOENT/ });
  await assert.rejects(topics.backup(join(nowhere, "c")), { code: "unavailable", message: /ENOENT/ });
  await assert.rejects(topics.backup(join(root, "late.db"), {}, join(root, "absent-mark")), { code: "unavailable" });
  assert.deepEqual([existsSync(join(root, "late.db")), existsSync(nowhere)], [false, false]);
  assert.deepEqual(await topics.append([message(1)]), [true]);
});

test("objects are copied while they are written, whole", async () => {
  const copy = join(root, "objects-copy.db");
  await using log = await openSqliteObjectLog({ dir: newFolder() });
  const write = (name: number): Promise<unknown> =>
    log.write({
      key: `/apps/deployments/default/d${name}`,
      expected: 0,
      value: `{"metadata":{"name":"d${name}"},"x":"${"y".repeat(400)}"}`,
    });
  await Promise.all(Array.from({ length: 2_000 }, (_, name) => write(name)));
  let copying = true;
  const copied = log.backup(copy).finally(() => (copying = false));
  for (let name = 2_000; copying; name++) await write(name);
  await copied;
  assert.deepEqual(findings(copy, "control.db"), []);
  const [stored] = numbers(copy, "SELECT count(*) FROM object");
  assert.ok(Number(stored) >= 2_000, `${String(stored)} objects`);
  await assert.rejects(log.backup(copy), { code: "unavailable", message: /EEXIST/ });
});

test("a log that closes while it is copied says so", async () => {
  const topics = await open(newFolder());
  const log = await openSqliteObjectLog({ dir: newFolder() });
  for (let from = 0; from < 20_000; from += 1_000) await topics.append(Array.from({ length: 1_000 }, (_, at) => message(from + at)));
  const copying = topics.backup(join(root, "cut-off.db"));
  await Promise.all([assert.rejects(copying, { code: "unavailable" }), topics[Symbol.asyncDispose](), log[Symbol.asyncDispose]()]);
  await assert.rejects(topics.backup(join(root, "too-late.db")), { code: "unavailable" });
  await assert.rejects(log.backup(join(root, "too-late.db")), { code: "unavailable" });
});

/** A stopped log with messages, cursors and a parked event; objects written, changed, deleted, and partly compacted. */
async function storedFiles(): Promise<string> {
  const dir = newFolder();
  await using topics = await open(dir);
  await topics.append([1, 2, 3].map(message));
  await topics.advance("g", { position: 2, ahead: [[9, 4]] }, [parkedEvent]);
  await using log = await openSqliteObjectLog({ dir });
  const key = (name: string): string => `//configmaps/default/${name}`;
  const value = (name: string): string => JSON.stringify({ metadata: { name } });
  for (const name of ["a", "b", "c"]) await log.write({ key: key(name), expected: 0, value: value(name) });
  await log.write({ key: key("a"), expected: 1, value: value("a") });
  await log.compact(4);
  await log.write({ key: key("b"), expected: 2, value: undefined });
  await log.write({ key: key("a"), expected: 4, value: value("a") });
  await log.write({ key: key("b"), expected: 0, value: value("b") });
  return dir;
}

test("stopped files are whole", async () => {
  const dir = await storedFiles();
  for (const is of ["topics.db", "control.db"] as const) assert.deepEqual(findings(join(dir, is), is), [], is);
});

const damages: readonly (readonly [is: StateFile, name: string, sql: string, says: RegExp])[] = [
  ["topics.db", "a message is beyond the log", "UPDATE message SET position = 77 WHERE position = 3", /T1 .*position 77 is beyond 3/],
  ["topics.db", "a topic's name", "UPDATE message SET topic = 'a b'", /T1 .*a topic whose name may have letters/],
  ["topics.db", "a message's attributes", "UPDATE message SET attributes = x'7b'", /T1 .*attributes that cannot be read/],
  [
    "topics.db",
    "a group is ahead",
    "UPDATE cursor SET position = 9",
    /T2 consumer group g is at position 9, the newest there ever was is 3/,
  ],
  [
    "topics.db",
    "a group is ahead in a shard",
    "UPDATE cursor SET next_offset = 9 WHERE shard = 9",
    /T2 .*offset 9 of shard 9, whose next is 4/,
  ],
  ["topics.db", "a group lost its position", "DELETE FROM cursor WHERE shard = -1", /T2 consumer group g has no position/],
  ["topics.db", "a parked event is nobody's", "UPDATE parked SET subscriber = ''", /T3 parked event 1 belongs to no consumer group/],
  ["topics.db", "it is another file", "PRAGMA application_id = 7", /D2 .*another program/],
  ["control.db", "a revision is missing", "DELETE FROM change WHERE revision = 6", /C3 revision 7 follows 5/],
  ["control.db", "compacted beyond the end", "UPDATE meta SET value = 99", /C3 changes up to revision 99 are forgotten, the newest is 7/],
  [
    "control.db",
    "a change names the wrong one before",
    "UPDATE change SET previous = 3 WHERE revision = 6",
    /C4 .*follows revision 3, which follows revision 4/,
  ],
  [
    "control.db",
    "a change names one that never was",
    "UPDATE change SET previous = 3 WHERE revision = 7",
    /C4 .*which was deleted by then/,
  ],
  ["control.db", "a head is behind", "UPDATE head SET revision = 4 WHERE key LIKE '%/a'", /C5 .*its newest change is 6/],
  ["control.db", "a head is gone", "DELETE FROM head WHERE key LIKE '%/c'", /C5 .*written at revision 3 and is not served/],
  ["control.db", "a deleted object is served", "UPDATE change SET value = NULL WHERE revision = 7", /C5 .*was deleted at revision 7/],
  ["control.db", "an object is no JSON", "UPDATE change SET value = '{' WHERE revision = 6", /C6 .*is no JSON/],
  [
    "control.db",
    "an object has another name",
    `UPDATE change SET value = '{"metadata":{"name":"z"}}' WHERE revision = 6`,
    /C6 .*is named "z"/,
  ],
];
for (const [is, name, sql, says] of damages)
  test(`damage is named, ${is}: ${name}`, async () => {
    const file = join(await storedFiles(), is);
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
    const found = findings(file, is);
    assert.ok(
      found.some((one) => says.test(one)),
      JSON.stringify(found),
    );
  });
