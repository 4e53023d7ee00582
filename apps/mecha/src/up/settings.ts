/** What one run of a project is to do: the project file, overruled by the command line. Pure. */
import type { Retention } from "@mecha/binding";
import { second } from "@mecha/kit";
import type { FunctionProtocol } from "@mecha/sidecar";
import { UsageError } from "../exit.ts";
import { type Access, type AccessFlags, withFlags } from "./access.ts";
import { checkHost } from "./address.ts";
import { type ClusterGiven, type ClusterSettings, clusterSettings, type Member } from "./cluster.ts";
import { type RetentionGiven, topicRetention } from "./retention.ts";
import { type Given, type TlsFiles, tlsFiles } from "./tls.ts";
import { type FoundProject, inProject } from "../project/find.ts";
import type { Manifest } from "../manifests/read.ts";
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
export interface UpOptions extends AccessFlags, ClusterFlags {
  readonly folder: string;
  readonly port?: number;
  readonly host?: string;
  readonly adminPort?: number;
  readonly metricsPort?: number;
  readonly kubernetesPort?: number;
  /** `--no-kubernetes` */
  readonly kubernetes?: boolean;
  /** `--no-apply` */
  readonly apply?: boolean;
  readonly prune?: boolean;
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
  /** Of the ingress. */
  readonly tls: TlsFiles | undefined;
  /** `undefined`: this process is alone. */
  readonly cluster: ClusterSettings | undefined;
  readonly access: Access;
  /** `undefined`: no metrics listener. */
  readonly metrics: MetricsAddress | undefined;
  /** `undefined`: no Kubernetes API. A port of `undefined` is the last run's, or a free one. */
  readonly kubernetes: { readonly host: string; readonly port: number | undefined } | undefined;
  /** `undefined`: no admin listener. */
  readonly adminPort: number | undefined;
  readonly store:
    | { readonly kind: "sqlite"; readonly directory: string; readonly durability: "full" | "relaxed" }
    /** The folder, when there is one, holds run records and admin files. */
    | { readonly kind: "memory"; readonly directory: string | undefined };
  /** How much topics keep. */
  readonly retention: Retention;
  readonly hints: Project["spec"]["try"];
  /** Objects of the folder, to be applied at the start; absent: the API is left as it is. */
  readonly objects?: { readonly manifests: readonly Manifest[]; readonly prune: boolean };
}

/** What the environment says about a run. */
export interface RunEnvironment {
  readonly metrics: { readonly host: string | undefined; readonly port: number | undefined };
  readonly tls: TlsFiles | undefined;
  readonly cluster: ClusterGiven;
  readonly retention: RetentionGiven;
}

const nothingSaid: RunEnvironment = { metrics: { host: undefined, port: undefined }, tls: undefined, cluster: {}, retention: {} };

/** @param stateFolder `--state`, made absolute. @throws UsageError for an address beyond loopback without `--insecure` or certificates. */
export function settingsOf(
  found: FoundProject,
  options: UpOptions,
  stateFolder: string | undefined,
  { metrics, ...environment }: RunEnvironment = nothingSaid,
  manifests: readonly Manifest[] = [],
): RunSettings {
  const { project, folder } = found;
  const { functions, store, ingress, admin, kubernetes } = project.spec;
  const insecure = options.insecure ?? false;
  const host = options.host ?? ingress.host;
  const tls = environment.tls ?? projectTls(found, "ingress");
  checkIngress(host, tls, insecure, options.host === undefined ? "spec.ingress.host" : "--host");
  return {
    name: project.metadata.name,
    folder,
    functions,
    ingress: { host, port: options.port ?? ingress.port },
    tls,
    cluster: clusterSettings([clusterFlags(options), environment.cluster, projectCluster(found)], insecure),
    access: withFlags(ingress, options),
    metrics: metricsAddress({ host: metrics.host, port: options.metricsPort ?? metrics.port ?? project.spec.metrics.port }, insecure),
    adminPort: options.adminPort ?? admin.port,
    kubernetes:
      (options.kubernetes ?? true) && kubernetes.enabled
        ? { host: "127.0.0.1", port: options.kubernetesPort ?? kubernetes.port }
        : undefined,
    store: { kind: store.kind, durability: store.durability, directory: stateFolder ?? inProject(folder, store.directory) },
    retention: topicRetention(environment.retention, projectRetention(project)),
    hints: project.spec.try,
    ...objectsToApply(manifests, options, project),
  };
}

