/**
 * Everything that can be done to Mecha and its function from outside, in short trials: kills, stops, copies of the stopped database, a full disk, a
 * failing disk. MECHA_CRASH_SEED repeats a run's choices; `npm run torture -- --trials N` runs more.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { skipUnless } from "../support/skip.ts";
import { runMixed } from "./mixed.ts";

const trials = 100;
const seed = Number(process.env["MECHA_CRASH_SEED"] ?? 20_261_120);
const skip = skipUnless("strace") || skipUnless("prlimit");

test(`${String(trials)} short trials with mixed faults: kills, stops, copies, a full disk, a failing disk`, { skip }, async (t) => {
  const result = await runMixed(trials, seed, (line) => t.diagnostic(line));
  t.diagnostic(
    `${String(result.acknowledged)} acknowledged, ${String(result.unanswered)} without an answer, ${JSON.stringify(result.faults)}`,
  );
  assert.deepEqual(result.failures, []);
  assert.ok(result.acknowledged > trials * 5, "the clients got work done");
});
