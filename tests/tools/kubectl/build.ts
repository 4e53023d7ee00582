/**
 * Builds kubectls for the tests on a machine that has too few: from the Go module k8s.io/kubectl with a main of ours, each version by its own
 * lock file. Does nothing where enough are installed. `.ci/run` calls it; by hand: `node tests/tools/kubectl/build.ts [--all]`.
 *
 * B1 a program appears under its name only when it is whole
 * B2 what is built is named by its version, and kept outside the repository
 */
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtFolder, installedKubectls } from "../../support/kubectl.ts";
import { runProgram } from "../../support/program.ts";

/** Folders here, one for each version. */
const versions = ["v1.29", "v1.31", "v1.33"] as const;
/** Versions the sessions need (tests/e2e/kubectl.test.ts). */
const enough = 3;

const here = import.meta.dirname;
const have = new Set(installedKubectls().map(({ minor }) => minor));
if (have.size >= enough && !process.argv.includes("--all")) {
  console.log(`kubectls found: ${[...have].map((minor) => `1.${minor}`).join(" ")}`);
} else {
  await mkdir(builtFolder, { recursive: true });
  for (const version of versions) await build(version);
}

async function build(version: (typeof versions)[number]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mecha-kubectl-"));
  try {
    for (const file of ["go.mod", "go.sum"]) await copyFile(join(here, version, file), join(folder, file));
    await copyFile(join(here, "main.go"), join(folder, "main.go"));
    const patch = /k8s\.io\/kubectl v0\.(\S+)/u.exec(await readFile(join(folder, "go.mod"), "utf8"))?.[1] ?? "0";
    // What `kubectl version` and the User-Agent say.
    const flags = `-s -w -X k8s.io/component-base/version.gitVersion=v1.${patch}`;
    const name = `kubectl.${version.slice(1)}`;
    console.log(`building ${name}`);
    const { code, output } = await runProgram("go", ["build", "-trimpath", "-ldflags", flags, "-o", name, "."], { cwd: folder });
    if (code !== 0) throw new Error(`go build of ${name} ended with ${String(code)}:\n${output}`);
    const beside = join(builtFolder, `.${name}.${process.pid}`);
    await copyFile(join(folder, name), beside);
    await rename(beside, join(builtFolder, name)); // keeps B1
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
