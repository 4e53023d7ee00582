/**
 * Generates the "runs today" table of README.md from claims and test results, so that the page never promises what no test has shown.
 *
 * docs/runs-today.json holds the claims: what runs, the tests that prove it, and the foreign program those tests drive it with (`null` when
 * none does; such a claim is not listed). `npm run runs-today` reads the results of the last full `npm test`, refuses a claim whose proof
 * did not pass there, and writes the table between the two markers. tests/guards/runs-today.test.ts fails when the table is stale or a
 * proof is no test of the repository.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "./checks.ts";
import type { TestResult } from "./results-reporter.ts";

/** One row to be. */
export interface Claim {
  /** What a user can do today, in a few words. */
  readonly claim: string;
  /** Tests that show it: file from the root, and the test's whole name. All must have passed. */
  readonly proof: readonly { readonly file: string; readonly test: string }[];
  /** The foreign program in the proof ("grpc-js 1.14, curl"); `null` when there is none yet. */
  readonly foreign: string | null;
  /** What of it does not run yet; empty when nothing is missing. */
  readonly notYet: string;
}

export const claimsFile = "docs/runs-today.json";
export const resultsFile = ".cache/test-results.json";
export const beginMark = "<!-- runs-today:begin -->";
export const endMark = "<!-- runs-today:end -->";

/** The table. A claim without a foreign client is left out. */
export function renderTable(claims: readonly Claim[]): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const rows = claims
    .filter((claim) => claim.foreign !== null)
    .map((claim) => {
      const files = [...new Set(claim.proof.map((proof) => proof.file))].map((file) => `[${file.split("/").at(-1) ?? file}](${file})`);
      return `| ${cell(claim.claim)} | ${files.join(", ")}, with ${cell(claim.foreign ?? "")} | ${cell(claim.notYet)} |`;
    });
  return ["| Runs today | Proven by | Not yet |", "| --- | --- | --- |", ...rows].join("\n");
}

/** What keeps a claim from being made, in words; empty when every proof passed. */
export function unproven(claims: readonly Claim[], results: readonly TestResult[]): string[] {
  return claims.flatMap((claim) => {
    if (claim.proof.length === 0) return [`"${claim.claim}": names no test`];
    return claim.proof.flatMap(({ file, test }) => {
      const runs = results.filter((result) => result.file === file && result.name === test);
      if (runs.length === 0) return [`"${claim.claim}": ${file} has no test "${test}" in the results`];
      return runs.every((run) => run.outcome === "passed")
        ? []
        : [`"${claim.claim}": "${test}" did not pass (${runs.map((run) => run.outcome).join(", ")})`];
    });
  });
}

/** `readme` with the table between the markers. @throws Error when it has no markers. */
export function withTable(readme: string, table: string): string {
  const from = readme.indexOf(beginMark);
  const to = readme.indexOf(endMark);
  if (from < 0 || to < from) throw new Error(`README.md: expected the lines\n${beginMark}\n${endMark}\nwhere the table goes`);
  return `${readme.slice(0, from + beginMark.length)}\n\n${table}\n\n${readme.slice(to)}`;
}

/** The claims as committed. */
export async function readClaims(): Promise<readonly Claim[]> {
  return JSON.parse(await readFile(join(root, claimsFile), "utf8")) as readonly Claim[];
}

async function main(): Promise<void> {
  const claims = await readClaims();
  const text = await readFile(join(root, resultsFile), "utf8").catch(() => undefined);
  if (text === undefined) throw new Error(`${resultsFile} is not there: run npm test first`);
  const problems = unproven(claims, JSON.parse(text) as TestResult[]);
  if (problems.length > 0) throw new Error(`not shown by the last npm test:\n${problems.join("\n")}`);
  const readme = join(root, "README.md");
  await writeFile(readme, withTable(await readFile(readme, "utf8"), renderTable(claims)));
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
}
