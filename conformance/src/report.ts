/** What came of a run, for people, for programs and for CI systems. Pure. */
import type { CaseResult } from "./kit/run.ts";

export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function totalsOf(results: readonly CaseResult[]): Totals {
  const failed = results.filter(({ failure }) => failure !== undefined).length;
  const skipped = results.filter((result) => result.skipped !== undefined).length;
  return { passed: results.length - failed - skipped, failed, skipped };
}

/** One case, a line; what it found below. */
export function resultLines({ id, group, name, durationMs, failure, skipped }: CaseResult): string {
  const word = failure !== undefined ? "FAIL" : skipped !== undefined ? "skip" : "ok  ";
  const line = `${word} ${id.padEnd(5)} ${group}: ${name} (${Math.round(durationMs)} ms)\n`;
  const detail = failure ?? skipped;
  return detail === undefined ? line : line + detail.replace(/^/gm, "           ") + "\n";
}

/** The last line. */
export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

/** One JSON document. `outcome` is `passed`, `failed` or `skipped`; times are ms. */
export function jsonReport(kind: "model" | "proxy", results: readonly CaseResult[]): unknown {
  const cases = results.map(({ id, group, name, durationMs, failure, skipped }) => {
    const outcome = failure !== undefined ? "failed" : skipped !== undefined ? "skipped" : "passed";
    const detail = failure ?? skipped;
    return { id, group, name, outcome, durationMs: Math.round(durationMs), ...(detail !== undefined && { detail }) };
  });
  return { kind, ...totalsOf(results), cases };
}

/** JUnit XML, as CI systems read it: a suite for each group, times in seconds. */
export function junitReport(kind: "model" | "proxy", results: readonly CaseResult[]): string {
  const groups = Map.groupBy(results, ({ group }) => group);
  const suites = [...groups].map(([group, all]) => {
    const { failed, skipped } = totalsOf(all);
    const head = `  <testsuite ${attributes({ name: `${kind}: ${group}`, tests: all.length, failures: failed, errors: 0, skipped, time: seconds(all) })}>\n`;
    return `${head}${all.map(junitCase).join("")}  </testsuite>\n`;
  });
  const { failed } = totalsOf(results);
  const root = attributes({ name: `cloudstate tck, ${kind} cases`, tests: results.length, failures: failed, time: seconds(results) });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${root}>\n${suites.join("")}</testsuites>\n`;
}

function junitCase(result: CaseResult): string {
  const { id, group, name, failure, skipped } = result;
  const head = `    <testcase ${attributes({ classname: group, name: `${id} ${name}`, time: seconds([result]) })}`;
  if (failure !== undefined) {
    const [first = ""] = failure.split("\n");
    return `${head}>\n      <failure ${attributes({ message: first })}>${escaped(failure)}</failure>\n    </testcase>\n`;
  }
  if (skipped !== undefined) return `${head}>\n      <skipped ${attributes({ message: skipped })}/>\n    </testcase>\n`;
  return `${head}/>\n`;
}

function seconds(results: readonly CaseResult[]): string {
  return (results.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1_000).toFixed(3);
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${escaped(String(value))}"`)
    .join(" ");
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Characters XML 1.0 cannot hold become U+FFFD: a failure may quote bytes of anybody's. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"]/gu, (character) => entities[character] ?? character)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udfff]/gu, "\ufffd");
}
