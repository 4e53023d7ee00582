/** Copies of a store in use, and the check of files: what is whole passes, and each planted damage is named. */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import type { EntityHandle, Step } from "@mecha/state/store";
import { laneAddress, openTestStore, payloadOf } from "./testing/history.ts";
import { type Finding, verifyFile } from "./verify/index.ts";

const root = mkdtempSync(join(tmpdir(), "mecha-backup-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;
const newFolder = (): string => join(root, `s${folders++}`);

function step(entity: EntityHandle, expectedSequence: number, events: number): Step {
  const payloads = Array.from({ length: events }, (_, at) => payloadOf(0, expectedSequence + 1 + at, 200));
  return { entity, expectedSequence, events: payloads, cause: "Append", timeMs: 0 };
}

function verify(file: string): readonly Finding[] {
  const stages = verifyFile(file);
  for (;;) {
    const next = stages.next();
    if (next.done === true) return next.value;
  }
}

/** A stopped store with some of everything: two long entities, a snapshot, a value. @returns its file. */
async function storedFile(): Promise<string> {
  const dir = newFolder();
  await using store = await openTestStore(dir);
  const a = await store.open(laneAddress(0), "eventSourced");
  const b = await store.open(laneAddress(2), "eventSourced");
  const value = await store.open(laneAddress(1), "value");
  await store.commit([step(a.handle, 0, 300), { ...step(b.handle, 0, 5), snapshot: payloadOf(2, 5, 20) }]);
  await store.commit([step(a.handle, 300, 300), step(b.handle, 5, 5)]);
  const set = { do: "update", value: payloadOf(1, 1, 50) } as const;
  await store.commit([{ entity: value.handle, expectedSequence: 0, events: [], value: set, cause: "Set", timeMs: 0 }]);
  return join(dir, "state.db");
}

test("a copy taken under load has everything committed before it was asked for, is whole, private, and one file", async () => {
  const dir = newFolder();
  const copy = join(root, "copy.db");
  await using store = await openTestStore(dir);
  const { handle } = await store.open(laneAddress(0), "eventSourced");
  let committed = 0;
  const append = async (): Promise<void> => {
    const [verdict] = await store.commit([step(handle, committed, 20)]);
    assert.equal(verdict?.is, "committed");
    committed += 20;
  };
  while (committed < 20_000) await append();
  const before = committed;
  const portions: number[] = [];
  let copying = true;
  const copied = store.backup(copy, { progress: (pages) => portions.push(pages) }).finally(() => (copying = false));
  while (copying) await append();
  await copied;
  assert.ok(portions.length > 3, `${portions.length} portions`);
  assert.ok(committed > before + 20, `only ${committed - before} events were committed beside the copying`);
  assert.equal(statSync(copy).mode & 0o777, 0o600);
  assert.deepEqual(verify(copy), []);
  assert.deepEqual(
    readdirSync(root).filter((name) => name.startsWith("copy.db")),
    ["copy.db"],
  );
  const db = new DatabaseSync(copy, { readOnly: true });
  const events = Number(db.prepare("SELECT count(*) AS n FROM event").get()?.["n"]);
  db.close();
  assert.ok(events >= before && events <= committed, `${events} events in the copy, ${before} before it`);
});

for (const [size, events] of [
  ["of one portion", 10],
  ["of many portions", 20_000],
] as const)
  test(`a copy ${size} is of the moment its caller looked elsewhere: nothing is committed meanwhile, and all goes on behind it`, async () => {
    const copy = join(root, `still-${events}.db`);
    await using store = await openTestStore(newFolder());
    const { handle } = await store.open(laneAddress(0), "eventSourced");
    let committed = 0;
    const append = async (count: number): Promise<void> => {
      const [verdict] = await store.commit([step(handle, committed, count)]);
      assert.equal(verdict?.is, "committed");
      committed += count;
    };
    while (committed < events) await append(10);
    let seen = 0;
    let going = true;
    const copied = store
      .backup(copy, {
        whileStill: async () => {
          // The answer to the last commit may still be on its way; more would be commits that were let through.
          seen = committed;
          await new Promise((turns) => setTimeout(turns, 20));
          assert.ok(committed <= seen + 10, `${committed - seen} events were acknowledged meanwhile`);
        },
      })
      .finally(() => (going = false));
    while (going) await append(10);
    await copied;
    await append(10);
    const db = new DatabaseSync(copy, { readOnly: true });
    const stored = Number(db.prepare("SELECT max(sequence) AS n FROM event").get()?.["n"]);
    db.close();
    // What was committed and not yet acknowledged at that moment is in it, too: at most one append.
    assert.ok(stored >= seen && stored <= seen + 10, `${stored} events in the copy, ${seen} at the moment`);
    assert.deepEqual(verify(copy), []);
  });

test("when what is looked at elsewhere fails, so does the copy, and commits go on", async () => {
  const copy = join(root, "not-still.db");
  await using store = await openTestStore(newFolder());
  const { handle } = await store.open(laneAddress(0), "eventSourced");
  await assert.rejects(store.backup(copy, { whileStill: () => Promise.reject(new Error("no topics")) }), /no topics/);
  assert.ok(!existsSync(copy));
  assert.equal((await store.commit([step(handle, 0, 1)]))[0]?.is, "committed");
});

test("an existing file is never overwritten, and a copy that cannot be written leaves nothing", async () => {
  await using store = await openTestStore(newFolder());
  const precious = join(root, "precious");
  writeFileSync(precious, "mine");
  await assert.rejects(store.backup(precious), { code: "unavailable", message: /EEXIST/ });
  assert.equal(statSync(precious).size, 4);
  const nowhere = join(root, "no-such-folder", "x.db");
  await assert.rejects(store.backup(nowhere), { code: "unavailable", message: /ENOENT/ });
  assert.ok(!existsSync(nowhere));
});

test("a store that closes while it is copied says so", async () => {
  const store = await openTestStore(newFolder());
  const { handle } = await store.open(laneAddress(0), "eventSourced");
  for (let sequence = 0; sequence < 20_000; sequence += 1_000) await store.commit([step(handle, sequence, 1_000)]);
  const copying = store.backup(join(root, "cut-off.db"));
  const closed = store[Symbol.asyncDispose]();
  await assert.rejects(copying, { code: "unavailable" });
  await closed;
  await assert.rejects(store.backup(join(root, "late.db")), { code: "unavailable" });
});

test("a stopped store is whole, and looking at it changes nothing", async () => {
  const file = await storedFile();
  const before = statSync(file);
  assert.deepEqual(verify(file), []);
  assert.deepEqual(readdirSync(dirname(file)), ["state.db"]);
  assert.deepEqual([statSync(file).mtimeMs, statSync(file).size], [before.mtimeMs, before.size]);
});

const damages: readonly (readonly [name: string, sql: string, rule: string, what: RegExp])[] = [
  ["an event is gone", "DELETE FROM event WHERE entity = 1 AND sequence = 100", "D3", /test\.Lane\/0: event 101 follows 99/],
  [
    "an event names the wrong one before it",
    "UPDATE event SET previous = 1 WHERE entity = 1 AND sequence = 50",
    "D3",
    /event 50 names position 1 as the one before, which is at 49/,
  ],
  [
    "an offset is missing",
    'UPDATE event SET "offset" = "offset" + 1 WHERE entity = 2 AND sequence > 7',
    "D4",
    /shard \d+: offset 8 follows 6/,
  ],
  ["a head is ahead of its events", "UPDATE entity SET sequence = 601 WHERE id = 1", "D5", /its head says 601, its events say/],
  ["a head is behind what is indexed", "UPDATE entity SET sequence = 1 WHERE id = 2", "D5", /test\.Lane\/2: its head says 1/],
  [
    "a head names the wrong position",
    "UPDATE entity SET last_position = 3 WHERE id = 1",
    "D5",
    /its head says event 600 is at position 3, where it is not/,
  ],
  ["a shard forgot its offsets", "UPDATE shard SET next_offset = 0", "D5", /its next offset is said to be 0/],
  ["a milestone is missing", "DELETE FROM milestone WHERE sequence = 256", "D6", /has 1 of 2 milestones/],
  [
    "a milestone points elsewhere",
    "UPDATE milestone SET position = 7 WHERE sequence = 512",
    "D6",
    /the milestone of event 512 names position 7/,
  ],
  ["a snapshot is of the future", "UPDATE snapshot SET sequence = 11", "D7", /its snapshot is of event 11, its last event is 10/],
  ["an entity is gone", "DELETE FROM entity WHERE id = 2", "D8", /belongs to entity 2, which does not exist/],
  [
    "an entity is in the wrong shard",
    "UPDATE entity SET shard = (shard + 1) % 256 WHERE id = 2",
    "D8",
    /is in shard \d+, it belongs to \d+/,
  ],
  ["a value belongs to nobody", "UPDATE value SET entity = 77", "D8", /a value belongs to entity 77/],
  [
    "a timer belongs to nobody",
    "INSERT INTO timer (entity, name, shard, due, schedule, command, type_url, payload) VALUES (99, 'n', 0, 0, '', 'c', '', x'')",
    "D8",
    /a row of timer belongs to entity 99/,
  ],
  [
    "a group is ahead",
    "INSERT INTO cursor VALUES ('g', -1, 0, 9999)",
    "D9",
    /consumer group g is at position 9999, the newest there ever was is 610/,
  ],
  [
    "a group is ahead in a shard",
    "INSERT INTO cursor VALUES ('g', -1, 0, 1); INSERT INTO cursor VALUES ('g', 3, 700, 1)",
    "D9",
    /consumer group g is at offset 700 of shard 3, whose next is \d+/,
  ],
  ["it is somebody else's", "PRAGMA application_id = 7", "D2", /another program \(application_id 7\)/],
  ["it is of the future", "PRAGMA user_version = 99", "D2", /has layout 99/],
];

for (const [name, sql, rule, what] of damages) {
  test(`damage is named: ${name}`, async () => {
    const file = await storedFile();
    const db = new DatabaseSync(file);
    db.exec(sql);
    db.close();
    const findings = verify(file);
    assert.ok(
      findings.some((finding) => finding.rule === rule && what.test(finding.what)),
      JSON.stringify(findings),
    );
  });
}

test("damage is named: a page of the file was overwritten, the file was cut, it is no database at all", async () => {
  const overwritten = await storedFile();
  const descriptor = openSync(overwritten, "r+");
  writeSync(descriptor, Buffer.alloc(4_096, 0x5a), 0, 4_096, 4_096 * 5);
  closeSync(descriptor);
  assert.equal(verify(overwritten)[0]?.rule, "D1");
  const cut = await storedFile();
  truncateSync(cut, 4_096 * 7);
  assert.equal(verify(cut)[0]?.rule, "D1");
  const text = join(root, "text.db");
  writeFileSync(text, "this is no database".repeat(1_000));
  assert.match(JSON.stringify(verify(text)), /D1.*not a database/);
  assert.match(JSON.stringify(verify(join(root, "absent.db"))), /D1.*unable to open/);
});
