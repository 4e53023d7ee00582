import { join, resolve } from "node:path";
import { readTextFile } from "@mecha/host";
import { Fault, mib } from "@mecha/kit";
import type { Io } from "../io.ts";
import { findStateFolder } from "../project/find.ts";
import { kubernetesFolder } from "../up/kubernetes.ts";
import { type ClientOptions, printJson } from "./client-options.ts";

/** `mecha kubeconfig`: where the kubeconfig of a project is, for `kubectl --kubeconfig $(mecha kubeconfig)`. */
export async function kubeconfigCommand(io: Io, options: ClientOptions): Promise<void> {
  const path = await kubeconfigPath(io, options);
  if (options.output === "json") printJson(io, { kubeconfig: path });
  else io.out(`${path}\n`);
}

/** @throws Fault("notFound") that says how to get one. */
export async function kubeconfigPath(io: Io, options: ClientOptions): Promise<string> {
  const state = options.state === undefined ? undefined : resolve(io.cwd, options.state);
  const folder = await findStateFolder(resolve(io.cwd, options.project ?? "."), state);
  const path = join(kubernetesFolder(folder), "kubeconfig");
  if ((await readTextFile(path, mib)) === undefined)
    throw new Fault("notFound", `there is no ${path}; start the project with \`mecha up\`, with the Kubernetes API on`);
  return path;
}
