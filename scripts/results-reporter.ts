/** A reporter of node:test that writes one JSON array: file, name, outcome and time of each test that is no suite. */
import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { root } from "./checks.ts";

/** One test's outcome, as written to .cache/test-results.json. */
export interface TestResult {
  /** Path from the repository's root. */
  readonly file: string;
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** How long it took, in ms, with its subtests; to find what makes a run long. */
  readonly ms: number;
}

export default async function* results(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const found: TestResult[] = [];
  for await (const event of source) {
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { name, file, details } = event.data;
    if (details.type === "suite") continue;
    const skipped = Boolean(event.data.skip ?? event.data.todo);
    found.push({
      file: file ? relative(root, file) : "",
      name,
      outcome: event.type === "test:fail" ? "failed" : skipped ? "skipped" : "passed",
      ms: Math.round(details.duration_ms),
    });
  }
  yield `${JSON.stringify(found, undefined, 1)}\n`;
}
