/** The helpers of the end-to-end tests hold what they promise. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { tempDir } from "./files.ts";
import { eventually, freePort, isAlive, runProgram, startProgram } from "./program.ts";
import { findProgram, skipUnless } from "./skip.ts";

const linuxOnly = process.platform === "linux" ? false : "reads /proc";

test("a line is found whether it was printed before or after waiting began", async () => {
  await using program = startProgram(process.execPath, [
    "-e",
    "console.log('port 42'); process.stdin.resume(); setInterval(() => {}, 1000)",
  ]);
  const match = await program.waitFor(/port (\d+)/);
  assert.equal(match[1], "42");
  assert.equal((await program.waitFor(/port (\d+)/g))[1], "42");
});

test("a program that ends without the line is an error that shows what it printed", async () => {
  await using program = startProgram(process.execPath, ["-e", "console.error('cannot open store'); process.exit(3)"]);
  await assert.rejects(program.waitFor(/ready/), /ended before printing \/ready\/.*cannot open store/s);
  assert.deepEqual(await program.exit, { code: 3, signal: null });
});

test("a program that does not exist is an error, not a hang", async () => {
  await assert.rejects(runProgram("/nonexistent/program", []), /ENOENT/);
});

test("dispose ends grandchildren too, also those in a session of their own whose parent is gone", { skip: linuxOnly }, async () => {
  const grandchild = "setInterval(() => {}, 1000); console.log('grandchild ' + process.pid)";
  const middle = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { detached: true, stdio: 'inherit' }).unref()`;
  const started = async (): Promise<number> => {
    await using program = startProgram(process.execPath, ["-e", middle]);
    const pid = Number((await program.waitFor(/grandchild (\d+)/))[1]);
    assert.ok((await program.descendants()).includes(pid));
    return pid;
  };
  const pid = await started();
  await eventually("the grandchild is gone", async () => !(await isAlive(pid)));
});

test("what a program reads and prints is passed as it is", async () => {
  const ended = await runProgram("cat", [], { stdin: "a\nb" });
  assert.deepEqual({ code: ended.code, stdout: ended.stdout }, { code: 0, stdout: "a\nb" });
});

test("a temporary folder is gone after its scope", async () => {
  const used = async (): Promise<string> => {
    await using dir = await tempDir();
    await dir.write({ "a/b/c.txt": "c" });
    assert.ok(existsSync(join(dir.path, "a/b/c.txt")));
    return dir.path;
  };
  assert.equal(existsSync(await used()), false);
});

test("a free port can be listened on", async () => {
  const port = await freePort();
  const ended = await runProgram(process.execPath, [
    "-e",
    `require('net').createServer().listen(${port}, '127.0.0.1', () => process.exit(7))`,
  ]);
  assert.equal(ended.code, 7);
});

test("eventually gives up with the last error as its cause", async () => {
  const failing = eventually("the server answers", () => Promise.reject(new Error("ECONNREFUSED")), 30);
  await assert.rejects(failing, (error: Error) => /not within 30 ms/.test(error.message) && /ECONNREFUSED/.test(String(error.cause)));
});

test("a missing program skips a test here and fails it in CI", () => {
  assert.equal(skipUnless("node"), false);
  assert.equal(findProgram("no-such-program-anywhere"), undefined);
  const before = process.env["MECHA_TEST_NO_SKIP"];
  try {
    process.env["MECHA_TEST_NO_SKIP"] = "0";
    assert.match(String(skipUnless("no-such-program-anywhere")), /needs no-such-program-anywhere/);
    process.env["MECHA_TEST_NO_SKIP"] = "1";
    assert.throws(() => skipUnless("no-such-program-anywhere"), /nothing may be skipped/);
  } finally {
    if (before === undefined) delete process.env["MECHA_TEST_NO_SKIP"];
    else process.env["MECHA_TEST_NO_SKIP"] = before;
  }
});
