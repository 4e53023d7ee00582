/**
 * Runs the property tests again and again, each round from new seeds, until a time is over or one fails: `npm run fuzz -- 30m packages/wire`.
 * The first argument is the time (default 5m), the others choose test files by path. A failure prints its seed and the smallest input
 * found; that input becomes a test of its own before it is mended.
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatDuration, minute, parseDuration } from "@mecha/kit";
import { root } from "./checks.ts";

const [first = "", ...rest] = process.argv.slice(2);
const givenMs = parseDuration(first);
const untilMs = performance.now() + (givenMs ?? 5 * minute);
const parts = givenMs !== undefined || first === "" ? rest : [first, ...rest];
const files = globSync("{packages,dialects,adapters,apps,sdk,conformance,tests}/**/*.test.ts", {
  cwd: root,
  exclude: (path) => path.includes("node_modules"),
})
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .filter((file) => readFileSync(join(root, file), "utf8").includes('"fast-check"'))
  .sort();
if (files.length === 0) {
  console.error(`no property test matches ${parts.join(" ")}`);
  process.exit(1);
}

let rounds = 0;
do {
  const args = ["--import", join(root, "scripts/fuzz-setup.ts"), "--test", "--test-reporter=dot", "--test-concurrency=2", ...files];
  const ended = spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"], cwd: root });
  rounds++;
  if (ended.status !== 0) {
    console.error(`failed in round ${rounds}; the seed and the smallest input are above`);
    process.exit(1);
  }
} while (performance.now() < untilMs);
console.log(`${rounds} rounds of ${files.length} files in ${formatDuration(givenMs ?? 5 * minute)}, nothing found`);
