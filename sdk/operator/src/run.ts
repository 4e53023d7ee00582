/** An operator's main program: flags, cluster, leadership, health, an orderly end. */
import { createServer, type Server } from "node:http";
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { type Clock, explain, Fault, type Log, MetricsRegistry, Scope, uuid } from "@mecha/kit";
import { consoleLog, hostClock, hostEnvironment, hostRandom, logOptionsFrom } from "@mecha/host";
import { defaultAccess, openHttpsTransport } from "@mecha/kube";
import { ApiClient, Manager, type EventRecorder, eventRecorder } from "@mecha/machinery";

/** What `setup` builds controllers with. */
export interface OperatorContext {
  readonly client: ApiClient;
  /** `manager.add(spec)` adds a controller, `manager.informer(resource)` gives a shared cache. */
  readonly manager: Manager;
  readonly events: EventRecorder;
  readonly log: Log;
  readonly clock: Clock;
  /** Of the kubeconfig's context or of the Pod. */
  readonly namespace: string;
}

export interface OperatorOptions {
  /** Short, as in an object's name: names what the operator writes (field manager), its lease, its log lines. */
  readonly name: string;
  /** One sentence for `--help`. */
  readonly description?: string;
  /** Adds the controllers. */
  readonly setup: (context: OperatorContext) => void | Promise<void>;
}

const flags = {
  kubeconfig: { type: "string" },
  context: { type: "string" },
  "leader-elect": { type: "boolean", default: false },
  "lease-namespace": { type: "string" },
  "health-port": { type: "string" },
  "health-host": { type: "string", default: "127.0.0.1" },
  help: { type: "boolean", short: "h", default: false },
} as const;

const help = (name: string, description = ""): string => `${name}${description && `: ${description}`}

  --kubeconfig FILE       which cluster; default: KUBECONFIG, the Pod's own account, ~/.kube/config
  --context NAME          a context of it; default: its current one
  --leader-elect          with several of this operator, only one works at a time (a Lease)
  --lease-namespace NAME  where that Lease is; default: the context's namespace
  --health-port PORT      serves /healthz, /readyz and /metrics; default: off
  --health-host ADDRESS   where; default: 127.0.0.1. Probes and scrapers of a cluster need 0.0.0.0
  --help

Log: MECHA_LOG=json, MECHA_LOG_LEVEL=debug|info|warn|error.
`;

/**
 * Runs the operator until SIGTERM or SIGINT, then lets what is under way finish. Ends the process: exit code 0 after a signal, 1 on a failure (another
 * process should be started then), 2 on a wrong flag.
 */
export async function runOperator(options: OperatorOptions): Promise<void> {
  const environment = hostEnvironment();
  const log = consoleLog(logOptionsFrom(environment)).with({ operator: options.name });
  const given = readFlags(options);
  if (!given) return;
  const scope = new Scope();
  // Our timers keep no process alive, and while it waits for its lease nothing else does.
  const alive = setInterval(() => undefined, aliveEveryMs);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void scope[Symbol.asyncDispose]());
  try {
    await operate(options, given, environment, log, scope);
  } catch (error) {
    log.error("the operator ends", { cause: explain(error) });
    process.exitCode = 1;
  } finally {
    await scope[Symbol.asyncDispose]();
    clearInterval(alive);
  }
}

/** It does nothing; once a day is as good as any. */
const aliveEveryMs = 86_400_000;

type Flags = ReturnType<typeof parse>;

function parse(): {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly "leader-elect": boolean;
  readonly "lease-namespace"?: string | undefined;
  readonly "health-port"?: string | undefined;
  readonly "health-host": string;
  readonly help: boolean;
} {
  return parseArgs({ options: flags }).values;
}

/** `undefined`: said what there is to say; the process ends. */
function readFlags({ name, description }: OperatorOptions): Flags | undefined {
  try {
    const given = parse();
    const port = given["health-port"];
    if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new Fault("invalid", `--health-port: expected a port number, got "${port}"`);
    if (!given.help) return given;
    process.stdout.write(help(name, description));
  } catch (error) {
    process.stderr.write(`${explain(error)}\n\n${help(name, description)}`);
    process.exitCode = 2;
  }
  return undefined;
}

async function operate(
  { name, setup }: OperatorOptions,
  given: Flags,
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
  scope: Scope,
): Promise<void> {
  const clock = hostClock;
  const access = defaultAccess({
    environment,
    nowMs: () => clock.wall(),
    ...(given.kubeconfig !== undefined && { kubeconfig: given.kubeconfig }),
    ...(given.context !== undefined && { context: given.context }),
  });
  const transport = scope.own(openHttpsTransport({ access, userAgent: name }));
  const client = new ApiClient(transport, { fieldManager: name });
  const metrics = new MetricsRegistry();
  const lease = { namespace: given["lease-namespace"] ?? access.namespace, name, identity: `${hostname()}_${uuid(hostRandom)}` };
  const manager = new Manager({ client, clock, random: hostRandom, log, metrics }, given["leader-elect"] ? { lease } : {});
  const events = eventRecorder(client, name, () => clock.wall(), log);
  await setup({ client, manager, events, log, clock, namespace: access.namespace });
  if (given["health-port"] !== undefined) await serveHealth(given["health-host"], Number(given["health-port"]), manager, metrics, scope);
  log.info("started", { server: access.server });
  await manager.run(scope.signal);
  log.info("stopped");
}

async function serveHealth(host: string, port: number, manager: Manager, metrics: MetricsRegistry, scope: Scope): Promise<void> {
  const server: Server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    if (path === "/healthz") response.end("ok\n");
    else if (path === "/metrics") response.setHeader("content-type", "text/plain; version=0.0.4").end(metrics.expose());
    else if (path === "/readyz")
      response.writeHead(manager.ready ? 200 : 503).end(manager.ready ? "ok\n" : "not leading, or the first lists are not in yet\n");
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(new Fault("unavailable", `serve health on ${host}:${String(port)}`, { cause })));
    server.listen(port, host, resolve);
  });
  scope.defer(() => {
    server.closeAllConnections();
    server.close();
  });
}
