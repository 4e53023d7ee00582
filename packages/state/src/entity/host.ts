/** One entity component at work: its declaration, its entities, and the function that runs them. */
import type { Fault } from "@mecha/kit";
import type { Envelope } from "../envelope.ts";
import type { ServiceMeters } from "../meters.ts";
import type { Component, StoredKind } from "../model.ts";
import type { FunctionGate } from "./gate.ts";

/** An entity, as the engine reaches it whatever its kind. */
export interface HostedEntity {
  readonly host: EntityHost;
  readonly entityId: string;
  readonly machine: {
    passivationMs: number;
    readonly phase: string;
    readonly queued: number;
    readonly durableSequence: number;
    command(envelope: Envelope, nowMs: number): void;
    passivate(nowMs: number): boolean;
    cut(fault: Fault, nowMs: number): void;
    giveUp(nowMs: number): void;
  };
  /** The component's function was replaced. */
  moved(before: FunctionGate, nowMs: number): void;
}

/** A component whose entities may outlive a change of its declaration. */
export class EntityHost {
  readonly service: string;
  readonly kind: StoredKind;
  readonly persistenceId: string;
  readonly entities = new Map<string, HostedEntity>();
  readonly meters: ServiceMeters;
  component: Component;
  gate: FunctionGate;
  passivationMs: number;
  /** Methods whose wrong reply type was reported already. */
  readonly warned = new Set<string>();

  constructor(component: Component, gate: FunctionGate, passivationMs: number, meters: ServiceMeters) {
    this.service = component.service;
    this.kind = component.kind as StoredKind;
    this.persistenceId = component.persistenceId;
    this.component = component;
    this.gate = gate;
    this.passivationMs = passivationMs;
    this.meters = meters;
  }

  /** Takes a new declaration of the same entities. They are moved when their code runs elsewhere now. */
  replace(component: Component, gate: FunctionGate, passivationMs: number, nowMs: number): void {
    const moved = component.function !== this.component.function;
    const before = this.gate;
    this.component = component;
    this.gate = gate;
    this.passivationMs = passivationMs;
    this.warned.clear();
    for (const entity of [...this.entities.values()]) {
      entity.machine.passivationMs = passivationMs;
      if (moved) entity.moved(before, nowMs);
    }
  }
}
