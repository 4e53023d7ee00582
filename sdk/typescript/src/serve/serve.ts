/**
 * Runs components as a user function: a gRPC server that a Cloudstate 0.2 proxy, such as Mecha's sidecar, calls.
 * Without a proxy nothing happens: it is the proxy that has the callers and the store.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { consoleLog, giveBackAtRest, hostClock, hostEnvironment, logOptionsFrom } from "@mecha/host";
import { type Environment, Fault, type Log } from "@mecha/kit";
import { listen, type Listener } from "@mecha/net";
import { type CallHandler, carrierPath, type Carriers, serveCarriers, unaryHandler } from "@mecha/wire";
import { EntitySpecSchema, ProxyInfoSchema, UserFunctionErrorSchema } from "@mecha/wire/gen/cloudstate/entity";
import { ProxyInfoExtensionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import type { Component } from "../component.ts";
import { expect, listed, Mistake } from "../mistake.ts";
import { eventSourcedPath } from "../protocol/event-sourced.ts";
import { crdtPath } from "../protocol/crdt.ts";
import { valueEntityPath } from "../protocol/value-entity.ts";
import type { ProxySeen, Surroundings } from "../run/surroundings.ts";
import { actionRoutes } from "./action-call.ts";
import { CrdtCall } from "./crdt-call.ts";
import { discoveryAnswer, entitySpec, protocolVersion } from "./discovery.ts";
import { EventSourcedCall, ValueEntityCall } from "./entity-call.ts";

export interface ServeOptions {
  /** Default: environment variable PORT, else 8080. 0: any free port. */
  readonly port?: number;
  /** Address to bind. Default: environment variable HOST, else 127.0.0.1: only this machine, where the proxy is. */
  readonly host?: string;
  /** Name this function reports. Default: the first component's service. */
  readonly name?: string;
  /** Version this function reports. Default `0.0.0`. */
  readonly version?: string;
  /** Explain mistakes to callers too, and refuse changes of state outside event handlers. Default: NODE_ENV is not `production`. */
  readonly development?: boolean;
  /** Default: lines on standard error; MECHA_LOG and MECHA_LOG_LEVEL apply. */
  readonly log?: Log;
  /** End on SIGTERM and SIGINT, and with the end of standard input when MECHA_EXIT_ON_STDIN_END=1. Default true; tests say false. */
  readonly handleSignals?: boolean;
  /** How long open calls may finish after SIGTERM, ms. Default 5,000; entity streams are ended by the proxy as it learns of the end. */
  readonly shutdownGraceMs?: number;
}

/** A running user function. Disposing it ends it at once. */
export interface Server extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Takes no more calls, lets open ones finish for `graceMs`, then ends. */
  close(graceMs?: number): Promise<void>;
}

/** Largest message the proxy may send: a stored snapshot or event, or a command; as the reference proxy takes from a function. */
const messageMaxBytes = 12 * 1024 * 1024;
const shutdownGraceMsDefault = 5_000;

/**
 * Serves `components` until the process is told to end.
 * @throws Mistake when the components do not go together, or the port cannot be had.
 * @example await serve([Cart, Profile]);
 */
export async function serve(components: readonly Component[], options: ServeOptions = {}): Promise<Server> {
  const environment = hostEnvironment();
  const log = options.log ?? consoleLog(logOptionsFrom(environment));
  let proxy: ProxySeen = { name: "", extensions: [] };
  const surroundings: Surroundings = {
    log,
    development: options.development ?? environment["NODE_ENV"] !== "production",
    proxy: () => proxy,
  };
  const spec = entitySpec(
    components,
    { name: options.name ?? components[0]?.service ?? "", version: options.version ?? "0.0.0" },
    `node ${process.version}`,
  );
  const routes = routesOf(components, toBinary(EntitySpecSchema, spec), surroundings, (seen) => (proxy = seen));
  const carriers = serveCarriers({
    router: (path) => (path === carrierPath ? undefined : routes.get(path)),
    messageMaxBytes,
    onError: (error, path) => log.error("call failed", { path, error }),
  });
  routes.set(carrierPath, carriers.handler);
  const listener = await open(options, environment, log, routes);
  const server = serverOf(listener, carriers);
  if (options.handleSignals ?? true) {
    // The process is this function's: it ends with it, and its memory is given back while it rests.
    endWithProcess(server, environment, log, options.shutdownGraceMs ?? shutdownGraceMsDefault);
    giveBackAtRest(hostClock);
  }
  // last: who reads this line may end the process at once
  log.info("function ready", { host: listener.host, port: listener.port, components: components.map(({ service }) => service).join(", ") });
  return server;
}

