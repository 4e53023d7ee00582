/**
 * Builds the real kube-apiserver, for `npm run oracle:kube` and `npm run bench -- kube`: from the Go module k8s.io/kubernetes with a main of ours, its
 * version by the lock file here. Takes some 20 minutes of CPU once; what is there already is taken.
 *
 * B1 a program appears under its name only when it is whole
 * B2 what is built is named by its version, and kept outside the repository
 */
import { access, copyFile, mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../support/program.ts";

const here = import.meta.dirname;
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mecha-tests", "kube-apiserver");

/** A kube-apiserver on this machine. */
export interface KubeApiserver {
  readonly path: string;
  /** `v1.36.4` */
  readonly version: string;
}

/** @throws Error with the compiler's output; without Go */
export async function builtKubeApiserver(): Promise<KubeApiserver> {
  const version = /k8s\.io\/kubernetes (v\S+)/u.exec(await readFile(join(here, "go.mod"), "utf8"))?.[1];
  if (version === undefined) throw new Error("tests/tools/kube-apiserver/go.mod names no version of k8s.io/kubernetes");
  const name = `kube-apiserver-${version}`;
  const path = join(cache, name); // keeps B2
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!there) await build(name, version);
  return { path, version };
}

async function build(name: string, version: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), "mecha-kube-apiserver-"));
  try {
    for (const file of ["go.mod", "go.sum", "main.go"]) await copyFile(join(here, file), join(folder, file));
    const flags = `-s -w -X k8s.io/component-base/version.gitVersion=${version}`;
    console.error(`building ${name} (some 20 minutes of CPU, once)`);
    const { code, output } = await runProgram("nice", ["-n", "10", "go", "build", "-trimpath", "-ldflags", flags, "-o", name, "."], {
      cwd: folder,
      env: { CGO_ENABLED: "0" },
    });
    if (code !== 0) throw new Error(`go build of ${name} ended with ${String(code)}:\n${output}`);
    const beside = join(cache, `.${name}.${process.pid}`);
    await copyFile(join(folder, name), beside);
    await rename(beside, join(cache, name)); // keeps B1
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) console.log((await builtKubeApiserver()).path);
