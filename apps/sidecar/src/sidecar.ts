/**
 * One sidecar: user functions on one side, callers on the other, the state engine between them. `mecha up` runs one for all functions of a project,
 * `mecha sidecar` one beside a function somebody else started.
 *
 * S1 routes, reflection and engine change together, whole or not at all, each time a function was discovered (E7)
 * S2 a service belongs to one function; the second that claims it is refused, naming both
 * S3 while a function is being discovered for the first time, callers of unknown paths hear `unavailable`, not `unimplemented`
 */
import { type Clock, explain, type Fault, type Log, type Metrics, type Random, Scope, type Tracer } from "@mecha/kit";
import { listen, type Listener, type ServerTls } from "@mecha/net";
import { type DeliveryLimits, subscriptionProblem, type TopicLog } from "@mecha/binding";
import { type Change, type EngineOptions, type FedStore, openEngine, type StateEngine } from "@mecha/state";
import type { Discovered } from "@mecha/state/remote";
import {
  type CallHandler,
  type CallRouter,
  type DescriptorSet,
  healthHandler,
  HealthState,
  type HttpHandler,
  reflectionHandler,
  type ReflectionSource,
} from "@mecha/wire";
import { Eventing } from "./eventing/eventing.ts";
import { type ClusterConfig, type ClusterTls, listenToPeers, peersOf } from "./cluster.ts";
import { type FunctionAddress, FunctionLink, type LinkState } from "./function-link.ts";
import type { FunctionProtocol } from "./function-protocol.ts";
import { type Ingress, type IngressOptions, isTopicPath, openIngress } from "./ingress/index.ts";

export interface SidecarConfig {
  /** Names of the functions, in the order they are shown. */
  readonly functions: readonly string[];
  /** By name, the protocol each function speaks. Default `auto`. */
  readonly protocols?: Readonly<Record<string, FunctionProtocol>>;
  /** Somebody else starts the functions: a lost connection means that one may have started anew. */
  readonly attached?: boolean;
  readonly ingress: { readonly host: string; readonly port: number; readonly tls?: ServerTls } & IngressOptions;
  /** The other sidecars that hold the same CRDTs. Absent: this one is alone. */
  readonly cluster?: ClusterConfig;
  /** Limits of the engine; its defaults hold. */
  readonly engine?: Partial<EngineOptions>;
  /** Limits of deliveries of events; their defaults hold. */
  readonly deliveries?: Partial<DeliveryLimits>;
  /** Mecha's version, told to functions. */
  readonly version: string;
}

export interface SidecarPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Records spans of requests and of calls of functions; off when absent. */
  readonly tracer?: Tracer;
  /** Stays its owner's; close it after the sidecar. */
  readonly store: FedStore;
  /** Messages of topics. Stays its owner's too. Absent: functions that use topics are refused. */
  readonly topics?: TopicLog;
  /** A function's state changed: look again. */
  readonly changed?: () => void;
  /** A change of an entity became durable. */
  readonly observe?: (change: Change) => void;
  /** The store can no longer be trusted: stop the process (E4). */
  readonly fatal: (fault: Fault) => void;
}

/** A function as the sidecar sees it. */
export interface FunctionStatus {
  readonly name: string;
  readonly state: LinkState;
  readonly address: FunctionAddress | undefined;
  /** The last good discovery. */
  readonly discovered: Discovered | undefined;
}

export interface Sidecar extends AsyncDisposable {
  /** Where callers come in. */
  readonly host: string;
  readonly port: number;
  readonly engine: StateEngine;
  /** Consumer groups and topics. */
  readonly eventing: Eventing;
  readonly functions: readonly FunctionStatus[];
  /** Where peers come in; `undefined` when there are none. */
  readonly peerPort: number | undefined;
  /** Calls under way. */
  readonly openCalls: number;
  /** The function listens, or will in a moment: connect, discover, swap the routes. Also when it started again. */
  functionStarted(name: string, address: FunctionAddress): void;
  /** The function is gone for now. Its routes stay; its commands wait for it within the engine's bounds. */
  functionEnded(name: string): void;
  /** Types of the function that hosts a service. */
  descriptors(service: string): DescriptorSet | undefined;
  /**
   * Connections of callers, made from now on, get these certificates; those there are stay.
   * @throws Fault("invalid") when they cannot be used. Nothing is changed then.
   */
  renewIngressTls(tls: ServerTls): void;
  /** The same for connections of peers, and for those to peers. */
  renewClusterTls(tls: ClusterTls): void;
  /** Takes no more calls, finishes those under way within `graceMs`, closes. Returns how many were cut off. */
  drain(graceMs: number): Promise<number>;
}

/**
 * Opens the engine and the ingress; functions come with `functionStarted`.
 * @throws Fault("alreadyExists") when the ingress port is taken, other Faults of `listen`.
 */
