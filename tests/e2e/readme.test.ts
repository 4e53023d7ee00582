/**
 * The README's commands, run as a stranger runs them: in a fresh copy of the repository, by a shell, word for word. A block of commands that
 * no test runs fails this test.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { repository, type TempDir, tempDir } from "../support/files.ts";
import { eventually, type Program, runProgram, startProgram } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

const readme = await readFile(join(repository, "README.md"), "utf8");
const blocks = (language: string, text = readme): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((match) => (match[1] ?? "").trim());
const [startLine, tryLines, testLine, ...more] = blocks("sh");

/** The environment of a stranger: nothing of npm's own variables, nor of the folder this test runs in. */
const plain = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith("npm_") || name === "NODE_OPTIONS" || name === "INIT_CWD")
    .map((name) => [name, undefined]),
);
const path = (process.env["PATH"] ?? "")
  .split(":")
  .filter((folder) => !folder.includes("node_modules"))
  .join(":");

/** What git would hand out, the uncommitted included. */
async function freshCopy(): Promise<TempDir> {
  const dir = await tempDir("readme");
  const listed = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: repository, encoding: "utf8" });
  for (const file of listed.stdout.split("\0").filter((name) => name !== "")) {
    // A file deleted and not yet committed is still listed.
    await cp(join(repository, file), join(dir.path, file)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    });
  }
  return dir;
}

const shell = (line: string, cwd: string): Program => startProgram("sh", ["-c", line], { cwd, env: { ...plain, PATH: path } });

/** The Node process that is Mecha: the one whose folder holds the state. */
async function mechaPid(program: Program): Promise<number> {
  return eventually("the mecha process is found", async () => {
    for (const pid of await program.descendants()) {
      const line = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
      if (line.some((word) => word.endsWith("src/main.ts")) && line.includes("up") && !line.includes("sh")) return pid;
    }
    return undefined;
  });
}

/** The commands of the example's own page, in order, each a block. */
async function cartReadme(cwd: string): Promise<void> {
  const page = await readFile(join(cwd, "examples/shopping-cart/README.md"), "utf8");
  const [start, add, get, call, remove, refused, ...unknown] = blocks("sh", page);
  assert.equal(start, "npm start");
  assert.deepEqual(unknown, [], "a block of commands that no test runs");
  const run = async (line: string | undefined): Promise<string> => {
    const ended = await runProgram("sh", ["-ec", line ?? "false"], { cwd, env: { ...plain, PATH: path } });
    assert.equal(ended.code, 0, `${line ?? ""}: ${ended.output}`);
    return ended.stdout;
  };
  const full = '{"cartId":"42","items":[{"sku":"tea","name":"Green tea","quantity":2}],"checkedOut":false}';
  assert.equal(await run(add), full);
  assert.equal(await run(get), full);
  assert.deepEqual(JSON.parse(await run(call)), JSON.parse(full));
  assert.equal(await run(remove), '{"cartId":"42","items":[],"checkedOut":false}');
  assert.match(await run(refused), /"message":"quantity must be more than 0"/u);
}

test("the README's code is the guide's, whose code a test runs", async () => {
  const guide = await readFile(join(repository, "docs/guides/first-entity.md"), "utf8");
  assert.equal(blocks("ts")[0], blocks("ts", guide)[0]);
});

test("the command for all tests is the one CI runs", async () => {
  assert.equal(testLine, "npm ci && npm test");
  const ci = await readFile(join(repository, ".ci/run"), "utf8");
  assert.match(ci, /npm ci\b/u);
  assert.match(ci, /^npm test$/mu);
  assert.deepEqual(more, [], "a block of commands that no test runs");
});

test(
  "a stranger's first minutes: start, three lines, kill -9, start again, the cart is there, Ctrl-C",
  { skip: skipUnless("curl", "npm", "git"), timeout: 300_000 },
  async (t) => {
    assert.ok(startLine !== undefined && tryLines !== undefined);
    await using dir = await freshCopy();
    {
      await using first = shell(startLine, dir.path);
      await first.waitFor(/Ctrl-C stops/u, 240_000);
      const [, seconds] = await first.waitFor(/is ready \(([\d.]+) s\)/u);
      t.diagnostic(`ready in ${seconds ?? "?"} s`);
      const tried = await runProgram("sh", ["-ec", tryLines], { cwd: dir.path, env: { ...plain, PATH: path } });
      assert.equal(tried.code, 0, tried.output);
      const cart = '{"cartId":"ada","items":[{"sku":"tea","name":"Green tea","quantity":2}],"checkedOut":false}';
      assert.ok(tried.stdout.startsWith(cart + cart), tried.output);
      assert.deepEqual(JSON.parse(tried.stdout.slice(2 * cart.length)), JSON.parse(cart));
      await cartReadme(dir.path);
      process.kill(await mechaPid(first), "SIGKILL");
      await first.exit;
    }
    await using again = shell("npm start", dir.path);
    await again.waitFor(/Ctrl-C stops/u);
    const read = await runProgram("sh", ["-ec", tryLines.split("\n")[1] ?? ""], { cwd: dir.path });
    assert.match(read.stdout, /"sku":"tea","name":"Green tea","quantity":2/u);
    process.kill(await mechaPid(again), "SIGINT");
    await again.waitFor(/stopped/u);
    await again.exit;
  },
);
