/**
 * Discovery: asks the user function what it serves and makes components of the answer.
 *
 * Invariants
 * C1 an answer that cannot be run is told to the function (reportError) and fails for good; asking again would give the same
 * C2 a call that failed is the world's doing: asked again for ever, 1 s to 10 s apart, until the signal aborts
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { type Clock, Fault, noLog, type Random, sleep } from "@mecha/kit";
import type { Component, FunctionPort } from "@mecha/state";
import { type Channel, type DescriptorSet, unary } from "@mecha/wire";
import { ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import { cloudstateFunction, type CloudstateFunctionOptions } from "./function.ts";
import { reporter } from "./report.ts";
import { entityTypes, type FunctionInfo, type ProtocolCompatibility, protocolVersion, readSpec } from "./spec.ts";

export const discoverPath = "/cloudstate.EntityDiscovery/discover";

/** How long one discovery call may take, ms: building descriptors at start has been seen to take a slow function seconds. */
export const discoverTimeoutMs = 10_000;

/** Waits between attempts: doubling from `firstMs` to `lastMs`, each longer by up to `jitter` of itself (the reference's values). */
export const discoveryBackoff = { firstMs: 1_000, lastMs: 10_000, jitter: 0.2 } as const;

export interface DiscoveryOptions extends CloudstateFunctionOptions {
  /** Our own version, told to the function. */
  readonly proxyVersion: string;
  /** Default `strict`. */
  readonly protocolCompatibility?: ProtocolCompatibility;
  readonly signal?: AbortSignal;
}

export interface Discovered {
  /** One for each service of the function; all run on `function`. */
  readonly components: readonly Component[];
  readonly descriptors: DescriptorSet;
  readonly info: FunctionInfo;
  readonly function: FunctionPort;
}

/**
 * Asks once.
 * @throws Fault("precondition") when the answer cannot be run; the function has been told (C1).
 * @throws Fault with the code of the call's status when it failed (`unavailable` for `precondition`); worth asking again (C2).
 */
export async function discover(channel: Channel, options: DiscoveryOptions): Promise<Discovered> {
  return accept(channel, await ask(channel, options), options);
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Asks until the function answers. A function that is still starting is the usual case.
 * @throws Fault("precondition") as `discover`; the signal's reason when it aborts.
 */
export async function discoverWithBackoff(channel: Channel, options: DiscoveryOptions & RetryOptions): Promise<Discovered> {
  const { clock, random, signal, log = noLog } = options;
  for (let attempt = 0; ; attempt++) {
    try {
      return await discover(channel, options);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof Fault) || error.code === "precondition") throw error;
      const delayMs = backoffMs(attempt, random);
      log.warn("the user function did not answer discovery", { target: channel.target, attempt: attempt + 1, delayMs, error });
      await sleep(clock, delayMs, signal);
    }
  }
}

/** Wait before attempt `attempt + 2`, ms. */
export function backoffMs(attempt: number, random: Random): number {
  const { firstMs, lastMs, jitter } = discoveryBackoff;
  // 2^4 already exceeds the bound; the exponent is bounded so that years of attempts stay finite.
  const baseMs = Math.min(lastMs, firstMs * 2 ** Math.min(attempt, 4));
  return baseMs + (baseMs * jitter * random.below(1_001)) / 1_000;
}

async function ask(channel: Channel, { proxyVersion, signal }: DiscoveryOptions): Promise<Uint8Array> {
  const info = create(ProxyInfoSchema, {
    protocolMajorVersion: protocolVersion.major,
    protocolMinorVersion: protocolVersion.minor,
    proxyName: "mecha",
    proxyVersion,
    supportedEntityTypes: Object.keys(entityTypes),
  });
  const request = toBinary(ProxyInfoSchema, info);
  try {
    const { message } = await unary(channel, discoverPath, request, { timeoutMs: discoverTimeoutMs, ...(signal && { signal }) });
    return message;
  } catch (error) {
    // A function may fail its call with that code too; here it means an answer that was refused (C1).
    if (error instanceof Fault && error.code === "precondition")
      throw new Fault("unavailable", "ask the user function what it serves", { cause: error });
    throw error;
  }
}

async function accept(channel: Channel, answer: Uint8Array, options: DiscoveryOptions): Promise<Discovered> {
  try {
    const { services, descriptors, info } = readSpec(answer, options.protocolCompatibility ?? "strict");
    const port = cloudstateFunction(channel, options);
    return { components: services.map((service) => ({ ...service, function: port })), descriptors, info, function: port };
  } catch (error) {
    if (error instanceof Fault) await reporter(channel, options.log).reported(error.message); // keeps C1
    throw error;
  }
}
