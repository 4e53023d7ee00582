/**
 * The functions a sidecar serves: a set that changes while it runs. Each is added, started, perhaps replaced by a newer version of itself, and removed; what
 * callers, reflection, health, eventing and the engine see follows.
 *
 * S1 routes, reflection and engine change together, whole or not at all, each time a function was discovered (E7); when one is removed, callers and
 *    deliveries lose it first, the engine when their calls have ended
 * S2 a service, and the persistence id of an entity type, belong to one function: the one that is older by `order`. The other is refused, naming both, and
 *    asked again once the first does not serve it any more
 * S3 while a function is being discovered for the first time, callers of unknown paths hear `unavailable`, not `unimplemented`
 * S4 of two versions of one function the older serves until the newer was discovered; then that one does
 */
import { assert, type Clock, explain } from "@mecha/kit";
import { subscriptionProblem } from "@mecha/binding";
import type { Component, StateEngine } from "@mecha/state";
import type { Discovered } from "@mecha/state/remote";
import type { DescriptorSet, HealthState, ReflectionSource } from "@mecha/wire";
import type { Eventing } from "./eventing/eventing.ts";
import { type FunctionAddress, FunctionLink, type LinkPorts, type LinkState } from "./function-link.ts";
import type { FunctionProtocol } from "./function-protocol.ts";
import type { Ingress } from "./ingress/index.ts";
import { within } from "./within.ts";

/** What is known of a function before it is discovered. */
export interface FunctionOptions {
  /** Default `auto`. */
  readonly protocol?: FunctionProtocol;
  /** Somebody else starts it: a lost connection means that it may have started anew. */
  readonly attached?: boolean;
  /** Of two that claim one service the smaller has it (S2). Default 0; of equal ones the first that was discovered. */
  readonly order?: number;
}

/** A function as the sidecar sees it. */
export interface FunctionStatus {
  readonly name: string;
  readonly state: LinkState;
  readonly address: FunctionAddress | undefined;
  /** The last good discovery. */
  readonly discovered: Discovered | undefined;
}

/** A function in the hands of who runs it. */
export interface HostedFunction {
  readonly status: FunctionStatus;
  /** Callers reach this one. `false` for a version not yet discovered, and for one that was replaced. */
  readonly serves: boolean;
  /** It listens, or will in a moment: connect, discover, swap the routes. Also when it started again. */
  started(address: FunctionAddress): void;
  /** It is gone for now. Its routes stay; its commands wait for it within the engine's bounds. */
  ended(): void;
  /**
   * Serves it no more: its routes go at once, calls under way may end within `graceMs`, then its streams are ended. Nothing changes for callers when another
   * version of it has taken over.
   */
  remove(graceMs: number): Promise<void>;
}

export interface HostingPorts {
  readonly clock: Clock;
  readonly ingress: Ingress;
  readonly engine: StateEngine;
  readonly eventing: Eventing;
  readonly health: HealthState;
  /** Ports of a link, without what is the hosting's own. */
  readonly link: Omit<LinkPorts, "protocol" | "found" | "changed" | "watchConnection">;
  readonly changed: () => void;
}

interface Served {
  readonly by: Hosted;
  readonly discovered: Discovered;
}
type ServedByName = ReadonlyMap<string, Served>;

export class Hosting implements AsyncDisposable {
  readonly #ports: HostingPorts;
  readonly #functions = new Set<Hosted>();
  #served: ServedByName = new Map();
  /** Those that are being removed: of what is served, what callers do not reach any more. */
  readonly #leaving = new Set<Hosted>();
  #reflection: ReflectionSource = { files: [], services: [] };
  #draining = false;
  #closing = false;

  constructor(ports: HostingPorts) {
    this.#ports = ports;
    ports.health.set("", "notServing");
  }

  get reflection(): ReflectionSource {
    return this.#reflection;
  }

  /** Something is served. */
  get isServing(): boolean {
    return this.#served.size > 0;
  }

