/** What the ingress can be told. Plain values; the app reads them from its configuration. */
import type { Strictness } from "@mecha/wire";

export interface IngressOptions {
  /** Answer like Cloudstate 0.2's proxy: its texts, its statuses, its route order. Default: ours. */
  readonly strict?: Strictness;
  /**
   * Names a request's Host may have (port ignored), `"any"` to take all. Default: this machine's own names, so that a web page cannot reach
   * a loopback listener by a DNS name it controls (DESIGN D9).
   */
  readonly hosts?: readonly string[] | "any";
  /** Web origins (`https://shop.example`) whose pages may call. Default none: requests that come from a browser are refused. */
  readonly allowedOrigins?: readonly string[];
  /** Largest HTTP body, bytes. Default 4 MiB, what gRPC takes too. */
  readonly bodyMaxBytes?: number;
  /** How long an HTTP request may wait for its answer, ms. Default 60 s, the reference's relay timeout. gRPC callers bring a deadline themselves. */
  readonly requestTimeoutMs?: number;
  /** Topics callers may publish to, at `/_mecha/topics/<name>`. Default none: who publishes commands whoever consumes, and no method of theirs says so. */
  readonly topics?: readonly string[];
  /** Pass the caller's headers to entities as command metadata. Default false, as Cloudstate 0.2; actions always get them. */
  readonly passHeadersToEntities?: boolean;
}

export type ResolvedOptions = Required<Omit<IngressOptions, "strict">> & Pick<IngressOptions, "strict">;

export const ingressDefaults = {
  hosts: ["localhost", "127.0.0.1", "[::1]"],
  allowedOrigins: [],
  bodyMaxBytes: 4 * 1024 * 1024,
  requestTimeoutMs: 60_000,
  topics: [],
  passHeadersToEntities: false,
} as const satisfies Required<Omit<IngressOptions, "strict">>;
