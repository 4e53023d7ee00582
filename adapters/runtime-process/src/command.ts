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
  /** A shell beside it reads its standard input, which ends with Mecha, and then kills the group. */
  | "lifeline";

let guard: OrphanGuard | undefined;

/** The best this machine offers; looked up once. `setpriv` is part of util-linux and knows `--pdeathsig` since 2.33. */
export function orphanGuard(): OrphanGuard {
  guard ??=
    process.platform === "linux" && spawnSync("setpriv", ["--pdeathsig", "KILL", "true"]).status === 0 ? "parentDeathSignal" : "lifeline";
  return guard;
}

/**
 * Starts a watcher in the function's process group. Descriptor 3 keeps the pipe for it, because a shell gives a background job /dev/null as
 * standard input. Nothing is ever written to the pipe: its end says that Mecha is gone, and `kill 0` is the whole group.
 */
const lifeline = "exec 3<&0; { cat <&3 >/dev/null; kill -KILL 0; } & exec 3<&-";

/**
 * The words to start. The parent-death signal reaches one process only, the leader: it is enough when the leader is the program itself. A shell line
 * of several commands has the shell as its leader and the program below it, so it gets the lifeline.
 */
export function commandWords(command: FunctionCommand, protect: OrphanGuard): readonly [string, ...string[]] {
  const simple = typeof command === "string" ? execLine(command) : undefined;
  if (protect === "parentDeathSignal" && (typeof command !== "string" || simple !== undefined)) {
    const words = typeof command === "string" ? ["/bin/sh", "-c", simple ?? command] : command;
    return ["setpriv", "--pdeathsig", "KILL", "--", ...words];
  }
  return typeof command === "string"
    ? ["/bin/sh", "-c", `${lifeline}\n${simple ?? command}`]
    : ["/bin/sh", "-c", `${lifeline}\nexec "$@"`, "sh", ...command];
}

/**
 * Flags of a function that Mecha's own Node runs: young objects get 2 x 4 MiB instead of 2 x 16, and the heap grows by 40 % between two collections
 * instead of up to 300 %. With 10,000 active entities it holds a third less (docs/performance/engine.md).
 */
export const nodeFlags = ["--max-semi-space-size=4", "--heap-growing-percent=40"] as const;

/** The command with `nodeFlags`, if it begins with `node`. What the user's own flags say comes behind and wins. */
export function lean(command: FunctionCommand): FunctionCommand {
  if (typeof command === "string") return command.replace(/^\s*node(?=\s)/u, `node ${nodeFlags.join(" ")}`);
  const [program, ...words] = command;
  return program === "node" ? [program, ...nodeFlags, ...words] : command;
}

/** Words that mean something to the shell itself and cannot be `exec`ed. */
const shellWords = new Set(
  ". : ! { alias break builtin case cd command continue echo eval exec exit export false for if local pwd read readonly return set shift source test times trap true ulimit umask unalias unset until wait while".split(
    " ",
  ),
);

/** A line of one plain command with `exec` in front, so that the program takes the shell's place; `undefined` when it is more than that. */
function execLine(line: string): string | undefined {
  const match = /^\s*((?:[A-Za-z_]\w*=[\w./:@%+,-]*\s+)*)([\w./@%+-][^;&|<>()`\n]*)$/u.exec(line);
  const [, variables = "", rest = ""] = match ?? [];
  const word = rest.split(/\s/u, 1)[0] ?? "";
  return match && !shellWords.has(word) && !word.includes("=") ? `${variables}exec ${rest}` : undefined;
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
