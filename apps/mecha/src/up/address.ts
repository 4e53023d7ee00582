/** Addresses to listen on and to reach: what they look like, and which of them other machines can reach. Pure. */
import { UsageError } from "../exit.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export const addressPattern = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):\d{1,5}$/u;
export const addressExpected = "an address like 10.0.0.7:9003";

/** `undefined` when it is none. */
export function parseAddress(text: string): HostPort | undefined {
  if (!addressPattern.test(text)) return undefined;
  const at = text.lastIndexOf(":");
  const port = Number(text.slice(at + 1));
  return port <= 65_535 ? { host: text.slice(0, at).replace(/^\[|\]$/gu, ""), port } : undefined;
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/u.test(host);
}

/** keeps D9 (closed by default). @param fix What to do beside staying on loopback. @throws UsageError */
export function checkHost(host: string, insecure: boolean, field: string, fix = ""): void {
  if (insecure || isLoopback(host)) return;
  throw new UsageError(
    `${field} is ${host}, which other machines can reach, without TLS and authentication; use 127.0.0.1${fix && `, ${fix}`}, or say --insecure if the network is trusted`,
  );
}
