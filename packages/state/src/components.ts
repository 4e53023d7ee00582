/**
 * The components of one engine, and what a change of them does to their entities (E7).
 *
 * Invariants
 * N1 the routes change at once, before any entity hears of it: an answer that calls back finds the new ones
 * N2 a component that vanishes and comes back under the same name, kind and persistence id finds its entities again while their steps are under
 *    way: otherwise a second activation could read the store before the first one's last step is in it (E3)
 */
import { Fault, type Random } from "@mecha/kit";
import { FunctionGate } from "./entity/gate.ts";
import { EntityHost, type HostedEntity } from "./entity/host.ts";
import { Reachability } from "./entity/reachability.ts";
import type { Component, FunctionPort } from "./model.ts";
import type { EngineParts } from "./parts.ts";

/** What a service name leads to. */
export type Route =
  | { readonly kind: "entity"; readonly component: Component; readonly host: EntityHost }
  | { readonly kind: "action"; readonly component: Component };

/** See the file's header. */
export class Components {
  readonly #parts: EngineParts;
  readonly #random: Random;
  #routes: ReadonlyMap<string, Route> = new Map();
  /** By service: the host of its route, and hosts that still have entities to settle (N2). */
  readonly #hosts = new Map<string, readonly EntityHost[]>();
  readonly #gates = new WeakMap<FunctionPort, FunctionGate>();

  constructor(parts: EngineParts, random: Random) {
    this.#parts = parts;
    this.#random = random;
  }

  route(service: string): Route | undefined {
    return this.#routes.get(service);
  }

  /** All entities, of vanished components too. */
  *entities(): Iterable<HostedEntity> {
    for (const hosts of this.#hosts.values()) for (const host of hosts) yield* host.entities.values();
  }

  /** Takes `components` instead of those before. */
  replace(components: readonly Component[], nowMs: number): void {
    const vanished = new Set(this.#routedHosts());
    const kept: { readonly host: EntityHost; readonly component: Component }[] = [];
    const routes = new Map<string, Route>();
    for (const component of components) {
      if (component.kind === "action") {
        routes.set(component.service, { kind: "action", component });
        continue;
      }
      const known = this.#knownHost(component);
      const host = known ?? this.#newHost(component);
      if (known !== undefined) kept.push({ host, component });
      vanished.delete(host);
      routes.set(component.service, { kind: "entity", component, host });
    }
    this.#routes = routes; // keeps N1
    for (const { host, component } of kept) {
      host.replace(component, this.#gateOf(component.function), this.#passivationMs(component), nowMs);
    }
    for (const host of vanished) this.#end(host, nowMs);
    this.#forgetHosts();
  }

  *#routedHosts(): Iterable<EntityHost> {
    for (const route of this.#routes.values()) if (route.kind === "entity") yield route.host;
  }

  #knownHost({ service, kind, persistenceId }: Component): EntityHost | undefined {
    return this.#hosts.get(service)?.find((host) => host.kind === kind && host.persistenceId === persistenceId); // keeps N2
  }

  #newHost(component: Component): EntityHost {
    const { service } = component;
    const gate = this.#gateOf(component.function);
    const host = new EntityHost(component, gate, this.#passivationMs(component), this.#parts.meters.of(service, component));
    this.#hosts.set(service, [...(this.#hosts.get(service) ?? []), host]);
    return host;
  }

  #passivationMs(component: Component): number {
    return component.passivationMs ?? this.#parts.limits.passivationMs;
  }

  #gateOf(port: FunctionPort): FunctionGate {
    let gate = this.#gates.get(port);
    if (gate === undefined) {
      const { limits, activations, wheel } = this.#parts;
      const reachability = new Reachability(limits.functionBackoffMinMs, limits.functionBackoffMaxMs, this.#random);
      gate = new FunctionGate(reachability, activations, wheel, limits);
      this.#gates.set(port, gate);
    }
    return gate;
  }

  #end(host: EntityHost, nowMs: number): void {
    const fault = new Fault("unavailable", `${host.service}: no function hosts it any more; not applied`);
    for (const entity of [...host.entities.values()]) entity.machine.cut(fault, nowMs);
  }

  #forgetHosts(): void {
    const routed = new Set(this.#routedHosts());
    for (const [service, hosts] of this.#hosts) {
      const kept = hosts.filter((host) => routed.has(host) || host.entities.size > 0);
      if (kept.length === 0) this.#hosts.delete(service);
      else this.#hosts.set(service, kept);
    }
  }
}
