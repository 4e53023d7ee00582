/**
 * The static checks, declared once. `npm run verify` runs them with one line each, tests/guards/static.test.ts runs them as tests,
 * `npm run fix` runs their twins, and tests/guards/planted.test.ts proves that each of them sees a planted violation.
 */
import { spawn } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** How a command ended. `output` is stdout and stderr as they came. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs a program with Node's own tools first in PATH, and collects what it prints. */
export function run(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, FORCE_COLOR: "0", NO_COLOR: "1", ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    child.once("error", (error) => resolve({ ok: false, output: `${file}: ${error.message}` }));
    child.once("close", (code) => resolve({ ok: code === 0, output }));
  });
}

/** A program of an installed package, run by this Node, whatever the PATH says. */
const tools = {
  tsc: "typescript/bin/tsc",
  eslint: "eslint/bin/eslint.js",
  prettier: "prettier/bin/prettier.cjs",
  depcruise: "dependency-cruiser/bin/dependency-cruise.mjs",
  knip: "knip/bin/knip.js",
  buf: "@bufbuild/buf/bin/buf",
} as const;

/** Runs one of `tools` in `cwd` (default: the repository). */
export function tool(name: keyof typeof tools, args: readonly string[], cwd = root): Promise<Outcome> {
  const bin = join(root, "node_modules/.bin");
  return run(process.execPath, [join(root, "node_modules", tools[name]), ...args], {
    cwd,
    env: { PATH: `${bin}:${process.env["PATH"] ?? ""}` },
  });
}

/** One thing that must hold, and what brings it about where a machine can. */
export interface Check {
  readonly name: string;
  readonly what: string;
  readonly check: (cwd?: string) => Promise<Outcome>;
  readonly fix?: () => Promise<Outcome>;
}

/** Folders with code; those not there yet are left out. */
const codeFolders = (cwd: string): string[] =>
  ["packages", "dialects", "adapters", "apps", "sdk", "examples", "conformance", "tests", "scripts"].filter((folder) =>
    existsSync(join(cwd, folder)),
  );

export const checks: readonly Check[] = [
  { name: "types", what: "the compiler", check: (cwd) => tool("tsc", ["--noEmit", "--pretty", "false"], cwd) },
  {
    name: "lint",
    what: "eslint",
    check: (cwd) => tool("eslint", ["."], cwd),
    fix: () => tool("eslint", [".", "--fix"]),
  },
  {
    name: "format",
    what: "prettier",
    check: (cwd) => tool("prettier", ["--check", "--log-level", "warn", "."], cwd),
    fix: () => tool("prettier", ["--write", "--log-level", "warn", "."]),
  },
  {
    name: "boundaries",
    what: "dependency-cruiser",
    check: (cwd = root) => tool("depcruise", ["--config", ".dependency-cruiser.cjs", ...codeFolders(cwd)], cwd),
  },
  { name: "unused", what: "knip", check: (cwd) => tool("knip", ["--no-progress", "--no-config-hints"], cwd) },
  {
    name: "generated",
    what: "buf generate, scripts/import-k8s and npm run docs give what is committed",
    check: async () => bothOf(await generatedIsFresh(), await docs("--check")),
    fix: async () => {
      await importedTables(join(root, importedFolder));
      return bothOf(await tool("buf", ["generate"]), await docs());
    },
  },
];

/** In a process of its own: it imports from here. */
function docs(...args: readonly string[]): Promise<Outcome> {
  return run(process.execPath, [join(root, "scripts/docs.ts"), ...args]);
}

function bothOf(one: Outcome, other: Outcome): Outcome {
  return { ok: one.ok && other.ok, output: one.output + other.output };
}

/** What generates code: one template at the root, and one for each kit or example with .proto files of its own. All run from the root. */
const templates = (): string[] => globSync("{buf.gen.yaml,*/buf.gen.yaml,examples/*/buf.gen.yaml}", { cwd: root }).sort();

/** Runs every template, below `into` or in place. Stops at the first that fails. */
async function generateAll(into?: string): Promise<Outcome> {
  for (const template of templates()) {
    const outcome = await tool("buf", ["generate", "--template", template, ...(into === undefined ? [] : ["--output", into])]);
    if (!outcome.ok) return outcome;
  }
  return { ok: true, output: "" };
}

/** Where scripts/import-k8s writes the types of the Kubernetes API. */
const importedFolder = "packages/kinds/src/tables/gen";

/**
 * Imports the Kubernetes tables into `into`, where this machine has Go and the modules in its cache (`go run ./scripts/import-k8s` by hand fetches them);
 * elsewhere the committed ones are taken as they are. @returns whether it was done.
 */
async function importedTables(into: string): Promise<boolean> {
  await mkdir(into, { recursive: true });
  const offline = { GOPROXY: "off", GOFLAGS: "-mod=mod" };
  return (await run("go", ["run", ".", into], { cwd: join(root, "scripts/import-k8s"), env: offline })).ok;
}

/** Generates into a temporary folder and compares file by file. */
async function generatedIsFresh(): Promise<Outcome> {
  const into = await mkdtemp(join(tmpdir(), "mecha-gen-"));
  try {
    const generated = await generateAll(into);
    if (!generated.ok) return generated;
    const folders = templates().map((template) => /^\s*out: (\S+)$/m.exec(readFileSync(join(root, template), "utf8"))?.[1] ?? template);
    const tables = await importedTables(join(into, importedFolder));
    if (tables) folders.push(importedFolder);
    const differences = await Promise.all(folders.map((folder) => run("diff", ["-r", "-q", join(into, folder), join(root, folder)])));
    const output = differences.map((difference) => difference.output).join("");
    if (differences.every((difference) => difference.ok)) return { ok: true, output };
    return { ok: false, output: `${output}Fix: npm run fix (never edit generated code; change the .proto or scripts/import-k8s)\n` };
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}
