/**
 * The kit as a whole: the model cases against a user function, or the proxy cases against a proxy in front of one.
 *
 * Invariants
 * K1 nothing is tried on what is not there: groups whose services the function does not list are skipped, and the result says so
 * K2 a case that fails fails alone; only a function or proxy that cannot be reached ends the run
 */
import { type Clock, Fault, type Random, Scope, sleep } from "@mecha/kit";
import { connect } from "@mecha/net";
import { openInterceptor } from "./kit/interceptor.ts";
import { type CaseName, type CaseResult, runCases, runSuite } from "./kit/run.ts";
import { modelCases, modelServicesOf } from "./model-cases/index.ts";
import { discoverModel, ModelKit } from "./model-cases/kit.ts";
import { proxyCases } from "./proxy/index.ts";

/** How long a function or proxy that is being started may take to answer, ms (the TCK's rule). */
export const startWaitMs = 60_000;
const probeEveryMs = 200;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface TckOptions {
  readonly clock: Clock;
  /** The user function, with the TCK's model services. */
  readonly function: Address;
  /** Ids or groups of the cases to run. Default: all. */
  readonly only?: readonly string[];
  readonly onResult?: (result: CaseResult) => void;
}

export interface ProxyTckOptions extends TckOptions {
  readonly random: Random;
  readonly proxy: Address;
  /** Where the proxy finds its function; 0 = any free port. */
  readonly listenPort: number;
  /** Entity types the proxy must say it supports. */
  readonly supportedEntityTypes: readonly string[];
  /** Told the port once the kit listens: the proxy may be started now. */
  readonly onListening: (port: number) => void;
}

/**
 * The model cases, playing the proxy.
 * @throws Fault("invalid") when `only` names no case; Fault("unavailable") when the function does not answer discovery.
 */
export async function runModelTck(options: TckOptions): Promise<CaseResult[]> {
  const cases = chosen(modelCases, options.only);
  const { clock, onResult } = options;
  await using channel = connect({ ...options.function, clock });
  const services = await servicesOf(options);
  const kit = new ModelKit(channel, clock);
  return await runSuite(cases, (one) => one.run(kit), { clock, skip: missing(services), ...(onResult && { onResult }) });
}

/**
 * The proxy cases, from both sides of the proxy.
 * @throws as `runModelTck`, and Fault("unavailable") when no proxy answers.
 */
export async function runProxyTck(options: ProxyTckOptions): Promise<CaseResult[]> {
  const cases = chosen(proxyCases, options.only);
  const { clock, random, proxy, supportedEntityTypes, onListening, onResult } = options;
  await using scope = new Scope();
  const services = await servicesOf(options);
  const interceptor = scope.own(await openInterceptor({ ...options.function, listenPort: options.listenPort, clock }));
  onListening(interceptor.port);
  await isReady(`http://${proxy.host}:${proxy.port}/`, clock);
  // The proxy's start has caused a discovery; only its own case takes it.
  if (!cases.some((one) => one.group === "discovery")) interceptor.forget();
  return await runCases(cases, {
    proxyHost: proxy.host,
    proxyPort: proxy.port,
    supportedEntityTypes,
    services,
    interceptor,
    clock,
    random,
    skip: missing(services),
    ...(onResult && { onResult }),
  });
}

/** Cases by id or group, in their own order. */
function chosen<C extends CaseName>(cases: readonly C[], only: readonly string[] | undefined): readonly C[] {
  if (only === undefined) return cases;
  const unknown = only.filter((word) => !cases.some(({ id, group }) => id === word || group === word));
  if (unknown.length > 0) {
    const groups = [...new Set(cases.map(({ group }) => group))];
    throw new Fault(
      "invalid",
      `no case or group is called ${unknown.join(", ")}; groups are ${groups.join(", ")}; ids go from ${cases[0]?.id} to ${cases.at(-1)?.id}`,
    );
  }
  return cases.filter(({ id, group }) => only.includes(id) || only.includes(group));
}

/** keeps K1 */
function missing(services: readonly string[]): (group: string) => string | undefined {
  return (group) => {
    const wanted = modelServicesOf[group]?.filter((service) => !services.includes(service)) ?? [];
    return wanted.length === 0 ? undefined : `the function does not serve ${wanted.join(", ")}`;
  };
}

/** What the function lists, as soon as it answers. */
async function servicesOf({ clock, function: address }: TckOptions): Promise<string[]> {
  await using channel = connect({ ...address, clock });
  const untilMs = clock.monotonic() + startWaitMs;
  for (;;) {
    try {
      return (await discoverModel(channel)).entities.map(({ serviceName }) => serviceName);
    } catch (cause) {
      if (!(cause instanceof Fault) || cause.code !== "unavailable" || clock.monotonic() > untilMs)
        throw new Fault("unavailable", `the function at ${channel.target} does not answer cloudstate.EntityDiscovery/discover`, { cause });
      await sleep(clock, probeEveryMs);
    }
  }
}

/** Resolves when something answers HTTP there, whatever it says, as long as it is not "not yet" (503). */
async function isReady(url: string, clock: Clock): Promise<void> {
  const untilMs = clock.monotonic() + startWaitMs;
  let last: unknown;
  for (;;) {
    try {
      const { status } = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      if (status !== 503) return;
      last = new Fault("unavailable", "it answers 503");
    } catch (cause) {
      last = cause;
    }
    if (clock.monotonic() > untilMs)
      throw new Fault("unavailable", `no proxy was ready at ${url} within ${startWaitMs / 1_000} s`, { cause: last });
    await sleep(clock, probeEveryMs);
  }
}
