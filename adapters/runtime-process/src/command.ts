/** From a project's command to the program that is really started. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { Fault } from "@mecha/kit";

/** A program and its arguments, or a line for `/bin/sh -c`. */
export type FunctionCommand = readonly string[] | string;

/** How a function is kept from outliving Mecha (E16). */
export type OrphanGuard =
  /** The kernel kills it with its parent. */
  | "parentDeathSignal"
  /** Its standard input ends when Mecha does; it must watch for that itself. */
  | "stdin";

let guard: OrphanGuard | undefined;

/** What this machine offers; looked up once. `setpriv` is part of util-linux and knows `--pdeathsig` since 2.33. */
export function orphanGuard(): OrphanGuard {
  guard ??=
    process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0 ? "parentDeathSignal" : "stdin";
  return guard;
}

/** The words to start. A shell line keeps the shell as its leader only if it has several commands: `exec` is the shell's own habit for one. */
export function commandWords(command: FunctionCommand, protect: OrphanGuard): readonly [string, ...string[]] {
  const words = typeof command === "string" ? ["/bin/sh", "-c", command] : command;
  return protect === "parentDeathSignal" ? ["setpriv", "--pdeathsig", "KILL", "--", ...words] : (words as [string, ...string[]]);
}

/**
 * Finds mistakes that would otherwise show up as an exit code of somebody else.
 * @throws Fault("precondition") naming what is missing and the fix.
 */
export function checkCommand(command: FunctionCommand, directory: string, pathVariable: string): void {
  if (!isDirectory(directory)) throw new Fault("precondition", `the folder ${directory} does not exist; mend \`directory\``);
  if (typeof command === "string") return;
  const program = command[0];
  if (program === undefined || program === "")
    throw new Fault("precondition", "the command is empty; name a program, e.g. [node, main.js]");
  if (!candidates(program, directory, pathVariable).some(isExecutable))
    throw new Fault("precondition", `the program ${JSON.stringify(program)} was not found; install it or mend \`command\``);
}

function candidates(program: string, directory: string, pathVariable: string): string[] {
  if (isAbsolute(program)) return [program];
  if (program.includes("/")) return [resolve(directory, program)];
  return pathVariable.split(delimiter).map((folder) => join(resolve(directory, folder), program));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
