import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ObjectLog } from "@mecha/machinery";
import { objectLogContract } from "@mecha/machinery/contract";
import { openSqliteObjectLog } from "./log.ts";

const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mecha-control-"));
  folders.push(folder);
  return folder;
}

objectLogContract("sqlite", () => openSqliteObjectLog({ dir: newFolder() }));

const key = (name: string): string => `//configmaps/default/${name}`;

async function writeSome(log: ObjectLog): Promise<void> {
  await Promise.all(["a", "b", "c"].map((name) => log.write({ key: key(name), expected: 0, value: `{"n":"${name}"}` })));
  await log.write({ key: key("a"), expected: 1, value: '{"n":"A"}' });
  await log.write({ key: key("b"), expected: 2, value: undefined });
}

test("what was written is there after a restart, and revisions go on", async () => {
  const dir = newFolder();
  {
    await using log = await openSqliteObjectLog({ dir });
    await writeSome(log);
  }
  await using log = await openSqliteObjectLog({ dir });
  assert.equal(log.revision, 5);
  assert.deepEqual((await log.load()).objects, [
    { key: key("a"), value: '{"n":"A"}', revision: 4 },
    { key: key("c"), value: '{"n":"c"}', revision: 3 },
  ]);
  assert.deepEqual(
    (await log.changesAfter(3, 10)).map(({ revision, previous }) => [revision, previous]),
    [
      [4, '{"n":"a"}'],
      [5, '{"n":"b"}'],
    ],
  );
  assert.deepEqual(await log.write({ key: key("b"), expected: 0, value: "{}" }), { outcome: "written", revision: 6 });
});

test("compacting a deletion that was the newest write gives no revision twice", async () => {
  const dir = newFolder();
  {
    await using log = await openSqliteObjectLog({ dir });
    await writeSome(log);
    await log.compact(5);
  }
  {
    await using log = await openSqliteObjectLog({ dir });
    assert.deepEqual([log.revision, log.compactedRevision], [5, 5]);
    await log.write({ key: key("d"), expected: 0, value: "{}" });
    await log.compact(6);
  }
  await using log = await openSqliteObjectLog({ dir });
  assert.deepEqual([log.revision, log.compactedRevision], [6, 6]);
  assert.deepEqual(
    (await log.load()).objects.map(({ revision }) => revision),
    [4, 3, 6],
  );
});

test("one process holds the file, and it is for this user only", async () => {
  const dir = newFolder();
  await using _log = await openSqliteObjectLog({ dir });
  assert.equal(statSync(join(dir, "control.db")).mode & 0o777, 0o600);
  await assert.rejects(openSqliteObjectLog({ dir }), { code: "unavailable", message: /control\.db is in use by this process/u });
});
