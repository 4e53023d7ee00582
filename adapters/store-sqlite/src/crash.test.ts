/** `kill -9` at random points, and copies of a stopped store: what was acknowledged is there, and the file is whole. */
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SeededRandom } from "@mecha/kit/testing";
import { Appender, checkHistory } from "./testing/history.ts";

const rounds = Number(process.env.MECHA_CRASH_ROUNDS ?? 24);
const seed = Number(process.env.MECHA_SEED ?? Date.now() % 100_000);

test(`every acknowledged step survives kill -9, ${rounds} rounds on one file, seed ${seed}`, { timeout: 300_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "mecha-crash-"));
  const random = new SeededRandom(seed);
  const acknowledged = new Map<number, number>();
  const begun = new Map<number, number>();
  try {
    for (let round = 0; round < rounds; round++) {
      // A short tail makes heads go to disk all the time, so kills fall on that, too. Every third round it stays in memory.
      const plan = { dir, lanes: 12, seed: seed + round, steps: 1e9, bytes: 300, ...(round % 3 && { tailMax: 16 }) };
      const appender = Appender.start(plan);
      const enough = random.below(600);
      await appender.until(() => appender.acknowledged >= enough);
      await appender.kill();
      for (const [lane, sequence] of appender.highest("ack")) acknowledged.set(lane, sequence);
      for (const [lane, sequence] of appender.highest("go")) begun.set(lane, sequence);
      await checkHistory(dir, acknowledged, begun);
    }
    assert.ok(acknowledged.size > 0, "something was acknowledged");
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a copy of the files of a stopped process has everything acknowledged", { timeout: 60_000 }, async (context) => {
  if (!existsSync("/proc/self/status")) {
    context.skip("needs /proc to see that the process has stopped");
    return;
  }
  const dir = mkdtempSync(join(tmpdir(), "mecha-copy-"));
  try {
    const appender = Appender.start({ dir, lanes: 12, seed: 1, steps: 1e9, bytes: 300, tailMax: 64 });
    for (let copy = 0; copy < 5; copy++) {
      const enough = appender.acknowledged + 300;
      await appender.until(() => appender.acknowledged >= enough);
      appender.process.kill("SIGSTOP");
      await stopped(appender.process.pid ?? 0);
      const to = join(dir, `copy-${copy}`);
      mkdirSync(to);
      for (const name of ["state.db", "state.db-wal"]) copyFileSync(join(dir, name), join(to, name));
      // Everything heard up to here was said before the stop.
      await checkHistory(to, appender.highest("ack"), new Map([...appender.highest("ack").keys()].map((lane) => [lane, Infinity])));
      appender.process.kill("SIGCONT");
    }
    assert.ok(statSync(join(dir, "state.db-wal")).size > 0);
    await appender.kill();
    await checkHistory(dir, appender.highest("ack"), appender.highest("go"));
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** All threads have stopped: a copy taken while one still writes may mix two moments. */
async function stopped(pid: number): Promise<void> {
  const running = (thread: string): boolean => !/^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8"));
  while (readdirSync(`/proc/${pid}/task`).some(running)) await new Promise((turn) => setImmediate(turn));
}
