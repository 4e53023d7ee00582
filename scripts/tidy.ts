/**
 * House rules no other guard can see: about the lock file, package manifests, file headers, generated code, links. Pure functions over a
 * tree of texts, so that tests/guards/tidy.test.ts can run them over the repository and over planted violations alike.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./checks.ts";

/** Path from the root → text. */
export type Tree = ReadonlyMap<string, string>;

/** One thing to mend. */
export interface Finding {
  readonly rule: string;
  readonly file: string;
  readonly message: string;
}

interface Rule {
  readonly name: string;
  readonly find: (tree: Tree) => Iterable<Omit<Finding, "rule">>;
}

/** The texts of the repository, without what is installed, built or written by running it. */
export function readTree(folder = root): Tree {
  const skipped = /(^|\/)(node_modules|dist|coverage|\.git|\.mecha|\.cache|results|target|\.venv)(\/|$)/;
  const text =
    /(\.(ts|js|cjs|mjs|json|proto|ya?ml|md|html|css|sh|txt|lua|go|java|py)|(^|\/)(LICENSE|NOTICE|run|\.npmrc|\.gitignore|\.prettier\w+|Containerfile))$/;
  const paths = globSync("**/{*,.*}", { cwd: folder, exclude: (path) => skipped.test(path) }).filter((path) => text.test(path));
  const files = [".ci/run", ".npmrc"].filter((path) => !paths.includes(path));
  const tree = new Map<string, string>();
  for (const path of [...paths, ...files].sort()) {
    const content = readOrSkip(join(folder, path));
    if (content !== undefined) tree.set(path, content);
  }
  return tree;
}

function readOrSkip(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // a folder, or gone since it was listed
  }
}

/** Everything wrong in the tree. */
export function tidy(tree: Tree): Finding[] {
  return rules.flatMap((rule) => [...rule.find(tree)].map((found) => ({ rule: rule.name, ...found })));
}

interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly type?: string;
  readonly exports?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const workspaceManifest = /^(packages|dialects|adapters|apps|sdk|examples|conformance)\/([^/]+\/)?package\.json$/;
const isTest = (path: string): boolean =>
  /(\.test\.ts$|\/testing\.ts$|\/testing\/|\/contract\/|\/fuzz\/|\.fuzz\.ts$|\.bench\.ts$|\/bench\/)/.test(path);
const isGenerated = (path: string): boolean => /(^|\/)gen\//.test(path);
const isSource = (path: string): boolean => /\.(ts|cjs|mjs|js)$/.test(path);

const parse = (tree: Tree, path: string): Manifest => JSON.parse(tree.get(path) ?? "{}") as Manifest;
const workspaces = (tree: Tree): string[] => [...tree.keys()].filter((path) => workspaceManifest.test(path));
const lock = (tree: Tree): Readonly<Record<string, LockEntry>> =>
  (JSON.parse(tree.get("package-lock.json") ?? "{}") as { packages?: Record<string, LockEntry> }).packages ?? {};

/** The words that mark unfinished work; put together here so that this file does not contain them. */
const unfinished = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
/** `/home/ada` is free for examples: nobody works there. */
const machinePath = new RegExp(`(?<![\\w.$}])/(${["home", "Users", "root", "work"].join("|")})/(?!ada\\b)[\\w.-]`);
/** Orientation with a hard end: the better codebases of the field have medians of 50 to 130 lines. */
const lineMax = 600;
const testLineMax = 1_000;

