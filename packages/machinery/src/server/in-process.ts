/** The transport for callers of this very process: requests go to the server as they are, no sockets in between. */
import { Fault } from "@mecha/kit";
import { statusErrorOf } from "../api-client.ts";
import type { ApiTransport, WatchEvent } from "../client.ts";
import type { Caller } from "./access.ts";
import type { KubeServer } from "./server.ts";
import type { Watching } from "./watch.ts";

/** Requests of `caller`, such as a controller. Events' objects are the cache's own: they must not be changed. */
export function inProcessTransport(server: KubeServer, caller: Caller): ApiTransport {
  return {
    async send(request, signal) {
      if (signal?.aborted) throw cancelled(signal);
      const served = await server.serve(request, caller);
      if (served.is === "answer") return served.answer;
      served.watching[Symbol.dispose]();
      throw new Fault("invalid", `${request.path} is a watch; call watch`);
    },
    async watch(request, signal) {
      const served = await server.serve(request, caller);
      if (served.is === "answer") throw statusErrorOf(served.answer);
      return eventsOf(served.watching, signal);
    },
  };
}

function cancelled(signal: AbortSignal): Fault {
  return Fault.from(signal.reason, "the request was cancelled", "cancelled");
}

async function* eventsOf(watching: Watching, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  const close = (): void => watching[Symbol.dispose]();
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  try {
    for (let events = await watching.read(); events; events = await watching.read()) yield* events;
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
