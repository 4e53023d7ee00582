/** Tests that need a foreign program: skipped with the reason on a developer's machine, failed in CI, where nothing of ours may skip. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Path of a program in PATH, or `undefined`. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/**
 * For a test's `skip` option: `false` when one of `names` is here, else the reason.
 * @throws Error instead of skipping when MECHA_TEST_NO_SKIP=1, as .ci/run sets it.
 */
export function skipUnless(...names: readonly string[]): string | false {
  if (names.some((name) => findProgram(name) !== undefined)) return false;
  return skipBecause(`needs ${names.join(" or ")} in PATH; .ci/run installs it`);
}

/** For a test's `skip` option, when something else than a program is missing. Throws when MECHA_TEST_NO_SKIP=1. */
export function skipBecause(reason: string): string {
  if (process.env["MECHA_TEST_NO_SKIP"] === "1")
    throw new Error(`nothing may be skipped here (MECHA_TEST_NO_SKIP=1), but this test ${reason}`);
  return reason;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not ours to run: both mean "not here"
  }
}
