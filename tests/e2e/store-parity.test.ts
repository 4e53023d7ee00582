/** Any history of steps means the same to every store: random ones, run on the memory store and on SQLite, with closing and opening in between. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { noLog } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { applyHistory, historyOf } from "@mecha/state/contract";
import { openMemoryStore } from "@mecha/store-memory";
import { openSqliteStore } from "@mecha/store-sqlite";

const histories = Number(process.env.MECHA_HISTORIES ?? 12);
const firstSeed = Number(process.env.MECHA_SEED ?? Date.now() % 100_000);

test(`${histories} random histories end the same in memory and in SQLite, seeds from ${firstSeed}`, { timeout: 120_000 }, async () => {
  for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
    const acts = historyOf(new SeededRandom(seed), 60);
    const dir = mkdtempSync(join(tmpdir(), "mecha-parity-"));
    try {
      const open = () => openSqliteStore({ dir, clock: new FakeClock(), log: noLog, random: new SeededRandom(seed) });
      const sqlite = await applyHistory(acts, open, false);
      const memory = await applyHistory(acts, async () => openMemoryStore(), true);
      assert.deepEqual(sqlite, memory, `seed ${seed}`);
      assert.ok(memory.verdicts.flat().some(({ is }) => is === "conflict") && memory.listed.length > 0, "the history shows something");
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
});
