/**
 * Runs the tests of the repository with node:test. Arguments:
 *   path parts             only test files whose path contains one of them (default: all)
 *   --without=<part>       leave out files whose path contains it
 *   --test-…               node's own flags, handed on
 * Static checks are tests too (tests/guards/static.test.ts), so a run of everything is the word on the whole tree, and the runner's
 * summary is the last thing printed. Results go to .cache/test-results.json as well, for scripts/runs-today.ts.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "./checks.ts";

const args = process.argv.slice(2);
const without = args.filter((arg) => arg.startsWith("--without=")).map((arg) => arg.slice("--without=".length));
const flags = args.filter((arg) => arg.startsWith("--") && !arg.startsWith("--without="));
const parts = args.filter((arg) => !arg.startsWith("--"));
const folders = "{packages,dialects,adapters,apps,sdk,examples,conformance,tests,scripts}";
const files = globSync(`${folders}/**/*.test.ts`, { cwd: root, exclude: (path) => /(^|\/)(node_modules|dist|\.mecha)(\/|$)/.test(path) })
  .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
  .filter((file) => !without.some((part) => file.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${parts.join(" ")}`);
  process.exit(1);
}

/** A partial run must not replace the results of a full one. */
const results = join(root, ".cache", parts.length === 0 ? "test-results.json" : "test-results-part.json");
mkdirSync(join(root, ".cache"), { recursive: true });
const reporters = [
  ...(flags.some((flag) => flag.startsWith("--test-reporter=")) ? [] : ["--test-reporter=spec"]),
  "--test-reporter-destination=stdout",
  `--test-reporter=${join(root, "scripts/results-reporter.ts")}`,
  `--test-reporter-destination=${results}`,
];
const ended = spawnSync(process.execPath, ["--test", "--test-concurrency=2", ...flags, ...reporters, ...files], {
  stdio: "inherit",
  cwd: root,
  // Each test file is a process of its own; with the compiled code of the others kept, they take a fifth less CPU.
  env: { ...process.env, NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? join(root, ".cache", "compiled") },
});
if (ended.error) console.error(ended.error.message);
process.exit(ended.status ?? 1);
