import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SeededRandom } from "@mecha/kit/testing";
import type { StateFile } from "@mecha/store-sqlite";
import { Backups } from "./backups.ts";

const root = mkdtempSync(join(tmpdir(), "mecha-backups-"));
after(() => rmSync(root, { recursive: true }));

test("one backup at a time, told of until the next; what an earlier run left is removed", async () => {
  mkdirSync(join(root, "backup"));
  writeFileSync(join(root, "backup/left.db"), "");
  const copies: {
    readonly folder: string;
    readonly end: PromiseWithResolvers<readonly StateFile[]>;
    readonly progress: (pages: number, of: number) => void;
  }[] = [];
  const copy = (folder: string, progress: (pages: number, of: number) => void): Promise<readonly StateFile[]> => {
    const end = Promise.withResolvers<readonly StateFile[]>();
    copies.push({ folder, end, progress });
    return end.promise;
  };
  const backups = new Backups(root, copy, new SeededRandom(1));
  assert.ok(!existsSync(join(root, "backup")));
  const first = await backups.begin();
  assert.equal(statSync(join(root, "backup")).mode & 0o777, 0o700);
  copies[0]?.progress(3, 10);
  assert.deepEqual(backups.get(first.id), { id: first.id, state: "copying", pages: 3, of: 10 });
  await assert.rejects(backups.begin(), { code: "exhausted" });
  assert.equal(statSync(copies[0]?.folder ?? "").mode & 0o777, 0o700);
  copies[0]?.end.resolve(["state.db", "control.db"]);
  await copies[0]?.end.promise;
  assert.deepEqual(backups.get(first.id), { id: first.id, state: "done", folder: copies[0]?.folder, files: ["state.db", "control.db"] });

  const second = await backups.begin();
  assert.notEqual(second.id, first.id);
  assert.throws(() => backups.get(first.id), { code: "notFound" });
  copies[1]?.end.reject(new Error("disk full"));
  await copies[1]?.end.promise.catch(() => undefined);
  assert.deepEqual(backups.get(second.id), { id: second.id, state: "failed", problem: "disk full" });
  assert.ok(!existsSync(copies[1]?.folder ?? ""), "nothing is left of it");
});

test("finished ones that nobody takes away do not pile up", async () => {
  const state = mkdtempSync(join(tmpdir(), "mecha-backups-"));
  after(() => rmSync(state, { recursive: true }));
  const folders: string[] = [];
  const backups = new Backups(state, async (folder) => (folders.push(folder), ["state.db"]), new SeededRandom(1));
  for (let made = 0; made < 5; made++) {
    const { id } = await backups.begin();
    while (backups.get(id).state !== "done") await Promise.resolve();
  }
  assert.deepEqual(
    folders.map((folder) => existsSync(folder)),
    [false, false, false, true, true],
  );
});
