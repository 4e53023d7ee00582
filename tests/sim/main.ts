/**
 * Runs seeded schedules of the engine (world.ts) and says which fail:
 *
 *     node tests/sim/main.ts --trials 10000 --seed 1      ten thousand schedules
 *     node tests/sim/main.ts --trials 1 --seed 4711       one again
 *
 * A program of its own, as the test runner follows every promise, which makes a schedule five times slower. Exit code 1 when one failed.
 */
import { parseArgs } from "node:util";
import { type Outcome, type Planted, runWorld } from "./world.ts";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    planted: { type: "string", multiple: true, default: [] },
    except: { type: "string", multiple: true, default: [] },
  },
});
/** Bugs in the world, for planted.test.ts: names of `Planted`. */
const planted: Planted = Object.fromEntries(values.planted.map((name) => [name, true]));
/** Rules that a planted bug may break: what is left must hold all the same. */
const excepted = (problem: string): boolean => values.except.some((rule) => problem.startsWith(`${rule}:`));
const first = Number(values.seed);
const trials = Number(values.trials);
/** Failures shown before the run is given up; one is enough to work with. */
const failuresMax = values.planted.length > 0 ? 1 : 5;
/** Schedules between two lines of progress. */
const progressEvery = 1_000;

let failures = 0;
let acknowledged = 0;
let refused = 0;
let unanswered = 0;
const faults: Record<string, number> = {};

function add(outcome: Outcome): void {
  acknowledged += outcome.acknowledged;
  refused += outcome.refused;
  unanswered += outcome.unanswered;
  for (const [fault, count] of Object.entries(outcome.faults)) faults[fault] = (faults[fault] ?? 0) + count;
}

/** A broken assertion of ours or of the engine's may surface anywhere: it belongs to the schedule that runs. */
let running = first;
process.on("uncaughtException", (error) => {
  console.log(
    `seed ${String(running)}: ${error.stack ?? error.message}\n  again: node tests/sim/main.ts --trials 1 --seed ${String(running)}`,
  );
  process.exit(1);
});

for (running = first; running < first + trials && failures < failuresMax; running++) {
  const outcome = await runWorld(running, planted);
  await new Promise(setImmediate); // lets a rejection that nobody handles surface while it is known whose it is
  add(outcome);
  const problems = outcome.problems.filter((problem) => !excepted(problem));
  if (problems.length > 0) {
    failures++;
    console.log(`seed ${String(running)}: ${problems.slice(0, 4).join("\n  ")}`);
    console.log(`  again: node tests/sim/main.ts --trials 1 --seed ${String(running)}`);
  }
  if ((running - first + 1) % progressEvery === 0) console.log(`${String(running - first + 1)} schedules, ${String(failures)} failed`);
}
console.log(
  `${String(running - first)} schedules, ${String(failures)} failed; ${String(acknowledged)} operations acknowledged, ` +
    `${String(refused)} refused, ${String(unanswered)} without an answer; ${JSON.stringify(faults)}`,
);
process.exitCode = failures > 0 ? 1 : 0;
