/**
 * The crash tests at length: `npm run torture -- --kills 500 --seed 7`. They are the same tests as in `npm test`, which kill 50 times there.
 * A seed repeats a run's choices; without one each test takes its own.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./checks.ts";

const { values } = parseArgs({ options: { kills: { type: "string", default: "500" }, seed: { type: "string" } } });
for (const [name, value] of Object.entries(values)) {
  if (/^\d{1,9}$/.test(value)) continue;
  console.error(`--${name}: expected a whole number, got "${value}"`);
  process.exit(2);
}
const ended = spawnSync(process.execPath, [join(root, "scripts/test.ts"), "crash.test.ts"], {
  stdio: "inherit",
  cwd: root,
  env: {
    ...process.env,
    MECHA_CRASH_KILLS: values.kills,
    MECHA_CRASH_ROUNDS: values.kills,
    ...(values.seed === undefined ? {} : { MECHA_CRASH_SEED: values.seed, MECHA_SEED: values.seed }),
  },
});
process.exit(ended.status ?? 1);
