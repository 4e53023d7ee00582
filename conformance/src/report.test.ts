import assert from "node:assert/strict";
import { test } from "node:test";
import type { CaseResult } from "./kit/run.ts";
import { jsonReport, junitReport, resultLines, totalsLine, totalsOf } from "./report.ts";

const results: readonly CaseResult[] = [
  { id: "MA1", group: "action", name: "discovery", durationMs: 12.4 },
  { id: "MA2", group: "action", name: "unary", durationMs: 1_500, failure: 'differs.\nexpected <a href="x">\nactual \u0000& \ud800' },
  { id: "MV1", group: "value entity", name: "discovery", durationMs: 0, skipped: "the function does not serve x.Y" },
];

test("for people: a line for each case, what it found below, the totals last", () => {
  assert.deepEqual(results.map(resultLines), [
    "ok   MA1   action: discovery (12 ms)\n",
    'FAIL MA2   action: unary (1500 ms)\n           differs.\n           expected <a href="x">\n           actual \u0000& \ud800\n',
    "skip MV1   value entity: discovery (0 ms)\n           the function does not serve x.Y\n",
  ]);
  assert.equal(totalsLine(totalsOf(results)), "1 passed, 1 failed, 1 skipped\n");
});

test("for programs: outcomes and totals", () => {
  assert.deepEqual(jsonReport("model", results.slice(2)), {
    kind: "model",
    passed: 0,
    failed: 0,
    skipped: 1,
    cases: [
      {
        id: "MV1",
        group: "value entity",
        name: "discovery",
        outcome: "skipped",
        durationMs: 0,
        detail: "the function does not serve x.Y",
      },
    ],
  });
});

test("for CI systems: JUnit, well-formed whatever a failure quotes", () => {
  assert.equal(
    junitReport("proxy", results),
    `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="cloudstate tck, proxy cases" tests="3" failures="1" time="1.512">
  <testsuite name="proxy: action" tests="2" failures="1" errors="0" skipped="0" time="1.512">
    <testcase classname="action" name="MA1 discovery" time="0.012"/>
    <testcase classname="action" name="MA2 unary" time="1.500">
      <failure message="differs.">differs.
expected &lt;a href=&quot;x&quot;&gt;
actual \ufffd&amp; \ufffd</failure>
    </testcase>
  </testsuite>
  <testsuite name="proxy: value entity" tests="1" failures="0" errors="0" skipped="1" time="0.000">
    <testcase classname="value entity" name="MV1 discovery" time="0.000">
      <skipped message="the function does not serve x.Y"/>
    </testcase>
  </testsuite>
</testsuites>
`,
  );
});
