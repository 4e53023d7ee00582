/**
 * Discovery, as far as the protocols have it in common: one unary call, and what becomes of its answer.
 *
 * Invariants
 * C1 an answer that cannot be run is told to the function (reportError) and fails for good; asking again would give the same
 * C2 a call that failed is the world's doing: whoever asked may ask again
 */
import { Fault, type Log } from "@mecha/kit";
import { type Channel, type DescriptorSet, unary } from "@mecha/wire";
import type { Component, FunctionPort } from "../model.ts";
import type { RemoteFunctionOptions } from "./function.ts";
import { reporter } from "./report.ts";
import { type FunctionInfo, type ProtocolCompatibility, type Spec } from "./spec.ts";

/** How long one discovery call may take, ms: building descriptors at start has been seen to take a slow function seconds. */
export const discoverTimeoutMs = 10_000;

export interface DiscoveryOptions extends RemoteFunctionOptions {
  /** Our own version, told to the function. */
  readonly proxyVersion: string;
  /** Default `strict`. */
  readonly protocolCompatibility?: ProtocolCompatibility;
  /** Where the function finds the sidecar, for protocols that tell it. */
  readonly ingress?: { readonly host: string; readonly port: number };
  readonly signal?: AbortSignal;
}

export interface Discovered {
  /** One for each service of the function. */
  readonly components: readonly Component[];
  readonly descriptors: DescriptorSet;
  readonly info: FunctionInfo;
  readonly function: FunctionPort;
  /** Tells the function that its sidecar goes away, where the protocol has a word for it. Best effort; never rejects. */
  readonly goodbye?: () => Promise<void>;
}

/**
 * One discovery call.
 * @throws Fault with the code of the call's status when it failed (`unavailable` for `precondition`); worth asking again (C2).
 */
export async function ask(channel: Channel, path: string, request: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  try {
    const { message } = await unary(channel, path, request, { timeoutMs: discoverTimeoutMs, ...(signal && { signal }) });
    return message;
  } catch (error) {
    // A function may fail its call with that code too; here it means an answer that was refused (C1).
    if (error instanceof Fault && error.code === "precondition")
      throw new Fault("unavailable", "ask the user function what it serves", { cause: error });
    throw error;
  }
}

/**
 * Makes components of a checked answer.
 * @param check reads and checks; its Fault is told to the function over `reportPath` (C1).
 * @param port runs the services of that type.
 * @throws what `check` throws.
 */
export async function accepted(
  channel: Channel,
  options: {
    readonly reportPath: string;
    readonly log?: Log | undefined;
    readonly check: () => { readonly spec: Spec; readonly info: FunctionInfo };
    readonly port: (type: string) => FunctionPort;
    /** Reports of no service in particular go there. */
    readonly main: FunctionPort;
  },
): Promise<Discovered> {
  try {
    const { spec, info } = options.check();
    const components = spec.services.map(({ type, service }) => ({ ...service, function: options.port(type) }));
    return { components, descriptors: spec.descriptors, info, function: options.main };
  } catch (error) {
    if (error instanceof Fault) await reporter(channel, options.reportPath, options.log).reported(error.message); // keeps C1
    throw error;
  }
}