  /** Some function has not been discovered yet (S3). */
  get isStarting(): boolean {
    return [...this.#functions].some(({ status }) => !this.#served.has(status.name) && status.state.is !== "refused");
  }

  /** One of each name, in the order they were added: the version that serves, else the newest. */
  get statuses(): readonly FunctionStatus[] {
    const shown = new Map<string, Hosted>();
    for (const hosted of this.#functions) if (!shown.get(hosted.name)?.serves) shown.set(hosted.name, hosted);
    return [...shown.values()].map(({ status }) => status);
  }

  /** Another of the same name is a newer version of it (S4). */
  add(name: string, { protocol = "auto", attached = false, order = 0 }: FunctionOptions): HostedFunction {
    const { eventing, changed, link } = this.#ports;
    const found = (discovered: Discovered): string | undefined => this.#serve(hosted, discovered);
    const news = (): void => {
      eventing.wake();
      changed();
    };
    const hosted: Hosted = new Hosted(
      new FunctionLink(name, { ...link, protocol, watchConnection: attached, found, changed: news }),
      order,
      {
        serves: () => this.#served.get(name)?.by === hosted,
        remove: (graceMs) => this.#remove(hosted, graceMs),
      },
    );
    this.#functions.add(hosted);
    return hosted;
  }

  /** No new calls are taken from now on, whatever is added or removed meanwhile: health says so. */
  drain(): void {
    this.#draining = true;
    this.#tellWhole();
  }

  descriptors(service: string): DescriptorSet | undefined {
    return this.#ownerOf(service)?.discovered.descriptors;
  }

  /** The function that serves it is connected. */
  reachable(service: string): boolean {
    return this.#ownerOf(service)?.by.status.state.is === "ready";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#functions].map(({ link }) => link[Symbol.asyncDispose]()));
  }

  #ownerOf(service: string): Served | undefined {
    for (const served of this.#served.values())
      if (served.discovered.components.some((component) => component.service === service)) return served;
    return undefined;
  }

  /** Takes a discovery into service; the reason when it cannot be. */
  #serve(hosted: Hosted, found: Discovered): string | undefined {
    const clashes = this.#clashes(hosted, found);
    const lost = clashes.find(({ other }) => other.order <= hosted.order);
    if (lost) return clashText(lost, hosted.name);
    const { eventing } = this.#ports;
    const next = new Map(this.#served);
    for (const { other } of clashes) next.delete(other.name);
    const components = found.components.map((one) => eventing.publishing(one));
    next.set(hosted.name, { by: hosted, discovered: { ...found, components } });
    const problem = this.#replace(next);
    if (problem !== undefined) return problem;
    hosted.components = components;
    for (const { other, what } of clashes) other.link.refuse(clashText({ other: hosted, what }, other.name)); // keeps S2
    return undefined;
  }

  async #remove(hosted: Hosted, graceMs: number): Promise<void> {
    this.#functions.delete(hosted);
    const { engine, clock } = this.#ports;
    if (!this.#closing) {
      if (hosted.serves) await this.#withdraw(hosted, graceMs);
      else await within(graceMs, clock, this.#idle(hosted)); // calls that began before the newer version came
      for (const component of hosted.components) engine.closeFunction(component.function);
    }
    await hosted.link[Symbol.asyncDispose]();
    this.#tellWhole();
    this.#ports.changed();
  }

  async #withdraw(hosted: Hosted, graceMs: number): Promise<void> {
    this.#leaving.add(hosted);
    this.#without(this.#served, hosted);
    await within(graceMs, this.#ports.clock, this.#idle(hosted));
    this.#leaving.delete(hosted);
    if (!hosted.serves || this.#closing) return; // another version came meanwhile
    const next = new Map(this.#served);
    next.delete(hosted.name);
    this.#without(next, hosted);
  }

  /** No call that began while it was reached is under way. */
  #idle({ components }: Hosted): Promise<unknown> {
    return Promise.all(components.map((one) => this.#ports.ingress.idle(one)));
  }

  /** Fewer functions fit together where more did. */
  #without(next: ServedByName, { name }: Hosted): void {
    const problem = this.#replace(next);
    assert(problem === undefined, `withdraw function ${name}: ${problem}`);
  }

  /** keeps S1. The reason when these cannot be served together; nothing has changed then. */
  #replace(next: ServedByName): string | undefined {
    const { eventing, engine, ingress } = this.#ports;
    const all = [...next.values()].map(({ discovered }) => discovered);
    const reached = [...next.values()].filter(({ by }) => !this.#leaving.has(by)).map(({ discovered }) => discovered);
    const components = all.flatMap((one) => one.components);
    const problem = subscriptionProblem(components) ?? eventing.problem(components);
    if (problem !== undefined) return problem;
    try {
      ingress.update(reached); // checks everything before it changes anything
    } catch (error) {
      return explain(error);
    }
    engine.setComponents(eventing.forEngine(components));
    const staying = reached.flatMap((one) => one.components);
    const services = staying.map(({ service }) => service);
    this.#tellHealth(services);
    this.#reflection = { files: filesOf(reached), services };
    const claimed = claimsOf(next);
    const isFewer = [...claimsOf(this.#served)].some((claim) => !claimed.has(claim));
    this.#served = next;
    eventing.update(staying);
    this.#tellWhole();
    if (isFewer) for (const { link } of this.#functions) link.retry(); // keeps S2
    return undefined;
  }

  /** The whole is healthy once everything was discovered, and stays so while more is added: callers lose nothing by what is yet to come. */
  #tellWhole(): void {
    const { health } = this.#ports;
    if (this.#draining || this.#served.size === 0) health.set("", "notServing");
    else if ([...this.#functions].every(({ name }) => this.#served.has(name))) health.set("", "serving");
  }

  #tellHealth(services: readonly string[]): void {
    const { health } = this.#ports;
    for (const gone of this.#reflection.services) if (!services.includes(gone)) health.set(gone, undefined);
    for (const service of services) health.set(service, "serving");
  }

  /** What of `components` other functions serve already; each other function once. */
  #clashes({ name }: Hosted, { components }: Discovered): Clash[] {
    return [...this.#served.values()].flatMap(({ by, discovered }) => {
      if (by.name === name) return [];
      const [what] = components.flatMap((mine) => discovered.components.flatMap((its) => commonOf(mine, its) ?? []));
      return what === undefined ? [] : [{ other: by, what }];
    });
  }
}

interface Clash {
  readonly other: Hosted;
  /** What both claim. */
  readonly what: string;
}

/** All that others cannot have. */
function claimsOf(served: ServedByName): ReadonlySet<string> {
  const components = [...served.values()].flatMap(({ discovered }) => discovered.components);
  return new Set(components.flatMap((one) => [`service ${one.service}`, ...(one.kind === "action" ? [] : [`id ${one.persistenceId}`])]));
}

function commonOf(mine: Component, its: Component): string | undefined {
  if (mine.service === its.service) return `the service ${mine.service}`;
  if (mine.kind === "action" || its.kind === "action" || mine.persistenceId !== its.persistenceId) return undefined;
  return `the persistence id ${mine.persistenceId} (of ${its.service} and of ${mine.service})`;
}

function clashText({ other, what }: Clash, name: string): string {
  return `${what} is served by function ${other.name} already, so function ${name} cannot serve it too; remove it from one`;
}

class Hosted implements HostedFunction {
  readonly link: FunctionLink;
  readonly order: number;
  /** What it was taken into service with last. */
  components: readonly Component[] = [];
  readonly #hosting: { readonly serves: () => boolean; readonly remove: (graceMs: number) => Promise<void> };

  constructor(link: FunctionLink, order: number, hosting: { serves: () => boolean; remove: (graceMs: number) => Promise<void> }) {
    this.link = link;
    this.order = order;
    this.#hosting = hosting;
  }

  get name(): string {
    return this.link.name;
  }

  get status(): FunctionStatus {
    const { name, state, address, discovered } = this.link;
    return { name, state, address, discovered };
  }

  get serves(): boolean {
    return this.#hosting.serves();
  }

  started(address: FunctionAddress): void {
    this.link.started(address);
  }

  ended(): void {
    this.link.ended();
  }

  remove(graceMs: number): Promise<void> {
    return this.#hosting.remove(graceMs);
  }
}

/** Files of all functions, each name once. */
function filesOf(served: readonly Discovered[]): ReflectionSource["files"] {
  return new Map(served.flatMap(({ descriptors }) => descriptors.files.map((file) => [file.name, file] as const))).values().toArray();
}
