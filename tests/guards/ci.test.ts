/** .ci/run on machines that lack things: a PATH with nothing but what the test puts there, and programs that write down how they were called. */
import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { repository, tempDir } from "../support/files.ts";
import { type Exit, runProgram } from "../support/program.ts";
import { findProgram, skipUnless } from "../support/skip.ts";

const installed = [
  "node",
  "npm",
  "curl",
  "chromium",
  "strace",
  "sqlite3",
  "setpriv",
  "unzip",
  "ps",
  "git",
  "promtool",
  "openssl",
  "python3",
  "javac",
  "mvn",
  "go",
  "protoc",
];

interface Machine {
  /** Programs that are there, besides apt-get and the shell's own. */
  readonly has: readonly string[];
  readonly user?: number;
  /** Shell code of apt-get and npm, after the call was written down. */
  readonly apt?: string;
  readonly npm?: string;
}

/** Runs .ci/run on such a machine; `calls` are the lines written down. */
async function ciOn(machine: Machine): Promise<Exit & { readonly output: string; readonly calls: readonly string[] }> {
  await using dir = await tempDir("ci");
  const bin = join(dir.path, "bin");
  const record = (name: string, then = ""): string => `#!/bin/sh\necho "${name} $*" >> "$CALLS"\n${then}\n`;
  await mkdir(join(dir.path, ".ci"));
  // What npm ci brings: the repository's own Node, which .ci/run calls to see whether kubectls have to be built.
  await mkdir(join(dir.path, "node_modules/.bin"), { recursive: true });
  await copyFile(join(repository, ".ci/run"), join(dir.path, ".ci/run"));
  const programs: Record<string, string> = {
    ...Object.fromEntries(machine.has.map((name) => [name, record(name)])),
    "apt-get": record("apt-get", machine.apt),
    id: `#!/bin/sh\necho ${machine.user ?? 0}\n`,
    sleep: "#!/bin/sh\n",
    npm: record("npm", `${machine.npm ?? ""}\n[ "$1" = test ] && echo "no skip: $MECHA_TEST_NO_SKIP" && echo "# pass 1"\nexit 0`),
  };
  if (!machine.has.includes("npm")) delete programs["npm"];
  await dir.write(Object.fromEntries(Object.entries(programs).map(([name, text]) => [`bin/${name}`, text])));
  await dir.write({ "node_modules/.bin/node": record("own-node") });
  await chmod(join(dir.path, "node_modules/.bin/node"), 0o755);
  for (const name of Object.keys(programs)) await chmod(join(bin, name), 0o755);
  for (const name of ["bash", "dirname"]) await symlink(findProgram(name) ?? name, join(bin, name));
  const calls = join(dir.path, "calls");
  const bash = findProgram("bash") ?? "bash";
  const ended = await runProgram(bash, [join(dir.path, ".ci/run")], {
    cwd: dir.path,
    env: { PATH: bin, CALLS: calls, MECHA_TEST_NO_SKIP: undefined },
  });
  const lines = (await readFile(calls, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  return { ...ended, calls: lines };
}

const ownNode = "own-node tests/tools/kubectl/build.ts";

suite(".ci/run", { skip: skipUnless("bash") }, () => {
  test("a machine that has everything is asked for nothing, and the runner's summary comes last", async () => {
    const ended = await ciOn({ has: installed });
    assert.equal(ended.code, 0, ended.output);
    // Whether the certificates are there is the machine's own affair.
    assert.deepEqual(
      ended.calls.filter((call) => !call.startsWith("apt-get")),
      ["npm ci", ownNode, "npm test"],
    );
    assert.match(ended.output, /no skip: 1\n# pass 1\n$/);
  });

  test("what is missing is installed, and nothing else", async () => {
    const ended = await ciOn({ has: installed.filter((name) => name !== "strace" && name !== "setpriv") });
    assert.equal(ended.code, 0, ended.output);
    assert.equal(ended.calls[0], "apt-get update -q");
    assert.match(ended.calls[1] ?? "", /^apt-get install -y -q --no-install-recommends strace util-linux( ca-certificates)?$/);
    assert.deepEqual(ended.calls.slice(2), ["npm ci", ownNode, "npm test"]);
  });

  test("a mirror that fails twice is tried a third time", async () => {
    const ended = await ciOn({
      has: installed.filter((name) => name !== "strace"),
      apt: 'n=0; while read -r _; do n=$((n+1)); done < "$CALLS"; [ "$n" -ge 3 ]',
    });
    assert.equal(ended.code, 0, ended.output);
    assert.equal(ended.calls.filter((call) => call === "apt-get update -q").length, 3);
  });

  test("without root the fix is said and nothing is run", async () => {
    const ended = await ciOn({ has: installed.filter((name) => name !== "strace"), user: 1000 });
    assert.equal(ended.code, 1);
    assert.match(ended.output, /Not root and no sudo.*apt-get update && apt-get install -y --no-install-recommends strace/s);
    assert.deepEqual(ended.calls, []);
  });

  test("failing tests fail the run", async () => {
    const ended = await ciOn({ has: installed, npm: '[ "$1" = test ] && exit 3' });
    assert.equal(ended.code, 3);
  });
});
