/**
 * Runs mixed trials for as long as wanted (mixed.ts):
 *
 *     node tests/crash/main.ts --trials 1000 --seed 7
 *     node tests/crash/main.ts --trials 1 --seed 4711      one again
 *
 * Prints progress, and for each failing trial its seed with the command that repeats it. Exit code 1 when one failed.
 */
import { parseArgs } from "node:util";
import { runMixed } from "./mixed.ts";

const { values } = parseArgs({ options: { trials: { type: "string", default: "100" }, seed: { type: "string", default: "1" } } });
const startedMs = performance.now();
const { failures, acknowledged, unanswered, faults } = await runMixed(Number(values.trials), Number(values.seed), (line) =>
  console.log(line),
);
console.log(
  `${values.trials} trials, ${String(failures.length)} failed; ${String(acknowledged)} commands acknowledged, ${String(unanswered)} without an answer, ` +
    `${JSON.stringify(faults)}, ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
