/** What one run of a project is to do: the project file, overruled by the command line. Pure. */
import type { FunctionProtocol } from "@mecha/sidecar";
import { type Access, type AccessFlags, withFlags } from "./access.ts";
import { UsageError } from "../exit.ts";
import { type FoundProject, inProject } from "../project/find.ts";
import type { Project, ProjectFunction } from "../project/schema.ts";

/** Where metrics can be read. */
export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
}

/** Port of the metrics listener when only its address is given; the reference's. */
const metricsPortDefault = 9_090;

/**
 * Nobody is told anything unless somebody asks: 9090 is Prometheus' own port, and two projects on one machine would fight for it.
 * @throws UsageError for an address beyond loopback without `--insecure`.
 */
export function metricsAddress(
  given: { readonly host: string | undefined; readonly port: number | undefined },
  insecure: boolean,
): MetricsAddress | undefined {
  const { host = "127.0.0.1", port = metricsPortDefault } = given;
  if (given.host === undefined && given.port === undefined) return undefined;
  checkHost(host, insecure, "METRICS_HOST");
  return { host, port };
}

/** Flags of `mecha up`. */
export interface UpOptions extends AccessFlags {
  readonly folder: string;
  readonly port?: number;
  readonly host?: string;
  readonly adminPort?: number;
  readonly metricsPort?: number;
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
  /** `undefined`: no metrics listener. */
  readonly metrics: MetricsAddress | undefined;
  /** `undefined`: no admin listener. */
  readonly adminPort: number | undefined;
  readonly store:
    | { readonly kind: "sqlite"; readonly directory: string; readonly durability: "full" | "relaxed" }
    /** The folder, when there is one, holds run records and admin files. */
    | { readonly kind: "memory"; readonly directory: string | undefined };
  readonly hints: Project["spec"]["try"];
}

/** @param stateFolder `--state`, made absolute. @param metrics The environment's. @throws UsageError for an address beyond loopback without `--insecure`. */
export function settingsOf(
  { project, folder }: FoundProject,
  options: UpOptions,
  stateFolder: string | undefined,
  metrics: { readonly host: string | undefined; readonly port: number | undefined } = { host: undefined, port: undefined },
): RunSettings {
  const { functions, store, ingress, admin } = project.spec;
  const host = options.host ?? ingress.host;
  checkHost(host, options.insecure ?? false, options.host === undefined ? "spec.ingress.host" : "--host");
  return {
    name: project.metadata.name,
    folder,
    functions,
    ingress: { host, port: options.port ?? ingress.port },
    access: withFlags(ingress, options),
    metrics: metricsAddress(
      { host: metrics.host, port: options.metricsPort ?? metrics.port ?? project.spec.metrics.port },
      options.insecure ?? false,
    ),
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
