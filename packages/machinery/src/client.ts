/**
 * The one API client: controllers, the CLI and tests speak to a server through it, whether it runs in this process or far away (DESIGN D2).
 * What a transport must do is `ApiTransport`; objects in and out are plain JSON.
 */
import type { JsonObject } from "@mecha/kinds";

/** A request as it goes over the wire, without a host. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Percent-encoded, without the query. */
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** An answer with its body whole. */
export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** One line of a watch. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: JsonObject;
}

/** How requests reach a server: in this process, or HTTPS to a cluster. */
export interface ApiTransport {
  /** @throws Fault("unavailable") when the server cannot be reached, Fault("cancelled") when `signal` ends it. Answers with any status are answers. */
  send(request: ApiRequest, signal?: AbortSignal): Promise<ApiAnswer>;
  /**
   * A watch: events until the server or `signal` ends it. The promise resolves when the answer's head is there.
   * @throws StatusError when the server refuses.
   */
  watch(request: ApiRequest, signal: AbortSignal): Promise<AsyncIterable<WatchEvent>>;
}
