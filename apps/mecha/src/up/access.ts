/** Who may call the ingress over HTTP, and how much at once: the project file or the environment, then flags. Pure. */
import { kib, mib } from "@mecha/kit";
import type { SidecarConfig } from "@mecha/sidecar";

/** An origin as browsers send it (RFC 6454 §6.1): no path, no default port, lower case. */
export const originPattern = /^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$|^https?:\/\/\[[0-9a-f:]+\](:\d{1,5})?$/u;
export const originExpected = "a web origin like https://shop.example, without a path";
/** A Host header's name, without a port. */
export const hostNamePattern = /^[A-Za-z0-9.-]{1,255}$|^\[[0-9a-fA-F:]+\]$/u;
export const hostNameExpected = "a host name like shop.example, without a port";
/** Range of the largest body, bytes. The upper end bounds what one request may hold in memory. */
export const bodyRange = { min: kib, max: 64 * mib };

/** Name of a topic: `topicProblem` says the same in other words. */
export const topicPattern = /^[A-Za-z0-9._~/-]{1,255}$/u;
export const topicExpected = "the name of a topic: letters, digits and . _ ~ / -";

/** What was said about it; lists may be empty. */
export interface Access {
  readonly hosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly bodyMaxBytes: number | undefined;
  /** Topics callers may publish to. */
  readonly topics: readonly string[];
}

/** Flags of `up` and `sidecar`. Lists add to what is said elsewhere. */
export interface AccessFlags {
  readonly allowHost?: readonly string[];
  readonly allowOrigin?: readonly string[];
  readonly bodyMax?: number;
  readonly allowTopic?: readonly string[];
}

export function withFlags(access: Access, { allowHost = [], allowOrigin = [], bodyMax, allowTopic = [] }: AccessFlags): Access {
  return {
    hosts: [...access.hosts, ...allowHost],
    allowedOrigins: [...access.allowedOrigins, ...allowOrigin],
    bodyMaxBytes: bodyMax ?? access.bodyMaxBytes,
    topics: [...access.topics, ...allowTopic],
  };
}

const ownNames = ["localhost", "127.0.0.1", "[::1]"];

/**
 * For the sidecar. This machine's own names are always served. Beyond loopback any name is, unless names are listed: what callers call the
 * machine is not ours to know, and `--insecure` has been said.
 */
export function ingressAccess(
  loopback: boolean,
  { hosts, allowedOrigins, bodyMaxBytes, topics }: Access,
): Partial<SidecarConfig["ingress"]> {
  return {
    hosts: hosts.length === 0 && !loopback ? "any" : [...ownNames, ...hosts],
    allowedOrigins,
    topics,
    ...(bodyMaxBytes !== undefined && { bodyMaxBytes }),
  };
}

/** The access those options say. */
export function accessOfEnvironment(config: {
  readonly hosts: string;
  readonly allowedOrigins: string;
  readonly bodyMaxBytes: number;
  readonly topics: string;
}): Access {
  const { hosts, allowedOrigins, bodyMaxBytes, topics } = config;
  return { hosts: listed(hosts), allowedOrigins: listed(allowedOrigins), bodyMaxBytes, topics: listed(topics) };
}

function listed(value: string): string[] {
  return value.split(",").flatMap((one) => (one.trim() === "" ? [] : [one.trim()]));
}
