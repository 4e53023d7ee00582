/**
 * Real kubectls in tests: those on this machine, by version; each call with a home and a cache of its own.
 *
 * K1 a session never reads or writes the files of the user who runs the tests
 */
import { mkdirSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { runProgram, startProgram, type Program } from "./program.ts";

/** A kubectl of one minor version. */
export interface KubectlBinary {
  readonly path: string;
  /** 33 for 1.33. */
  readonly minor: number;
}

/** Oldest minor version whose sessions must work. */
export const kubectlMinorMin = 29;

/** Where tests/tools/kubectl/build.ts puts what it built: outside the repository, so that a fresh clone need not build again. */
export const builtFolder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mecha-tests", "kubectl");

/** Where kubectls lie side by side, beyond PATH. */
const sideBySide = ["/usr/lib/google-cloud-sdk/bin", "/usr/local/bin", builtFolder];

/** Files named `kubectl.1.33`, one for each version, oldest first. */
export function installedKubectls(): readonly KubectlBinary[] {
  const found = new Map<number, string>();
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), ...sideBySide])
    for (const name of filesOf(folder)) {
      const minor = Number(/^kubectl[.-]v?1\.(\d+)(\.\d+)?$/u.exec(name)?.[1]);
      if (minor >= kubectlMinorMin && !found.has(minor)) found.set(minor, join(folder, name));
    }
  return [...found].map(([minor, path]) => ({ minor, path })).sort((a, b) => a.minor - b.minor);
}

/** As many as `count` of them, spread evenly from the oldest to the newest: what lies between speaks as one of its neighbours. */
export function spreadKubectls(count: number): readonly KubectlBinary[] {
  const all = installedKubectls();
  const picked = Array.from({ length: count }, (_, i) => Math.round((i * (all.length - 1)) / Math.max(count - 1, 1)));
  return [...new Set(picked)].flatMap((index) => all[index] ?? []);
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // PATH may name folders that are not there
  }
}

export interface KubectlResult {
  readonly code: number | null;
  readonly stdout: string;
  /** stdout and stderr. */
  readonly output: string;
}

/** kubectl against one server. */
export interface Kubectl {
  readonly minor: number;
  /** Runs to the end, whatever comes. */
  try(args: readonly string[], stdin?: string): Promise<KubectlResult>;
  /** Runs to the end. @throws Error with the output when it fails. @returns stdout */
  run(args: readonly string[], stdin?: string): Promise<string>;
  /** Starts one that goes on, such as `get -w`. */
  start(args: readonly string[], stdin?: string): Program;
  /** The same with more in its environment, such as KUBE_EDITOR. */
  with(env: Readonly<Record<string, string>>): Kubectl;
}

/** @param home A folder of the test's own (K1). */
export function openKubectl(
  { path, minor }: KubectlBinary,
  kubeconfig: string,
  home: string,
  more: Readonly<Record<string, string>> = {},
): Kubectl {
  mkdirSync(home, { recursive: true });
  const env = { HOME: home, KUBECONFIG: undefined, KUBE_EDITOR: undefined, EDITOR: undefined, ...more };
  const full = (args: readonly string[]): string[] => ["--kubeconfig", kubeconfig, "--cache-dir", join(home, "cache"), ...args];
  const attempt = async (args: readonly string[], stdin?: string): Promise<KubectlResult> =>
    runProgram(path, full(args), { env, cwd: home, ...(stdin !== undefined && { stdin }) });
  return {
    minor,
    try: attempt,
    async run(args, stdin) {
      const { code, stdout, output } = await attempt(args, stdin);
      if (code !== 0) throw new Error(`kubectl 1.${minor} ${args.join(" ")} ended with ${String(code)}:\n${output}`);
      return stdout;
    },
    start: (args, stdin) => startProgram(path, full(args), { env, cwd: home, ...(stdin !== undefined && { stdin }) }),
    with: (added) => openKubectl({ path, minor }, kubeconfig, home, { ...more, ...added }),
  };
}
