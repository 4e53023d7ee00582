import { resolve } from "node:path";
import { type FunctionProtocol, sidecarOptions } from "@mecha/sidecar";
import { type ExitCode, UsageError } from "../exit.ts";
import type { Io } from "../io.ts";
import { options as declared } from "../options.ts";
import { type AccessFlags, accessOfEnvironment, withFlags } from "../up/access.ts";
import { clusterSettings } from "../up/cluster.ts";
import { runEnvironment } from "../up/environment.ts";
import { topicRetention } from "../up/retention.ts";
import { runProject } from "../up/run.ts";
import { checkIngress, clusterFlags, type ClusterFlags, metricsAddress } from "../up/settings.ts";
import { environmentOf } from "./up.ts";

/** Flags of `mecha sidecar`. They win over the environment. */
export interface SidecarOptions extends AccessFlags, ClusterFlags {
  readonly state?: string;
  readonly port?: number;
  readonly host?: string;
  readonly adminPort?: number;
  readonly metricsPort?: number;
  readonly insecure?: boolean;
  readonly protocol?: FunctionProtocol;
  readonly strict?: "off" | "cloudstate-0.2";
}

/** Port of the admin listener when there is a state folder to leave its token in. */
const adminPortDefault = 9_001;

/** `mecha sidecar` */
export async function sidecarCommand(io: Io, options: SidecarOptions): Promise<ExitCode> {
  const config = environmentOf(io, { ...declared, ...sidecarOptions });
  const host = options.host ?? "127.0.0.1";
  const insecure = options.insecure ?? false;
  const { tls, cluster, metrics, retention } = runEnvironment(config, io.cwd);
  checkIngress(host, tls, insecure, "--host");
  if (options.adminPort !== undefined && options.state === undefined)
    throw new UsageError("--admin-port needs --state: the admin listener's token is kept there");
  const strict = options.strict ?? config.strict;
  const directory = options.state === undefined ? undefined : resolve(io.cwd, options.state);
  return runProject(
    io,
    {
      name: "sidecar",
      folder: io.cwd,
      functions: [],
      attached: { name: "function", host: config.functionHost, port: config.functionPort, protocol: options.protocol ?? config.protocol },
      ingress: { host, port: options.port ?? config.ingressPort, ...(strict === "off" ? {} : { strict }) },
      tls,
      cluster: clusterSettings([clusterFlags(options), cluster], insecure),
      access: withFlags(accessOfEnvironment(config), options),
      metrics: metricsAddress({ host: metrics.host, port: options.metricsPort ?? metrics.port }, insecure),
      kubernetes: undefined,
      adminPort: directory === undefined ? undefined : (options.adminPort ?? adminPortDefault),
      store: directory === undefined ? { kind: "memory", directory } : { kind: "sqlite", directory, durability: "full" },
      retention: topicRetention(retention),
      hints: [],
    },
    config,
  );
}
