/**
 * One run of a project, from start to end: store, sidecar, admin listener, functions; then a signal, a drain, nothing left.
 *
 * U1 what was opened is closed in reverse order, also when the start fails half-way
 * U2 the first signal drains, the second kills at once
 */
import { join } from "node:path";
import { consoleLog, giveBackAtRest } from "@mecha/host";
import { type Config, explain, Fault, type Log, MetricsRegistry, Scope } from "@mecha/kit";
import { endLeftovers } from "@mecha/runtime-process";
import { type KubeObject } from "@mecha/kinds";
import { ApiClient } from "@mecha/machinery";
import { type ClusterConfig, type FunctionStatus, openSidecar, type Sidecar, type SidecarConfig } from "@mecha/sidecar";
import type { DescriptorSet } from "@mecha/wire";
import { Backups, type CopyState } from "../admin/backups.ts";
import { LiveFeed } from "../admin/live.ts";
import { openMetricsListener, processMetrics } from "../metrics-listener.ts";
import { openAdmin, portFault } from "../admin/listener.ts";
import type { FunctionJson, StatusJson } from "../admin/model.ts";
import { type ExitCode, exitCodes, UsageError } from "../exit.ts";
import { type Io, withProgress } from "../io.ts";
import type { options } from "../options.ts";
import type { ProjectFunction } from "../project/schema.ts";
import { inProject } from "../project/find.ts";
import { holdStateFolder } from "../state-folder.ts";
import { copyState } from "../upkeep/copy.ts";
import { finishRestore } from "../upkeep/restore.ts";
import { functionJson } from "../status.ts";
import { openTracing, type Tracing } from "../tracing.ts";
import { version } from "../version.ts";
import { banner, hintLines } from "./banner.ts";
import { type Console, openConsole } from "./console.ts";
import { Fleet } from "./fleet.ts";
import { ingressAccess } from "./access.ts";
import { isLoopback } from "./address.ts";
import { type Kubernetes, openKubernetes } from "./kubernetes.ts";
import { applyDirectory, filesManager, nameOf } from "./objects/directory.ts";
import { isSettled } from "./objects/plan.ts";
import { type Published, publishProject } from "./objects/publish.ts";
import type { RunSettings } from "./settings.ts";
import { type Renewal, watchCertificates } from "./renewal.ts";
import { clusterTls, type LoadedTls, loadTls, serverTls } from "./tls.ts";
import { type OpenedStore, openStore } from "./store.ts";

/** From then on a start says what it waits for, and again every so often, ms. */
const patienceMs = 2_000;

/** Runs until a signal or a fatal error. */
export async function runProject(io: Io, settings: RunSettings, config: Config<typeof options>): Promise<ExitCode> {
  const run = new ProjectRun(io, settings, config);
  return run.toTheEnd();
}

/** Why a run ends. */
type End = { readonly why: "signal" } | { readonly why: "failure"; readonly error: unknown };

/** Where applying the folder's objects is. */
type Applying =
  | { readonly is: "running" }
  | { readonly is: "done"; readonly objects: readonly KubeObject[] }
  | { readonly is: "failed"; readonly error: unknown };

class ProjectRun {
  readonly #io: Io;
  readonly #settings: RunSettings;
  readonly #config: Config<typeof options>;
  readonly #console: Console;
  readonly #scope = new Scope();
  #fleet: Fleet | undefined;
  readonly #startedMs: number;
  readonly #startedAt: string;
  readonly #live: LiveFeed;
  readonly #log: Log;
  readonly #metrics = new MetricsRegistry();
  readonly #end = Promise.withResolvers<End>();
  #state: StatusJson["state"] = "starting";
  #look: () => void = () => undefined;
  #metricsUrl: string | undefined;
  #kubernetes: Kubernetes | undefined;
  #published: Published | undefined;
  #applied: Applying = { is: "done", objects: [] };

