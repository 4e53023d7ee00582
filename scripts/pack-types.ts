/**
 * Declarations for a published package: what its entry points' types reach, of all our workspaces, as .d.ts files with relative imports.
 * The compiler writes them; here only names are rewritten (`@mecha/kit` → the file beside it, `.ts` → `.js`), so that what a user's editor
 * shows is what we wrote, comments included.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { root, tool } from "./checks.ts";

/**
 * Writes declarations of `entries` (name → .ts file) and everything they import to `into`.
 * @returns Each entry's .d.ts, from `into`.
 * @throws Error with the compiler's words when it refuses.
 */
export async function declarations(entries: Readonly<Record<string, string>>, into: string): Promise<Readonly<Record<string, string>>> {
  await mkdir(join(root, ".cache"), { recursive: true });
  const work = await mkdtemp(join(root, ".cache/types-")); // inside the repository, so that packages are found
  try {
    const emitted = join(work, "out");
    const exportsOf = await workspaceExports();
    // Found through node_modules our workspaces would count as somebody else's, for which the compiler writes nothing.
    const paths = Object.fromEntries([...exportsOf].map(([name, target]) => [name, [join(root, target)]]));
    const compilerOptions = {
      paths,
      noEmit: false,
      emitDeclarationOnly: true,
      declaration: true,
      rootDir: root,
      outDir: emitted,
      skipLibCheck: true,
    };
    const config = { extends: join(root, "tsconfig.json"), compilerOptions, include: [], exclude: [], files: Object.values(entries) };
    await writeFile(join(work, "tsconfig.json"), JSON.stringify(config));
    const compiled = await tool("tsc", ["-p", join(work, "tsconfig.json"), "--pretty", "false"]);
    if (!compiled.ok) throw new Error(`declarations: ${compiled.output}`);
    const names = Object.entries(entries).map(([name, file]) => [name, declarationOf(relative(root, file))] as const);
    await copyReached(
      names.map(([, file]) => file),
      { emitted, into, exportsOf },
    );
    return Object.fromEntries(names);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const declarationOf = (source: string): string => source.replace(/\.ts$/, ".d.ts");

/** `@mecha/kit/testing` → `packages/kit/src/testing.ts`, for every export of every workspace. Patterns (`./gen/*`) keep their star. */
async function workspaceExports(): Promise<ReadonlyMap<string, string>> {
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly name?: string }>>;
  };
  const targets = new Map<string, string>();
  for (const folder of Object.keys(lock.packages).filter((name) => name !== "" && !name.includes("node_modules"))) {
    const manifest = JSON.parse(await readFile(join(root, folder, "package.json"), "utf8")) as {
      readonly name: string;
      readonly exports?: Readonly<Record<string, string>>;
    };
    for (const [name, target] of Object.entries(manifest.exports ?? {})) targets.set(join(manifest.name, name), join(folder, target));
  }
  return targets;
}

interface Copying {
  readonly emitted: string;
  readonly into: string;
  readonly exportsOf: ReadonlyMap<string, string>;
}

/** Copies the entries and everything they import, rewriting the names of imports. */
async function copyReached(entries: readonly string[], { emitted, into, exportsOf }: Copying): Promise<void> {
  const waiting = [...entries];
  const done = new Set<string>();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (done.has(file)) continue;
    done.add(file);
    const from = file;
    const text = (await readFile(join(emitted, from), "utf8")).replaceAll(
      /(\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g,
      (whole, before: string, name: string) => {
        const target = name.startsWith(".") ? join(dirname(from), name) : ours(exportsOf, name);
        if (target === undefined) return whole; // another package, or Node's own
        waiting.push(declarationOf(target));
        const path = relative(dirname(from), target).replace(/\.ts$/, ".js");
        return `${before}"${path.startsWith(".") ? path : `./${path}`}"`;
      },
    );
    await mkdir(dirname(join(into, from)), { recursive: true });
    await writeFile(join(into, from), text);
  }
}

/** The source file an import of one of our workspaces means. */
function ours(exportsOf: ReadonlyMap<string, string>, name: string): string | undefined {
  const exact = exportsOf.get(name);
  if (exact !== undefined) return exact;
  for (const [pattern, target] of exportsOf) {
    const [before = "", behind] = pattern.split("*");
    if (behind !== undefined && name.startsWith(before)) return target.replace("*", name.slice(before.length));
  }
  return undefined;
}
