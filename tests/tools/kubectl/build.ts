/**
 * Builds kubectls for the tests on a machine that has too few: from the Go module k8s.io/kubectl with a main of ours, each version by its own
 * lock file. Does nothing where enough are installed. `.ci/run` calls it; by hand: `node tests/tools/kubectl/build.ts [--all | v1.36 …]`.
 *
 * B1 a program appears under its name only when it is whole, and has said its version
 * B2 what is built is named by its version, and kept outside the repository
 * B3 nothing else stays: modules, compiler and compiled packages (about 3 GB) are in a folder of their own, gone at the end
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { builtFolder, installedKubectls } from "../../support/kubectl.ts";

/** Folders here, one for each version: the oldest whose sessions must work, one between, the newest whose tables we have. */
const versions = ["v1.29", "v1.33", "v1.36"];
/** Versions the sessions need (tests/e2e/kubectl.test.ts). */
const enough = 3;
/** What the newest kubectl asks for; used where the machine's Go is too old, as Debian's is. It comes as a module, like all the rest. */
const toolchain = "go1.26.0";

const here = import.meta.dirname;
const asked = process.argv.slice(2);
const have = new Set(installedKubectls().map(({ minor }) => minor));
if (have.size >= enough && asked.length === 0) {
  console.log(`kubectls found: ${[...have].map((minor) => `1.${minor}`).join(" ")}`);
} else {
  await mkdir(builtFolder, { recursive: true });
  const work = await mkdtemp(join(builtFolder, ".build-"));
  const env = {
    ...process.env,
    GOPATH: join(work, "go"),
    GOMODCACHE: undefined,
    GOCACHE: join(work, "cache"),
    GOFLAGS: "-modcacherw",
    GOTOOLCHAIN: "local",
  };
  try {
    const go = await goOf(work, env);
    for (const version of versions) if (asked.length === 0 || asked.includes("--all") || asked.includes(version)) await build(go, version);
  } finally {
    await rm(work, { recursive: true, force: true }); // keeps B3
  }

  async function build(go: string, version: string): Promise<void> {
    const started = performance.now();
    const folder = join(work, version);
    await mkdir(folder);
    for (const file of ["go.mod", "go.sum"]) await copyFile(join(here, version, file), join(folder, file));
    await copyFile(join(here, "main.go"), join(folder, "main.go"));
    const release = `v1.${/k8s\.io\/kubectl v0\.(\S+)/u.exec(await readFile(join(folder, "go.mod"), "utf8"))?.[1] ?? "0"}`;
    // What `kubectl version` and the User-Agent say.
    const flags = `-s -w -X k8s.io/component-base/version.gitVersion=${release}`;
    const name = `kubectl.${version.slice(1)}`;
    await output(go, ["build", "-trimpath", "-ldflags", flags, "-o", name, "."], folder, env);
    const said = await output(join(folder, name), ["version", "--client"], folder, env);
    if (!said.includes(release)) throw new Error(`${name} should say ${release}: ${said}`);
    await rename(join(folder, name), join(builtFolder, name)); // keeps B1: same file system
    console.log(`built ${join(builtFolder, name)} in ${Math.round((performance.now() - started) / 1_000)} s`);
  }
}

/** A Go that is new enough for all versions: the machine's, else one of the module proxy's, which any Go can download. */
async function goOf(work: string, env: NodeJS.ProcessEnv): Promise<string> {
  const [, minor = "0"] = /go1\.(\d+)/u.exec(await output("go", ["version"], work, env)) ?? [];
  if (Number(minor) >= Number(toolchain.split(".")[1])) return "go";
  const machine = `${process.platform}-${process.arch === "x64" ? "amd64" : process.arch}`;
  const { Dir: folder } = JSON.parse(
    await output("go", ["mod", "download", "-json", `golang.org/toolchain@v0.0.1-${toolchain}.${machine}`], work, env),
  ) as {
    Dir: string;
  };
  // Files of a module are not executable.
  for (const bin of ["bin", join("pkg", "tool", machine.replace("-", "_"))])
    for (const file of await readdir(join(folder, bin))) await chmod(join(folder, bin, file), 0o755);
  return join(folder, "bin", "go");
}

/** Runs to the end, however long it takes; what it says on stderr is shown. @returns stdout @throws Error when it fails */
async function output(file: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${String(code)}`);
  return text;
}
