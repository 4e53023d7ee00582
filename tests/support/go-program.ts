/**
 * Programs of other people, built from their Go modules for the comparisons with them: a folder with go.mod, go.sum and a main of a few lines.
 *
 * B1 a program appears under its name only when it is whole
 * B2 what is built is named by its version, and kept outside the repository
 */
import { access, copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./program.ts";

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mecha-tests");

/** What to build. */
export interface GoProgram {
  /** Of the program, and of its folder in the cache. */
  readonly name: string;
  /** Where go.mod, go.sum and main.go are. */
  readonly folder: string;
  /** The module whose version is the program's. */
  readonly module: string;
  /** What the building costs, for whoever waits. */
  readonly cost: string;
  /** Variables set at link time, of the version. */
  readonly variables?: (version: string) => readonly string[];
}

/** A program on this machine. */
export interface BuiltProgram {
  readonly path: string;
  /** `v1.36.4` */
  readonly version: string;
}

/** Builds it once; what is there already is taken. @throws Error with the compiler's output; without Go */
export async function builtGoProgram(program: GoProgram): Promise<BuiltProgram> {
  const required = (await readFile(join(program.folder, "go.mod"), "utf8"))
    .split("\n")
    .map((line) => line.trim().replace(/^require /u, ""));
  const version = required.find((line) => line.startsWith(`${program.module} v`))?.split(" ")[1];
  if (version === undefined) throw new Error(`${program.folder}/go.mod names no version of ${program.module}`);
  const path = join(cache, program.name, `${program.name}-${version}`); // keeps B2
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!there) await build(program, version, path);
  return { path, version };
}

async function build({ name, folder, cost, variables }: GoProgram, version: string, path: string): Promise<void> {
  await mkdir(join(cache, name), { recursive: true });
  const work = await mkdtemp(join(tmpdir(), `mecha-${name}-`));
  try {
    for (const file of ["go.mod", "go.sum", "main.go"]) await copyFile(join(folder, file), join(work, file));
    const flags = ["-s", "-w", ...(variables?.(version) ?? []).map((each) => `-X ${each}`)].join(" ");
    console.error(`building ${name} ${version} (${cost}, once)`);
    const { code, output } = await runProgram("nice", ["-n", "10", "go", "build", "-trimpath", "-ldflags", flags, "-o", name, "."], {
      cwd: work,
      env: { CGO_ENABLED: "0" },
    });
    if (code !== 0) throw new Error(`go build of ${name} ${version} ended with ${String(code)}:\n${output}`);
    const beside = join(cache, name, `.${version}.${process.pid}`);
    await copyFile(join(work, name), beside);
    await rename(beside, path); // keeps B1
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