  constructor(io: Io, settings: RunSettings, config: Config<typeof options>) {
    this.#io = io;
    this.#settings = settings;
    this.#config = config;
    this.#console = openConsole(
      io,
      settings.functions.map(({ name }) => name),
    );
    this.#startedMs = io.clock.monotonic();
    this.#startedAt = new Date(io.clock.wall()).toISOString();
    this.#live = new LiveFeed(io.clock);
    this.#log = consoleLog({ json: config.log === "json", level: config.logLevel, write: io.err });
  }

  async toTheEnd(): Promise<ExitCode> {
    const offSignal = this.#io.onSignal(() => this.#signalled());
    this.#scope.defer(giveBackAtRest(this.#io.clock));
    try {
      const { sidecar, page } = await this.#open();
      await this.#untilReady(sidecar, page);
      const end = await this.#end.promise;
      await this.#drain(sidecar);
      if (end.why === "failure") throw end.error;
      return exitCodes.ok;
    } finally {
      await this.#scope[Symbol.asyncDispose](); // keeps U1
      offSignal();
      if (this.#state === "draining") this.#console.say("stopped");
    }
  }

  /** keeps U2 */
  #signalled(): void {
    if (this.#state === "draining") {
      this.#console.say("killed");
      this.#fleet?.kill();
      this.#io.exit(exitCodes.failure);
    }
    this.#end.resolve({ why: "signal" });
    this.#state = "draining";
    this.#look();
  }

  async #open(): Promise<{ readonly sidecar: Sidecar; readonly page: string | undefined }> {
    const { clock, random } = this.#io;
    const { store: storeSettings, retention, ingress, access, functions, attached } = this.#settings;
    const { directory } = storeSettings;
    const log = this.#log;
    const { ingress: ingressTls, cluster: clusterConfig, renewals } = await this.#listenerConfig();
    if (directory !== undefined) await this.#holdFolder(directory);
    const { store, topics, files } = await openStore(storeSettings, { clock, random, log, retention, scope: this.#scope });
    const tracing = this.#openTracing(log);
    const kubernetes = this.#openKubernetes(log);
    const sidecar = this.#scope.own(
      await openSidecar(
        {
          ...(clusterConfig && { cluster: clusterConfig }),
          ingress: { ...ingress, ...ingressAccess(isLoopback(ingress.host), access), ...ingressTls },
          version,
          deliveries: { attemptsMax: this.#config.eventAttempts },
        },
        {
          clock,
          random,
          log,
          metrics: this.#metrics,
          ...(tracing && { tracer: tracing.tracer }),
          store,
          topics,
          changed: () => this.#changed(),
          observe: (change) => this.#live.change(change),
          fatal: (error) => this.#end.resolve({ why: "failure", error }),
        },
      ).catch((error: unknown) => {
        throw portFault(error, ingress.port, "ingress port", "--port, or spec.ingress.port in mecha.yaml");
      }),
    );
    this.#scope.own(watchCertificates(renewals(sidecar), { clock, log }));
    await this.#openMetrics(log);
    const objects = async (): Promise<Kubernetes["objects"]> => (await kubernetes)?.objects;
    const parts = files && directory !== undefined ? { ...files, objects, stateFolder: directory } : undefined;
    const copy: CopyState | undefined = parts && ((folder, progress) => copyState(parts, folder, progress));
    const page = await this.#openAdmin(sidecar, { store, copy, log });
    this.#scope.own(this.#live); // before the listener closes, its streams must have ended
    const fleet = this.#openFleet(sidecar);
    for (const [i, fn] of functions.entries()) await this.#startFunction(fleet, fn, `spec.functions[${i}]`);
    if (attached) sidecar.addFunction(attached.name, { protocol: attached.protocol, attached: true }).started(attached);
    this.#kubernetes = await kubernetes;
    if (functions.length === 0 || (this.#settings.objects?.manifests.length ?? 0) > 0) this.#publish();
    this.#applyObjects();
    return { sidecar, page };
  }

  /** TLS of the ingress, what the sidecar is told of the other members, and how both are renewed. @throws UsageError for certificates that cannot be used. */
  async #listenerConfig(): Promise<{
    readonly ingress: Pick<SidecarConfig["ingress"], "tls">;
    readonly cluster: ClusterConfig | undefined;
    readonly renewals: (sidecar: Sidecar) => Renewal[];
  }> {
    const { tls, cluster } = this.#settings;
    const own = tls && { of: "ingress", files: tls, loaded: await loadTls(tls) };
    const members = cluster?.tls && { of: "cluster", files: cluster.tls, loaded: await loadTls(cluster.tls) };
    const secured = members && { tls: clusterTls(members.loaded) };
    return {
      ingress: own ? { tls: serverTls(own.loaded) } : {},
      cluster: cluster && { node: cluster.node, listen: cluster.listen, peers: cluster.peers, ...secured },
      renewals: (sidecar) => [
        ...(own ? [{ ...own, renew: (to: LoadedTls) => sidecar.renewIngressTls(serverTls(to)) }] : []),
        ...(members ? [{ ...members, renew: (to: LoadedTls) => sidecar.renewClusterTls(clusterTls(to)) }] : []),
      ],
    };
  }

  async #holdFolder(directory: string): Promise<void> {
    this.#scope.own(await holdStateFolder(directory));
    const before = finishRestore(directory);
    if (before !== undefined) this.#console.say(`finished a restore that was cut off; the state before is kept in ${before}`);
    for (const left of endLeftovers(join(directory, "run")))
      this.#console.say(`ended process ${left.pid}, which function ${left.function} left behind`);
  }

  /** @throws UsageError for a variable that is none. */
  #openTracing(log: Log): Tracing | undefined {
    const { clock, random } = this.#io;
    try {
      const tracing = openTracing(this.#config, this.#settings.name, { clock, random, log, metrics: this.#metrics });
      return tracing && this.#scope.own(tracing);
    } catch (error) {
      throw new UsageError(explain(error));
    }
  }

  async #openMetrics(log: Log): Promise<void> {
    const { metrics } = this.#settings;
    if (metrics === undefined) return;
    const { clock } = this.#io;
    const listener = this.#scope.own(await openMetricsListener(processMetrics(this.#metrics, version), { ...metrics, clock, log }));
    this.#metricsUrl = `http://${listener.host.includes(":") ? `[${listener.host}]` : listener.host}:${listener.port}/metrics`;
  }

  /** Beside the rest of the start: making keys for the first time takes longer than a function takes to listen. */
  #openKubernetes(log: Log): Promise<Kubernetes | undefined> {
    const { kubernetes, store } = this.#settings;
    if (!kubernetes || store.directory === undefined) return Promise.resolve(undefined);
    const fatal = (error: unknown): void => this.#end.resolve({ why: "failure", error });
    const { clock, random } = this.#io;
    const opening = openKubernetes({ ...this.#settings, kubernetes }, store.directory, { clock, random, log, fatal }).catch(
      (error: unknown) => {
        throw portFault(error, kubernetes.port ?? 0, "Kubernetes API port", "--kubernetes-port, or spec.kubernetes.port in mecha.yaml");
      },
    );
    // Closed whether or not the rest of the start went well; whoever awaits `opening` hears of its failure.
    this.#scope.defer(async () => (await opening.catch(() => undefined))?.[Symbol.asyncDispose]());
    return opening;
  }

  /** Address of the page; `undefined` without an admin listener. */
  async #openAdmin(
    sidecar: Sidecar,
    { store, copy, log }: Pick<OpenedStore, "store"> & { readonly copy: CopyState | undefined; readonly log: Log },
  ): Promise<string | undefined> {
    const {
      adminPort: port,
      store: { directory },
    } = this.#settings;
    if (port === undefined || directory === undefined) return undefined;
    const descriptors = (service: string): DescriptorSet | undefined => sidecar.descriptors(service);
    const backups = copy && new Backups(directory, copy, this.#io.random);
    const owner = (service: string): string | undefined =>
      this.#functions(sidecar).find(({ services }) => services.some(({ name }) => name === service))?.name;
    const { engine, eventing } = sidecar;
    const view = { store, engine, eventing, descriptors, owner, status: () => this.#status(sidecar), live: this.#live, backups };
    return this.#scope.own(await openAdmin(view, { port, stateFolder: directory, clock: this.#io.clock, log })).page;
  }

  #openFleet(sidecar: Sidecar): Fleet {
    const { clock, random, env: environment } = this.#io;
    const runFolder = join(this.#settings.store.directory ?? this.#settings.folder, "run");
    this.#fleet = this.#scope.own(
      new Fleet({
        ...{ clock, random, environment, runFolder, sidecar, graceMs: this.#config.shutdownGraceMs },
        output: (name, stream, line) => this.#console.line(name, stream, line),
        say: (text) => this.#console.say(text),
        changed: () => this.#changed(),
      }),
    );
    return this.#fleet;
  }

  /** One of mecha.yaml. @param path Of its entry there. */
  async #startFunction(fleet: Fleet, { name, command, directory, env, protocol, port }: ProjectFunction, path: string): Promise<void> {
    const own = {
      directory: inProject(this.#settings.folder, directory),
      env: Object.fromEntries(env.map((one) => [one.name, one.value])),
    };
    try {
      await fleet.set({ name, command, protocol, port, ...own, order: 0 });
    } catch (error) {
      if (error instanceof Fault && error.code === "precondition") throw new UsageError(`${path}: ${explain(error)}`);
      throw error;
    }
  }

  #changed(): void {
    this.#fleet?.changed();
    this.#live.functionsChanged();
    this.#published?.changed();
    this.#look();
  }

  /** Shows the functions in the Kubernetes API. Called when they are served, or late: the start is not to wait for it. */
  #publish(): void {
    if (this.#published || !this.#kubernetes || !this.#fleet) return;
    const { clock, random } = this.#io;
    const transport = this.#kubernetes.api.transport("mecha");
    const ports = { transport, clock, random, log: this.#log, fleet: this.#fleet, graceMs: this.#config.shutdownGraceMs };
    const say = (text: string): void => {
      if (this.#state !== "draining") this.#console.say(text);
    };
    this.#published = this.#scope.own(publishProject(this.#settings, { ...ports, say, found: () => this.#look() }));
  }

  /** Those of the folder's files. `#applied` follows; a failure ends the start. */
  #applyObjects(): void {
    const { objects } = this.#settings;
    if (!objects || !this.#kubernetes) return;
    const client = new ApiClient(this.#kubernetes.api.transport("mecha"), { fieldManager: filesManager });
    const { clock } = this.#io;
    const ports = { client, clock, signal: this.#scope.signal, say: (text: string) => this.#console.say(text), prune: objects.prune };
    const applying = applyDirectory(objects.manifests, ports).then(
      (applied) => {
        this.#applied = { is: "done", objects: applied };
      },
      (error: unknown) => {
        this.#applied = { is: "failed", error };
      },
    );
    this.#applied = { is: "running" };
    void applying.then(() => this.#look());
  }

  /** StatefulServices of the folder's files that may yet become ready. */
  #unsettled(): readonly KubeObject[] {
    if (this.#applied.is !== "done") return [];
    return this.#applied.objects.filter((object) => {
      if (object.kind !== "StatefulService") return false;
      const finding = this.#published?.finding(object);
      return !finding || !isSettled(finding);
    });
  }

  /** Of mecha.yaml, or attached: those the start stands and falls with. */
  #ownFunctions(sidecar: Sidecar): readonly FunctionStatus[] {
    const { functions, attached } = this.#settings;
    return sidecar.functions.filter(({ name }) => name === attached?.name || functions.some((fn) => fn.name === name));
  }

  /** Waits until every function is served, says what it waits for, and prints the banner. A signal ends the wait. */
  async #untilReady(sidecar: Sidecar, page: string | undefined): Promise<void> {
    const cancel = this.#sayWhatIsMissing(sidecar);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#look = () => {
          const own = this.#ownFunctions(sidecar);
          const refused = own.find(({ state }) => state.is === "refused");
          if (refused?.state.is === "refused")
            reject(new Fault("precondition", `function ${refused.name} cannot be served: ${refused.state.problem}`));
          else if (this.#applied.is === "failed") reject(this.#applied.error);
          else if (this.#state !== "starting") resolve();
          else if (this.#applied.is === "done" && this.#unsettled().length === 0 && own.every(({ state }) => state.is === "ready"))
            resolve();
        };
        this.#look();
      });
    } finally {
      cancel();
      this.#look = () => this.#sayRefused(sidecar);
    }
    if (this.#state !== "starting") return;
    this.#state = "ready";
    this.#live.functionsChanged();
    const { cwd, colour, clock } = this.#io;
    const facts = {
      settings: this.#settings,
      status: this.#status(sidecar),
      page,
      metrics: this.#metricsUrl,
      kubeconfig: this.#kubernetes?.api.kubeconfig,
      cwd,
      colour,
      tookMs: clock.monotonic() - this.#startedMs,
    };
    this.#io.out(banner(facts));
    this.#publish();
  }

  #sayWhatIsMissing(sidecar: Sidecar): () => void {
    let cancel = (): void => undefined;
    const again = (): void => {
      cancel = this.#io.clock.after(patienceMs, () => {
        this.#publish();
        if (this.#applied.is === "running") this.#console.say("waiting for objects of the folder to be applied");
        for (const object of this.#unsettled())
          this.#console.say(`waiting for ${nameOf(object)}: ${this.#published?.finding(object)?.message ?? "starting"}`);
        for (const fn of this.#ownFunctions(sidecar).map((own) => this.#functionJson(own)))
          if (fn.state !== "ready")
            this.#console.say(
              `waiting for function ${fn.name}${fn.port === undefined ? "" : ` on port ${fn.port}`}: ${fn.problem ?? fn.state}`,
            );
        again();
      });
    };
    again();
    return () => cancel();
  }

  /** Once running, a new version that is refused is said and the old routes stay. */
  #sayRefused(sidecar: Sidecar): void {
    for (const { name, state } of this.#ownFunctions(sidecar))
      if (state.is === "refused" && !this.#refusedSaid.has(state.problem)) {
        this.#refusedSaid.add(state.problem);
        this.#console.say(`function ${name} cannot be served: ${state.problem}`);
      }
  }
  readonly #refusedSaid = new Set<string>();

  async #drain(sidecar: Sidecar): Promise<void> {
    this.#state = "draining";
    this.#live.functionsChanged();
    const { openCalls } = sidecar;
    this.#console.say(openCalls === 0 ? "draining" : `draining: ${openCalls} ${openCalls === 1 ? "call" : "calls"} under way…`);
    const drained = this.#kubernetes?.api.drain(this.#config.shutdownGraceMs);
    const cutOff = await withProgress(this.#io, "mecha | still draining", sidecar.drain(this.#config.shutdownGraceMs));
    await drained;
    if (cutOff > 0)
      this.#console.say(
        `${cutOff} ${cutOff === 1 ? "call was" : "calls were"} cut off after ${this.#config.shutdownGraceMs / 1_000} s (MECHA_SHUTDOWN_GRACE)`,
      );
    await this.#fleet?.stop();
  }

  #functions(sidecar: Sidecar): FunctionJson[] {
    return sidecar.functions.map((fn) => this.#functionJson(fn));
  }

  #functionJson(fn: FunctionStatus): FunctionJson {
    return functionJson(fn, this.#fleet?.process(fn.name));
  }

  #clusterStatus({ engine, peerPort }: Sidecar): Pick<StatusJson, "cluster"> {
    const { cluster } = this.#settings;
    if (cluster?.listen === undefined) return {};
    const connected = new Set(engine.replication?.connected);
    const peers = cluster.peers.map(({ node, host, port }) => ({ name: node, address: `${host}:${port}`, connected: connected.has(node) }));
    return { cluster: { node: cluster.node, host: cluster.listen.host, port: peerPort ?? cluster.listen.port, peers } };
  }

  #status(sidecar: Sidecar): StatusJson {
    const { kind, directory } = this.#settings.store;
    return {
      project: this.#settings.name,
      version,
      pid: process.pid,
      startedAt: this.#startedAt,
      state: this.#state,
      ingress: { host: sidecar.host, port: sidecar.port, ...(this.#settings.tls && { tls: true }) },
      ...this.#clusterStatus(sidecar),
      store: { kind, ...(kind === "sqlite" && { directory }) },
      entities: { active: sidecar.engine.active(activeCountMax).length },
      functions: this.#functions(sidecar),
      try: hintLines(this.#settings, { ingress: { host: sidecar.host, port: sidecar.port } }, this.#io.cwd),
    };
  }
}

/** Active entities counted for the status; the engine holds at most so many. */
const activeCountMax = 50_000;