export const rules: readonly Rule[] = [
  {
    name: "lock-lists-workspaces",
    *find(tree) {
      const entries = lock(tree);
      for (const file of workspaces(tree)) {
        const folder = file.replace("/package.json", "");
        const entry = entries[folder];
        if (!entry) yield { file, message: "is not in package-lock.json: run npm install and commit the lock" };
        else if (!sameRecord(entry.dependencies ?? {}, parse(tree, file).dependencies ?? {}))
          yield { file, message: "has other dependencies than package-lock.json: run npm install and commit the lock" };
      }
    },
  },
  {
    name: "lock-has-no-addresses",
    *find(tree) {
      for (const [name, entry] of Object.entries(lock(tree))) {
        if (entry.resolved !== undefined && !entry.link)
          yield {
            file: "package-lock.json",
            message: `${name}: carries an address; .npmrc says omit-lockfile-registry-resolved, run npm install`,
          };
      }
    },
  },
  {
    name: "lock-has-integrity",
    *find(tree) {
      const entries = lock(tree);
      for (const [name, entry] of Object.entries(entries)) {
        if (name.startsWith("node_modules/") && !entry.link && !entry.integrity?.startsWith("sha512-"))
          yield { file: "package-lock.json", message: `${name}: has no sha512 integrity` };
      }
      for (const [name, version] of Object.entries(parse(tree, "package.json").optionalDependencies ?? {})) {
        if (entries[`node_modules/${name}`]?.version !== version)
          yield { file: "package-lock.json", message: `${name} ${version}: Node for this platform is not locked` };
      }
    },
  },
  {
    name: "versions-are-exact",
    *find(tree) {
      for (const file of ["package.json", ...workspaces(tree)]) {
        const { dependencies, devDependencies, optionalDependencies } = parse(tree, file);
        for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
          if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) yield { file, message: `${name}: "${version}" is no exact version` };
        }
      }
    },
  },
  {
    name: "manifest",
    *find(tree) {
      const { version } = parse(tree, "package.json");
      for (const file of workspaces(tree)) {
        const manifest = parse(tree, file);
        if (manifest.private !== true) yield { file, message: "private must be true: what is published is packed by scripts/pack.ts" };
        if (manifest.license !== "Apache-2.0") yield { file, message: 'license must be "Apache-2.0"' };
        if (manifest.type !== "module") yield { file, message: 'type must be "module"' };
        if (manifest.version !== version) yield { file, message: `version must be the repository's, ${version ?? "unknown"}` };
        if (!file.startsWith("examples/")) yield* exportsOf(tree, file, manifest);
      }
    },
  },
  {
    name: "dependencies-are-imports",
    *find(tree) {
      const tools = Object.keys(parse(tree, "package.json").devDependencies ?? {});
      const shared = [...tools, ...workspaces(tree).map((manifest) => parse(tree, manifest).name ?? "")];
      for (const file of workspaces(tree)) yield* dependenciesOf(tree, file, shared);
    },
  },
  {
    name: "scripts-begin-with-preflight",
    *find(tree) {
      for (const [name, command] of Object.entries(parse(tree, "package.json").scripts ?? {})) {
        if (!command.startsWith("node scripts/preflight.cjs && "))
          yield { file: "package.json", message: `script ${name}: begin with node scripts/preflight.cjs &&` };
      }
    },
  },
  {
    name: "header",
    *find(tree) {
      for (const [file, text] of tree) {
        if (!isSource(file) || isGenerated(file) || file.endsWith(".test.ts") || onlyReexports(text)) continue;
        const first = text.replace(importStatements, "").replace(/^(#![^\n]*\n)?\s*(["']use strict["'];?\s*)?/, "");
        if (!/^(\/\*|\/\/)/.test(first))
          yield { file, message: "say in a comment what the file is for, at the top or right after the imports" };
      }
    },
  },
  {
    name: "nothing-unfinished",
    *find(tree) {
      for (const [file, text] of tree) {
        const line = isGenerated(file) || file === "package-lock.json" ? undefined : lineOf(text, unfinished);
        if (line) yield { file, message: `line ${line.number}: finish it, or say in HACKING.md or the issue what is open: ${line.text}` };
      }
    },
  },
  {
    name: "no-machine-paths",
    *find(tree) {
      for (const [file, text] of tree) {
        const line = lineOf(text, machinePath);
        if (line) yield { file, message: `line ${line.number}: a path of one machine: ${line.text}` };
      }
    },
  },
  {
    name: "no-only",
    *find(tree) {
      for (const [file, text] of tree) {
        const line =
          file.endsWith(".test.ts") && !file.startsWith("tests/guards/")
            ? lineOf(text, /\b(test|it|suite|describe)\.(only|todo)\(|\bonly: true/)
            : undefined;
        if (line) yield { file, message: `line ${line.number}: keeps other tests from running: ${line.text}` };
      }
    },
  },
  {
    name: "generated-is-marked",
    *find(tree) {
      for (const [file, text] of tree) {
        const marked = /^\/\/ @generated /m.test(text.slice(0, 500));
        if (isSource(file) && isGenerated(file) !== marked)
          yield {
            file,
            message: marked
              ? "is marked as generated: it belongs into a gen/ folder"
              : "lacks the @generated mark: only generated code lives in gen/",
          };
      }
    },
  },
  {
    name: "protos-are-generated",
    *find(tree) {
      const own = [...tree.keys()].filter((file) => file.endsWith("/buf.gen.yaml")).map((file) => file.slice(0, -"buf.gen.yaml".length));
      const folders = [["api/proto/", "packages/wire/src/gen/"], ...own.map((folder) => [`${folder}proto/`, `${folder}src/gen/`])];
      for (const [protos = "", generated = ""] of folders) {
        for (const name of stems(tree, protos, ".proto")) {
          if (!tree.has(`${generated}${name}_pb.ts`)) yield { file: `${protos}${name}.proto`, message: "is not generated: npm run fix" };
        }
        for (const name of stems(tree, generated, "_pb.ts")) {
          // A folder of its own also holds what its files import from api/proto.
          if (!tree.has(`${protos}${name}.proto`) && !tree.has(`api/proto/${name}.proto`))
            yield { file: `${generated}${name}_pb.ts`, message: "has no .proto any more: npm run fix" };
        }
      }
    },
  },
  {
    name: "file-length",
    *find(tree) {
      for (const [file, text] of tree) {
        if (!/\.(ts|cjs|js)$/.test(file) || isGenerated(file)) continue;
        const max = isTest(file) || file.startsWith("tests/") ? testLineMax : lineMax;
        const lines = text.split("\n").length;
        if (lines > max) yield { file, message: `${lines} lines; past ${max} a file is several things: split it` };
      }
    },
  },
  {
    name: "links-lead-somewhere",
    *find(tree) {
      for (const [file, text] of tree) {
        if (!file.endsWith(".md")) continue;
        for (const [, target = ""] of text.replaceAll(/```.*?```|`[^`\n]*`/gs, "").matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g)) {
          if (/^[a-z]+:/.test(target)) continue;
          const path = join(file, "..", target).replace(/\/$/, "");
          const there =
            path === "." ||
            tree.has(path) ||
            [...tree.keys()].some((known) => known.startsWith(`${path}/`)) ||
            /\.(png|svg|jpg)$/.test(path);
          if (!there) yield { file, message: `links to ${target}, which is not there` };
        }
      }
    },
  },
  {
    name: "pages-exist",
    *find(tree) {
      for (const file of ["README.md", "ARCHITECTURE.md", "HACKING.md", "STYLE.md", "CHANGELOG.md", "LICENSE", "NOTICE", ".ci/run"]) {
        if (!tree.get(file)) yield { file, message: "is missing or empty" };
      }
      if (!tree.get("LICENSE")?.includes("Apache License")) yield { file: "LICENSE", message: "is not the Apache License 2.0" };
    },
  },
];

/** An exports map whose every target is there; a pattern (`./gen/*`) needs one file that fits. */
function* exportsOf(tree: Tree, file: string, manifest: Manifest): Iterable<Omit<Finding, "rule">> {
  const targets = Object.values(manifest.exports ?? {});
  if (targets.length === 0) yield { file, message: "has no exports map: say what is public" };
  for (const target of targets) {
    const path = join(file, "..", target);
    const [before = "", behind = ""] = path.split("*");
    const there = path.includes("*")
      ? [...tree.keys()].some((known) => known.startsWith(before) && known.endsWith(behind))
      : tree.has(path);
    if (!there) yield { file, message: `exports ${target}, which is not there` };
  }
}

/** What product code imports is in `dependencies`, nothing else is; tests may use the repository's own tools and any workspace. */
function* dependenciesOf(tree: Tree, file: string, shared: readonly string[]): Iterable<Omit<Finding, "rule">> {
  const folder = file.replace("package.json", "");
  const { dependencies = {}, devDependencies = {}, name: own } = parse(tree, file);
  const imported = new Set<string>();
  for (const [path, text] of tree) {
    if (!path.startsWith(folder) || !isSource(path)) continue;
    for (const name of packagesImported(text)) {
      imported.add(name);
      if (name in dependencies || name === own) continue;
      const fine = isTest(path) && (name in devDependencies || shared.includes(name));
      if (!fine) yield { file: path, message: `imports ${name}, which is not in ${file}` };
    }
  }
  for (const name of [...Object.keys(dependencies), ...Object.keys(devDependencies)]) {
    if (!imported.has(name)) yield { file, message: `lists ${name}, which nothing imports` };
  }
}

/** Names of the packages a text imports; relative paths and Node's own modules left out. */
export function packagesImported(text: string): Set<string> {
  const names = new Set<string>();
  for (const [, from] of text.matchAll(/(?:^|\n)\s*(?:import|export|\}\s*from)\b(?:[^"';]*?\bfrom)?\s*"([^"\n]+)"/g))
    addPackage(names, from);
  for (const [, from] of text.matchAll(/\bimport\(\s*"([^"\n]+)"\s*\)/g)) addPackage(names, from);
  return names;
}

function addPackage(names: Set<string>, from: string | undefined): void {
  if (from === undefined || from.startsWith(".") || from.startsWith("node:") || from.endsWith(".proto")) return;
  names.add(
    from
      .split("/")
      .slice(0, from.startsWith("@") ? 2 : 1)
      .join("/"),
  );
}

/** Names below `folder`, without it and without `ending`. */
function stems(tree: Tree, folder: string, ending: string): string[] {
  return [...tree.keys()]
    .filter((file) => file.startsWith(folder) && file.endsWith(ending))
    .map((file) => file.slice(folder.length, -ending.length));
}

/** The imports a file begins with. */
const importStatements = /^(\s*import\b[^;]*;[^\S\n]*\n)+/;

/** An index.ts that lists what is public says enough by its names. */
function onlyReexports(text: string): boolean {
  return text.replaceAll(/\s*export (type )?(\*( as \w+)?|\{[^}]*\}) from "[^"]+";/g, "").trim() === "";
}

function lineOf(text: string, pattern: RegExp): { readonly number: number; readonly text: string } | undefined {
  const at = text.search(pattern);
  if (at < 0) return undefined;
  const number = text.slice(0, at).split("\n").length;
  return { number, text: text.split("\n")[number - 1]?.trim().slice(0, 120) ?? "" };
}

function sameRecord(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
