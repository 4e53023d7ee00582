/**
 * Builds what is published: `mecha-runtime` (the command), `mecha-sdk` and `mecha-operator`, as folders and tarballs in dist/. Node strips types only outside
 * node_modules, so all are bundled to JavaScript; nothing of the workspaces is imported any more. Each carries LICENSE, NOTICE and
 * THIRD-PARTY.txt, the licences of the packages inside the bundle.
 *
 * Layout of mecha-runtime (bin/mecha.cjs and the code's own `import.meta.url` rely on it):
 *   bin/mecha.cjs   dist/main.js   dist/store-sqlite-worker.js   dist/object-log-worker.js   page/…   package.json
 */
import { build, type Metafile } from "esbuild";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { root, run } from "./checks.ts";
import { declarations } from "./pack-types.ts";

/** Where tarballs and their folders go. */
export const distFolder = join(root, "dist");

/** Licences a bundle may contain. Another one needs a decision, not a line here. */
const allowedLicences = new Set(["Apache-2.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "(Apache-2.0 AND BSD-3-Clause)"]);

/** A CommonJS package inside an ES module bundle asks for `require`. */
const requireBanner = 'import { createRequire as $createRequire } from "node:module"; const require = $createRequire(import.meta.url);';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly license?: string;
  readonly homepage?: string;
  readonly repository?: string | { readonly url?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const readManifest = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest;

/** Builds the packages; returns the tarballs' paths. */
export async function pack(into = distFolder): Promise<{ readonly runtime: string; readonly sdk: string; readonly operator: string }> {
  await mkdir(into, { recursive: true });
  return { runtime: await packRuntime(into), sdk: await packSdk(into), operator: await packOperator(into) };
}

async function packRuntime(into: string): Promise<string> {
  const app = join(root, "apps/mecha");
  const folder = await emptied(join(into, "mecha-runtime"));
  const built = await bundle(join(folder, "dist"), {
    main: join(app, "src/main.ts"),
    "store-sqlite-worker": join(root, "adapters/store-sqlite/src/worker.ts"),
    "object-log-worker": join(root, "adapters/store-sqlite/src/objects/worker.ts"),
    "store-sqlite-topics-worker": join(root, "adapters/store-sqlite/src/topics/worker.ts"),
  });
  await cp(join(app, "bin"), join(folder, "bin"), { recursive: true });
  await cp(join(app, "src/page"), join(folder, "page"), { recursive: true, filter: (path) => !path.endsWith(".ts") });
  await cp(join(root, "README.md"), join(folder, "README.md"));
  const { version } = await readManifest(app);
  await writeManifest(folder, {
    name: "mecha-runtime",
    version,
    description: (await readManifest(root)).description,
    bin: { mecha: "bin/mecha.cjs" },
    engines: { node: ">=20" },
    // Node for machines whose own is too old; a platform takes the one that fits it.
    optionalDependencies: (await readManifest(root)).optionalDependencies,
  });
  await writeLicences(folder, built);
  return tarball(folder, into);
}

async function packSdk(into: string): Promise<string> {
  const sdk = join(root, "sdk/typescript");
  const folder = await emptied(join(into, "mecha-sdk"));
  // protobuf stays a dependency: users' generated code imports it too, and there must be one copy of it.
  const kept = "@bufbuild/protobuf";
  const entries = { index: join(sdk, "src/index.ts"), testing: join(sdk, "src/testing/index.ts") };
  const built = await bundle(join(folder, "dist"), entries, [kept, `${kept}/*`]);
  const types = await declarations(entries, join(folder, "types"));
  // What a user's own .proto imports, and the protocol itself for languages without a library: `buf` and `protoc` find it with
  // node_modules/mecha-sdk/proto as an include path.
  for (const part of ["cloudstate", "google/api", "mecha/extensions"])
    await cp(join(root, "api/proto", part), join(folder, "proto", part), { recursive: true });
  const { version, description, dependencies } = await readManifest(sdk);
  await writeManifest(folder, {
    name: "mecha-sdk",
    version,
    description,
    exports: {
      ".": { types: `./types/${types.index ?? ""}`, default: "./dist/index.js" },
      "./testing": { types: `./types/${types.testing ?? ""}`, default: "./dist/testing.js" },
      "./proto/*": "./proto/*",
    },
    engines: { node: ">=24" },
    dependencies: { [kept]: dependencies?.[kept] },
  });
  await writeLicences(folder, built);
  return tarball(folder, into);
}

async function packOperator(into: string): Promise<string> {
  const sdk = join(root, "sdk/operator");
  const folder = await emptied(join(into, "mecha-operator"));
  const entries = { index: join(sdk, "src/index.ts") };
  const built = await bundle(join(folder, "dist"), entries);
  const types = await declarations(entries, join(folder, "types"));
  const { version, description } = await readManifest(sdk);
  await writeManifest(folder, {
    name: "mecha-operator",
    version,
    description,
    exports: { ".": { types: `./types/${types.index ?? ""}`, default: "./dist/index.js" } },
    engines: { node: ">=24" },
  });
  await writeLicences(folder, built);
  return tarball(folder, into);
}

/** Bundles the entry points into `outdir`; what several share goes into files of its own. */
async function bundle(outdir: string, entryPoints: Readonly<Record<string, string>>, external: readonly string[] = []): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints: { ...entryPoints },
    outdir,
    external: [...external],
    bundle: true,
    splitting: true,
    // Beside the entries: code finds the workers, package.json and the page from where it stands, and any of it may be in a chunk.
    chunkNames: "chunk-[hash]",
    platform: "node",
    format: "esm",
    target: "node24",
    banner: { js: requireBanner },
    legalComments: "none", // THIRD-PARTY.txt has them, whole
    metafile: true,
    logLevel: "warning",
    absWorkingDir: root,
  });
  return metafile;
}