function routesOf(
  components: readonly Component[],
  spec: Uint8Array,
  surroundings: Surroundings,
  asked: (by: ProxySeen) => void,
): Map<string, CallHandler> {
  const { log } = surroundings;
  const onError = (error: unknown, path: string): void => log.error("call failed", { path, error });
  const eventSourced = finder(components, "eventSourced");
  const value = finder(components, "value");
  const crdt = finder(components, "crdt");
  return new Map<string, CallHandler>([
    [
      "/cloudstate.EntityDiscovery/discover",
      unaryHandler((request) => {
        const { proxyName, proxyVersion, protocolMajorVersion: major, protocolMinorVersion: minor } = fromBinary(ProxyInfoSchema, request);
        if (major !== protocolVersion.major || minor !== protocolVersion.minor) {
          log.warn("the proxy speaks another protocol version", {
            proxy: proxyName,
            version: `${major}.${minor}`,
            wanted: `${protocolVersion.major}.${protocolVersion.minor}`,
          });
        }
        const name = `${proxyName} ${proxyVersion}`.trim() || "a proxy without a name";
        const { mechaExtensions: extensions } = fromBinary(ProxyInfoExtensionSchema, request);
        asked({ name, extensions });
        log.info("proxy connected", { proxy: name });
        return discoveryAnswer(spec, extensions);
      }, onError),
    ],
    [
      "/cloudstate.EntityDiscovery/reportError",
      unaryHandler((request) => {
        log.error(`the proxy reports: ${fromBinary(UserFunctionErrorSchema, request).message}`);
        return toBinary(EmptySchema, create(EmptySchema));
      }, onError),
    ],
    [eventSourcedPath, (call) => new EventSourcedCall(call, eventSourced, surroundings)],
    [valueEntityPath, (call) => new ValueEntityCall(call, value, surroundings)],
    [crdtPath, (call) => new CrdtCall(call, crdt, surroundings)],
    ...actionRoutes(finder(components, "action"), surroundings),
  ]);
}

const kindNames = { eventSourced: "event-sourced entity", value: "value entity", crdt: "CRDT entity", action: "action" } as const;
type Definition<K extends Component["kind"]> = Extract<Component, { kind: K }>["definition"];

/** Finds a component by service name. */
function finder<K extends Component["kind"]>(components: readonly Component[], kind: K): (service: string) => Definition<K> {
  const found = new Map(
    components.filter((component) => component.kind === kind).map(({ service, definition }) => [service, definition as Definition<K>]),
  );
  return (service) => {
    const definition = found.get(service);
    expect(definition !== undefined, () => `this function has no ${kindNames[kind]} ${service}; it has ${listed(found.keys())}`);
    return definition;
  };
}

async function open(
  options: ServeOptions,
  environment: Environment,
  log: Log,
  routes: ReadonlyMap<string, CallHandler>,
): Promise<Listener> {
  const host = options.host ?? environment["HOST"] ?? "127.0.0.1";
  const port = options.port ?? portFrom(environment["PORT"]);
  try {
    return await listen(
      { host, port, clock: hostClock, log, limits: { messageMaxBytes } },
      {
        grpc: (path) => routes.get(path),
        http: (exchange) =>
          exchange.respond(
            404,
            { "content-type": "text/plain" },
            "This is a user function: it speaks gRPC with its proxy. Callers go to the proxy.\n",
          ),
      },
    );
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.code === "alreadyExists")
      throw new Mistake(
        `port ${port} on ${host} is taken by another process; set PORT to a free one, or end the other process (find it with: lsof -i :${port})`,
        { cause: error },
      );
    if (error.code === "denied")
      throw new Mistake(`port ${port} may not be opened by this user; set PORT to one above 1023`, { cause: error });
    throw error;
  }
}

function portFrom(text: string | undefined): number {
  if (text === undefined || text === "") return 8080;
  const port = Number(text);
  expect(
    Number.isInteger(port) && port >= 0 && port <= 65_535,
    () => `PORT: expected a number from 0 to 65535, got ${JSON.stringify(text)}`,
  );
  return port;
}

function serverOf(listener: Listener, carriers: Carriers): Server {
  return {
    host: listener.host,
    port: listener.port,
    close: async (graceMs = shutdownGraceMsDefault) => {
      carriers.leave();
      await listener.drain(graceMs);
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** Ends the process in good order when told to, or when its parent is gone (ENGINE E16). */
function endWithProcess(server: Server, environment: Environment, log: Log, graceMs: number): void {
  let ending = false;
  const end = (why: string): void => {
    if (ending) return;
    ending = true;
    log.info("function ends", { why });
    void server.close(graceMs).then(() => process.exit(0));
  };
  process.once("SIGTERM", () => end("SIGTERM"));
  process.once("SIGINT", () => end("SIGINT"));
  if (environment["MECHA_EXIT_ON_STDIN_END"] === "1") {
    process.stdin.once("end", () => end("standard input ended: the parent process is gone"));
    process.stdin.resume();
  }
}
