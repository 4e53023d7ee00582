/** `kill -9` while objects are written: no acknowledged write is lost, no revision is given twice. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SeededRandom } from "@mecha/kit/testing";
import { openSqliteObjectLog } from "./log.ts";

const rounds = Number(process.env.MECHA_CRASH_ROUNDS ?? 8);
const seed = Number(process.env.MECHA_SEED ?? Date.now() % 100_000);
const writer = new URL("../testing/object-writer.ts", import.meta.url).pathname;

interface Acknowledged {
  readonly key: string;
  readonly revision: number;
  readonly value: string | undefined;
}

test(`acknowledged objects survive kill -9, ${rounds} rounds on one file, seed ${seed}`, { timeout: 120_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), "mecha-objects-"));
  const random = new SeededRandom(seed);
  const newest = new Map<string, Acknowledged>();
  const revisions = new Set<number>();
  try {
    for (let round = 0; round < rounds; round++) {
      for (const ack of await writeAndKill(dir, seed + round, 1 + random.below(400))) {
        assert.ok(!revisions.has(ack.revision), `revision ${ack.revision} was given twice`);
        revisions.add(ack.revision);
        if ((newest.get(ack.key)?.revision ?? 0) < ack.revision) newest.set(ack.key, ack);
      }
      await check(dir, newest);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

async function writeAndKill(dir: string, childSeed: number, enough: number): Promise<Acknowledged[]> {
  const child = spawn(process.execPath, [writer, dir, String(childSeed)], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  let acks = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    acks += chunk.split("\n").length - 1;
    if (acks >= enough) child.kill("SIGKILL");
  });
  await once(child, "close");
  // A line the kill cut short acknowledges nothing.
  const lines = output.slice(0, output.lastIndexOf("\n")).split("\n");
  return lines.map((line) => {
    const [, key = "", revision, value] = line.split(" ");
    return { key, revision: Number(revision), value: value || undefined };
  });
}

/** What stands there is what was acknowledged last, or a later write whose acknowledgement the kill swallowed. */
async function check(dir: string, newest: Map<string, Acknowledged>): Promise<void> {
  await using log = await openSqliteObjectLog({ dir });
  const { revision, objects } = await log.load();
  const stored = new Map(objects.map((object) => [object.key, object]));
  const changes = await log.changesAfter(log.compactedRevision, 100_000);
  for (const ack of newest.values()) {
    assert.ok(ack.revision <= revision, `revision ${ack.revision} of ${ack.key} was acknowledged; the log ends at ${revision}`);
    const found = stored.get(ack.key);
    if (found?.revision === ack.revision) assert.equal(found.value, ack.value);
    else if (found) assert.ok(found.revision > ack.revision, `${ack.key} went back`);
    else
      assert.ok(ack.value === undefined || changes.some(({ key, value }) => key === ack.key && value === undefined), `${ack.key} is lost`);
  }
  // From here on what is there counts, whether it was acknowledged or not: it was seen.
  for (const key of newest.keys()) if (!stored.has(key)) newest.delete(key);
  for (const object of objects) newest.set(object.key, object);
  const numbers = changes.map((change) => change.revision);
  assert.deepEqual(
    numbers,
    Array.from({ length: revision - log.compactedRevision }, (_, i) => log.compactedRevision + 1 + i),
  );
}
