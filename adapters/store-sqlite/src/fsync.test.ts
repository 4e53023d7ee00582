/**
 * An acknowledgement follows an fdatasync that covers it. kill -9 cannot show this, as the page cache survives it: the system calls are looked at.
 * The same check must object when durability is `relaxed`, else it proves nothing.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Appender } from "./testing/history.ts";

const strace = spawnSync("strace", ["-V"]).status === 0 ? undefined : "strace is not installed";

for (const { durability, covered } of [
  { durability: "full", covered: true },
  { durability: "relaxed", covered: false },
] as const)
  test(
    `with durability ${durability} acknowledgements ${covered ? "follow" : "do not wait for"} an fdatasync of the WAL`,
    { timeout: 120_000, skip: strace },
    async () => {
      const dir = mkdtempSync(join(tmpdir(), "mecha-fsync-"));
      const trace = join(dir, "trace");
      try {
        // Long enough strings that the mark of every event in a page is seen; -y names the file of each descriptor.
        const wrap = ["strace", "-f", "-y", "-s", "9000", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o", trace];
        const appender = Appender.start({ dir, lanes: 6, seed: 1, steps: 200, bytes: 60, durability }, wrap);
        await appender.says("done");
        assert.equal(await appender.finish(), 0);
        const { acknowledged, early } = judge(readFileSync(trace, "latin1"));
        assert.equal(acknowledged, appender.acknowledged);
        assert.ok(acknowledged >= 190, `${acknowledged} acknowledgements seen`);
        if (covered) assert.deepEqual(early, []);
        else assert.ok(early.length > acknowledged / 2, `only ${early.length} of ${acknowledged} came early`);
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  );

/** Follows each event's mark: written to the WAL, covered by an fdatasync that began later, acknowledged. */
function judge(trace: string): { acknowledged: number; early: string[] } {
  const written = new Set<string>();
  const durable = new Set<string>();
  const syncing = new Map<string, readonly string[]>();
  const early: string[] = [];
  // A full pipe refuses the write, and it is tried again: the first try is the moment that counts.
  const acknowledged = new Set<string>();
  for (const line of trace.split("\n")) {
    const thread = line.split(" ", 1)[0] ?? "";
    if (/ pwrite64\(\d+<[^>]*-wal>/.test(line)) for (const [mark] of line.matchAll(/<\d+\/\d+>/g)) written.add(mark);
    if (/ f(data)?sync\(\d+<[^>]*-wal>/.test(line)) syncing.set(thread, [...written]);
    if (/f(data)?sync(\(| resumed).*= 0$/.test(line)) {
      for (const mark of syncing.get(thread) ?? []) durable.add(mark);
      syncing.delete(thread);
    }
    for (const [, lane, sequence] of line.matchAll(/ write\(1<[^>]*>, "ack (\d+) (\d+)\\n"/g)) {
      const step = `${lane}/${sequence}`;
      if (!acknowledged.has(step) && !durable.has(`<${step}>`)) early.push(step);
      acknowledged.add(step);
    }
  }
  return { acknowledged: acknowledged.size, early };
}
