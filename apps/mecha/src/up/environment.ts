/** What the environment says about listeners: certificates, and the other members of a cluster. Pure. */
import { resolve } from "node:path";
import type { Config } from "@mecha/kit";
import { UsageError } from "../exit.ts";
import { options } from "../options.ts";
import { type ClusterGiven, type Member, parseMember } from "./cluster.ts";
import type { RunEnvironment } from "./settings.ts";
import { type Given, tlsFiles } from "./tls.ts";

/** @param cwd What relative paths start from. @throws UsageError naming the variable. */
export function runEnvironment(config: Config<typeof options>, cwd: string): RunEnvironment {
  const file = (option: keyof typeof options): Given<string> | undefined => {
    const path = config[option];
    return typeof path === "string" ? { value: resolve(cwd, path), field: options[option].env } : undefined;
  };
  const names = (...[certificate, key, authorities]: readonly [keyof typeof options, keyof typeof options, keyof typeof options]) =>
    [
      { certificate: file(certificate), key: file(key), authorities: file(authorities) },
      { certificate: options[certificate].env, key: options[key].env, authorities: options[authorities].env },
    ] as const;
  const tls = tlsFiles(...names("tlsCertificate", "tlsKey", "tlsClientAuthorities"), "identity");
  const memberTls = tlsFiles(...names("clusterTlsCertificate", "clusterTlsKey", "clusterTlsAuthorities"), "all");
  const { clusterNode, clusterMembers, clusterListen } = config;
  const cluster: ClusterGiven = {
    ...(clusterNode !== undefined && { node: { value: clusterNode, field: options.clusterNode.env } }),
    ...(clusterMembers !== undefined && { members: { value: membersOf(clusterMembers), field: options.clusterMembers.env } }),
    ...(clusterListen !== undefined && { listen: { value: clusterListen, field: options.clusterListen.env } }),
    ...(memberTls && { tls: memberTls }),
  };
  const retention = { maxAgeMs: config.topicAgeMs, maxBytes: config.topicBytes };
  return { metrics: { host: config.metricsHost, port: config.metricsPort }, tls, cluster, retention };
}

function membersOf(text: string): Member[] {
  return text.split(",").map((one) => {
    const member = parseMember(one);
    if (member !== undefined) return member;
    throw new UsageError(`${options.clusterMembers.env}: expected members like a=10.0.0.7:9003, got ${JSON.stringify(one.slice(0, 100))}`);
  });
}
