/** bin/mecha.cjs on the Node a machine has, however old: it hands over to one that is new enough and does not outlive or orphan it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Linter } from "eslint";
import { addItem, copyCart } from "../support/cart.ts";
import { repository, tempDir } from "../support/files.ts";
import { eventually, isAlive, runProgram, startProgram } from "../support/program.ts";
import { skipBecause } from "../support/skip.ts";

const bin = join(repository, "apps/mecha/bin/mecha.cjs");

/** A Node of this machine below the floor of 24. */
function oldNode(): string | undefined {
  return ["/usr/local/bin/node", "/usr/bin/node"].find((path) => {
    const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    return status === 0 && Number(/^v(\d+)/u.exec(stdout)?.[1]) < 24;
  });
}
const old = oldNode();
const skip = old === undefined && skipBecause("needs a Node older than 24 in /usr/local/bin or /usr/bin");

test("bin/mecha.cjs is ECMAScript 5, so that any Node can read it", () => {
  const languageOptions = { ecmaVersion: 5, sourceType: "script" } as const;
  assert.deepEqual(new Linter().verify(readFileSync(bin, "utf8"), [{ files: ["**/*.cjs"], languageOptions }], "mecha.cjs"), []);
  const planted = new Linter().verify("const a = 1;", [{ files: ["**/*.cjs"], languageOptions }], "mecha.cjs");
  assert.equal(planted.length, 1, "it would notice");
});

test("a Node that is new enough runs it itself; exit codes come through", async () => {
  const version = await runProgram(process.execPath, [bin, "version"]);
  assert.deepEqual([version.code, /on Node (\d+)/u.exec(version.stdout)?.[1]], [0, process.versions.node.split(".")[0]]);
  assert.equal((await runProgram(process.execPath, [bin, "nonsense"])).code, 2);
});

test("what goes on running is started anew with its flags, as the same process, and keeps compiled code for its functions", async () => {
  await using dir = await copyCart();
  await using cache = await tempDir("cache");
  const env = { XDG_CACHE_HOME: cache.path, NODE_COMPILE_CACHE: "" };
  await using mecha = startProgram(process.execPath, [bin, "up", dir.path, "--port", "0", "--admin-port", "0"], { env });
  const [, ingress = ""] = await mecha.waitFor(/callers +(http:\S+)[\s\S]*Ctrl-C stops/u);
  await addItem(ingress, "1", { sku: "tea", quantity: 1 });
  if (process.platform === "linux") assert.match(readFileSync(`/proc/${mecha.pid}/cmdline`, "utf8"), /\0--max-semi-space-size=4\0/u);
  mecha.kill("SIGTERM");
  assert.equal((await mecha.exit).code, 0);
  assert.ok(readdirSync(join(cache.path, "mecha/compiled")).length > 0);
});

test("an old Node hands over to the Node the package brings along", { skip }, async () => {
  const version = await runProgram(old ?? "", [bin, "version"]);
  assert.match(version.stdout, /^mecha \S+ on Node 2[4-9]/u);
  assert.equal((await runProgram(old ?? "", [bin, "nonsense"])).code, 2);
});

test("an old Node without that package says how to mend it", { skip }, async () => {
  await using alone = await tempDir("bin");
  await alone.write({ "bin/mecha.cjs": readFileSync(bin, "utf8") });
  const { code, output } = await runProgram(old ?? "", [join(alone.path, "bin/mecha.cjs"), "up"]);
  assert.equal(code, 1);
  assert.match(output, /needs Node 24 or newer; this is \d+[\s\S]*Fix: install Node 24/u);
});

test("SIGTERM to the old Node drains, and kill -9 of it leaves nothing running", { skip }, async () => {
  await using dir = await copyCart();
  const args = [bin, "up", dir.path, "--port", "0", "--admin-port", "0"];
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    await using wrapper = startProgram(old ?? "", args);
    const [, ingress = ""] = await wrapper.waitFor(/callers +(http:\S+)[\s\S]*Ctrl-C stops/u);
    await addItem(ingress, "1", { sku: "tea", quantity: 1 });
    const started = await wrapper.descendants();
    assert.equal(started.length, 2, "Mecha and its function");
    wrapper.kill(signal);
    const exit = await wrapper.exit;
    if (signal === "SIGTERM") assert.equal(exit.code, 0);
    await eventually("nothing is left", async () => !(await Promise.all(started.map(isAlive))).includes(true));
    await wrapper.waitFor(/mecha \| stopped/u);
  }
});
