/** What one run of a project is to do: the project file, overruled by the command line. Pure. */
import type { FunctionProtocol } from "@mecha/sidecar";
import { type Access, type AccessFlags, withFlags } from "./access.ts";
import { UsageError } from "../exit.ts";
import { type FoundProject, inProject } from "../project/find.ts";
import type { Project, ProjectFunction } from "../project/schema.ts";

/** Flags of `mecha up`. */
export interface UpOptions extends AccessFlags {
  readonly folder: string;
  readonly port?: number;
  readonly host?: string;
  readonly adminPort?: number;
  /** Relative to the working directory. */
  readonly state?: string;
  readonly insecure?: boolean;
}

/** What one run does, whoever starts the functions. */
export interface RunSettings {
  readonly name: string;
  /** Folder of the project, absolute; what relative paths start from. */
  readonly folder: string;
  /** Functions to start. */
  readonly functions: readonly ProjectFunction[];
  /** A function somebody else starts. */
  readonly attached?: { readonly name: string; readonly host: string; readonly port: number; readonly protocol: FunctionProtocol };
  readonly ingress: { readonly host: string; readonly port: number; readonly strict?: "cloudstate-0.2" };
  readonly access: Access;
  /** `undefined`: no admin listener. */
  readonly adminPort: number | undefined;
  readonly store:
    | { readonly kind: "sqlite"; readonly directory: string; readonly durability: "full" | "relaxed" }
    /** The folder, when there is one, holds run records and admin files. */
    | { readonly kind: "memory"; readonly directory: string | undefined };
  readonly hints: Project["spec"]["try"];
}

/** @param stateFolder `--state`, made absolute. @throws UsageError for an address beyond loopback without `--insecure`. */
export function settingsOf({ project, folder }: FoundProject, options: UpOptions, stateFolder: string | undefined): RunSettings {
  const { functions, store, ingress, admin } = project.spec;
  const host = options.host ?? ingress.host;
  checkHost(host, options.insecure ?? false, options.host === undefined ? "spec.ingress.host" : "--host");
  return {
    name: project.metadata.name,
    folder,
    functions,
    ingress: { host, port: options.port ?? ingress.port },
    access: withFlags(ingress, options),
    adminPort: options.adminPort ?? admin.port,
    store: { kind: store.kind, durability: store.durability, directory: stateFolder ?? inProject(folder, store.directory) },
    hints: project.spec.try,
  };
}

/** keeps D9 (closed by default). @throws UsageError */
export function checkHost(host: string, insecure: boolean, field: string): void {
  if (insecure || isLoopback(host)) return;
  throw new UsageError(
    `${field} is ${host}, which other machines can reach, and there is no TLS and no authentication yet; use 127.0.0.1, or say --insecure if the network is trusted`,
  );
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/u.test(host);
}
