/** What an oracle run found, for people and as JUnit. Pure. */
import type { Accepted, Difference } from "./diff.ts";

export interface CaseResult {
  readonly name: string;
  /** Answers and notes compared. */
  readonly compared: number;
  readonly open: readonly Difference[];
  /** Differences the table lists. */
  readonly known: number;
  /** The case itself failed: on which server, and how. */
  readonly failed?: string;
  readonly tookMs: number;
}

export interface RunResult {
  /** Of the real server. */
  readonly version: string;
  readonly cases: readonly CaseResult[];
  /** Listed, and no more there. Empty when only some cases ran. */
  readonly unused: readonly Accepted[];
}

/** Characters of one side of a difference that are shown: a whole object says less than its beginning. */
const shownMax = 600;

export function caseText({ name, open, failed }: CaseResult): string {
  const lines = open.map(
    ({ where, real, ours }) => `  ${where.slice(name.length + 3)}\n    real  ${shown(real)}\n    ours  ${shown(ours)}`,
  );
  return [`✖ ${name}`, ...(failed === undefined ? [] : [`  ${failed.replaceAll("\n", "\n  ")}`]), ...lines].join("\n");
}

export function summary({ version, cases, unused }: RunResult): string {
  const bad = cases.filter(isBad).length;
  const sum = (of: (each: CaseResult) => number): number => cases.reduce((total, each) => total + of(each), 0);
  return [
    ...unused.map(({ where, reason }) => `listed and no more there: ${String(where)} (${reason})`),
    `beside kube-apiserver ${version}: ${cases.length} cases, ${sum(({ compared }) => compared)} answers compared; ` +
      `${bad} cases differ in ${sum(({ open }) => open.length)} places nobody listed, ${sum(({ known }) => known)} differences are meant`,
  ].join("\n");
}

export function isBad({ open, failed }: CaseResult): boolean {
  return open.length > 0 || failed !== undefined;
}

export function junit({ version, cases, unused }: RunResult): string {
  const tests = cases.map((each) => {
    const head = `<testcase classname="oracle" name="${xml(each.name)}" time="${(each.tookMs / 1000).toFixed(3)}"`;
    return isBad(each) ? `${head}><failure message="differs">${xml(caseText(each))}</failure></testcase>` : `${head}/>`;
  });
  const stale = unused.map(
    ({ where, reason }) =>
      `<testcase classname="oracle.accepted" name="${xml(String(where))}"><failure message="no more there">${xml(reason)}</failure></testcase>`,
  );
  const all = [...tests, ...stale];
  const failures = cases.filter(isBad).length + unused.length;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="oracle kube-apiserver ${xml(version)}" tests="${all.length}" failures="${failures}">\n${all.join("\n")}\n</testsuite>\n`;
}

function shown(value: unknown): string {
  const text = value === undefined ? "(not there)" : JSON.stringify(value);
  return text.length > shownMax ? `${text.slice(0, shownMax)}… (${text.length} characters)` : text;
}

function xml(text: string): string {
  // Control characters cannot stand in XML 1.0 at all.
  const clean = text.replaceAll(/[^\t\n\r\x20-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "?");
  return clean.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