async function writeManifest(folder: string, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const manifest = { ...fields, license: "Apache-2.0", type: "module" };
  await writeFile(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
}

/**
 * LICENSE, NOTICE and the list of what the bundle contains.
 * @throws Error when a bundled package has a licence we have not agreed to.
 */
async function writeLicences(folder: string, metafile: Metafile): Promise<void> {
  await cp(join(root, "LICENSE"), join(folder, "LICENSE"));
  await cp(join(root, "NOTICE"), join(folder, "NOTICE"));
  const parts: string[] = ["Packages contained in this bundle, and their licences.\n"];
  for (const packageFolder of bundledPackages(metafile)) {
    const manifest = await readManifest(join(root, packageFolder));
    const licence = manifest.license ?? "none";
    if (!allowedLicences.has(licence)) throw new Error(`${manifest.name} ${manifest.version}: licence ${licence} is not one we bundle`);
    const source = manifest.homepage ?? (typeof manifest.repository === "string" ? manifest.repository : manifest.repository?.url) ?? "";
    const text = await licenceText(join(root, packageFolder));
    parts.push(
      `${"-".repeat(79)}\n${manifest.name} ${manifest.version} (${licence}) ${source}\n\n${text ?? "The package carries no licence file; the licence is the one named above."}\n`,
    );
  }
  if (parts.length === 1) parts.push("None.\n");
  await writeFile(join(folder, "THIRD-PARTY.txt"), parts.join("\n"));
}

/** Folders of npm packages whose files are in the bundle, from the root. */
function bundledPackages(metafile: Metafile): string[] {
  const folders = Object.keys(metafile.inputs).map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

async function licenceText(folder: string): Promise<string | undefined> {
  const file = (await readdir(folder)).find((name) => /^licen[cs]e/i.test(name));
  return file === undefined ? undefined : readFile(join(folder, file), "utf8");
}

async function emptied(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

async function tarball(folder: string, into: string): Promise<string> {
  const packed = await run("npm", ["pack", folder, "--pack-destination", into, "--json", "--ignore-scripts", "--loglevel=error"]);
  if (!packed.ok) throw new Error(`npm pack ${folder}:\n${packed.output}`);
  const { name, version } = await readManifest(folder);
  return join(into, `${name}-${version}.tgz`);
}

if (import.meta.main) {
  const made = await pack();
  for (const path of Object.values(made)) console.log(relative(process.cwd(), path).split(sep).join("/"));
}
