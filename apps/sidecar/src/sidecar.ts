/**
 * One sidecar: user functions on one side, callers on the other, the state engine between them. `mecha up` runs one for all functions of a project,
 * `mecha sidecar` one beside a function somebody else started.
 *
 * Which functions are served, and how that changes, is hosting.ts's business.
 */
import { type Clock, type Fault, type Log, type Metrics, type Random, Scope, type Tracer } from "@mecha/kit";
import { listen, type Listener, type ServerTls } from "@mecha/net";
import type { DeliveryLimits, TopicLog } from "@mecha/binding";
import { type Change, type EngineOptions, type FedStore, openEngine, type StateEngine } from "@mecha/state";
import {
  type CallHandler,
  type CallRouter,
  type DescriptorSet,
  healthHandler,
  HealthState,
  type HttpHandler,
  reflectionHandler,
} from "@mecha/wire";
import { Eventing } from "./eventing/eventing.ts";
import { type ClusterConfig, type ClusterTls, listenToPeers, peersOf } from "./cluster.ts";
import { type FunctionOptions, type FunctionStatus, type HostedFunction, Hosting } from "./hosting.ts";
import { type Ingress, type IngressOptions, isTopicPath, openIngress } from "./ingress/index.ts";
import { within } from "./within.ts";

export interface SidecarConfig {
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

export interface Sidecar extends AsyncDisposable {
  /** Where callers come in. */
  readonly host: string;
  readonly port: number;
  readonly engine: StateEngine;
  /** Consumer groups and topics. */
  readonly eventing: Eventing;
  /** In the order they were added. */
  readonly functions: readonly FunctionStatus[];
  /** Where peers come in; `undefined` when there are none. */
  readonly peerPort: number | undefined;
  /** Calls under way. */
  readonly openCalls: number;
  /** A function that is to be served, or a newer version of one that is. It is discovered once it was `started`. */
  addFunction(name: string, options?: FunctionOptions): HostedFunction;
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
 * Opens the engine and the ingress; functions come with `addFunction`.
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
  readonly #ingress: Ingress;
  readonly eventing: Eventing;
  readonly #health = new HealthState();
  readonly #hosting: Hosting;
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
      reachable: (service) => this.#hosting.reachable(service),
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
    const link = {
      ...{ clock, random, log },
      version: config.version,
      ingress: () => this,
      headersToEntities: config.ingress.passHeadersToEntities ?? false,
    };
    const { engine, eventing } = this;
    const changed = (): void => ports.changed?.();
    this.#hosting = this.#scope.own(new Hosting({ clock, ingress: this.#ingress, engine, eventing, health: this.#health, link, changed }));
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
    return this.#hosting.statuses;
  }

  addFunction(name: string, options: FunctionOptions = {}): HostedFunction {
    return this.#hosting.add(name, options);
  }

  descriptors(service: string): DescriptorSet | undefined {
    return this.#hosting.descriptors(service);
  }

  renewIngressTls(tls: ServerTls): void {
    this.#listener?.renewTls(tls);
  }

  renewClusterTls(tls: ClusterTls): void {
    this.#peerListener?.renewTls({ ...tls, callerAuthorities: tls.authorities });
    this.#clusterTls = tls;
  }

  async drain(graceMs: number): Promise<number> {
    const { clock } = this.#ports;
    const untilMs = clock.monotonic() + graceMs;
    this.#hosting.drain();
    const delivered = this.eventing.stop(); // what was not sent yet is the next process's
    // Callers first: their calls end while the engine still works. Then what the engine does on its own: effects, timers, streams to functions.
    const cutCalls = (await this.#listener?.drain(graceMs)) ?? 0;
    await within(Math.max(0, untilMs - clock.monotonic()), clock, delivered);
    const cutSteps = await this.engine.drain(Math.max(0, untilMs - clock.monotonic()));
    await this[Symbol.asyncDispose]();
    return Math.max(cutCalls, cutSteps);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.eventing.stop();
    await this.#scope[Symbol.asyncDispose]();
    await stopped; // the engine has answered every delivery by now
  }

  /** What is served beside the components. */
  #otherGrpc(): CallRouter {
    // The reference's clients read an empty answer as "no such symbol".
    const unknownSymbol = this.#config.ingress.strict === undefined ? "notFound" : "empty";
    const reflection = reflectionHandler(() => this.#hosting.reflection, { unknownSymbol });
    const fixed = new Map<string, CallHandler>([...reflection, ...healthHandler(this.#health)]);
    return (path) => fixed.get(path) ?? (this.#hosting.isStarting ? notYet : undefined);
  }

  #http(): HttpHandler {
    return (exchange) => {
      const isServed = this.#hosting.isServing || !this.#hosting.isStarting || isTopicPath(exchange.path); // topics need no function
      if (isServed) return this.#ingress.http(exchange);
      const body = JSON.stringify({ code: 14, message: "the function is starting; try again in a moment", details: [] });
      exchange.respond(503, { "content-type": "application/json", "retry-after": "1" }, body);
    };
  }
}

const notYet: CallHandler = (call) => {
  queueMicrotask(() => call.end({ code: 14, message: "the function is starting; try again in a moment" }));
  return { message() {} };
};
