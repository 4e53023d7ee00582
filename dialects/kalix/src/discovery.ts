/**
 * Discovery by kalix.protocol.Discovery: asks the user function what it serves, and tells it where its sidecar is and when that goes away.
 *
 * Invariants
 * D1 a function is served only after its HealthCheck answered
 * D2 a function that has seen us defers its end at SIGTERM until ProxyTerminated: whoever closes a sidecar says goodbye
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { Fault, type Log, noLog } from "@mecha/kit";
import { accepted, ask, type Discovered, type DiscoveryOptions } from "@mecha/state/remote";
import { type Channel, unary } from "@mecha/wire";
import { ProxyInfoSchema } from "@mecha/wire/gen/kalix/protocol/discovery";
import { kalixFunction } from "./function.ts";
import { componentTypes, discoverPath, healthCheckPath, protocolVersion, proxyTerminatedPath, reportErrorPath } from "./protocol.ts";
import { type KalixSpec, readSpec } from "./spec.ts";

/** How long a function may take to hear that its sidecar goes away, ms. It has nothing to do before it answers. */
export const goodbyeTimeoutMs = 1_000;

const empty = new Uint8Array(0);

/**
 * Asks once.
 * @throws Fault("precondition") when the answer cannot be run; the function has been told.
 * @throws Fault with the code of the call's status when it failed (`unavailable` for `precondition`); worth asking again.
 *   `unimplemented`: the function speaks another protocol.
 */
export async function discover(channel: Channel, options: DiscoveryOptions): Promise<Discovered> {
  const answer = await ask(channel, discoverPath, toBinary(ProxyInfoSchema, proxyInfo(options)), options.signal);
  await isHealthy(channel, options.signal); // keeps D1
  let consistency: KalixSpec["consistency"] = new Map();
  const main = kalixFunction(channel, { ...options, consistency: (service) => consistency.get(service) ?? "local" });
  const found = await accepted(channel, {
    reportPath: reportErrorPath,
    log: options.log,
    check: () => {
      const read = readSpec(answer, options.protocolCompatibility ?? "strict");
      consistency = read.consistency;
      return read;
    },
    port: () => main,
    main,
  });
  return { ...found, goodbye: () => goodbye(channel, options.log) };
}

function proxyInfo({ proxyVersion, ingress }: DiscoveryOptions) {
  const host = hostToCall(ingress?.host ?? "");
  return create(ProxyInfoSchema, {
    protocolMajorVersion: protocolVersion.major,
    protocolMinorVersion: protocolVersion.minor,
    proxyName: "mecha",
    proxyVersion,
    supportedEntityTypes: Object.keys(componentTypes),
    proxyHostname: host,
    internalProxyHostname: host,
    proxyPort: ingress?.port ?? 0,
  });
}

/** An address somebody can call: all addresses of this machine include loopback. */
function hostToCall(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}

/** @throws Fault("unavailable") when it says it is not; a function without the method is as healthy as its answer to Discover. */
async function isHealthy(channel: Channel, signal: AbortSignal | undefined): Promise<void> {
  try {
    await ask(channel, healthCheckPath, empty, signal);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.code !== "unimplemented") throw new Fault("unavailable", "the function's health check failed", { cause: error });
  }
}

async function goodbye(channel: Channel, log: Log = noLog): Promise<void> {
  try {
    await unary(channel, proxyTerminatedPath, empty, { timeoutMs: goodbyeTimeoutMs });
  } catch (error) {
    log.info("the function did not hear that its sidecar goes away", { target: channel.target, error });
  }
}
