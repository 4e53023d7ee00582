/** What is wrong with an expression, shown with its place as kubectl's users see it: `ERROR: <input>:1:6: …`, the line, and a mark under it. */

export interface Issue {
  readonly message: string;
  /** Offset in the source, in UTF-16 units; `undefined` for the expression as a whole. */
  readonly at: number | undefined;
}

/** Issues of one expression that are told; the rest is counted. */
const maxIssues = 100;
/** Characters of a source line that are shown under its issue. */
const maxLine = 16_384;

/** All issues, in the order of their places. */
export function issuesText(source: string, issues: readonly Issue[]): string {
  const told = issues.slice(0, maxIssues).map((issue) => ({ issue, place: placeOf(source, issue.at) }));
  told.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const texts = told.map(({ issue, place }) => issueText(source, issue.message, place));
  if (issues.length > maxIssues) texts.push(`${String(issues.length - maxIssues)} more errors were truncated`);
  return texts.join("\n");
}

interface Place {
  readonly line: number;
  /** Characters before it on its line. */
  readonly column: number;
}

function placeOf(source: string, at: number | undefined): Place {
  if (at === undefined) return { line: -1, column: -1 };
  const before = source.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: Array.from(before.slice(lineStart)).length };
}

function issueText(source: string, message: string, { line, column }: Place): string {
  const head = `ERROR: <input>:${String(line)}:${String(column + 1)}: ${message}`;
  const text = line < 1 ? undefined : source.split("\n")[line - 1];
  if (text === undefined || text.length > maxLine) return head;
  const shown = Array.from(text.replaceAll("\t", " "));
  // Characters of several bytes get a wide dot, so that the mark stays under its place.
  const dots = shown.slice(0, column).map((char) => (isWide(char) ? "\uff0e" : "."));
  const mark = isWide(shown[column] ?? "") ? "\uff3e" : "^";
  return `${head}\n | ${shown.join("")}\n | ${dots.join("")}${mark}`;
}

const isWide = (char: string): boolean => (char.codePointAt(0) ?? 0) > 0x7f;
