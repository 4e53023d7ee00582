/**
 * The whole truth before a push: every static check and every test, one line each with its time, output only of what failed.
 * `npm run fix` is the twin that mends what a machine can (`--fix`). `npm run verify -- --static` leaves out the tests.
 */
import { checks, type Outcome, root, run } from "./checks.ts";
import { join } from "node:path";

const fixing = process.argv.includes("--fix");

interface Line {
  readonly name: string;
  readonly what: string;
  readonly run: () => Promise<Outcome>;
}

/** Types and lint are the long ones and share the two cores with the short ones; tests come last and have the machine to themselves. */
const together: readonly Line[] = checks.map((check) => ({ name: check.name, what: check.what, run: () => check.check() }));
const tests: Line = {
  name: "tests",
  what: "node --test",
  run: () => run(process.execPath, [join(root, "scripts/test.ts"), "--test-reporter=spec", "--without=tests/guards/static"]),
};
/** In this order: what is generated is formatted, what is fixed is formatted last. */
const mends: readonly Line[] = ["generated", "lint", "format"].flatMap((name) => {
  const found = checks.find((check) => check.name === name);
  return found?.fix ? [{ name, what: found.what, run: found.fix }] : [];
});

async function report(line: Line): Promise<boolean> {
  const startMs = performance.now();
  const outcome = await line.run();
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${outcome.ok ? "ok  " : "FAIL"} ${line.name.padEnd(11)} ${seconds.padStart(6)} s  ${line.what}`);
  if (!outcome.ok) console.log(outcome.output.trimEnd().replaceAll(/^/gm, "     "));
  return outcome.ok;
}

let good = true;
if (fixing) {
  for (const line of mends) good = (await report(line)) && good;
} else {
  const waiting = [...together];
  const worker = async (): Promise<void> => {
    for (let line = waiting.shift(); line; line = waiting.shift()) good = (await report(line)) && good;
  };
  await Promise.all([worker(), worker()]);
  if (!process.argv.includes("--static")) good = (await report(tests)) && good;
}
process.exitCode = good ? 0 : 1;
