/**
 * Proof at length:
 *
 *     npm run torture -- --trials 1000 --seed 7    short trials with mixed faults (tests/crash/mixed.ts), then ten times as many simulated
 *                                                  schedules (tests/sim); a failing seed is printed with the command that repeats it
 *     npm run torture -- --kills 500 --seed 7      the kill tests of `npm test`, which kill 50 times there
 *     npm run torture -- --planted --seed 7        bugs planted in real processes, each of which the judges must see
 *
 * A seed repeats a run's choices; without one it is 1.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./checks.ts";

/** Schedules simulated for each trial with real processes: they take some ms instead of some 100. */
const schedulesPerTrial = 10;

const { values: given } = parseArgs({
  options: {
    trials: { type: "string" },
    kills: { type: "string" },
    planted: { type: "boolean" },
    seed: { type: "string", default: "1" },
  },
});
const { planted = false, ...values } = given;
for (const [name, value] of Object.entries(values)) {
  if (/^\d{1,9}$/.test(value)) continue;
  console.error(`--${name}: expected a whole number, got "${value}"`);
  process.exit(2);
}

function node(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): boolean {
  const ended = spawnSync(process.execPath, [join(root, script), ...args], {
    stdio: "inherit",
    cwd: root,
    env: { ...process.env, ...env },
  });
  return ended.status === 0;
}

const { seed, trials = values.kills === undefined && !planted ? "100" : undefined, kills } = values;
const results: boolean[] = [];
if (trials !== undefined) {
  results.push(node("tests/crash/main.ts", ["--trials", trials, "--seed", seed]));
  if (Number(trials) > 1) results.push(node("tests/sim/main.ts", ["--trials", String(Number(trials) * schedulesPerTrial), "--seed", seed]));
}
if (kills !== undefined) {
  const env = { MECHA_CRASH_KILLS: kills, MECHA_CRASH_ROUNDS: kills, MECHA_CRASH_SEED: seed, MECHA_SEED: seed };
  results.push(node("scripts/test.ts", ["crash.test.ts"], env));
}
if (planted) results.push(node("scripts/test.ts", ["planted.test.ts"], { MECHA_CRASH_PLANTED: "all", MECHA_CRASH_SEED: seed }));
process.exit(results.every(Boolean) ? 0 : 1);
