/** docs/guides/testing.md: its components compile in the kit, and its tests pass as they stand there. */
import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repository, tempDir } from "../support/files.ts";
import { blocksOf } from "../support/guide.ts";
import { runProgram } from "../support/program.ts";

test("the guide to testing: six tests, all of them pass", async () => {
  const [components, tests, ...unknown] = (await blocksOf("docs/guides/testing.md")).map(({ text }) => text);
  assert.deepEqual(unknown, [], "a block that no test runs");
  await using dir = await tempDir("testing-guide");
  await dir.write({
    "src/main.ts": components ?? "",
    "src/main.test.ts": tests ?? "",
    "package.json": '{"type":"module","private":true}',
    "tsconfig.json": JSON.stringify({ extends: join(repository, "tsconfig.json"), include: ["src"] }),
  });
  await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
  const ran = await runProgram(process.execPath, ["--test", "--test-reporter=tap", "src/main.test.ts"], { cwd: dir.path });
  assert.equal(ran.code, 0, ran.output);
  assert.match(ran.output, /^# pass 6$/mu);
  const compiled = await runProgram(join(repository, "node_modules/.bin/tsc"), ["--noEmit", "-p", "."], { cwd: dir.path });
  assert.equal(compiled.code, 0, compiled.output);
});