export async function openSidecar(config: SidecarConfig, ports: SidecarPorts): Promise<Sidecar> {
  const sidecar = new RunningSidecar(config, ports);
  try {
    await sidecar.listen();
    return sidecar;
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
}

class RunningSidecar implements Sidecar {
  readonly engine: StateEngine;
  readonly #config: SidecarConfig;
  readonly #ports: SidecarPorts;
  readonly #scope = new Scope();
  readonly #links = new Map<string, FunctionLink>();
  readonly #ingress: Ingress;
  readonly eventing: Eventing;
  readonly #health = new HealthState();
  /** What is served: by function, its last good discovery. */
  #served: ReadonlyMap<string, Discovered> = new Map();
  #reflection: ReflectionSource = { files: [], services: [] };
  #listener: Listener | undefined;
  #peerListener: Listener | undefined;
  #clusterTls: ClusterTls | undefined;

  constructor(config: SidecarConfig, ports: SidecarPorts) {
    const { clock, random, log, metrics, tracer, store, topics, observe, fatal } = ports;
    this.#config = config;
    this.#clusterTls = config.cluster?.tls;
    this.#ports = ports;
    // The reference fails what waits at an entity whose stream was lost; otherwise it stays and the entity is loaded anew (E3).
    const strict = config.ingress.strict === undefined ? {} : { failQueueOnTermination: true, bareTexts: true };
    const seen = (change: Change): void => {
      this.eventing.changed(change);
      observe?.(change);
    };
    const node = config.cluster && { node: config.cluster.node };
    const options = { ...strict, ...node, ...config.engine, onFatal: fatal, observe: seen };
    const cluster = config.cluster?.listen && { peers: peersOf(config.cluster, () => this.#clusterTls, clock), catalog: store };
    const traced = tracer && { tracer };
    this.engine = this.#scope.own(openEngine({ store, clock, random, log, metrics, ...traced, options, ...(cluster && { cluster }) }));
    this.eventing = new Eventing({
      ...{ clock, random, log, metrics, engine: this.engine, feed: store.feed, topics },
      descriptors: (service) => this.descriptors(service),
      ...(config.deliveries && { limits: config.deliveries }),
      reachable: (service) => this.#reachable(service),
    });
    this.#ingress = openIngress({
      engine: this.engine,
      clock,
      log,
      metrics,
      tracer,
      publish: topics && ((topic, events, trace) => this.eventing.publish(topic, events, trace)),
      options: config.ingress,
      otherGrpc: this.#otherGrpc(),
    });
    this.#health.set("", "notServing");
    for (const name of config.functions) this.#links.set(name, this.#scope.own(this.#link(name)));
  }

  async listen(): Promise<void> {
    const { clock, log } = this.#ports;
    const { host, port, tls } = this.#config.ingress;
    const options = { host, port, clock, log, ...(tls && { tls }) };
    this.#listener = this.#scope.own(await listen(options, { grpc: this.#ingress.grpc, http: this.#http() }));
    const { cluster } = this.#config;
    if (cluster?.listen === undefined) return;
    const peers = listenToPeers({ ...cluster, listen: cluster.listen }, this.engine, { clock, log });
    this.#peerListener = this.#scope.own(await peers);
  }

  get host(): string {
    return this.#listener?.host ?? this.#config.ingress.host;
  }

  get port(): number {
    return this.#listener?.port ?? this.#config.ingress.port;
  }

  get peerPort(): number | undefined {
    return this.#peerListener?.port;
  }

  get openCalls(): number {
    return this.#listener?.openCalls ?? 0;
  }

  get functions(): readonly FunctionStatus[] {
    return [...this.#links.values()].map(({ name, state, address, discovered }) => ({ name, state, address, discovered }));
  }

  functionStarted(name: string, address: FunctionAddress): void {
    this.#links.get(name)?.started(address);
  }

  functionEnded(name: string): void {
    this.#links.get(name)?.ended();
  }

  descriptors(service: string): DescriptorSet | undefined {
    for (const { components, descriptors } of this.#served.values())
      if (components.some((component) => component.service === service)) return descriptors;
    return undefined;
  }

  renewIngressTls(tls: ServerTls): void {
    this.#listener?.renewTls(tls);
  }

  renewClusterTls(tls: ClusterTls): void {
    this.#peerListener?.renewTls({ ...tls, callerAuthorities: tls.authorities });
    this.#clusterTls = tls;
  }

  async drain(graceMs: number): Promise<number> {
    const untilMs = this.#ports.clock.monotonic() + graceMs;
    this.#health.set("", "notServing");
    const delivered = this.eventing.stop(); // what was not sent yet is the next process's
    // Callers first: their calls end while the engine still works. Then what the engine does on its own: effects, timers, streams to functions.
    const cutCalls = (await this.#listener?.drain(graceMs)) ?? 0;
    await Promise.race([delivered, this.#grace(untilMs)]);
    const cutSteps = await this.engine.drain(Math.max(0, untilMs - this.#ports.clock.monotonic()));
    await this[Symbol.asyncDispose]();
    return Math.max(cutCalls, cutSteps);
  }

  #grace(untilMs: number): Promise<void> {
    const { clock } = this.#ports;
    return new Promise((resolve) => void clock.after(Math.max(0, untilMs - clock.monotonic()), resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.eventing.stop();
    await this.#scope[Symbol.asyncDispose]();
    await stopped; // the engine has answered every delivery by now
  }

  #reachable(service: string): boolean {
    for (const [name, { components }] of this.#served)
      if (components.some((component) => component.service === service)) return this.#links.get(name)?.state.is === "ready";
    return false;
  }

  #link(name: string): FunctionLink {
    const { clock, random, log } = this.#ports;
    const found = (discovered: Discovered): string | undefined => this.#serve(name, discovered);
    const changed = (): void => {
      this.eventing.wake();
      this.#ports.changed?.();
    };
    return new FunctionLink(name, {
      clock,
      random,
      log,
      version: this.#config.version,
      protocol: this.#config.protocols?.[name] ?? "auto",
      ingress: () => this,
      headersToEntities: this.#config.ingress.passHeadersToEntities ?? false,
      found,
      changed,
      watchConnection: this.#config.attached ?? false,
    });
  }

  /** Takes a discovery into service; the reason when it cannot be. Keeps S1. */
  #serve(name: string, found: Discovered): string | undefined {
    const clash = this.#clash(name, found);
    if (clash !== undefined) return clash;
    const discovered = { ...found, components: found.components.map((component) => this.eventing.publishing(component)) };
    const served = new Map(this.#served).set(name, discovered);
    const components = [...served.values()].flatMap((one) => one.components);
    const problem = subscriptionProblem(components) ?? this.eventing.problem(components);
    if (problem !== undefined) return problem;
    try {
      this.#ingress.update([...served.values()]); // checks everything before it changes anything
    } catch (error) {
      return explain(error);
    }
    this.engine.setComponents(this.eventing.forEngine(components));
    this.#reflection = { files: filesOf([...served.values()]), services: components.map((component) => component.service) };
    this.#served = served;
    this.eventing.update(components);
    this.#tellHealth(components.map((component) => component.service));
    return undefined;
  }

  /** keeps S2 */
  #clash(name: string, discovered: Discovered): string | undefined {
    for (const [other, { components }] of this.#served) {
      const both =
        other === name ? undefined : components.find((mine) => discovered.components.some((its) => its.service === mine.service));
      if (both)
        return `the service ${both.service} is served by function ${other} already, so function ${name} cannot serve it too; remove it from one`;
    }
    return undefined;
  }

  #tellHealth(services: readonly string[]): void {
    for (const service of services) this.#health.set(service, "serving");
    if (this.#links.size === this.#served.size) this.#health.set("", "serving");
  }

  /** What is served beside the components. */
  #otherGrpc(): CallRouter {
    // The reference's clients read an empty answer as "no such symbol".
    const unknownSymbol = this.#config.ingress.strict === undefined ? "notFound" : "empty";
    const reflection = reflectionHandler(() => this.#reflection, { unknownSymbol });
    const fixed = new Map<string, CallHandler>([...reflection, ...healthHandler(this.#health)]);
    return (path) => fixed.get(path) ?? (this.#isStarting() ? notYet : undefined);
  }

  #http(): HttpHandler {
    return (exchange) => {
      const isServed = this.#served.size > 0 || !this.#isStarting() || isTopicPath(exchange.path); // topics need no function
      if (isServed) return this.#ingress.http(exchange);
      const body = JSON.stringify({ code: 14, message: "the function is starting; try again in a moment", details: [] });
      exchange.respond(503, { "content-type": "application/json", "retry-after": "1" }, body);
    };
  }

  /** Some function has not been discovered yet (S3). */
  #isStarting(): boolean {
    return this.#served.size < this.#links.size && [...this.#links.values()].some(({ state }) => state.is !== "refused");
  }
}

const notYet: CallHandler = (call) => {
  queueMicrotask(() => call.end({ code: 14, message: "the function is starting; try again in a moment" }));
  return { message() {} };
};

/** Files of all functions, each name once. */
function filesOf(served: readonly Discovered[]): ReflectionSource["files"] {
  return new Map(served.flatMap(({ descriptors }) => descriptors.files.map((file) => [file.name, file] as const))).values().toArray();
}
