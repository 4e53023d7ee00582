/** Runs every test file of the repository with node:test. Arguments: path parts to select files by, and node's own --test-… flags. */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

const args = process.argv.slice(2);
const flags = args.filter((arg) => arg.startsWith("--"));
const parts = args.filter((arg) => !arg.startsWith("--"));
const roots = "{packages,dialects,adapters,apps,sdk,examples,tests,scripts,conformance}";
const files = globSync(`${roots}/**/*.test.ts`, { exclude: (path) => path.includes("node_modules") }).filter(
  (file) => parts.length === 0 || parts.some((part) => file.includes(part)),
);
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(" ")}`);
  process.exit(1);
}
const run = spawnSync(process.execPath, ["--test", "--test-concurrency=2", ...flags, ...files.sort()], { stdio: "inherit" });
process.exit(run.status ?? 1);