/** @throws UsageError when objects cannot be applied, or mecha.yaml has a function of the same name. */
function objectsToApply(manifests: readonly Manifest[], options: UpOptions, { spec }: Project): Pick<RunSettings, "objects"> {
  const { apply = true, prune = false, kubernetes = true } = options;
  if (!apply) return {};
  const served = kubernetes && spec.kubernetes.enabled;
  const [first] = manifests;
  if (!served && first)
    throw new UsageError(`${first.where}: objects of files need the Kubernetes API, which is turned off; turn it on, or add --no-apply`);
  if (!served) return {};
  for (const { where, object } of manifests) {
    const { namespace = "default", name } = object.metadata;
    if (object.kind === "StatefulService" && namespace === "default" && spec.functions.some((fn) => fn.name === name))
      throw new UsageError(`${where}: statefulservice/${name} is a function of mecha.yaml already; take one out`);
  }
  return { objects: { manifests, prune } };
}

/** keeps D9: beyond loopback there is mutual TLS, or somebody said --insecure. @throws UsageError */
export function checkIngress(host: string, tls: TlsFiles | undefined, insecure: boolean, field: string): void {
  if (tls?.authorities !== undefined) return;
  const fix =
    tls === undefined
      ? "give certificates (MECHA_TLS_CERT, _KEY and _CLIENT_CA, or spec.ingress.tls)"
      : `name who signs for callers (MECHA_TLS_CLIENT_CA, or spec.ingress.tls.clientAuthorities)`;
  checkHost(host, insecure, field, fix);
}

function projectRetention({ spec: { topics } }: Project): RetentionGiven {
  return { maxAgeMs: topics.maxAgeSeconds === undefined ? undefined : topics.maxAgeSeconds * second, maxBytes: topics.maxBytes };
}

/** Flags of `up` and `sidecar`. */
export interface ClusterFlags {
  readonly node?: string;
  readonly member?: readonly Member[];
}

export function clusterFlags({ node, member = [] }: ClusterFlags): ClusterGiven {
  return {
    ...(node !== undefined && { node: { value: node, field: "--node" } }),
    ...(member.length > 0 && { members: { value: member, field: "--member" } }),
  };
}

function projectCluster({ project, folder }: FoundProject): ClusterGiven {
  const { node, members, listen } = project.spec.cluster;
  const tls = projectTls({ project, folder }, "cluster");
  return {
    ...(node !== undefined && { node: { value: node, field: "spec.cluster.node" } }),
    ...(members.length > 0 && { members: { value: members, field: "spec.cluster.members" } }),
    ...(listen !== undefined && { listen: { value: listen, field: "spec.cluster.listen" } }),
    ...(tls && { tls }),
  };
}

function projectTls({ project, folder }: FoundProject, of: "ingress" | "cluster"): TlsFiles | undefined {
  const { tls } = project.spec[of];
  if (tls === undefined) return undefined;
  const authorities = "authorities" in tls ? "authorities" : "clientAuthorities";
  const file = (name: string, path: string | undefined): Given<string> | undefined =>
    path === undefined ? undefined : { value: inProject(folder, path), field: `spec.${of}.tls.${name}` };
  const given = {
    certificate: file("certificate", tls.certificate),
    key: file("key", tls.key),
    authorities: file(authorities, "authorities" in tls ? tls.authorities : tls.clientAuthorities),
  };
  return tlsFiles(given, { certificate: "certificate", key: "key", authorities }, "identity");
}
