/** The cluster a program means when its user says nothing: as kubectl and client-go choose it. */
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { existsSync } from "node:fs";
import { Fault } from "@mecha/kit";
import { type ClusterAccess, inClusterAccess, readKubeconfig } from "./access.ts";

export interface DefaultAccessOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** From `--kubeconfig`. */
  readonly kubeconfig?: string;
  /** From `--context`. */
  readonly context?: string;
  readonly nowMs: () => number;
}

/**
 * The file named, else the first file of KUBECONFIG that exists, else the Pod's account, else ~/.kube/config.
 * @throws Fault("notFound") that says what was tried.
 */
export function defaultAccess({ environment, kubeconfig, context, nowMs }: DefaultAccessOptions): ClusterAccess {
  const read = (path: string): ClusterAccess => readKubeconfig({ path, nowMs, ...(context !== undefined && { context }) });
  if (kubeconfig !== undefined) return read(kubeconfig);
  const listed = (environment["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  const found = listed.find((path) => existsSync(path));
  if (found !== undefined) return read(found);
  if (listed.length > 0) throw new Fault("notFound", `KUBECONFIG names ${listed.join(", ")}, which does not exist`);
  const own = inClusterAccess(environment);
  if (own) return own;
  const home = join(homedir(), ".kube", "config");
  if (existsSync(home)) return read(home);
  throw new Fault("notFound", `no cluster to talk to: not in a Pod, KUBECONFIG is not set, and ${home} does not exist`);
}
