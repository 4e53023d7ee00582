/**
 * Stands between a proxy and a user function: looks like the function, relays every RPC unchanged and records both directions.
 *
 * Invariants
 * I1 what is relayed is what arrived: message bytes, metadata, status and order; nothing is added
 * I2 a recording is made before the relay, so that who sees an effect of a message finds it recorded
 * I3 back-pressure is relayed too
 * I4 calls that share a carrier (mecha.carrier.v1) are recorded and relayed as calls of their own, so that a case finds each where the protocol has it
 */
import { type Clock, Fault, type Log, noLog, Scope, sleep } from "@mecha/kit";
import { connect, listen } from "@mecha/net";
import { type CallHandler, carrierPath, type Channel, type ClientCall, serveCarriers, type ServerCall } from "@mecha/wire";
import { Connection } from "./connection.ts";
import { Inbox } from "./inbox.ts";

/** Of a carried call, as gRPC libraries have it for others by default. */
const carriedMessageMaxBytes = 4 * 1024 * 1024;

export interface InterceptorOptions {
  /** The user function. */
  readonly host: string;
  readonly port: number;
  /** Where the proxy finds the interceptor; 0 = any free port (default). */
  readonly listenPort?: number;
  readonly clock: Clock;
  readonly log?: Log;
}

export interface Interceptor extends AsyncDisposable {
  /** Where the proxy's function port should point. */
  readonly port: number;
  /** The next connection to that path that nobody has taken. @throws Fault("deadline") when none comes. */
  connection(path: string, withinMs?: number): Promise<Connection>;
  /** @throws Fault("precondition") naming them when connections are left that nobody took, now or within `withinMs`. */
  expectNoConnection(withinMs: number): Promise<void>;
  /** Forgets the connections nobody took. */
  forget(): void;
}

export async function openInterceptor(options: InterceptorOptions): Promise<Interceptor> {
  const { clock, log = noLog } = options;
  const scope = new Scope();
  const channel = scope.own(connect({ host: options.host, port: options.port, clock }));
  const inboxes = new Map<string, Inbox<Connection>>();
  const inbox = (path: string): Inbox<Connection> => {
    const known = inboxes.get(path) ?? new Inbox<Connection>(clock);
    inboxes.set(path, known);
    return known;
  };
  const handler: CallHandler = (call) => {
    const connection = new Connection(call.path, clock);
    inbox(call.path).put(connection);
    return relay(call, channel, connection, clock);
  };
  const carriers = serveCarriers({
    router: () => handler,
    messageMaxBytes: carriedMessageMaxBytes,
    onError: (error, path) => log.error("a carried call failed", { path, error }),
  }); // keeps I4
  const listener = scope.own(
    await listen(
      { host: "127.0.0.1", port: options.listenPort ?? 0, clock, log },
      {
        grpc: (path) => (path === carrierPath ? carriers.handler : handler),
        http: (exchange) => exchange.respond(404, { "content-type": "text/plain" }, "this is a user function: gRPC only"),
      },
    ),
  );
  return {
    port: listener.port,
    connection: (path, withinMs) => inbox(path).take(`a connection to ${path}`, withinMs),
    async expectNoConnection(withinMs) {
      await sleep(clock, withinMs);
      const left = [...inboxes.entries()].filter(([, { left }]) => left.length > 0).map(([path, { left }]) => `${left.length} × ${path}`);
      if (left.length > 0) throw new Fault("precondition", `connections nobody expected: ${left.join(", ")}`);
    },
    forget: () => inboxes.clear(),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** Relays one call; the proxy is the caller, the function the callee. */
function relay(call: ServerCall, channel: Channel, connection: Connection, clock: Clock): ReturnType<CallHandler> {
  const timeoutMs = call.deadlineMs === undefined ? undefined : call.deadlineMs - clock.monotonic();
  const onward: ClientCall = channel.open(
    call.path,
    { metadata: call.metadata, ...(timeoutMs !== undefined && { timeoutMs }) },
    {
      headers: (metadata) => call.sendHeaders(metadata),
      message(bytes) {
        connection.fromFunction.put({ did: "message", bytes }); // keeps I2
        if (!call.send(bytes)) onward.pause(); // keeps I3
      },
      end(status, trailers) {
        connection.fromFunction.put({ did: "end", status });
        call.end(status, trailers);
      },
      drain: () => call.resume(),
    },
  );
  return {
    message(bytes) {
      connection.fromProxy.put({ did: "message", bytes }); // keeps I2
      if (!onward.send(bytes)) call.pause(); // keeps I3
    },
    halfClose() {
      connection.fromProxy.put({ did: "complete" });
      onward.halfClose();
    },
    cancelled(reason) {
      connection.fromProxy.put({ did: "cancel", reason });
      onward.cancel();
    },
    drain: () => onward.resume(),
  };
}
