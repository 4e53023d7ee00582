/**
 * `kill -9` of Mecha and of the user function at random points, under load, beside 20,000 active entities: no acknowledged command is lost,
 * none is applied twice, order and real time are kept, and no process outlives its Mecha. Commands with an idempotency key that are asked until they
 * are answered happen exactly once, and so does the effect of each append on its mirror.
 *
 * MECHA_CRASH_SEED repeats a run's choices, MECHA_CRASH_KILLS=N runs longer (`npm run torture -- --kills N`).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@mecha/kit/testing";
import { tempDir } from "../support/files.ts";
import { runTrial } from "./trial.ts";

const kills = Number(process.env["MECHA_CRASH_KILLS"] ?? 50);
const seed = Number(process.env["MECHA_CRASH_SEED"] ?? 20_261_120);

test(`${String(kills)} kills at random points lose nothing that was acknowledged, repeat nothing, and leave no orphan`, async (t) => {
  t.diagnostic(`seed ${String(seed)}`);
  await using dir = await tempDir("crash");
  const result = await runTrial({
    stateDir: dir.path,
    random: new SeededRandom(seed),
    kills,
    ledgers: 40,
    registers: 10,
    bells: 4,
    counters: 3,
    clients: 16,
    bystanders: 20_000,
    report: (line) => t.diagnostic(line),
  });
  t.diagnostic(
    `${String(result.acknowledged)} acknowledged, ${String(result.unanswered)} without an answer, ${String(result.repeated)} asked again, ` +
      `${String(result.killsOfMecha)} kills of mecha, ${String(result.killsOfFunction)} of the function`,
  );
  assert.deepEqual(result.breaches, [], `seed ${String(seed)}`);
  assert.deepEqual(result.orphans, []);
  assert.ok(result.acknowledged > kills, "the clients got work done between the kills");
  assert.ok(result.repeated > 0, "some commands were cut off and asked again");
});
