/**
 * The line to one user function: a channel, and what discovery found at its other end. Reconnects and discovers again whenever the function is said
 * to have started or its connection was lost (E7).
 *
 * F1 one discovery at a time: a newer `started` ends the one that runs, and a result that was overtaken is dropped
 * F2 what was found stays in force until something newer was found: while a function restarts its routes remain and its commands wait (E3)
 */
import { type Clock, explain, Fault, type Log, type Random, sleep } from "@mecha/kit";
import { connect } from "@mecha/net";
import type { Discovered } from "@mecha/state/remote";
import type { Channel } from "@mecha/wire";
import { discoveryDelayMs } from "./discovery-delay.ts";
import { discoverFunction, type FunctionProtocol } from "./function-protocol.ts";

/** Where a function listens. */
export interface FunctionAddress {
  readonly host: string;
  readonly port: number;
}

/** Where a link is. */
export type LinkState =
  | { readonly is: "idle" }
  | { readonly is: "discovering"; readonly attempts: number; readonly problem?: string }
  | { readonly is: "ready" }
  /** What it answered cannot be run; asked again when it starts again. */
  | { readonly is: "refused"; readonly problem: string };

export interface LinkPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Mecha's version, told to the function. */
  readonly version: string;
  readonly protocol: FunctionProtocol;
  /** Where callers reach us; functions that call others are told. */
  readonly ingress: () => { readonly host: string; readonly port: number };
  /** Entities get the caller's headers too (IngressOptions.passHeadersToEntities). */
  readonly headersToEntities: boolean;
  /** Takes what was found, or says why it cannot be run: a service somebody else has. Runs before the link is `ready`. */
  readonly found: (found: Discovered) => string | undefined;
  readonly changed: () => void;
  /** Discover again when the connection is lost. For functions whose start nobody tells us about. */
  readonly watchConnection: boolean;
}

export class FunctionLink implements AsyncDisposable {
  readonly name: string;
  readonly #ports: LinkPorts;
  #address: FunctionAddress | undefined;
  #channel: Channel | undefined;
  #state: LinkState = { is: "idle" };
  #discovered: Discovered | undefined;
  #running: AbortController | undefined;
  #closed = false;

  constructor(name: string, ports: LinkPorts) {
    this.name = name;
    this.#ports = ports;
  }

  get state(): LinkState {
    return this.#state;
  }

  get address(): FunctionAddress | undefined {
    return this.#address;
  }

  /** The last good discovery (F2). */
  get discovered(): Discovered | undefined {
    return this.#discovered;
  }

  /** The function listens, or will in a moment, at `address`. */
  started(address: FunctionAddress): void {
    if (this.#closed) return; // its process is about to be ended
    this.#running?.abort(new Fault("cancelled", "the function started again"));
    const running = new AbortController();
    this.#running = running;
    const channel = this.#channelTo(address);
    this.#discover(channel, running.signal).catch((error: unknown) => {
      if (!running.signal.aborted) this.#ports.log.error("discovery failed", { function: this.name, error });
    });
  }

  /** What it serves cannot be served any more, as another has it. */
  refuse(problem: string): void {
    this.#running?.abort(new Fault("cancelled", problem));
    this.#discovered?.function.reportError(problem);
    this.#refuse(problem);
  }

  /** Asks one that was refused again, if it still runs: what was in its way may have gone. */
  retry(): void {
    if (this.#state.is === "refused" && this.#address) this.started(this.#address);
  }

  /** The function is gone for now. */
  ended(): void {
    this.#running?.abort(new Fault("cancelled", "the function ended"));
    this.#set({ is: "idle" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#running?.abort(new Fault("cancelled", "closing"));
    if (this.#state.is === "ready") await this.#discovered?.goodbye?.();
    await this.#channel?.[Symbol.asyncDispose]();
  }

  #lost(): void {
    if (!this.#ports.watchConnection || this.#state.is === "discovering" || !this.#address) return;
    this.#ports.log.info("connection to the function lost", { function: this.name });
    this.started(this.#address);
  }

  /** The channel in use when it leads there already: it reconnects by itself. */
  #channelTo(address: FunctionAddress): Channel {
    const same = this.#address?.host === address.host && this.#address.port === address.port;
    if (same && this.#channel) return this.#channel;
    if (this.#channel) void this.#close(this.#channel);
    this.#address = address;
    this.#channel = connect({ ...address, clock: this.#ports.clock, onLost: () => this.#lost() });
    return this.#channel;
  }

  async #close(channel: Channel): Promise<void> {
    try {
      await channel[Symbol.asyncDispose]();
    } catch (error) {
      this.#ports.log.warn("close channel", { function: this.name, error });
    }
  }

  async #discover(channel: Channel, signal: AbortSignal): Promise<void> {
    const { clock, random, version, log, headersToEntities, protocol, ingress } = this.#ports;
    const options = {
      proxyVersion: version,
      entityCommandMetadata: headersToEntities,
      ingress: ingress(),
      signal,
      log: log.with({ function: this.name }),
    };
    this.#set({ is: "discovering", attempts: 0 });
    const startedMs = clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      try {
        this.#accept(await discoverFunction(channel, protocol, options), signal);
        return;
      } catch (error) {
        if (signal.aborted) return; // keeps F1
        const problem = explain(error);
        if (error instanceof Fault && error.code === "precondition") {
          this.#refuse(problem);
          return;
        }
        this.#set({ is: "discovering", attempts: attempt + 1, problem });
        await sleep(clock, discoveryDelayMs(clock.monotonic() - startedMs, random.below(1_000) / 1_000), signal);
      }
    }
  }

  #accept(found: Discovered, signal: AbortSignal): void {
    if (signal.aborted) return; // keeps F1
    const problem = this.#ports.found(found);
    if (problem !== undefined) {
      found.function.reportError(problem);
      this.#refuse(problem);
      return;
    }
    this.#discovered = found;
    this.#set({ is: "ready" });
  }

  #refuse(problem: string): void {
    this.#ports.log.error("function refused", { function: this.name, problem });
    this.#set({ is: "refused", problem });
  }

  #set(state: LinkState): void {
    this.#state = state;
    this.#ports.changed();
  }
}
