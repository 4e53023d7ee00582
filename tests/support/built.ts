/**
 * Examples in languages that are built: by the commands of their guide, in a copy that is kept in the user's cache folder, because a cold build
 * takes a minute and a clone of the repository is new each time.
 *
 * B1 what is built is named by a hash of the example, the protocol files and the commands: a change of one of them builds anew, nothing else does
 * B2 a folder appears under its name only when it is whole, so that tests in parallel processes may build the same one
 */
import { createHash } from "node:crypto";
import { existsSync, globSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { repository } from "./files.ts";
import { runProgram } from "./program.ts";

/** What a build leaves behind; somebody may have built the example in place. */
const built = /(^|\/)(\.venv|__pycache__|target|gen|bin|\.mecha)(\/|$)|_pb2\.py$/u;

/**
 * A built copy of `examples/<example>`, with `api/` beside `examples/` as in the repository. The commands run in its folder `language`.
 * @returns that folder. @throws Error with the output when a command fails.
 */
export async function builtExample(example: string, language: string, commands: string): Promise<string> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mecha-tests");
  const root = join(cache, `${example}-${language}-${await hashOf(example, language, commands)}`);
  const folder = join(root, "examples", example, language);
  if (existsSync(root)) return folder;
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(join(cache, "making-"));
  try {
    await build(making, example, language, commands);
    await rename(making, root); // keeps B2
  } catch (error) {
    if (!existsSync(root)) throw error;
  } finally {
    await rm(making, { recursive: true, force: true });
  }
  return folder;
}

async function build(making: string, example: string, language: string, commands: string): Promise<void> {
  const folder = join(making, "examples", example, language);
  for (const part of ["proto", language]) {
    const source = join(repository, "examples", example, part);
    await cp(source, join(making, "examples", example, part), {
      recursive: true,
      filter: (path) => !built.test(path.slice(source.length)),
    });
  }
  await symlink(join(repository, "api"), join(making, "api"), "dir");
  const ended = await runProgram("sh", ["-ec", commands], { cwd: folder });
  if (ended.code !== 0) throw new Error(`building examples/${example}/${language} failed (exit code ${ended.code}):\n${ended.output}`);
}

/** keeps B1 */
async function hashOf(example: string, language: string, commands: string): Promise<string> {
  const hash = createHash("sha256").update(commands);
  const patterns = [`examples/${example}/{proto,${language}}/**/*.*`, "api/proto/{cloudstate,google/api}/*.proto"];
  const files = globSync(patterns, { cwd: repository }).filter((path) => !built.test(path));
  for (const file of files.sort()) hash.update(`\n${file}\n`).update(await readFile(join(repository, file)));
  return hash.digest("hex").slice(0, 12);
}
