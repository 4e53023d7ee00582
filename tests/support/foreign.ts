/**
 * Functions in tests/tools: written by us for other people's libraries, installed by their own lock files, run as users run them.
 *
 * F1 what is installed is named by a hash of the folder: a change of it installs anew, nothing else does
 * F2 a folder appears under its name only when it is whole, so that tests in parallel processes may install the same one
 */
import { createHash } from "node:crypto";
import { existsSync, globSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { repository, tempDir } from "./files.ts";
import { runProgram } from "./program.ts";
import { findProgram } from "./skip.ts";

export interface ForeignFunction {
  /** Folder in tests/tools. */
  readonly name: string;
  /** The .proto file its descriptors are compiled from, into `user-function.desc` as the libraries want it. */
  readonly proto: string;
  /** The library's folder of .proto files. */
  readonly library: string;
  /** Folders to copy inside the installed one, from → to: what the library's own download script would have put there. */
  readonly copies?: Readonly<Record<string, string>>;
}

/** Installs the function, unless it is there, and returns its folder. @throws Error with npm's output when it cannot be installed. */
export async function installForeign(wanted: ForeignFunction): Promise<string> {
  const tools = join(repository, ".cache/tools");
  const folder = join(tools, `${wanted.name}-${await hashOf(wanted)}`);
  if (existsSync(folder)) return folder;
  await mkdir(tools, { recursive: true });
  const making = await mkdtemp(join(tools, "making-"));
  try {
    await cp(join(repository, "tests/tools", wanted.name), making, { recursive: true });
    await run(findProgram("npm") ?? "npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], making);
    for (const [from, to] of Object.entries(wanted.copies ?? {})) await cp(join(making, from), join(making, to), { recursive: true });
    await compile(wanted, making);
    await rename(making, folder); // keeps F2
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return folder;
}

/** keeps F1 */
async function hashOf(wanted: ForeignFunction): Promise<string> {
  const source = join(repository, "tests/tools", wanted.name);
  const hash = createHash("sha256").update(JSON.stringify(wanted));
  const files = globSync("**/*.*", { cwd: source, exclude: (path) => path.includes("node_modules") }).sort();
  for (const file of files) hash.update(`\n${file}\n`).update(await readFile(join(source, file)));
  return hash.digest("hex").slice(0, 12);
}

/**
 * Puts the function's .proto and the library's into one folder, because a compiler wants one root, and that outside the repository: below it
 * buf takes the repository's workspace, whose files of the same names are not the library's.
 */
async function compile({ proto, library }: ForeignFunction, folder: string): Promise<void> {
  await using protos = await tempDir("protos");
  await cp(join(folder, library), protos.path, { recursive: true });
  await cp(join(folder, proto), join(protos.path, proto));
  const output = join(folder, "user-function.desc#format=binpb");
  const args = ["build", protos.path, "--path", join(protos.path, proto), "--as-file-descriptor-set", "-o", output];
  await run(join(repository, "node_modules/.bin/buf"), args, protos.path);
}

async function run(program: string, args: readonly string[], cwd: string): Promise<void> {
  const ended = await runProgram(program, args, { cwd });
  if (ended.code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${ended.code}\n${ended.output}`);
}
