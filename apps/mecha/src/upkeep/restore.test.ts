/** Backups as folders: described, read back with every kind of damage named, and put back whole wherever it is cut off. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { StateFile } from "@mecha/store-sqlite";
import { manifestName, readManifest, writeManifest } from "./manifest.ts";
import { backupTarget, place } from "./place.ts";
import { decidedName, finishRestore, putBack, restoringName } from "./restore.ts";

const root = mkdtempSync(join(tmpdir(), "mecha-restore-"));
after(() => rmSync(root, { recursive: true }));
let folders = 0;

/** A folder with files; what is in them says whose they are. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = join(root, `f${folders++}`);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const about = { project: "shop", wallMs: Date.UTC(2026, 10, 20) };
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.endsWith(".db") || name.endsWith("-wal"))
      .map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );

async function backupOf(files: Readonly<Partial<Record<StateFile, string>>>): Promise<string> {
  const folder = folderOf(files);
  await writeManifest(folder, Object.keys(files) as StateFile[], about);
  return folder;
}

test("a backup says what is in it and what was not there", async () => {
  const folder = await backupOf({ "state.db": "s", "control.db": "oo" });
  const { files, absent, project, time } = await readManifest(folder);
  assert.deepEqual(
    [files.map(({ name, bytes }) => [name, bytes]), absent],
    [
      [
        ["state.db", 1],
        ["control.db", 2],
      ],
      ["topics.db"],
    ],
  );
  assert.deepEqual([project, time], ["shop", "2026-11-20T00:00:00.000Z"]);
});

const damages: readonly (readonly [name: string, damage: (folder: string) => void, says: RegExp])[] = [
  ["it was cut off before its end", (f) => rmSync(join(f, manifestName)), /is no finished backup: it has no backup\.json/],
  ["a file is missing", (f) => rmSync(join(f, "topics.db")), /topics\.db is missing/],
  ["a file was cut", (f) => truncateSync(join(f, "state.db"), 3), /state\.db has 3 bytes, it was written with 5/],
  ["a byte is another", (f) => writeFileSync(join(f, "state.db"), "stat!"), /state\.db is not what was written: its SHA-256 differs/],
  ["its description was cut", (f) => truncateSync(join(f, manifestName), 20), /backup\.json is no JSON/],
  [
    "it is newer",
    (f) => writeFileSync(join(f, manifestName), '{"format":2,"mecha":"9.9"}'),
    /format 2 is newer than 1; use the version .*9\.9/,
  ],
  ["it describes something else", (f) => writeFileSync(join(f, manifestName), "[]"), /describes no backup/],
  [
    "it names a file outside",
    (f) => writeFileSync(join(f, manifestName), '{"format":1,"files":[{"name":"../x","bytes":1}],"absent":[]}'),
    /"\.\.\/x" is no file of a state/,
  ],
];
for (const [name, damage, says] of damages)
  test(`a backup is refused: ${name}`, async () => {
    const folder = await backupOf({ "state.db": "state", "topics.db": "t" });
    damage(folder);
    await assert.rejects(readManifest(folder), says);
  });

/** A state before: one file the backup has, too, one it has not, and none of the third. The WAL is one nobody can merge, as the file is no database. */
const old = { "state.db": "old state", "state.db-wal": "old wal", "topics.db": "old topics" };
const fresh = { "state.db": "new state", "control.db": "new objects" };

async function restored(stateFolder: string): Promise<Parameters<typeof putBack>[0]> {
  const backup = await backupOf(fresh);
  assert.ok(stateFolder !== backup);
  return { files: (["state.db", "control.db"] as const).map((name) => ({ name, path: join(backup, name) })), absent: ["topics.db"] };
}

test("all files of the state are those of the backup then, and those before are kept", async () => {
  const state = folderOf(old);
  const aside = putBack(await restored(state), state, about.wallMs) ?? "";
  assert.deepEqual([contents(state), contents(aside)], [fresh, old]);
  assert.deepEqual(readdirSync(state).sort(), ["before-restore-20261120T000000Z", "control.db", "state.db"]);
  // What is kept can be put back, but for the file whose WAL could not be merged.
  const { files, absent } = await readManifest(aside);
  assert.deepEqual([files.map(({ name }) => name), absent], [["topics.db"], ["control.db"]]);
  const empty = folderOf({});
  assert.equal(putBack(await restored(empty), empty, about.wallMs), undefined);
  assert.deepEqual(contents(empty), fresh);
});

test("two restores in one second keep both states before", async () => {
  const state = folderOf({ "state.db": "first", "topics.db": "first topics" });
  const asides = [putBack(await restored(state), state, about.wallMs) ?? "", putBack(await restored(state), state, about.wallMs) ?? ""];
  assert.deepEqual(asides.map(contents), [{ "state.db": "first", "topics.db": "first topics" }, fresh]);
  assert.deepEqual(contents(state), fresh);
});

test("a state.db alone replaces that one and leaves the others", async () => {
  const state = folderOf({ "state.db": "old", "topics.db": "topics" });
  const { files } = await restored(state);
  putBack({ files: files.slice(0, 1), absent: [] }, state, about.wallMs);
  assert.deepEqual(contents(state), { "state.db": "new state", "topics.db": "topics" });
});

test("cut off anywhere, a restore leaves the state before until it is decided, and is finished from then on", async () => {
  const cut = new Error("power cut");
  let cuts = 0;
  for (let at = 0; ; at++) {
    const state = folderOf(old);
    // As after `putBack` was cut off right behind its decision.
    mkdirSync(join(state, decidedName));
    for (const [name, content] of Object.entries(fresh)) writeFileSync(join(state, decidedName, name), content);
    const plan = { aside: "before-restore-x", time: "", comes: ["state.db", "control.db"], goes: ["topics.db"] };
    writeFileSync(join(state, decidedName, "restore.json"), JSON.stringify(plan));
    let left = at;
    const done = (): void => {
      if (left-- === 0) throw cut;
    };
    try {
      finishRestore(state, done);
    } catch (error) {
      assert.equal(error, cut);
      cuts++;
      finishRestore(state);
    }
    assert.deepEqual([contents(state), contents(join(state, "before-restore-x"))], [fresh, old], `cut off after change ${at}`);
    assert.ok(!existsSync(join(state, decidedName)));
    if (left >= 0) break;
  }
  assert.ok(cuts >= 7, `${cuts} cuts`);
  // Before the decision: nothing has happened but a copy that the next restore removes.
  const state = folderOf(old);
  mkdirSync(join(state, restoringName));
  assert.equal(finishRestore(state), undefined);
  assert.deepEqual(contents(state), old);
});

test("a backup overwrites nothing, neither file nor folder nor backup", async () => {
  const backup = await backupOf(fresh);
  assert.throws(() => backupTarget(backup, "shop", 0), { code: "alreadyExists", message: /is a backup/ });
  assert.throws(() => backupTarget(join(backup, "state.db"), "shop", 0), { code: "alreadyExists" });
  assert.throws(() => backupTarget(join(root, "a/b/c"), "shop", 0), { code: "notFound" });
  const inside = backupTarget(folderOf({}), "shop", about.wallMs);
  assert.match(inside, /\/shop-20261120T000000Z$/);
  place(backup, inside);
  assert.deepEqual(contents(inside), fresh);
  assert.ok(!existsSync(backup));
  assert.throws(() => place(inside, root), { code: "alreadyExists" });
});
