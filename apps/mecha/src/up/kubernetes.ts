/** The Kubernetes API beside a running project: its objects in the state folder, its address the same from run to run where that is possible. */
import { join } from "node:path";
import { type ApiServer, openApiServer } from "@mecha/apiserver";
import { privateFolder, readTextFile, writePrivateFile } from "@mecha/host";
import { type Clock, Fault, kib, type Log, type Random, Scope } from "@mecha/kit";
import { allKinds } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { type FileObjectLog, openSqliteObjectLog } from "@mecha/store-sqlite";
import type { RunSettings } from "./settings.ts";

export interface KubernetesPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The objects can no longer be kept: the process has to end. */
  readonly fatal: (error: unknown) => void;
}

export interface Kubernetes extends AsyncDisposable {
  readonly api: ApiServer;
  /** Where its objects are kept; absent when that is in memory. */
  readonly objects: FileObjectLog | undefined;
}

/** Folder of keys, certificates and the kubeconfig, inside the state folder. */
export function kubernetesFolder(stateFolder: string): string {
  return join(stateFolder, "kubernetes");
}

/** @throws Fault("alreadyExists") when a port that was asked for is taken. */
export async function openKubernetes(
  { name, kubernetes, store }: RunSettings & { readonly kubernetes: NonNullable<RunSettings["kubernetes"]> },
  stateFolder: string,
  ports: KubernetesPorts,
): Promise<Kubernetes> {
  const scope = new Scope();
  const folder = kubernetesFolder(stateFolder);
  try {
    await privateFolder(folder);
    const file =
      store.kind === "memory" ? undefined : scope.own(await openSqliteObjectLog({ dir: stateFolder, durability: store.durability }));
    const objects = file ?? scope.own(openMemoryObjectLog());
    const open = (port: number): Promise<ApiServer> =>
      openApiServer({ host: kubernetes.host, port, folder, hosts: [], name }, { ...ports, objects, definitions: allKinds() });
    const api = scope.own(kubernetes.port === undefined ? await openAtLastPort(folder, open) : await open(kubernetes.port));
    await writePrivateFile(join(folder, "port"), `${api.port}\n`);
    return { api, objects: file, [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose]() };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

/** The port of the last run, so that a kubeconfig somebody copied stays true; another one when it is taken. */
async function openAtLastPort(folder: string, open: (port: number) => Promise<ApiServer>): Promise<ApiServer> {
  const last = Number((await readTextFile(join(folder, "port"), kib)) ?? 0);
  if (!Number.isInteger(last) || last < 1 || last > 65_535) return open(0);
  return open(last).catch((error: unknown) => {
    if (error instanceof Fault && error.code === "alreadyExists") return open(0);
    throw error;
  });
}
