/**
 * What the shells of all entities have in common, whatever kind they are: their place among the active, the gate to their function, what is counted,
 * reported and traced of a command. A shell carries out what its machine decides; this part is the same for every machine.
 */
import type { Fault, Span } from "@mecha/kit";
import type { Envelope } from "../envelope.ts";
import type { EntityAddress, Payload } from "../model.ts";
import type { EngineParts } from "../parts.ts";
import type { TailSource } from "../tail.ts";
import { WheelTimer } from "../timing/wheel.ts";
import { commandSpan, endSpan, withoutAnswer } from "../tracing.ts";
import type { Occupant } from "./activations.ts";
import type { FunctionGate } from "./gate.ts";
import type { EntityHost, HostedEntity } from "./host.ts";

/** The only namespace until Kubernetes resources arrive (E1). */
const defaultNamespace = "default";
const anyTypeUrl = "type.googleapis.com/google.protobuf.Any";

/** What a shell tells its machine, whatever kind it is. */
interface ShellMachine {
  entered(): void;
  refused(fault: Fault, nowMs: number): void;
  passivate(nowMs: number): void;
  moved(nowMs: number): void;
  tick(nowMs: number): void;
}

/** See the file's header. */
export abstract class OccupantShell extends WheelTimer implements Occupant {
  abstract readonly machine: ShellMachine & HostedEntity["machine"];
  readonly host: EntityHost;
  readonly entityId: string;
  protected readonly parts: EngineParts;
  protected readonly address: EntityAddress;
  /** Monotonic ms: when the record was asked for, and when the entity became active; -1 = it has not. For meters. */
  protected openedMs = 0;
  protected activeSinceMs = -1;

  memberOf: object | undefined = undefined;
  memberBefore: Occupant | undefined = undefined;
  memberAfter: Occupant | undefined = undefined;
  hasPlace = false;
  hasLoadPlace = false;
  leaving = false;

  constructor(host: EntityHost, entityId: string, parts: EngineParts) {
    super();
    this.host = host;
    this.entityId = entityId;
    this.parts = parts;
    this.address = { namespace: defaultNamespace, service: host.service, persistenceId: host.persistenceId, entityId };
  }

  protected nowMs(): number {
    return this.parts.clock.monotonic();
  }

  // ---- places ---------------------------------------------------------------------------------------------------------------------

  enter(): void {
    this.host.gate.enter(this, this.nowMs());
  }
  admitted(): boolean {
    // The function may have been lost while this entity waited for its turn.
    if (this.host.gate.closes(this, this.nowMs())) return false;
    this.machine.entered();
    return true;
  }
  refused(fault: Fault): void {
    this.machine.refused(fault, this.nowMs());
  }
  passivate(): void {
    this.machine.passivate(this.nowMs());
  }
  waitingFor(): string {
    const { reason } = this.host.gate;
    return reason === "" ? "too many entities are loading" : `its function cannot be reached (${reason})`;
  }
  rest(): void {
    this.parts.activations.rest(this);
    if (this.parts.draining()) this.machine.passivate(this.nowMs());
  }
  stir(): void {
    this.parts.activations.stir(this);
  }

  /** The component's function was replaced. */
  moved(before: FunctionGate, nowMs: number): void {
    if (before.holds(this)) {
      before.leave(this);
      this.enter();
    }
    this.machine.moved(nowMs);
  }

  ended(): void {
    this.host.gate.leave(this);
    this.parts.wheel.cancel(this);
    if (this.hasPlace) this.count("passivatedEntities");
    if (this.activeSinceMs >= 0) this.host.meters.ended(this.nowMs() - this.activeSinceMs);
    this.host.entities.delete(this.entityId);
    this.parts.activations.leave(this);
    this.parts.commands.fewer();
  }

  /** The entity is loaded. */
  protected nowActive(): void {
    this.parts.activations.loaded(this);
    this.activeSinceMs = this.nowMs();
    this.host.meters.recovered(this.activeSinceMs - this.openedMs);
    this.count("activatedEntities");
  }

  streamFailed(reason: string): void {
    this.host.gate.failed(reason, this.nowMs());
    this.count("failedEntities");
  }

  protected count(what: "passivatedEntities" | "activatedEntities" | "failedEntities" | "failedCommands" | "completedCommands"): void {
    this.host.meters[what]++;
    this.parts.meters.changed(this.nowMs());
  }

  // ---- commands -------------------------------------------------------------------------------------------------------------------

  /** A command goes to the function now. */
  protected leaves(envelope: Envelope): void {
    const { tracer } = this.parts;
    if (tracer !== undefined) envelope.span = commandSpan(tracer, envelope, this.entityId);
    if (envelope.waited) this.host.meters.unqueued(this.nowMs() - envelope.enqueuedMs);
  }

  /** Ends the span of a command at the function. */
  protected endSpan(envelope: Envelope | undefined, fault: Parameters<Span["end"]>[0]): void {
    if (envelope !== undefined) endSpan(envelope, fault);
  }

  /** A wrong type is reported and delivered all the same, as in the reference. Once for each method: it is the same mistake. */
  protected checkType({ method }: Envelope, { typeUrl }: Payload): void {
    const expected = method.outputTypeUrl;
    if (typeUrl === expected || expected === anyTypeUrl || this.host.warned.has(method.name)) return;
    this.host.warned.add(method.name);
    this.reportError(`Warning: ${this.host.service}.${method.name}: Expected reply type_url to be [${expected}] but was [${typeUrl}].`);
  }

  /** `envelope` absent: nobody is answered. */
  protected tailSource(envelope: Envelope | undefined, commandName: string): TailSource {
    return {
      service: this.host.service,
      commandName,
      context: envelope?.context ?? { hops: 0 },
      origin: envelope?.origin,
      reportError: (message) => this.reportError(message),
      awaited: () => envelope?.awaited === true,
    };
  }

  fail(envelope: Envelope, fault: Fault): void {
    this.count("failedCommands");
    endSpan(envelope, withoutAnswer);
    envelope.finish(fault, undefined);
  }

  reportError(message: string): void {
    this.host.component.function.reportError(message);
  }

  warn(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.parts.log.warn(message, fields);
  }

  // ---- time -----------------------------------------------------------------------------------------------------------------------

  watch(dueMs: number): void {
    this.parts.wheel.arm(this, dueMs);
  }

  override expired(nowMs: number): void {
    this.machine.tick(nowMs);
  }
}
