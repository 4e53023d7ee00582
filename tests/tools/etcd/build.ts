/**
 * Builds etcd, for `npm run oracle:kube` and `npm run bench -- kube`: from the Go module go.etcd.io/etcd/server with a main of ours. Debian's is a version
 * that cannot tell its progress (3.4), without which a kube-apiserver refuses `sendInitialEvents` and serves no consistent lists from its cache.
 */
import { type BuiltProgram, builtGoProgram } from "../../support/go-program.ts";
import { runProgram } from "../../support/program.ts";

/** The etcd of PATH where none can be built, and why. @throws Error without either */
export async function anEtcd(): Promise<BuiltProgram> {
  try {
    return await builtEtcd();
  } catch (error) {
    const { code, stdout } = await runProgram("etcd", ["--version"]).catch(() => ({ code: undefined, stdout: "" }));
    if (code !== 0)
      throw new Error("no etcd could be built, and none is installed (Debian: apt-get install etcd-server)", { cause: error });
    const version = `v${/etcd Version: (\S+)/u.exec(stdout)?.[1] ?? "?"}`;
    console.error(
      `etcd ${version} of this machine is used, which may be too old for all cases, because none could be built: ${String(error)}`,
    );
    return { path: "etcd", version };
  }
}

function builtEtcd(): Promise<BuiltProgram> {
  return builtGoProgram({ name: "etcd", folder: import.meta.dirname, module: "go.etcd.io/etcd/server/v3", cost: "two minutes of CPU" });
}

if (import.meta.main) console.log((await builtEtcd()).path);
